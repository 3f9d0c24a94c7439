//! For which incarnation of a member a datagram is sealed: what was sealed for one incarnation is
//! worth nothing to the next, which cannot remember whether it heard it.
//!
//! A member knows the others' incarnations from its list and from what they send; this file owns
//! what it knows beside the list. Where it cannot be sure, as when it announces itself, it first
//! says hello to whoever is at the address, and sends the rest when that one answers.

use memberd_membership::Incarnation;
use std::collections::HashMap;
use std::net::SocketAddr;

/// How many of its own incarnations a member tries when it opens a datagram. Others learn of a new
/// incarnation within a moment.
const MAX_OWN: usize = 3;

/// How many other members are remembered, of each sort. There are more at the same moment only in a
/// group that starts all at once; a forgotten one costs a datagram.
pub(super) const MAX_OTHERS: usize = 1_024;

/// One of this member's own incarnations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct OwnIncarnation {
    pub(super) incarnation: Incarnation,
    /// Whether it began in this process, which therefore remembers what it heard since.
    pub(super) is_remembered: bool,
}

/// This member's incarnations, the newest first.
#[derive(Debug, Default)]
pub(super) struct OwnIncarnations(Vec<OwnIncarnation>);

impl OwnIncarnations {
    /// Before this process has an incarnation; `last` is the newest one of the processes before it.
    pub(super) fn after(last: Option<Incarnation>) -> Self {
        OwnIncarnations(
            last.map(|incarnation| OwnIncarnation { incarnation, is_remembered: false })
                .into_iter()
                .collect(),
        )
    }

    /// A new incarnation begins; one that is not larger than the present changes nothing.
    pub(super) fn begin(&mut self, incarnation: Incarnation) {
        if self.0.first().is_none_or(|newest| newest.incarnation < incarnation) {
            self.0.insert(0, OwnIncarnation { incarnation, is_remembered: true });
            self.0.truncate(MAX_OWN);
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = OwnIncarnation> {
        self.0.iter().copied()
    }
}

/// What is known of the other members' incarnations beside the list.
#[derive(Debug, Default)]
pub(super) struct OtherIncarnations {
    /// Incarnations newer than the list's, heard at first hand.
    newer: HashMap<SocketAddr, Incarnation>,
    /// Incarnations older than the list's that were heard just now: the answer is for them.
    older: HashMap<SocketAddr, Incarnation>,
}

impl OtherIncarnations {
    /// A datagram of this incarnation was taken in; the list has `listed` at its address.
    pub(super) fn note_heard(
        &mut self,
        from: SocketAddr,
        incarnation: Incarnation,
        listed: Option<Incarnation>,
    ) {
        if listed == Some(incarnation) {
            self.newer.remove(&from);
            self.older.remove(&from);
        } else if listed.is_none_or(|listed| listed < incarnation) {
            insert_bounded(&mut self.newer, from, incarnation);
        } else {
            insert_bounded(&mut self.older, from, incarnation);
        }
    }

    /// All answers are sent: forgets the older incarnations, which were to be answered only.
    pub(super) fn flush(&mut self) {
        self.older.clear();
    }

    /// The incarnation at an address, as far as it is known; the list has `listed` there.
    pub(super) fn at(
        &self,
        address: SocketAddr,
        listed: Option<Incarnation>,
    ) -> Option<Incarnation> {
        match self.older.get(&address) {
            Some(older) => Some(*older),
            None => self.newer.get(&address).copied().max(listed),
        }
    }
}

/// Inserts a value for an address. A full map is cleared first: to forget costs a datagram each.
pub(super) fn insert_bounded<T>(map: &mut HashMap<SocketAddr, T>, at: SocketAddr, value: T) {
    if map.len() >= MAX_OTHERS && !map.contains_key(&at) {
        map.clear();
    }
    map.insert(at, value);
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: &str = "127.0.0.1:1";

    /// The incarnation that is known when the list has this one, 0 for none.
    fn known(others: &OtherIncarnations, listed: u64) -> Option<u64> {
        others
            .at(AT.parse().unwrap(), (listed > 0).then_some(Incarnation(listed)))
            .map(|incarnation| incarnation.0)
    }

    fn note_heard(others: &mut OtherIncarnations, incarnation: u64, listed: u64) {
        others.note_heard(
            AT.parse().unwrap(),
            Incarnation(incarnation),
            (listed > 0).then_some(Incarnation(listed)),
        );
    }

    #[test]
    fn the_newer_of_listed_and_heard_counts() {
        let mut others = OtherIncarnations::default();
        assert_eq!(known(&others, 0), None);
        assert_eq!(known(&others, 5), Some(5));
        note_heard(&mut others, 7, 5);
        others.flush();
        assert_eq!([0, 5, 7, 8].map(|listed| known(&others, listed)), [7, 7, 7, 8].map(Some));
        note_heard(&mut others, 8, 8);
        assert_eq!(known(&others, 5), Some(5));
        assert!(others.newer.is_empty());
    }

    /// A sender whose incarnation is older than the list's is answered there, and then forgotten.
    #[test]
    fn an_older_incarnation_is_answered_and_only_that() {
        let mut others = OtherIncarnations::default();
        note_heard(&mut others, 3, 5);
        assert_eq!(known(&others, 5), Some(3));
        others.flush();
        assert_eq!(known(&others, 5), Some(5));
    }

    #[test]
    fn what_is_known_of_others_is_bounded() {
        let mut others = OtherIncarnations::default();
        for number in 0..10_000_u32 {
            let at = SocketAddr::from((number.to_be_bytes(), 1));
            others.note_heard(at, Incarnation(1), None);
            others.note_heard(at, Incarnation(1), Some(Incarnation(2)));
        }
        assert!(others.newer.len() <= MAX_OTHERS);
        assert!(others.older.len() <= MAX_OTHERS);
    }

    /// A member knows its last three incarnations, and which of them began in this process.
    #[test]
    fn a_member_knows_its_last_three_incarnations() {
        let mut own = OwnIncarnations::after(Some(Incarnation(5)));
        let known = |own: &OwnIncarnations| {
            own.iter().map(|own| (own.incarnation.0, own.is_remembered)).collect::<Vec<_>>()
        };
        for (begun, expected) in [
            (5, vec![(5, false)]),
            (6, vec![(6, true), (5, false)]),
            (6, vec![(6, true), (5, false)]),
            (7, vec![(7, true), (6, true), (5, false)]),
            (9, vec![(9, true), (7, true), (6, true)]),
        ] {
            own.begin(Incarnation(begun));
            assert_eq!(known(&own), expected);
        }
        assert_eq!(OwnIncarnations::after(None).iter().count(), 0);
    }
}
