//! What memberd and memberctl share: the control socket's protocol (requests, replies, events,
//! framing), and the file of the group's keys ([`keyring`]).
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
//! The daemon always answers with its own [`Hello`](message::Hello), so that either side can name
//! both versions. When they differ it then sends [`Reply::Refused`](message::Reply::Refused) with
//! [`RefusalKind::Version`](message::RefusalKind::Version) instead of waiting for a request, and
//! closes. Hello and the frame header never change, whatever the version.
//!
//! Within a version requests and fields are added, never taken away. A daemon refuses a request
//! that it does not know as [`RefusalKind::Usage`](message::RefusalKind::Usage), and the client
//! asks in the older way; a field that is not known is passed over. A reply of a new kind goes only
//! to who has asked with a request that is as new.
//!
//! A client that closes the connection, or only its sending side, cancels its request: that is how
//! a search or a stream of events is stopped.
//!
//! Each message is one frame, see [`frame`]. The protocol does no I/O of its own: there are pure
//! functions for a daemon with its own sockets, and blocking helpers over [`std::io`] for simple
//! clients.
//!
//! There are two sockets: what a caller may do follows from the one it came by, see [`socket`].

mod bytes;
pub mod duration;
pub mod frame;
pub mod grep;
pub mod keyring;
pub mod message;
pub mod name_globs;
pub mod output;
pub mod reader;
pub mod socket;
pub mod tags;
