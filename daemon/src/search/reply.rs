//! What a searched member streams back: frames whose first byte tells their kind.

use memberd_control::grep::GrepTotals;
use std::io;

/// The longest frame: a piece of output and its kind.
pub const MAX_FRAME: usize = MAX_PIECE + 1;

/// The longest piece of output in one frame. Longer lines are cut into several pieces.
pub const MAX_PIECE: usize = 256 * 1024;

const LINES: u8 = 0;
const MESSAGE: u8 = 1;
const WORKING: u8 = 2;
const DONE: u8 = 3;
const REFUSED: u8 = 4;

/// One frame of the answer to a grep.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PeerReply {
    /// Output, ready to print; whole lines, unless one is longer than [`MAX_PIECE`].
    Lines(Vec<u8>),
    /// A message for standard error.
    Message(String),
    /// Nothing yet, but the search goes on.
    Working,
    /// The search is over.
    Done(GrepTotals),
    /// The search was not begun, and why.
    Refused(String),
}

impl PeerReply {
    /// As the parts of a frame.
    ///
    /// # Errors
    /// When the totals cannot be encoded, which memory does not do.
    pub fn encode(&self) -> io::Result<Vec<u8>> {
        Ok(match self {
            PeerReply::Lines(bytes) => [&[LINES], bytes.as_slice()].concat(),
            PeerReply::Message(text) => [&[MESSAGE], text.as_bytes()].concat(),
            PeerReply::Working => vec![WORKING],
            PeerReply::Done(totals) => {
                let mut bytes = vec![DONE];
                ciborium::into_writer(totals, &mut bytes).map_err(io::Error::other)?;
                bytes
            }
            PeerReply::Refused(reason) => [&[REFUSED], reason.as_bytes()].concat(),
        })
    }

    /// From a frame.
    ///
    /// # Errors
    /// When it is none.
    pub fn decode(mut frame: Vec<u8>) -> io::Result<Self> {
        let malformed = || io::Error::new(io::ErrorKind::InvalidData, "malformed reply");
        let kind = *frame.first().ok_or_else(malformed)?;
        frame.remove(0);
        match kind {
            LINES => Ok(PeerReply::Lines(frame)),
            MESSAGE => Ok(PeerReply::Message(String::from_utf8_lossy(&frame).into_owned())),
            WORKING => Ok(PeerReply::Working),
            DONE => ciborium::from_reader(frame.as_slice()).map(PeerReply::Done).map_err(|_| malformed()),
            REFUSED => Ok(PeerReply::Refused(String::from_utf8_lossy(&frame).into_owned())),
            _ => Err(malformed()),
        }
    }
}
