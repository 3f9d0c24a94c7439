//! Carries what a searching thread finds to the thread that has the output.

use std::cell::RefCell;
use std::sync::mpsc::SyncSender;

use super::worker::TaskResult;
use crate::output::{Output, Stopped};
use crate::search::Totals;

/// What a searching thread has for the output, in order.
#[derive(Debug)]
pub(crate) enum Event {
    /// Whole lines.
    Lines(Vec<u8>),
    /// A part of a long line, but for its last.
    LinePart(Vec<u8>),
    /// Whole lines with their times.
    TimedLines(TimedLines),
    /// So many more bytes were read, of a unit that is not done.
    Read(u64),
    /// A message.
    Message(String),
    /// The unit is searched.
    Done(TaskResult),
    /// All is searched.
    End(Totals),
}

/// Whole lines in the order of time.
#[derive(Debug, Default)]
pub(crate) struct TimedLines {
    bytes: Vec<u8>,
    /// Up to where in `bytes` lines have which time.
    times: Vec<(usize, i64)>,
    /// Whether a mark came last.
    is_marked: bool,
}

impl TimedLines {
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
pub(crate) struct EventSink<'q>(pub(crate) &'q RefCell<Option<SyncSender<Event>>>);

impl EventSink<'_> {
    fn send(&self, piece: Event) -> Result<(), Stopped> {
        match &*self.0.borrow() {
            Some(queue) => queue.send(piece).map_err(|_| Stopped),
            None => Err(Stopped),
        }
    }
}

impl Output for EventSink<'_> {
    fn lines(&mut self, bytes: Vec<u8>) -> Result<(), Stopped> {
        self.send(Event::Lines(bytes))
    }

    fn line_part(&mut self, bytes: Vec<u8>) -> Result<(), Stopped> {
        self.send(Event::LinePart(bytes))
    }

    fn read(&mut self, bytes: u64) -> Result<(), Stopped> {
        self.send(Event::Read(bytes))
    }

    fn message(&mut self, text: String) -> Result<(), Stopped> {
        self.send(Event::Message(text))
    }
}
