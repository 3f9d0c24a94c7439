//! Joining a group: what can come of it. `client` is the newcomer's side, `server` the
//! introducer's.

pub(crate) mod client;
pub(crate) mod inquiry;
mod introducers;
pub(crate) mod server;

pub use inquiry::{Elsewhere, Inquiry};
pub use introducers::{Introducers, Others};

use crate::calls::CallError;
use crate::wire::JoinRefusal;
use std::net::SocketAddr;
use std::time::Duration;

/// Why a member could not join.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JoinError {
    /// An introducer said no for good.
    #[error("{introducer} refused: {refusal}")]
    Refused {
        /// Which.
        introducer: SocketAddr,
        /// Its words.
        refusal: JoinRefusal,
    },
    /// Those who are up have incarnations that are more than a year ahead of this machine's clock.
    #[error(
        "the members that {introducer} knows are more than a year ahead of this machine's clock: \
        set it"
    )]
    ClockBehind {
        /// Who welcomed it.
        introducer: SocketAddr,
    },
    /// None welcomed it.
    #[error("no introducer let this machine in: {}", reasons(.0))]
    NobodyAnswered(Vec<(SocketAddr, CallError)>),
    /// None of the members that it remembers welcomed it, and no introducer is listed. It founds no
    /// group beside theirs.
    #[error("no member that this machine remembers let it in, and it founds no group beside \
    theirs: {}: have memberd join there, set [group] introducers, or name a member that is up: \
    memberctl join HOST:PORT (the own address founds a new group)", each(.0))]
    NobodyRemembered(Vec<(SocketAddr, CallError)>),
    /// An introducer welcomed it, but no member's heartbeat came.
    #[error("an introducer answered over TCP, but no heartbeat came within {} s: is UDP blocked on \
    the way?", .0.as_secs())]
    NoHeartbeat(Duration),
    /// Its owner asked it to leave meanwhile.
    #[error("asked to leave while joining")]
    Abandoned,
}

fn reasons(failures: &[(SocketAddr, CallError)]) -> String {
    if failures.is_empty() {
        return "none of those listed under [group] introducers has an address at present: check \
                the names, or name a member by its address: memberctl join ADDRESS:PORT"
            .to_owned();
    }
    format!(
        "{}: have memberd join there, or name a member that is up: memberctl join HOST:PORT",
        each(failures)
    )
}

fn each(failures: &[(SocketAddr, CallError)]) -> String {
    let each: Vec<String> =
        failures.iter().map(|(address, reason)| format!("{address}: {reason}")).collect();
    each.join("; ")
}
