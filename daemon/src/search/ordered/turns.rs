//! Decides whose turn it is. It owns the order of the members that are asked.

use std::collections::{BTreeSet, VecDeque};

/// What a member's task tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Event {
    /// The member's answer was read to its end. Output of it may still wait.
    Read,
    /// It had the turn, and lets others go first.
    Passed,
    /// All its output was relayed.
    Ended,
}

/// The turns of members, by their index in the order.
#[derive(Debug, Default)]
pub(super) struct Turns {
    /// Those that have not had the turn yet.
    ahead: BTreeSet<usize>,
    /// Those that let others go first, in the order in which they did.
    passed: VecDeque<usize>,
    holder: Option<usize>,
    /// Those whose answers are still read.
    reading: BTreeSet<usize>,
}

impl Turns {
    /// This member is asked from now on.
    pub(super) fn begin(&mut self, index: usize) {
        self.ahead.insert(index);
        self.reading.insert(index);
    }

    /// How many answers are read.
    pub(super) fn reading(&self) -> usize {
        self.reading.len()
    }

    /// Whether all members that were asked have ended.
    pub(super) fn is_empty(&self) -> bool {
        self.holder.is_none() && self.ahead.is_empty() && self.passed.is_empty()
    }

    /// The member that gets the turn now, if it is free. Who let others go first comes last.
    pub(super) fn next(&mut self) -> Option<usize> {
        if self.holder.is_some() {
            return None;
        }
        self.holder = self.ahead.pop_first().or_else(|| self.passed.pop_front());
        self.holder
    }

    /// Notes what a member's task tells.
    pub(super) fn note(&mut self, index: usize, event: Event) {
        match event {
            Event::Read => {
                self.reading.remove(&index);
            }
            Event::Passed => {
                self.passed.push_back(index);
                self.holder = None;
            }
            Event::Ended => {
                self.reading.remove(&index);
                self.ahead.remove(&index);
                self.passed.retain(|passed| *passed != index);
                self.holder = self.holder.filter(|holder| *holder != index);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_turn_goes_on_in_the_order() {
        let mut turns = Turns::default();
        [2, 0, 1].into_iter().for_each(|index| turns.begin(index));
        assert_eq!((turns.next(), turns.next(), turns.reading()), (Some(0), None, 3));
        // One that ends without output has no turn.
        turns.note(1, Event::Ended);
        turns.note(0, Event::Read);
        assert_eq!((turns.next(), turns.reading()), (None, 1));
        turns.note(0, Event::Ended);
        assert_eq!(turns.next(), Some(2));
        turns.note(2, Event::Ended);
        assert!(turns.is_empty() && turns.next().is_none());
    }

    #[test]
    fn who_lets_others_go_first_comes_last() {
        let mut turns = Turns::default();
        (0..4).for_each(|index| turns.begin(index));
        assert_eq!(turns.next(), Some(0));
        turns.note(0, Event::Passed);
        assert_eq!(turns.next(), Some(1));
        turns.note(1, Event::Passed);
        assert_eq!(turns.next(), Some(2));
        turns.note(2, Event::Ended);
        assert_eq!(turns.next(), Some(3));
        // A member that is asked later still comes before those.
        turns.begin(4);
        turns.note(3, Event::Ended);
        assert_eq!(turns.next(), Some(4));
        turns.note(4, Event::Ended);
        assert_eq!(turns.next(), Some(0));
        turns.note(0, Event::Passed);
        assert_eq!(turns.next(), Some(1));
        turns.note(1, Event::Ended);
        assert_eq!(turns.next(), Some(0));
        turns.note(0, Event::Ended);
        assert!(turns.is_empty());
    }
}
