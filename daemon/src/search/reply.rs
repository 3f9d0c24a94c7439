//! Writes and reads the stream of a member's replies: frames whose first byte is their kind. A
//! reader owns its buffer.

use super::timed::TimedLines;
use memberd_control::frame::{FrameDecoder, Part};
use memberd_control::grep::{GrepPosition, GrepTotals};
use memberd_transport::frame;
use std::borrow::Cow;
use std::io;
use tokio::io::{AsyncRead, AsyncWrite};

/// The longest frame in bytes: a piece of output, with its kind and its times.
pub const MAX_FRAME: usize = MAX_PIECE + 64;

/// The longest piece of output in one frame, in bytes. Longer lines are cut into several pieces.
pub const MAX_PIECE: usize = 256 * 1024;

const LINES: u8 = 0;
const PART: u8 = 1;
const TIMED: u8 = 2;
const TIMED_PART: u8 = 3;
const MESSAGE: u8 = 4;
const WORKING: u8 = 5;
const DONE: u8 = 6;
const REFUSED: u8 = 7;
const POSITIONS: u8 = 8;
const PARTIAL: u8 = 9;
const BROKEN: u8 = 10;

/// One frame of the answer to a grep.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PeerReply {
    /// Output, ready to print: whole lines, or the end of a begun line.
    Lines(Vec<u8>),
    /// A piece of a line longer than [`MAX_PIECE`]. Its other pieces follow at once.
    Part(Vec<u8>),
    /// Whole lines, each with its time, in the order of time.
    Timed(TimedLines),
    /// The first piece of a line with its time, in milliseconds since the Unix epoch. The others
    /// follow as [`PeerReply::Part`], and the last as [`PeerReply::Lines`].
    TimedPart(i64, Vec<u8>),
    /// A message for standard error.
    Message(String),
    /// The search continues, and has read this many bytes.
    Working(u64),
    /// The search is over.
    Done(GrepTotals),
    /// The search was refused or stopped, for this reason.
    Refused(String),
    /// A question that follows files has ended, for this reason. It may be asked again from the
    /// last positions.
    Broken(String),
    /// What was sent so far is all that these files have up to these positions. Only who asks for
    /// positions gets them. Sums that came before count from now on.
    Positions {
        /// The positions.
        positions: Vec<GrepPosition>,
        /// They hold once the next lines have come, too.
        with_next: bool,
    },
    /// A part of the sums of a question, which no daemon reads. It is at most
    /// [`MAX_PARTIAL_BYTES`](memberd_control::stats::MAX_PARTIAL_BYTES) long.
    Partial(Vec<u8>),
}

impl PeerReply {
    /// Sends the reply as a frame.
    ///
    /// # Errors
    /// When the connection breaks.
    pub async fn write(&self, stream: &mut (impl AsyncWrite + Unpin)) -> io::Result<()> {
        let (kind, body): (u8, Cow<'_, [u8]>) = match self {
            PeerReply::Lines(bytes) => (LINES, bytes.into()),
            PeerReply::Part(bytes) => (PART, bytes.into()),
            PeerReply::Timed(lines) => (TIMED, lines.as_bytes().into()),
            PeerReply::TimedPart(time, bytes) => {
                return frame::write(stream, &[&[TIMED_PART], &time.to_be_bytes(), bytes]).await;
            }
            PeerReply::Partial(bytes) => (PARTIAL, bytes.into()),
            PeerReply::Message(text) => (MESSAGE, text.as_bytes().into()),
            PeerReply::Working(bytes) => (WORKING, bytes.to_be_bytes().to_vec().into()),
            PeerReply::Done(totals) => {
                let mut bytes = Vec::new();
                ciborium::into_writer(totals, &mut bytes).map_err(io::Error::other)?;
                (DONE, bytes.into())
            }
            PeerReply::Refused(reason) => (REFUSED, reason.as_bytes().into()),
            PeerReply::Broken(reason) => (BROKEN, reason.as_bytes().into()),
            PeerReply::Positions { positions, with_next } => {
                let mut bytes = Vec::new();
                ciborium::into_writer(&(with_next, positions), &mut bytes)
                    .map_err(io::Error::other)?;
                (POSITIONS, bytes.into())
            }
        };
        frame::write(stream, &[&[kind], &body]).await
    }

    fn decode(kind: u8, body: Vec<u8>) -> io::Result<Self> {
        match kind {
            LINES => Ok(PeerReply::Lines(body)),
            PART => Ok(PeerReply::Part(body)),
            PARTIAL => Ok(PeerReply::Partial(body)),
            TIMED => TimedLines::from_bytes(body).map(PeerReply::Timed).ok_or_else(malformed),
            TIMED_PART => {
                let (time, piece) = body.split_first_chunk().ok_or_else(malformed)?;
                Ok(PeerReply::TimedPart(i64::from_be_bytes(*time), piece.to_vec()))
            }
            MESSAGE => Ok(PeerReply::Message(String::from_utf8_lossy(&body).into_owned())),
            WORKING => {
                let bytes = body.as_slice().try_into().map_err(|_| malformed())?;
                Ok(PeerReply::Working(u64::from_be_bytes(bytes)))
            }
            DONE => {
                ciborium::from_reader(body.as_slice()).map(PeerReply::Done).map_err(|_| malformed())
            }
            REFUSED => Ok(PeerReply::Refused(String::from_utf8_lossy(&body).into_owned())),
            BROKEN => Ok(PeerReply::Broken(String::from_utf8_lossy(&body).into_owned())),
            POSITIONS => ciborium::from_reader(body.as_slice())
                .map(|(with_next, positions)| PeerReply::Positions { positions, with_next })
                .map_err(|_| malformed()),
            _ => Err(malformed()),
        }
    }
}

/// Reads replies. One read usually gets a whole reply, with the beginning of the next.
#[derive(Debug)]
pub struct Replies<S> {
    stream: S,
    decoder: FrameDecoder<1>,
}

impl<S: AsyncRead + Unpin> Replies<S> {
    /// Reads the replies from this stream.
    pub fn new(stream: S) -> Self {
        Replies { stream, decoder: FrameDecoder::new(MAX_FRAME) }
    }

    /// Reads the next reply. This future can be dropped and called again.
    ///
    /// # Errors
    /// When the connection ends or breaks, and with [`io::ErrorKind::InvalidData`] when the bytes
    /// are not a reply.
    pub async fn next(&mut self) -> io::Result<PeerReply> {
        frame::read_part(&mut self.stream, &mut self.decoder, Part::WholeAndNextHead, MAX_FRAME)
            .await
            .map_err(frame::io_error)?;
        let [kind] = self.decoder.prefix();
        PeerReply::decode(kind, self.decoder.take_owned())
    }
}

fn malformed() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "malformed reply")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn replies() -> impl Strategy<Value = PeerReply> {
        let bytes = || proptest::collection::vec(any::<u8>(), 0..50);
        prop_oneof![
            bytes().prop_map(PeerReply::Lines),
            bytes().prop_map(PeerReply::Part),
            bytes().prop_map(PeerReply::Partial),
            (any::<i64>(), bytes()).prop_map(|(time, bytes)| PeerReply::TimedPart(time, bytes)),
            proptest::collection::vec((any::<i64>(), bytes()), 0..5).prop_map(|lines| {
                let mut timed = TimedLines::default();
                lines.iter().for_each(|(time, line)| timed.push(*time, line));
                PeerReply::Timed(timed)
            }),
            any::<String>().prop_map(PeerReply::Message),
            any::<u64>().prop_map(PeerReply::Working),
            any::<[u64; 3]>().prop_map(|[files, bytes, lines]| {
                PeerReply::Done(GrepTotals { files, bytes, lines, ..GrepTotals::default() })
            }),
            any::<String>().prop_map(PeerReply::Refused),
            any::<String>().prop_map(PeerReply::Broken),
            any::<([u64; 3], Option<u64>, bool)>().prop_map(
                |([device, inode, offset], sum, with_next)| {
                    let (head, before) = (sum, sum);
                    let position = GrepPosition { device, inode, offset, head, before };
                    PeerReply::Positions { positions: vec![position], with_next }
                }
            ),
        ]
    }

    fn runtime() -> tokio::runtime::Runtime {
        tokio::runtime::Builder::new_current_thread().build().unwrap()
    }

    proptest! {
        #[test]
        fn every_reply_comes_back_as_it_went(reply in replies()) {
            runtime().block_on(async {
                let mut wire = Vec::new();
                reply.write(&mut wire).await.unwrap();
                reply.write(&mut wire).await.unwrap();
                let mut replies = Replies::new(wire.as_slice());
                assert_eq!(replies.next().await.unwrap(), reply);
                assert_eq!(replies.next().await.unwrap(), reply);
                assert_eq!(replies.next().await.unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
            });
        }

        #[test]
        fn no_bytes_make_reading_panic(
            bytes in proptest::collection::vec(any::<u8>(), 0..80),
            kind in 0_u8..12,
        ) {
            runtime().block_on(async {
                let _ = Replies::new(bytes.as_slice()).next().await;
                if let Ok(PeerReply::Timed(mut lines)) = PeerReply::decode(kind, bytes) {
                    while lines.next().is_some() {}
                }
            });
        }
    }
}
