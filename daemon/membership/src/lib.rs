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

pub mod clock;
pub mod detector;
pub mod digest;
pub mod event;
pub mod identity;
pub mod join;
pub mod list;
pub mod message;
pub mod node;
pub mod rumour;
pub mod settings;
pub mod summary;
pub mod tags;
pub mod time;
pub mod topology;
pub mod wire;

pub use event::{Event, MemberEvent, MemberEventKind};
pub use identity::{Identity, Incarnation, Name};
pub use node::{Call, Counters, Node, Transmit};
pub use settings::{GroupSettings, Settings};
pub use tags::{TagKey, TagValue, Tags};
pub use time::{Instant, Now, WallTime};
