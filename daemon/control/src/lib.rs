//! What memberd and memberctl share: the control socket's protocol (requests, replies, events,
//! framing), the parsers of what users write to both, and the group's key file ([`keyring`]).
//!
//! The control socket is a Unix stream socket. One connection carries one request:
//!
//! ```text
//! client                                daemon
//!   | -- Hello { protocol, program } ---> |
//!   | <-- Hello { protocol, program } --- |   both versions equal:
//!   | -- Request -----------------------> |
//!   | <-- Reply, streamed (0 or more) --- |
//!   | <-- Reply, final ------------------ |   closed by the daemon
//! ```
//!
//! The daemon always sends its own [`Hello`](message::Hello), so that either side can name both
//! versions. If they differ, it then sends [`Reply::Refused`](message::Reply::Refused) with
//! [`RefusalKind::Version`](message::RefusalKind::Version), and closes the connection. The hello
//! and the frame header are the same in every version.
//!
//! Within a version requests and fields are only added. A daemon refuses a request that it does not
//! know as [`RefusalKind::Usage`](message::RefusalKind::Usage), and the client may then send an
//! older one. An unknown field is ignored. A new kind of reply is only sent in answer to a request
//! that is as new.
//!
//! A client that closes the connection, or only its sending side, cancels its request. This is how
//! a search or a stream of events is stopped.
//!
//! A request that writes a replicated file is the only one that goes on after it was sent, see
//! [`FileUpload`](message::FileUpload).
//!
//! Each message is one frame, see [`frame`]. The protocol does no I/O of its own: there are pure
//! functions for a daemon with its own sockets, and blocking helpers over [`std::io`] for simple
//! clients.
//!
//! There are two sockets. The socket decides what its clients may do, see [`socket`].

mod bounded;
pub mod bytes;
pub mod duration;
pub mod files;
pub mod frame;
pub mod grep;
pub mod keyring;
pub mod message;
pub mod name_globs;
pub mod name_order;
pub mod output;
pub mod plain_file;
pub mod socket;
pub mod stats;
pub mod streams;
pub mod tags;
pub mod toml_text;
mod unknown_key;
