//! For which life of a member a datagram is: what was sealed for one life is worth nothing to the
//! next, which cannot remember it.
//!
//! A member knows the others' lives from its list, and from what they say. Where it cannot be sure
//! of one, at those it knocks at, it first greets whoever lives there, and says what it has to say
//! when that one answers: see [`Others`].

use memberd_membership::Incarnation;
use std::collections::HashMap;
use std::net::SocketAddr;

/// How many of its own lives a member tries a datagram for. Others learn of a new life within a
/// moment.
const MOST_OWN: usize = 3;

/// How many others are remembered, of each sort. More are at the same moment only in a group that
/// all starts at once; to be forgotten costs a datagram.
const MOST_OTHERS: usize = 1_024;

/// Whom a datagram is for, at its address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum For {
    /// This life, and no later one.
    Life(Incarnation),
    /// Whoever lives there. It says nothing, since it could have been recorded before the
    /// receiver's life began.
    Anyone,
}

impl For {
    /// As the tag covers it; no incarnation is 0.
    pub(super) fn to_bytes(self) -> [u8; 8] {
        match self {
            For::Life(incarnation) => incarnation.0.to_be_bytes(),
            For::Anyone => [0; 8],
        }
    }
}

/// One of this member's own lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct OwnLife {
    pub(super) incarnation: Incarnation,
    /// Whether this process lived it, and so remembers what it heard then.
    pub(super) remembered: bool,
}

/// This member's lives, the newest first.
#[derive(Debug, Default)]
pub(super) struct OwnLives(Vec<OwnLife>);

impl OwnLives {
    /// Before the first life of this process; `last` is the newest one of any before it.
    pub(super) fn after(last: Option<Incarnation>) -> Self {
        OwnLives(
            last.map(|incarnation| OwnLife { incarnation, remembered: false })
                .into_iter()
                .collect(),
        )
    }

    /// A new life begins.
    pub(super) fn begin(&mut self, incarnation: Incarnation) {
        if self.0.first().is_none_or(|newest| newest.incarnation < incarnation) {
            self.0.insert(0, OwnLife { incarnation, remembered: true });
            self.0.truncate(MOST_OWN);
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = OwnLife> {
        self.0.iter().copied()
    }
}

/// What is known of the others' lives beside the list.
#[derive(Debug, Default)]
pub(super) struct Others {
    /// Lives newer than the list's, which were heard at first hand.
    newer: HashMap<SocketAddr, Incarnation>,
    /// Lives older than the list's that spoke just now: the answer is for them.
    older: HashMap<SocketAddr, Incarnation>,
    /// What is to be said to whoever answers a greeting.
    waiting: HashMap<SocketAddr, Vec<u8>>,
}

impl Others {
    /// This life spoke, and the list has that one at its address.
    pub(super) fn heard(
        &mut self,
        from: SocketAddr,
        life: Incarnation,
        listed: Option<Incarnation>,
    ) {
        if listed == Some(life) {
            self.newer.remove(&from);
            self.older.remove(&from);
        } else if listed.is_none_or(|listed| listed < life) {
            insert(&mut self.newer, from, life);
        } else {
            insert(&mut self.older, from, life);
        }
    }

    /// All that was to be answered is answered.
    pub(super) fn all_is_said(&mut self) {
        self.older.clear();
    }

    /// Who lives at an address, as far as is known.
    pub(super) fn life(
        &mut self,
        at: SocketAddr,
        listed: Option<Incarnation>,
    ) -> Option<Incarnation> {
        if let Some(older) = self.older.get(&at) {
            return Some(*older);
        }
        self.newer.get(&at).copied().max(listed)
    }

    /// Keeps the newest that is to be said to whoever answers at an address.
    pub(super) fn wait(&mut self, at: SocketAddr, bytes: Vec<u8>) {
        insert(&mut self.waiting, at, bytes);
    }

    /// Somebody answers: what was to be said.
    pub(super) fn answered(&mut self, from: SocketAddr) -> Option<Vec<u8>> {
        self.waiting.remove(&from)
    }
}

fn insert<T>(map: &mut HashMap<SocketAddr, T>, at: SocketAddr, value: T) {
    if map.len() >= MOST_OTHERS && !map.contains_key(&at) {
        map.clear();
    }
    map.insert(at, value);
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: &str = "127.0.0.1:1";

    fn life(others: &mut Others, listed: u64) -> Option<u64> {
        others
            .life(AT.parse().unwrap(), (listed > 0).then_some(Incarnation(listed)))
            .map(|life| life.0)
    }

    fn heard(others: &mut Others, life: u64, listed: u64) {
        others.heard(
            AT.parse().unwrap(),
            Incarnation(life),
            (listed > 0).then_some(Incarnation(listed)),
        );
    }

    #[test]
    fn of_what_is_listed_and_what_was_heard_the_newer_counts() {
        let mut others = Others::default();
        assert_eq!((life(&mut others, 0), life(&mut others, 5)), (None, Some(5)));
        heard(&mut others, 7, 5);
        others.all_is_said();
        assert_eq!([0, 5, 7, 8].map(|listed| life(&mut others, listed)), [7, 7, 7, 8].map(Some));
        heard(&mut others, 8, 8);
        assert_eq!((life(&mut others, 5), others.newer.len()), (Some(5), 0));
    }

    #[test]
    fn who_speaks_from_an_older_life_than_the_list_has_is_answered_there_and_only_answered() {
        let mut others = Others::default();
        heard(&mut others, 3, 5);
        assert_eq!(life(&mut others, 5), Some(3));
        others.all_is_said();
        assert_eq!(life(&mut others, 5), Some(5));
    }

    #[test]
    fn the_newest_that_waits_is_said_once() {
        let (mut others, at) = (Others::default(), AT.parse().unwrap());
        others.wait(at, vec![1]);
        others.wait(at, vec![2]);
        assert_eq!((others.answered(at), others.answered(at)), (Some(vec![2]), None));
    }

    #[test]
    fn what_is_remembered_of_others_is_bounded() {
        let mut others = Others::default();
        for number in 0..10_000_u32 {
            let at = SocketAddr::from((number.to_be_bytes(), 1));
            others.heard(at, Incarnation(1), None);
            others.heard(at, Incarnation(1), Some(Incarnation(2)));
            others.wait(at, Vec::new());
        }
        assert!(
            [others.newer.len(), others.older.len(), others.waiting.len()]
                .iter()
                .all(|length| *length <= MOST_OTHERS)
        );
    }

    #[test]
    fn a_member_knows_its_last_three_lives_and_which_of_them_this_process_lived() {
        let mut lives = OwnLives::after(Some(Incarnation(5)));
        let known = |lives: &OwnLives| {
            lives.iter().map(|life| (life.incarnation.0, life.remembered)).collect::<Vec<_>>()
        };
        for (begun, expected) in [
            (5, vec![(5, false)]),
            (6, vec![(6, true), (5, false)]),
            (6, vec![(6, true), (5, false)]),
            (7, vec![(7, true), (6, true), (5, false)]),
            (9, vec![(9, true), (7, true), (6, true)]),
        ] {
            lives.begin(Incarnation(begun));
            assert_eq!(known(&lives), expected);
        }
        assert_eq!(OwnLives::after(None).iter().count(), 0);
    }
}
