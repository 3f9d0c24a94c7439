//! Names that are written, renamed, deleted and read by several: is there an order of the calls in
//! which each gets the answer that it got? (Wing and Gong, 1993; Lowe, 2017.)

use std::collections::HashSet;
use std::time::Duration;

/// The names of one directory.
pub const NAMES: usize = 3;

/// Which content each name has: the number of the record. 0: nothing has the name.
pub type State = [u64; NAMES];

/// What somebody did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    Put { at: usize, value: u64, when: When },
    Delete { at: usize },
    Rename { from: usize, to: usize, overwrites: bool },
    Get { at: usize },
    List,
}

/// When a put happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    Any,
    Absent,
    /// The name has this content.
    Is(u64),
}

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard {
    Done,
    Exists,
    NotFound,
    Changed,
    /// The content; 0 if there is none.
    Saw(u64),
    /// Which names there are.
    SawNames([bool; NAMES]),
}

/// One call. Without an end it may have happened, or not, or may happen still.
#[derive(Debug, Clone)]
pub struct Call {
    pub action: Action,
    pub since: Duration,
    pub until: Option<(Duration, Heard)>,
}

/// How many calls can be looked at together.
pub const MOST: usize = 128;

/// After so many steps nobody knows.
const STEPS: usize = 400_000;

fn apply(mut state: State, action: Action) -> (State, Heard) {
    let heard = match action {
        Action::Put { at, value, when } => match when {
            When::Absent if state[at] != 0 => Heard::Exists,
            When::Is(old) if state[at] != old => Heard::Changed,
            When::Any | When::Absent | When::Is(_) => {
                state[at] = value;
                Heard::Done
            }
        },
        Action::Delete { at } if state[at] == 0 => Heard::NotFound,
        Action::Delete { at } => {
            state[at] = 0;
            Heard::Done
        }
        Action::Rename { from, .. } if state[from] == 0 => Heard::NotFound,
        Action::Rename { to, overwrites: false, .. } if state[to] != 0 => Heard::Exists,
        Action::Rename { from, to, .. } => {
            state[to] = std::mem::take(&mut state[from]);
            Heard::Done
        }
        Action::Get { at } => Heard::Saw(state[at]),
        Action::List => Heard::SawNames(state.map(|value| value != 0)),
    };
    (state, heard)
}

struct Search<'a> {
    calls: &'a [Call],
    ended: u128,
    seen: HashSet<(u128, State)>,
    /// The most calls that were put into an order.
    best: u128,
}

impl Search<'_> {
    fn go_on(&mut self, done: u128, state: State) -> bool {
        if self.ended & !done == 0 {
            return true;
        }
        if self.seen.len() > STEPS || !self.seen.insert((done, state)) {
            return self.seen.len() > STEPS;
        }
        if (done & self.ended).count_ones() > (self.best & self.ended).count_ones() {
            self.best = done;
        }
        let waits = |at: &usize| done & (1 << at) == 0;
        let end = |at: usize| self.calls[at].until.as_ref().map(|(end, _)| *end);
        let first = (0..self.calls.len()).filter(waits).filter_map(end).min();
        let first = first.unwrap_or(Duration::MAX);
        for at in (0..self.calls.len()).filter(waits) {
            let call = &self.calls[at];
            if call.since > first {
                continue;
            }
            let (next, heard) = apply(state, call.action);
            let fits = match &call.until {
                Some((_, answer)) => *answer == heard,
                None => next != state,
            };
            if fits && self.go_on(done | 1 << at, next) {
                return true;
            }
        }
        false
    }
}

/// Looks at the calls to the names of one directory, which began empty.
pub fn check(calls: &[Call]) -> Result<(), String> {
    assert!(calls.len() <= MOST, "{} calls are too many", calls.len());
    let ended = calls.iter().enumerate().filter(|(_, call)| call.until.is_some());
    let ended = ended.fold(0, |all, (at, _)| all | 1 << at);
    let mut search = Search { calls, ended, seen: HashSet::new(), best: 0 };
    if search.go_on(0, [0; NAMES]) {
        return Ok(());
    }
    let left = (0..calls.len()).filter(|at| ended & !search.best & (1 << at) != 0);
    let left: Vec<&Call> = left.map(|at| &calls[at]).take(4).collect();
    Err(format!(
        "no order of {} calls gives their answers; the longest one stops before {left:?}",
        calls.len()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(since: u64, action: Action, until: Option<(u64, Heard)>) -> Call {
        let at = Duration::from_secs;
        Call { action, since: at(since), until: until.map(|(when, heard)| (at(when), heard)) }
    }

    fn put(at: usize, value: u64) -> Action {
        Action::Put { at, value, when: When::Any }
    }

    const RENAME: Action = Action::Rename { from: 0, to: 1, overwrites: false };

    #[test]
    fn calls_that_overlap_may_have_any_order() {
        let calls = [
            call(1, put(0, 7), Some((5, Heard::Done))),
            call(2, RENAME, Some((6, Heard::Done))),
            call(3, Action::Get { at: 0 }, Some((4, Heard::Saw(7)))),
            call(3, Action::Delete { at: 1 }, None),
            call(7, Action::Get { at: 1 }, Some((8, Heard::Saw(0)))),
            call(9, Action::List, Some((10, Heard::SawNames([false; NAMES])))),
        ];
        assert_eq!(check(&calls), Ok(()));
    }

    #[test]
    fn one_of_two_racing_renames_wins() {
        let calls = [
            call(1, put(0, 7), Some((2, Heard::Done))),
            call(3, RENAME, Some((5, Heard::Done))),
            call(3, RENAME, Some((5, Heard::Done))),
        ];
        assert!(check(&calls).is_err());
        let mut calls = calls.to_vec();
        calls[2].until = Some((Duration::from_secs(5), Heard::NotFound));
        assert_eq!(check(&calls), Ok(()));
    }

    #[test]
    fn what_was_deleted_does_not_come_back() {
        let calls = [
            call(1, put(0, 7), Some((2, Heard::Done))),
            call(3, Action::Delete { at: 0 }, Some((4, Heard::Done))),
            call(5, Action::Get { at: 0 }, Some((6, Heard::Saw(7)))),
        ];
        assert!(check(&calls).is_err());
    }
}
