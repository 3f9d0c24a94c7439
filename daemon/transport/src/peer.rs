//! Requests between members, over TCP.
//!
//! A connection carries one request. It begins with a frame of the protocol's version, a byte for
//! the kind of request, and the request. With a key, all of that is inside a sealed stream.

pub(crate) mod call;
pub(crate) mod stream;

/// The kinds of requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PeerRequestKind {
    /// A request of the membership protocol; one frame answers it.
    Ring,
    /// A search of this machine's logs; a stream of frames answers it.
    Grep,
}

impl PeerRequestKind {
    /// As a byte.
    pub fn code(self) -> u8 {
        match self {
            PeerRequestKind::Ring => 0,
            PeerRequestKind::Grep => 1,
        }
    }

    /// From a byte.
    pub fn from_code(code: u8) -> Option<Self> {
        [PeerRequestKind::Ring, PeerRequestKind::Grep].into_iter().find(|kind| kind.code() == code)
    }
}
