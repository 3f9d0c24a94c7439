//! What members ask each other over TCP: to join, and to exchange whole lists.

use super::cbor::FromElements;
use super::ends::{CarriesUpdates, Ends};
use super::entries;
use super::forgotten::read_forgotten;
use crate::forgotten::Forgotten;
use crate::list::Update;
use crate::settings::{GroupSettings, PROTOCOL_VERSION};
use serde::de::{Error as _, SeqAccess};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The longest request or reply between members over TCP, in bytes: the largest list.
pub const MAX_CALL: usize = 10 << 20;

/// Within this time the maker of a call hands in its reply, or the error that replaces it.
pub const CALL_TIMEOUT: Duration = Duration::from_secs(2);

/// A request to another member.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum CallRequest {
    /// To join under this identity.
    Join {
        /// The newcomer; alive.
        newcomer: Update,
        /// Its settings, which must be the group's.
        settings: GroupSettings,
    },
    /// To exchange whole lists.
    Exchange {
        /// The sender, alive.
        sender: Update,
        /// All that it knows.
        #[serde(deserialize_with = "entries::bounded")]
        list: Vec<Update>,
    },
    /// To forget members, and to say who is forgotten already. Version 1 does not know it.
    Forget {
        /// The sender, alive.
        sender: Update,
        /// The members to forget.
        #[serde(deserialize_with = "read_forgotten")]
        forgotten: Vec<Forgotten>,
    },
}

/// The reply to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum CallReply {
    /// The newcomer is welcome.
    Welcome {
        /// All that the introducer knows, itself included.
        #[serde(deserialize_with = "entries::bounded")]
        list: Vec<Update>,
        /// The largest incarnation that the group knows of the newcomer's name; zero for none. Its
        /// own must be larger.
        last: u64,
        /// The members that were forgotten on request. Version 1 does not know them.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        #[serde(deserialize_with = "read_forgotten")]
        forgotten: Vec<Forgotten>,
    },
    /// The whole list of the member that was asked.
    List(#[serde(deserialize_with = "entries::bounded")] Vec<Update>),
    /// All members that were forgotten on request, now that the asked member forgets them too.
    Forgotten(#[serde(deserialize_with = "read_forgotten")] Vec<Forgotten>),
    /// The request is refused.
    Refused(JoinRefusal),
}

/// Why a request is refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum JoinRefusal {
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
        let request = elements.next_element()?;
        let mut request: Self = request.ok_or_else(|| A::Error::custom("no request"))?;
        Ends::take(elements, request.updates_mut())?;
        Ok(request)
    }
}

impl CarriesUpdates for CallRequest {
    fn updates(&self) -> &[Update] {
        match self {
            CallRequest::Exchange { list, .. } => list,
            // Whoever joins or asks is alive.
            CallRequest::Join { .. } | CallRequest::Forget { .. } => &[],
        }
    }

    fn updates_mut(&mut self) -> &mut [Update] {
        match self {
            CallRequest::Exchange { list, .. } => list,
            CallRequest::Join { .. } | CallRequest::Forget { .. } => &mut [],
        }
    }
}

impl FromElements for CallReply {
    fn from_elements<'de, A: SeqAccess<'de>>(elements: &mut A) -> Result<Self, A::Error> {
        let reply = elements.next_element()?;
        let mut reply: Self = reply.ok_or_else(|| A::Error::custom("no reply"))?;
        Ends::take(elements, reply.updates_mut())?;
        Ok(reply)
    }
}

impl CarriesUpdates for CallReply {
    fn updates(&self) -> &[Update] {
        match self {
            CallReply::Welcome { list, .. } | CallReply::List(list) => list,
            CallReply::Refused(_) | CallReply::Forgotten(_) => &[],
        }
    }

    fn updates_mut(&mut self) -> &mut [Update] {
        match self {
            CallReply::Welcome { list, .. } | CallReply::List(list) => list,
            CallReply::Refused(_) | CallReply::Forgotten(_) => &mut [],
        }
    }
}
