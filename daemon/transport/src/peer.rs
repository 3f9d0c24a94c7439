//! The TCP side of the port: members' calls of the protocol, and their greps.
//!
//! A connection carries one request. It begins with a frame of the protocol's version, a byte that
//! tells which kind of request it is, and the request; a frame is a big-endian `u32` length and
//! that many bytes. Where there is a key, all of that is inside of a sealed stream.

pub mod call;
pub mod frame;
pub mod stream;

/// The kinds of request.
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
