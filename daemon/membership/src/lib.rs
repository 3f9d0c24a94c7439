//! memberd's membership protocol as a pure state machine: no sockets, no threads, no clock.
//!
//! [`Node`] is one member. Its owner hands it inputs together with the time
//! ([`Node::handle_datagram`], [`Node::handle_request`], [`Node::handle_reply`],
//! [`Node::handle_timeout`], [`Node::join`], [`Node::leave`]). After each of them it asks what to
//! do ([`Node::poll_output`]) until there is no more, and when to wake the node
//! ([`Node::poll_timeout`]). That is the one rule. The same code runs under tokio in `memberd` and
//! under a simulated network in the tests, where a run is a seed that can be replayed.
//!
//! Two members on a network without delay, which find each other:
//!
//! ```
//! use memberd_membership::{Instant, Name, Node, Now, Output, PhaseName, Settings, WallTime};
//! use std::net::SocketAddr;
//! use std::time::Duration;
//!
//! let address = |i: u8| SocketAddr::from(([192, 0, 2, i], 8946));
//! let node = |i: u8| {
//!     let name = Name::new(&format!("vm{i}")).unwrap();
//!     Node::new(Settings::default(), name, address(i), None, u64::from(i))
//! };
//! let at = |ms: u64| Now {
//!     mono: Instant::from_epoch(Duration::from_millis(ms)),
//!     wall: WallTime(1_763_688_000_000 + ms),
//! };
//!
//! let mut nodes = [node(1), node(2)];
//! nodes[0].join(at(0), Vec::new(), Vec::new()).unwrap();
//! nodes[1].join(at(0), vec![address(1)], Vec::new()).unwrap();
//! let mut payload = Vec::new();
//! for now in (0..1_000).map(at) {
//!     for (own, other) in [(0, 1), (1, 0)] {
//!         if nodes[own].poll_timeout().is_some_and(|due| due <= now.mono) {
//!             nodes[own].handle_timeout(now);
//!         }
//!         let from = nodes[own].address();
//!         while let Some(output) = nodes[own].poll_output(&mut payload) {
//!             match output {
//!                 // A new incarnation has to be on disk before anything is sent under it.
//!                 Output::Event(event) => println!("{from}: {event:?}"),
//!                 Output::Transmit(_) => {
//!                     nodes[other].handle_datagram(now, from, &payload).unwrap();
//!                 }
//!                 Output::Call(call) => {
//!                     let reply = nodes[other].handle_request(now, &call.payload);
//!                     nodes[own].handle_reply(now, call.id, Ok(&reply));
//!                 }
//!             }
//!         }
//!     }
//! }
//! assert!(nodes.iter().all(|node| node.phase() == PhaseName::Member));
//! assert!(nodes.iter().all(|node| node.list().up() == 2));
//! ```
//!
//! The protocol is described, byte for byte, in `PROTOCOL.md` beside this crate.

mod calls;
mod candidates;
mod context;
mod detector;
mod doubt;
mod event;
mod forgotten;
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
mod ring;
mod settings;
mod suspicion;
#[cfg(test)]
mod testing;
mod time;
pub mod wire;

pub use calls::{Call, CallError, CallId, read_reply};
pub use detector::peer_clock::SentAt;
pub use event::{Event, MemberEvent, MemberEventKind};
pub use forgotten::Forgotten;
pub use gossip::anti_entropy::digest::Digest;
pub use gossip::anti_entropy::summary::Summary;
pub use gossip::views::ViewNews;
pub use identity::{Identity, Incarnation, Name, NameError, Position};
pub use join::{Elsewhere, Inquiry, Introducers, JoinError, Others};
pub use list::tags::{TagError, TagKey, TagValue, Tags, VersionedTags, ZONE};
pub use list::{Change, Claim, Entry, FailureEvidence, List, MAX_ENTRIES, MemberState, Update};
pub use message::{Body, MAX_DATAGRAM, Message, UPDATES_ROOM, pack};
pub use node::{
    Counters, Forget, ForgetError, ForgetReport, Neighbour, Node, NotOut, PhaseName, STALL,
    SimulatedGroup,
};
pub use outputs::{Output, Transmit};
pub use ring::{Ring, ZONE_CELL_MAX};
pub use settings::{
    AgreementSettings, Detection, GroupSettings, PROTOCOL_VERSION, Settings, SwimSettings,
    is_understood,
};
pub use suspicion::Suspicion;
pub use time::{Instant, Now, WallTime, millis};
pub use wire::{CALL_TIMEOUT, CallReply, CallRequest, JoinRefusal, MAX_CALL};
