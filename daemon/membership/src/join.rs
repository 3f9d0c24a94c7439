//! What members ask each other over TCP: to be let in, and to exchange whole lists; and a
//! newcomer's round of its introducers.

use crate::calls::CallError;
use crate::identity::{Identity, Incarnation};
use crate::list::Update;
use crate::settings::{GroupSettings, PROTOCOL_VERSION};
use crate::time::Instant;
use crate::wire::FromElements;
use serde::de::{Error as _, SeqAccess};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

/// The longest request or reply between members over TCP, in bytes: the largest list.
pub const MAX_CALL: usize = 10 << 20;

/// How long a newcomer waits for one introducer before it asks the next as well.
pub(crate) const NEXT_INTRODUCER_AFTER: Duration = Duration::from_millis(300);

/// A call that failed is answered for by its maker within this time.
pub const CALL_TIMEOUT: Duration = Duration::from_secs(2);

/// A request to another member.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum CallRequest {
    /// Let me in as this.
    Join {
        /// Who asks; alive.
        newcomer: Update,
        /// Its settings, which must be the group's.
        settings: GroupSettings,
    },
    /// Here is my list; tell me yours.
    Exchange {
        /// The sender, alive.
        sender: Update,
        /// All that it knows.
        list: Vec<Update>,
    },
}

/// The reply to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum CallReply {
    /// Come in.
    Welcome {
        /// All that the introducer knows, itself included.
        list: Vec<Update>,
        /// The largest incarnation that the group knows of the newcomer's name; zero for none. Its
        /// own must be larger.
        last: u64,
    },
    /// All that the asked member knows.
    List(Vec<Update>),
    /// No.
    Refused(Refusal),
}

/// Why a member is not let in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum Refusal {
    /// The asked daemon is itself not in a group.
    #[error("it is not in a group itself")]
    NotInGroup,
    /// Another live machine has the name.
    #[error(
        "the name of {newcomer} is taken by the live member {holder}: give each machine its own \
        [node] name"
    )]
    NameTaken {
        /// Who asked.
        newcomer: String,
        /// Who has it.
        holder: String,
    },
    /// Another live machine has the address.
    #[error(
        "the address of {newcomer} is taken by the live member {holder}: give each machine its own \
        [node] address and port"
    )]
    AddressTaken {
        /// Who asked.
        newcomer: String,
        /// Who has it.
        holder: String,
    },
    /// A setting that must agree does not.
    #[error("{setting} is {newcomer} here and {group} in the group: they must agree")]
    Settings {
        /// Which.
        setting: String,
        /// The newcomer's value.
        newcomer: String,
        /// The group's value.
        group: String,
    },
    /// Its incarnation, so its clock, is far ahead of everything that the group knows.
    #[error("the clock of {newcomer} is more than a year ahead of the group's: set it")]
    ClockAhead {
        /// Who asked.
        newcomer: String,
    },
    /// A version of the protocol that is not next to the newcomer's.
    #[error(
        "it speaks protocol version {group}, this daemon {PROTOCOL_VERSION}: upgrade the older, \
        one version at a time"
    )]
    Version {
        /// The group's version.
        group: u8,
    },
    /// The request made no sense to the asked daemon.
    #[error("it could not read the request")]
    Malformed,
}

impl FromElements for CallRequest {
    fn from_elements<'de, A: SeqAccess<'de>>(elements: &mut A) -> Result<Self, A::Error> {
        elements.next_element()?.ok_or_else(|| A::Error::custom("no request"))
    }
}

impl FromElements for CallReply {
    fn from_elements<'de, A: SeqAccess<'de>>(elements: &mut A) -> Result<Self, A::Error> {
        elements.next_element()?.ok_or_else(|| A::Error::custom("no reply"))
    }
}

/// Why a member could not join.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JoinError {
    /// An introducer said no for good.
    #[error("{introducer} refused: {refusal}")]
    Refused {
        /// Which.
        introducer: SocketAddr,
        /// Its words.
        refusal: Refusal,
    },
    /// Those who are up have incarnations that are more than a year ahead of this machine's clock.
    #[error(
        "the members that {introducer} knows are more than a year ahead of this machine's clock: \
        set it"
    )]
    ClockBehind {
        /// Who let it in.
        introducer: SocketAddr,
    },
    /// None could let it in.
    #[error("no introducer let this machine in: {}", reasons(.0))]
    NobodyAnswered(Vec<(SocketAddr, CallError)>),
    /// It was let in, but no member's heartbeat came.
    #[error("an introducer answered over TCP, but no heartbeat came within {} s: is UDP blocked on \
    the way?", .0.as_secs())]
    NoHeartbeat(Duration),
    /// It was told to leave meanwhile.
    #[error("told to leave while joining")]
    Abandoned,
}

fn reasons(failures: &[(SocketAddr, CallError)]) -> String {
    if failures.is_empty() {
        return "none is known; name one, or list one under [group] introducers".to_owned();
    }
    let each: Vec<String> =
        failures.iter().map(|(address, reason)| format!("{address}: {reason}")).collect();
    format!(
        "{}: have memberd join there, or name a member that is up: memberctl join HOST:PORT",
        each.join("; ")
    )
}

/// A newcomer's round of those who could let it in.
#[derive(Debug, Clone)]
pub(crate) struct Round {
    /// Not yet asked.
    pub(crate) queue: VecDeque<SocketAddr>,
    /// How many were asked and have not answered yet.
    pub(crate) unanswered: usize,
    /// When to ask the next.
    pub(crate) next_at: Instant,
    /// Who could not help, and why.
    pub(crate) failures: Vec<(SocketAddr, CallError)>,
    /// Whether to found the group when nobody answers.
    pub(crate) may_found: bool,
    /// The incarnation it asks to join with.
    pub(crate) incarnation: Incarnation,
}

impl Round {
    /// Whether everyone was asked, and everyone answered, in vain.
    pub(crate) fn is_over(&self) -> bool {
        self.queue.is_empty() && self.unanswered == 0
    }
}

/// The first setting in which a newcomer disagrees with the group.
pub(crate) fn disagreement(group: &GroupSettings, newcomer: &GroupSettings) -> Option<Refusal> {
    let rows = [
        (
            "max_simultaneous_failures",
            newcomer.max_simultaneous_failures.to_string(),
            group.max_simultaneous_failures.to_string(),
        ),
        (
            "heartbeat_interval",
            format!("{:?}", newcomer.heartbeat_interval),
            format!("{:?}", group.heartbeat_interval),
        ),
        (
            "failure_timeout",
            format!("{:?}", newcomer.failure_timeout),
            format!("{:?}", group.failure_timeout),
        ),
    ];
    rows.into_iter().find(|(_, newcomer, group)| newcomer != group).map(
        |(setting, newcomer, group)| Refusal::Settings {
            setting: setting.to_owned(),
            newcomer,
            group,
        },
    )
}

/// The reply to a newcomer whose name or address a live member has.
pub(crate) fn conflict(newcomer: &Identity, holder: &Identity) -> Option<Refusal> {
    let (newcomer_text, holder_text) = (newcomer.to_string(), holder.to_string());
    match (newcomer.name == holder.name, newcomer.address == holder.address) {
        (true, false) => Some(Refusal::NameTaken { newcomer: newcomer_text, holder: holder_text }),
        (false, true) => {
            Some(Refusal::AddressTaken { newcomer: newcomer_text, holder: holder_text })
        }
        (true, true) | (false, false) => None,
    }
}
