//! Where the searched text lies in its file: it may be one chunk, or have gaps.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;

/// How many gaps are kept until the sink asks for them: more than a searcher reads ahead.
const MAX_AHEAD: usize = 128 * 1024;

/// A number of lines and bytes: of a chunk, or of what was left out before a place.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct TextSize {
    /// The lines that end in it.
    pub(crate) lines: u64,
    /// Its bytes.
    pub(crate) bytes: u64,
}

/// The gaps in the searched text. The reader that leaves them out records them, and the sink asks
/// for them. Both go from the beginning to the end.
#[derive(Debug, Default)]
pub(crate) struct Positions {
    /// The gaps ahead: the offset of each in the searched text, and what is left out up to there.
    ahead: RefCell<VecDeque<(u64, TextSize)>>,
    current: Cell<TextSize>,
    /// The chunks that were searched before. The sink counts from the beginning of its chunk.
    searched: Cell<TextSize>,
}

impl Positions {
    /// For text before which `before` lies in the file.
    pub(crate) fn starting(before: TextSize) -> Positions {
        Positions { ahead: RefCell::default(), current: Cell::new(before), ..Positions::default() }
    }

    /// At `at` in the searched text, `before` is left out in all.
    pub(crate) fn gap(&self, at: u64, before: TextSize) {
        let mut ahead = self.ahead.borrow_mut();
        match ahead.back_mut() {
            Some(last) if last.0 == at => last.1 = before,
            _ => ahead.push_back((at, before)),
        }
        if ahead.len() > MAX_AHEAD
            && let Some((_, passed)) = ahead.pop_front()
        {
            self.current.set(passed);
        }
    }

    /// A chunk was searched, and the next one begins.
    pub(crate) fn go_on(&self, part: TextSize) {
        let TextSize { lines, bytes } = self.searched.get();
        self.searched.set(TextSize { lines: lines + part.lines, bytes: bytes + part.bytes });
    }

    /// The size of the file's text before `at` of the present chunk, without the chunk's own bytes.
    /// An offset must not be smaller than in an earlier call.
    pub(crate) fn before(&self, at: u64) -> TextSize {
        let searched = self.searched.get();
        let mut ahead = self.ahead.borrow_mut();
        while let Some((_, before)) =
            ahead.front().copied().filter(|(gap, _)| *gap <= searched.bytes + at)
        {
            ahead.pop_front();
            self.current.set(before);
        }
        let TextSize { lines, bytes } = self.current.get();
        TextSize { lines: searched.lines + lines, bytes: searched.bytes + bytes }
    }
}
