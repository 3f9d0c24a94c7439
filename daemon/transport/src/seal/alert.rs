//! What a responder sends to a caller that it turns away: four bytes, not sealed, for people to
//! read.

use super::refusal::SealRefusal;
use std::fmt;
use std::io;

/// Why a responder turns a caller away. A caller that speaks in the clear takes the four bytes for
/// the length of a frame; they are longer than any frame may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Alert {
    /// The caller must seal.
    NotSealed,
    /// The caller's key is not in the responder's keyring.
    UnknownKey,
    /// The message was not sealed with the key it names, or not for this responder.
    Forged,
    /// The responder has no key.
    NoKey,
    /// The request has a version or a kind that the responder does not understand. Sent inside the
    /// sealed stream, where there is one.
    Version,
}

impl Alert {
    const ALL: [(u8, Alert); 5] = [
        (2, Alert::NotSealed),
        (3, Alert::UnknownKey),
        (4, Alert::Forged),
        (5, Alert::NoKey),
        (6, Alert::Version),
    ];

    /// The four bytes on the wire.
    pub fn to_bytes(self) -> [u8; 4] {
        let code = Self::ALL.iter().find(|(_, alert)| *alert == self).map_or(0, |(code, _)| *code);
        [code, 0, 0, 0]
    }

    /// The alert that begins with this byte.
    pub fn from_first_byte(byte: u8) -> Option<Self> {
        Self::ALL.iter().find(|(code, _)| *code == byte).map(|(_, alert)| *alert)
    }
}

/// One line, which says what to do.
impl fmt::Display for Alert {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str(match self {
            Alert::NotSealed => {
                "it takes only what is sealed with the group's key: set security.key_file here"
            }
            Alert::UnknownKey => {
                "it does not have the key that is first in this keyring: compare \
                memberctl key list"
            }
            Alert::Forged => {
                "it could not open what this daemon sealed: is this its address as \
                the members know it?"
            }
            Alert::NoKey => "it has no key and speaks in the clear: set security.key_file there",
            Alert::Version => {
                "it speaks another version of the protocol: upgrade the older, one \
                version at a time"
            }
        })
    }
}

impl std::error::Error for Alert {}

impl From<SealRefusal> for Alert {
    /// The alert for a caller that is turned away for this reason.
    fn from(refusal: SealRefusal) -> Self {
        match refusal {
            SealRefusal::Plain => Alert::NotSealed,
            SealRefusal::Sealed => Alert::NoKey,
            SealRefusal::UnknownKey(_) => Alert::UnknownKey,
            SealRefusal::Forged
            | SealRefusal::FormerIncarnation
            | SealRefusal::Replayed
            | SealRefusal::Broken
            | SealRefusal::Late => Alert::Forged,
        }
    }
}

impl From<Alert> for io::Error {
    fn from(alert: Alert) -> Self {
        io::Error::new(io::ErrorKind::PermissionDenied, alert)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seal::SEALED;

    /// An alert is taken neither for the length of a frame nor for something sealed.
    #[test]
    fn an_alert_is_no_frame_length_and_not_sealed() {
        for (code, alert) in Alert::ALL {
            assert_eq!(Alert::from_first_byte(alert.to_bytes()[0]), Some(alert));
            assert!(u32::from_be_bytes(alert.to_bytes()) > 16 << 20 && code != SEALED);
        }
    }
}
