//! Turns a search's output into replies: it cuts pieces, gathers timed lines, and enforces the
//! limit. It owns the lines that wait to be sent.

use super::reply::{MAX_PIECE, PeerReply};
use super::timed::TimedLines;
use memberd_control::grep::{GrepPosition, MAX_POSITIONS};
use memberd_search::{Output, Stopped};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

/// The bytes of timed lines that are gathered before they are sent. The asking member holds a few
/// times as many for each member.
const TIMED_BYTES: usize = 16 * 1024;

/// How long timed lines wait for further lines.
const GATHER_LIMIT: Duration = Duration::from_millis(100);

/// Takes a search's output. It blocks while the connection is slower.
pub(super) struct ReplySink {
    queue: mpsc::Sender<PeerReply>,
    timed: TimedLines,
    handed_on: Option<Instant>,
    left: u64,
    over: bool,
    searched: Arc<AtomicU64>,
    /// Where positions are told: the lines that wait for theirs.
    held: Option<Vec<u8>>,
    tells_positions: bool,
}

impl ReplySink {
    /// A sink of at most `limit` bytes of output. It adds the bytes that were read to `searched`.
    pub(super) fn new(
        queue: mpsc::Sender<PeerReply>,
        limit: u64,
        searched: Arc<AtomicU64>,
    ) -> Self {
        ReplySink {
            queue,
            timed: TimedLines::default(),
            handed_on: None,
            left: limit,
            over: false,
            searched,
            held: None,
            tells_positions: false,
        }
    }

    /// Holds the last lines until their position comes, so that both arrive, or none.
    pub(super) fn with_positions(self, tells_positions: bool) -> Self {
        ReplySink { tells_positions, ..self }
    }

    /// Sends the lines that wait for their position.
    fn release(&mut self) -> Result<(), Stopped> {
        match self.held.take() {
            Some(lines) => self.send(PeerReply::Lines(lines)),
            None => Ok(()),
        }
    }

    /// Whether the search was stopped because it found more than it may return.
    pub(super) fn is_over(&self) -> bool {
        self.over
    }

    /// Sends the gathered lines.
    pub(super) fn flush(&mut self) -> Result<(), Stopped> {
        self.release()?;
        if self.timed.is_empty() {
            return Ok(());
        }
        self.handed_on = Some(Instant::now());
        let timed = std::mem::take(&mut self.timed);
        self.send(PeerReply::Timed(timed))
    }

    /// Sends a part of the sums of a question.
    pub(super) fn partial(&mut self, bytes: Vec<u8>) -> Result<(), Stopped> {
        self.spend(bytes.len())?;
        self.send(PeerReply::Partial(bytes))
    }

    fn send(&self, reply: PeerReply) -> Result<(), Stopped> {
        self.queue.blocking_send(reply).map_err(|_| Stopped)
    }

    fn spend(&mut self, bytes: usize) -> Result<(), Stopped> {
        let left = u64::try_from(bytes).ok().and_then(|bytes| self.left.checked_sub(bytes));
        self.over |= left.is_none();
        self.left = left.ok_or(Stopped)?;
        Ok(())
    }

    /// Sends all pieces of one or several lines except the first.
    fn rest<'p>(&self, mut pieces: impl Iterator<Item = &'p [u8]>) -> Result<(), Stopped> {
        let Some(mut piece) = pieces.next() else { return Ok(()) };
        for next in pieces {
            self.send(PeerReply::Part(piece.to_vec()))?;
            piece = next;
        }
        self.send(PeerReply::Lines(piece.to_vec()))
    }
}

impl Output for ReplySink {
    fn lines(&mut self, mut bytes: Vec<u8>) -> Result<(), Stopped> {
        self.spend(bytes.len())?;
        if self.tells_positions {
            self.release()?;
            while bytes.len() > MAX_PIECE {
                let rest = bytes.split_off(MAX_PIECE);
                self.send(PeerReply::Part(bytes))?;
                bytes = rest;
            }
            self.held = Some(bytes);
            return Ok(());
        }
        if bytes.len() <= MAX_PIECE {
            return self.send(PeerReply::Lines(bytes));
        }
        self.rest(bytes.chunks(MAX_PIECE))
    }

    fn line_part(&mut self, bytes: Vec<u8>) -> Result<(), Stopped> {
        self.spend(bytes.len())?;
        self.release()?;
        bytes.chunks(MAX_PIECE).try_for_each(|piece| self.send(PeerReply::Part(piece.to_vec())))
    }

    fn timed(&mut self, milliseconds: i64, bytes: &[u8]) -> Result<(), Stopped> {
        self.spend(bytes.len())?;
        if bytes.len() > MAX_PIECE {
            self.flush()?;
            let mut pieces = bytes.chunks(MAX_PIECE);
            let first = pieces.next().unwrap_or_default();
            self.send(PeerReply::TimedPart(milliseconds, first.to_vec()))?;
            return self.rest(pieces);
        }
        if self.timed.len() + bytes.len() > TIMED_BYTES {
            self.flush()?;
        }
        self.timed.push(milliseconds, bytes);
        // The first line of a search does not wait.
        if self.handed_on.is_none() || self.timed.len() >= TIMED_BYTES {
            self.flush()
        } else {
            Ok(())
        }
    }

    fn read(&mut self, bytes: u64) -> Result<(), Stopped> {
        self.searched.fetch_add(bytes, Ordering::Relaxed);
        match self.handed_on {
            Some(at) if at.elapsed() < GATHER_LIMIT => Ok(()),
            _ => self.flush(),
        }
    }

    fn positions(&mut self, positions: Vec<GrepPosition>, has_lines: bool) -> Result<(), Stopped> {
        if !has_lines {
            self.release()?;
        }
        let held = self.held.take();
        // A frame has room for so many, and a file has one.
        let mut rest = positions;
        let last = rest.split_off(rest.len().saturating_sub(MAX_POSITIONS));
        for positions in rest.chunks(MAX_POSITIONS).map(<[GrepPosition]>::to_vec) {
            self.send(PeerReply::Positions { positions, with_next: false })?;
        }
        self.send(PeerReply::Positions { positions: last, with_next: held.is_some() })?;
        held.map_or(Ok(()), |lines| self.send(PeerReply::Lines(lines)))
    }

    fn message(&mut self, text: String) -> Result<(), Stopped> {
        self.flush()?;
        self.send(PeerReply::Message(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(limit: u64, write: impl FnOnce(&mut ReplySink)) -> (Vec<PeerReply>, bool) {
        let (queue, mut replies) = mpsc::channel(100);
        let mut pieces = ReplySink::new(queue, limit, Arc::default());
        write(&mut pieces);
        let over = pieces.is_over();
        drop(pieces);
        (std::iter::from_fn(|| replies.try_recv().ok()).collect(), over)
    }

    #[test]
    fn a_line_longer_than_a_frame_goes_in_parts() {
        let long = [vec![b'x'; 2 * MAX_PIECE], b"\n".to_vec()].concat();
        let (replies, _) = sent(u64::MAX, |pieces| {
            pieces.lines(b"a\nb\n".to_vec()).unwrap();
            pieces.lines(long.clone()).unwrap();
            pieces.timed(5, &long).unwrap();
        });
        let part = || vec![b'x'; MAX_PIECE];
        let end = || PeerReply::Lines(b"\n".to_vec());
        assert_eq!(replies[0], PeerReply::Lines(b"a\nb\n".to_vec()));
        assert_eq!(replies[1..4], [PeerReply::Part(part()), PeerReply::Part(part()), end()]);
        assert_eq!(replies[4..], [PeerReply::TimedPart(5, part()), PeerReply::Part(part()), end()]);
    }

    #[test]
    fn timed_lines_are_gathered_but_for_the_first() {
        let (replies, _) = sent(u64::MAX, |pieces| {
            (0..3).for_each(|time| pieces.timed(time, b"line\n").unwrap());
            pieces.flush().unwrap();
        });
        let times: Vec<Vec<i64>> = replies
            .into_iter()
            .map(|reply| match reply {
                PeerReply::Timed(mut lines) => {
                    std::iter::from_fn(|| lines.next().map(|(time, _)| time)).collect()
                }
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(times, [vec![0], vec![1, 2]]);
    }

    /// Whoever has the lines has their position, too.
    #[test]
    fn lines_and_their_position_come_together() {
        let position = GrepPosition { device: 1, inode: 2, offset: 3, head: None, before: None };
        let (queue, mut replies) = mpsc::channel(100);
        let mut sink = ReplySink::new(queue, u64::MAX, Arc::default()).with_positions(true);
        let mut sent = |sink: &mut ReplySink, call: fn(&mut ReplySink, GrepPosition)| {
            call(sink, position);
            std::iter::from_fn(|| replies.try_recv().ok()).collect::<Vec<_>>()
        };
        let lines = |text: &str| PeerReply::Lines(text.as_bytes().to_vec());
        let told = |with_next| PeerReply::Positions { positions: vec![position], with_next };
        assert_eq!(sent(&mut sink, |sink, _| sink.lines(b"a\n".to_vec()).unwrap()), []);
        assert_eq!(
            sent(&mut sink, |sink, at| sink.positions(vec![at], true).unwrap()),
            [told(true), lines("a\n")]
        );
        assert_eq!(
            sent(&mut sink, |sink, at| sink.positions(vec![at], false).unwrap()),
            [told(false)]
        );
        sent(&mut sink, |sink, _| sink.lines(b"b\n".to_vec()).unwrap());
        let message = || PeerReply::Message("m".to_owned());
        assert_eq!(
            sent(&mut sink, |sink, _| sink.message("m".to_owned()).unwrap()),
            [lines("b\n"), message()]
        );
    }

    #[test]
    fn no_more_is_returned_than_the_limit_and_that_is_reported() {
        let (replies, over) = sent(5, |pieces| {
            pieces.lines(b"abcd\n".to_vec()).unwrap();
            assert!(!pieces.is_over());
            assert_eq!(pieces.lines(b"x\n".to_vec()), Err(Stopped));
        });
        assert_eq!((replies.len(), over), (1, true));
    }
}
