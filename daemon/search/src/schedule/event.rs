//! Carries what a searching thread finds to the thread that has the output.

use std::cell::RefCell;
use std::sync::mpsc::SyncSender;

use super::worker::Outcome;
use crate::output::{Output, Stopped};
use crate::search::Totals;

/// What a searching thread has for the output, in order.
#[derive(Debug)]
pub(crate) enum Piece {
    /// Whole lines.
    Lines(Vec<u8>),
    /// A part of a long line, but for its last.
    Part(Vec<u8>),
    /// Whole lines with their times.
    Timed(Timed),
    /// So many more bytes were read, of a unit that is not done.
    Read(u64),
    /// A message.
    Message(String),
    /// The unit is searched.
    Done(Outcome),
    /// All is searched.
    End(Totals),
}

/// Whole lines in the order of time.
#[derive(Debug, Default)]
pub(crate) struct Timed {
    bytes: Vec<u8>,
    /// Up to where in `bytes` lines have which time.
    times: Vec<(usize, i64)>,
    /// Whether a mark came last.
    is_marked: bool,
}

impl Timed {
    /// Appends lines of a time that is not before the last; or no bytes at all, which mark the
    /// beginning of a group.
    pub(crate) fn push(&mut self, milliseconds: i64, lines: &[u8]) {
        self.bytes.extend_from_slice(lines);
        let after_mark = std::mem::replace(&mut self.is_marked, lines.is_empty());
        match self.times.last_mut() {
            Some((end, time)) if *time == milliseconds && !after_mark && !lines.is_empty() => {
                *end = self.bytes.len();
            }
            _ => self.times.push((self.bytes.len(), milliseconds)),
        }
    }

    /// How many bytes there are.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Hands all of it on.
    pub(crate) fn hand_on(&self, output: &mut dyn Output) -> Result<(), Stopped> {
        let mut start = 0;
        for (end, time) in &self.times {
            output.timed(*time, self.bytes.get(start..*end).unwrap_or_default())?;
            start = *end;
        }
        Ok(())
    }
}

/// An output at the other end of a bounded queue. Which queue may change from unit to unit.
pub(crate) struct Queue<'q>(pub(crate) &'q RefCell<Option<SyncSender<Piece>>>);

impl Queue<'_> {
    fn send(&self, piece: Piece) -> Result<(), Stopped> {
        match &*self.0.borrow() {
            Some(queue) => queue.send(piece).map_err(|_| Stopped),
            None => Err(Stopped),
        }
    }
}

impl Output for Queue<'_> {
    fn lines(&mut self, bytes: Vec<u8>) -> Result<(), Stopped> {
        self.send(Piece::Lines(bytes))
    }

    fn part(&mut self, bytes: Vec<u8>) -> Result<(), Stopped> {
        self.send(Piece::Part(bytes))
    }

    fn read(&mut self, bytes: u64) -> Result<(), Stopped> {
        self.send(Piece::Read(bytes))
    }

    fn message(&mut self, text: String) -> Result<(), Stopped> {
        self.send(Piece::Message(text))
    }
}
