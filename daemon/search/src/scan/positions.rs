//! Where searched bytes lie in their file: they may be a part of it, or have gaps.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;

/// How many gaps are kept for a sink that has not come to them: more than a searcher reads ahead.
const MAX_AHEAD: usize = 128 * 1024;

/// What lies before a place of the searched bytes in their file, beyond the searched bytes
/// themselves.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct TextSize {
    /// Lines of the file that were left out.
    pub(crate) lines: u64,
    /// Bytes of the file that were left out.
    pub(crate) bytes: u64,
}

/// The gaps of what is searched: told by the reader that leaves them out, asked for by the sink,
/// both from the beginning to the end.
#[derive(Debug, Default)]
pub(crate) struct Positions {
    /// The gaps ahead, and where they are in the searched bytes.
    ahead: RefCell<VecDeque<(u64, TextSize)>>,
    current: Cell<TextSize>,
    /// What was searched before, in parts, of each of which the places count from its own
    /// beginning.
    searched: Cell<TextSize>,
}

impl Positions {
    /// What is searched begins there.
    pub(crate) fn starting(before: TextSize) -> Positions {
        Positions { ahead: RefCell::default(), current: Cell::new(before), ..Positions::default() }
    }

    /// From `at` in the searched bytes on, `before` was left out in all.
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

    /// A part is searched, and the next begins.
    pub(crate) fn go_on(&self, part: TextSize) {
        let TextSize { lines, bytes } = self.searched.get();
        self.searched.set(TextSize { lines: lines + part.lines, bytes: bytes + part.bytes });
    }

    /// What is before the part that is searched, and was left out before `at` in it. Never ask for
    /// an earlier place than before.
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
