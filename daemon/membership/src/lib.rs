//! memberd's membership protocol as a pure state machine: no sockets, no threads, no clock.
//!
//! [`Node`] is one member. Its owner hands it inputs together with the time
//! ([`Node::handle_datagram`], [`Node::handle_request`], [`Node::handle_reply`],
//! [`Node::handle_timeout`], [`Node::join`], [`Node::leave`]) and after each of them asks it, in
//! this order, what happened ([`Node::poll_event`]), what to send ([`Node::poll_transmit`],
//! [`Node::poll_call`]), each until there is no more, and when to wake it ([`Node::poll_timeout`]).
//! That is the one rule. The same code runs under tokio in `memberd` and under a simulated network
//! in the tests, where a run is a seed that can be replayed.
//!
//! The protocol is described, byte for byte, in `PROTOCOL.md` beside this crate.

mod calls;
mod context;
mod detector;
mod event;
mod gossip;
mod identity;
mod join;
mod leave;
mod list;
mod local;
mod members;
mod message;
mod node;
mod outputs;
mod plausibility;
mod rejoin;
pub mod ring;
mod settings;
mod suspicion;
#[cfg(test)]
mod testing;
mod time;
pub mod wire;

pub use calls::{Call, CallError, CallId};
pub use detector::peer_clock::SentAt;
pub use event::{Event, MemberEvent, MemberEventKind};
pub use gossip::anti_entropy::digest::Digest;
pub use gossip::anti_entropy::summary::Summary;
pub use identity::{Identity, Incarnation, Name, NameError, Position};
pub use join::JoinError;
pub use list::tags::{TagError, TagKey, TagValue, Tags, VersionedTags, ZONE};
pub use list::{Change, Claim, Entry, Evidence, List, MAX_ENTRIES, Standing, Update};
pub use message::{Body, MAX_DATAGRAM, Message, NEWS_ROOM, pack};
pub use node::{Counters, Neighbour, Node, NotOut, PhaseName, STALL};
pub use outputs::{Output, Transmit};
pub use settings::{GroupSettings, PROTOCOL_VERSION, Settings, is_understood};
pub use time::{Instant, Now, WallTime, millis};
pub use wire::{CALL_TIMEOUT, CallReply, CallRequest, MAX_CALL, Refusal};
