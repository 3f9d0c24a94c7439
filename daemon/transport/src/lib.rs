//! How members of a group reach each other: sealed datagrams, sealed connections, frames and
//! requests.
//!
//! - [`DatagramSession`] stands between a UDP socket and a protocol: it seals what is sent, and
//!   opens what came.
//! - [`Caller`] makes requests of other members over TCP; a connection is a [`PeerStream`].
//!   [`CallPool`] keeps connections for further calls.
//! - [`PeerServer`] accepts such requests, and hands each to the service that [`PeerServices`] has
//!   for its [`RequestKind`].
//! - [`serve_all`] accepts connections at any socket. A [`Crowd`] bounds them, and an [`Admission`]
//!   any other work; both share places out by [`Source`].
//! - [`Seal`] has the keys that all of them use, and [`Refusals`] what they turned away.
//!
//! The crate knows the group's keyring and the [incarnation](memberd_membership::Incarnation) of a
//! member, and nothing of what members say to each other.

mod accept;
mod admission;
mod crowd;
pub mod frame;
mod peer;
mod rate_limit;
mod seal;
mod source;

pub use accept::{Listener, listen, serve_all};
pub use admission::{Admission, Full, Permit};
pub use crowd::{Arrival, Crowd, CrowdCounts};
pub use peer::RequestKind;
pub use peer::call::Caller;
pub use peer::listener::{PeerServer, SMALL_REQUEST_BYTES};
pub use peer::pool::{CallPool, PoolLimits};
pub use peer::services::{KindTaken, PeerServices, StreamRequest};
pub use peer::stream::PeerStream;
pub use rate_limit::{LOG_INTERVAL, LogRateLimit};
pub use seal::alert::Alert;
pub use seal::datagram::{MAX_SEALED, Opened, Opener, Recipient, SealError, Sealer};
pub use seal::handshake::{HandshakeError, Session, initiate, respond};
pub use seal::keyring::{SealingKey, SealingKeys};
pub use seal::refusal::{Refusals, SealRefusal};
pub use seal::session::{DatagramSession, Incoming};
pub use seal::stream::SealedStream;
pub use seal::{HELLO, SEALED, Seal};
pub use source::Source;
