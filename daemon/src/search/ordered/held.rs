//! Holds back the output of one member until its turn. It owns that output, and its share of the
//! room that all greps of the daemon have for such output.

use memberd_transport::{Admission, Permit};
use std::collections::VecDeque;

/// The room that one place stands for, in bytes.
pub(super) const STEP_BYTES: usize = 16 * 1024;

/// The places of all greps: 8 MiB.
pub(super) const ROOM_PLACES: usize = 512;

/// The most that is held back of one member, in bytes.
pub(super) const MOST_HELD_BYTES: usize = 1024 * 1024;

/// Frames of whole lines are joined up to this size, since many have one line only.
const JOINED_BYTES: usize = 64 * 1024;

/// Output that waits.
#[derive(Debug)]
pub(super) struct HeldOutput {
    frames: VecDeque<Vec<u8>>,
    bytes: usize,
    /// Whether the last frame ends within a line.
    within_line: bool,
    room: Admission,
    permits: Vec<Permit>,
}

impl HeldOutput {
    /// Holds nothing yet. The room for it is taken from `room`.
    pub(super) fn new(room: Admission) -> Self {
        let (frames, permits) = (VecDeque::new(), Vec::new());
        HeldOutput { frames, bytes: 0, within_line: false, room, permits }
    }

    /// Takes room for this many bytes more. Returns false if there is none.
    pub(super) fn has_room(&mut self, more: usize) -> bool {
        let needed = self.bytes.saturating_add(more);
        if needed > MOST_HELD_BYTES {
            return false;
        }
        let taken = self.permits.iter().map(Permit::places).sum::<usize>();
        let missing = needed.div_ceil(STEP_BYTES).saturating_sub(taken);
        if missing == 0 {
            return true;
        }
        let permit = self.room.try_enter_many(missing).ok();
        let is_taken = permit.is_some();
        self.permits.extend(permit);
        is_taken
    }

    /// Adds a frame, for which there is room: whole lines, or a part of one.
    pub(super) fn push(&mut self, mut frame: Vec<u8>, is_part: bool) {
        self.bytes = self.bytes.saturating_add(frame.len());
        match self.frames.back_mut() {
            Some(last)
                if !self.within_line && !is_part && last.len() + frame.len() <= JOINED_BYTES =>
            {
                last.append(&mut frame);
            }
            _ => self.frames.push_back(frame),
        }
        self.within_line = is_part;
    }

    /// Takes the first frame.
    pub(super) fn pop(&mut self) -> Option<Vec<u8>> {
        let frame = self.frames.pop_front();
        if frame.is_none() {
            (self.bytes, self.within_line) = (0, false);
            self.permits.clear();
        }
        frame
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames(held: &mut HeldOutput) -> Vec<usize> {
        std::iter::from_fn(|| held.pop()).map(|frame| frame.len()).collect()
    }

    #[test]
    fn what_is_held_takes_room_until_it_is_taken() {
        let room = Admission::unanswered("output that waits", 3);
        let mut first = HeldOutput::new(room.clone());
        assert!(first.has_room(10));
        first.push(vec![b'x'; 10], false);
        assert!(first.has_room(2 * STEP_BYTES - 10));
        first.push(vec![b'x'; 2 * STEP_BYTES - 10], false);
        let mut second = HeldOutput::new(room.clone());
        assert!(second.has_room(1) && !second.has_room(STEP_BYTES + 1));
        assert!(!first.has_room(1));
        assert_eq!(frames(&mut first), [2 * STEP_BYTES]);
        assert_eq!(room.taken(), 1);
        assert!(second.has_room(STEP_BYTES + 1));
        drop(second);
        assert_eq!(room.taken(), 0);
    }

    #[test]
    fn only_whole_lines_are_joined() {
        let mut held = HeldOutput::new(Admission::unanswered("output that waits", 512));
        for (length, is_part) in [(1, false), (2, false), (3, true), (4, false), (5, false)] {
            assert!(held.has_room(length));
            held.push(vec![b'x'; length], is_part);
        }
        held.push(vec![b'x'; JOINED_BYTES], false);
        assert_eq!(frames(&mut held), [3, 3, 9, JOINED_BYTES]);
        assert!(!held.has_room(MOST_HELD_BYTES + 1));
    }
}
