//! Carries what a searching thread finds to the thread that writes the output.

use std::cell::RefCell;
use std::path::PathBuf;
use std::sync::mpsc::SyncSender;

use memberd_control::grep::GrepPosition;

use crate::output::{Output, Stopped};
use crate::scan::Step;
use crate::search::Totals;

/// What a searching thread sends to the thread that writes the output, in order.
#[derive(Debug)]
pub(crate) enum Event {
    /// Whole lines.
    Lines(Vec<u8>),
    /// A part of a long line. The last part comes as `Lines`.
    LinePart(Vec<u8>),
    /// Whole lines with their times.
    TimedLines(TimedLines),
    /// This many more bytes were read for a task that is not done.
    Read(u64),
    /// Up to where files were followed, and whether lines were printed since the last time.
    Positions(Vec<GrepPosition>, bool),
    /// From here on, lines are of this file, which was written at that time.
    File(PathBuf, i64),
    /// All followed files were looked at.
    Looked,
    /// A message.
    Message(String),
    /// A task is done: the lines that were printed last, and what was found.
    Done(Vec<u8>, Step),
    /// The search is done.
    End(Totals),
}

/// Whole lines in order of time.
#[derive(Debug, Default)]
pub(crate) struct TimedLines {
    bytes: Vec<u8>,
    /// For each run of lines with one time: where it ends in `bytes`, and the time.
    times: Vec<(usize, i64)>,
    /// Whether the last item was a mark.
    is_marked: bool,
}

impl TimedLines {
    /// Appends lines whose time is not before the last one. No bytes at all are a mark: a group
    /// begins here.
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

    /// The number of bytes.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Hands on all lines.
    pub(crate) fn hand_on(&self, output: &mut dyn Output) -> Result<(), Stopped> {
        let mut start = 0;
        for (end, time) in &self.times {
            output.timed(*time, self.bytes.get(start..*end).unwrap_or_default())?;
            start = *end;
        }
        Ok(())
    }
}

/// An output that sends to a bounded queue. Each task has a queue of its own.
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
