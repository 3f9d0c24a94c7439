//! What is known of a source beside its copies: whether it goes on sending, and whether it has sent
//! all. The thread of the store owns it, and searches read it.

use crate::lock::lock;
use crate::search::kept::Reach;
use crate::time::wall;
use memberd_membership::Name;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

/// The most sources of which something is remembered.
const MOST_SOURCES: usize = 1024;

/// What is known of a source. After a restart of the keeper, nothing is until the source comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct KeptState {
    /// Whether its connection is open. The connection of a source that failed stays open until the
    /// membership says so.
    pub(super) open: bool,
    /// How many bytes of text the source had, when it last said so, that it had not sent. None if
    /// it did not say so. With 0, the copies have all but what was written since its last look.
    pub(super) behind_bytes: Option<u64>,
    /// How long its looks at its files are apart, in milliseconds.
    pub(super) every_ms: u64,
    /// Where its connection is not open: up to when what it wrote would have come, in milliseconds
    /// since the Unix epoch of this machine's clock.
    ended_ms: u64,
}

impl KeptState {
    /// How far the copies go, by this machine's clock.
    pub(crate) fn reach(&self, now_ms: u64) -> Reach {
        match self.behind_bytes {
            None => Reach::Unknown,
            Some(0) if self.open => Reach::Whole(now_ms.saturating_sub(self.delay_ms())),
            Some(0) => Reach::Whole(self.ended_ms),
            Some(_) => Reach::Behind,
        }
    }

    /// How old what is written may be until it is here.
    fn delay_ms(&self) -> u64 {
        self.every_ms.saturating_add(ON_THE_WAY_MS)
    }
}

/// How long what a source has found is on its way.
const ON_THE_WAY_MS: u64 = 500;

/// A source whose connection did not end by itself had failed this long before the membership said
/// so.
const NOTICED_MS: u64 = 3_000;

/// How a connection has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// The source, or its kernel, has closed it, or it broke.
    Closed,
    /// The membership says that the source is no longer up.
    NotUp,
}

/// What is known of all sources. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(crate) struct KeptStates(Arc<Mutex<BTreeMap<Name, KeptState>>>);

impl KeptStates {
    /// What is known of a source.
    pub(crate) fn of(&self, source: &Name) -> Option<KeptState> {
        lock(&self.0).get(source).copied()
    }

    /// How many send now.
    pub(crate) fn open(&self) -> u64 {
        lock(&self.0).values().filter(|state| state.open).count() as u64
    }

    /// The source was heard, and this changes.
    pub(super) fn note(&self, source: &Name, change: impl FnOnce(&mut KeptState)) {
        let mut states = lock(&self.0);
        if !states.contains_key(source) && states.len() >= MOST_SOURCES {
            states.retain(|_, state| state.open);
        }
        let state = states.entry(source.clone()).or_insert(KeptState {
            open: false,
            behind_bytes: None,
            every_ms: 1_000,
            ended_ms: 0,
        });
        change(state);
    }

    /// Its connection has ended.
    pub(super) fn close(&self, source: &Name, end: End) {
        if let Some(state) = lock(&self.0).get_mut(source) {
            let before = state.delay_ms() + if end == End::NotUp { NOTICED_MS } else { 0 };
            (state.open, state.ended_ms) = (false, wall().0.saturating_sub(before));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_are_whole_until_the_source_was_last_there() {
        let (states, source) = (KeptStates::default(), Name::new("vm1").unwrap());
        assert_eq!(states.of(&source), None);
        let reach = |states: &KeptStates| states.of(&source).unwrap().reach(wall().0);
        let until = |states: &KeptStates| match reach(states) {
            Reach::Whole(until_ms) => Some(until_ms),
            Reach::Unknown | Reach::Behind => None,
        };
        states.note(&source, |state| state.open = true);
        assert_eq!(reach(&states), Reach::Unknown, "it has not said how much it has not sent");
        states.note(&source, |state| state.behind_bytes = Some(7));
        assert_eq!(reach(&states), Reach::Behind);
        states.note(&source, |state| state.behind_bytes = Some(0));
        let open = until(&states).unwrap();
        assert!(wall().0 - open >= 1_500);
        states.close(&source, End::Closed);
        assert!(until(&states).unwrap() >= open);
        states.note(&source, |state| state.open = true);
        states.close(&source, End::NotUp);
        assert!(until(&states).unwrap() < open);
        assert_eq!(states.open(), 0);
        // Where looking is much work, more may be missing.
        states.note(&source, |state| (state.open, state.every_ms) = (true, 5_000));
        assert!(wall().0 - until(&states).unwrap() >= 5_500);
    }
}
