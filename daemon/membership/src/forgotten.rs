//! Members that operators had forgotten before their time. It owns the records of that, which keep
//! late rumours from bringing those members back.

use crate::identity::{Identity, Incarnation, Name};
use crate::list::{Claim, MAX_ENTRIES, Update};
use crate::time::{Instant, Now, millis};
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

/// The most records. Beyond them one of a listed member makes another end, and others wait until
/// some have ended.
pub(crate) const MAX_FORGOTTEN: usize = MAX_ENTRIES;

/// A member is forgotten: nothing is taken in of this incarnation of its name, or of a smaller one.
/// A larger one joins as ever.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forgotten {
    /// The member, in its last incarnation.
    pub identity: Identity,
    /// The member whose operator asked for it.
    pub by: Name,
    /// For how long the record is still kept.
    pub keep: Duration,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Record {
    identity: Identity,
    by: Name,
    until: Instant,
    /// Whether the list had the member when it was forgotten. Anybody can invent other names.
    listed: bool,
}

/// The records, one for each name.
#[derive(Debug, Clone, Default)]
pub(crate) struct ForgottenMembers {
    records: BTreeMap<Name, Record>,
    /// The largest forgotten incarnation at each address.
    addresses: BTreeMap<SocketAddr, Incarnation>,
    /// All records in the order in which they make room.
    ends: BTreeSet<(bool, Instant, Name)>,
    hash: u32,
}

impl ForgottenMembers {
    /// Merges a record, and returns whether it forgets more than before. Of two records of a name
    /// the larger incarnation stays. Of one incarnation the later end, the larger address and the
    /// lesser name of who asked stay. So merging is commutative, associative and idempotent while
    /// there is room. At the bound, the record of a `listed` member takes the place of another:
    /// first of those that were not listed, and of these the one that ends first.
    pub(crate) fn merge(&mut self, forgotten: &Forgotten, listed: bool, now: Instant) -> bool {
        let Forgotten { identity, by, keep } = forgotten;
        let mut new =
            Record { identity: identity.clone(), by: by.clone(), until: now + *keep, listed };
        if new.until <= now {
            return false;
        }
        match self.records.get(&identity.name) {
            Some(old) if old.identity.incarnation > identity.incarnation => return false,
            Some(old) => {
                let newer = old.identity.incarnation < identity.incarnation;
                new.listed |= old.listed;
                if !newer {
                    new.until = new.until.max(old.until);
                    new.by = new.by.min(old.by.clone());
                    new.identity.address = new.identity.address.max(old.identity.address);
                }
                self.take_out(&identity.name);
                self.put(new);
                return newer;
            }
            None => {}
        }
        if self.records.len() >= MAX_FORGOTTEN {
            let first = self.ends.first().filter(|_| listed).map(|(.., name)| name.clone());
            let Some(first) = first else { return false };
            self.take_out(&first);
        }
        self.put(new);
        true
    }

    fn put(&mut self, record: Record) {
        self.hash = self.hash.wrapping_add(fingerprint(&record.identity));
        self.note_address(&record.identity);
        self.ends.insert(record.place());
        self.records.insert(record.identity.name.clone(), record);
    }

    fn take_out(&mut self, name: &Name) {
        let Some(record) = self.records.remove(name) else { return };
        self.ends.remove(&record.place());
        self.hash = self.hash.wrapping_sub(fingerprint(&record.identity));
        // Who had the address in a smaller incarnation is still known by name.
        let Identity { address, incarnation, .. } = record.identity;
        if self.addresses.get(&address) == Some(&incarnation) {
            self.addresses.remove(&address);
        }
    }

    fn note_address(&mut self, Identity { address, incarnation, .. }: &Identity) {
        let known = self.addresses.entry(*address).or_insert(*incarnation);
        *known = (*known).max(*incarnation);
    }

    /// Drops the records whose time is over.
    pub(crate) fn expire(&mut self, now: Instant) {
        if self.records.values().any(|record| record.until <= now) {
            self.retain(|record| record.until > now);
        }
    }

    fn retain(&mut self, stays: impl Fn(&Record) -> bool) {
        let records = std::mem::take(self).records;
        records.into_values().filter(stays).for_each(|record| self.put(record));
    }

    /// The forgotten incarnation of a name.
    pub(crate) fn incarnation(&self, name: &Name) -> Option<Incarnation> {
        self.records.get(name).map(|record| record.identity.incarnation)
    }

    /// The largest forgotten incarnation at an address.
    pub(crate) fn at(&self, address: SocketAddr) -> Option<Incarnation> {
        self.addresses.get(&address).copied()
    }

    /// Whether nothing is taken in of this member.
    pub(crate) fn covers(&self, identity: &Identity) -> bool {
        self.incarnation(&identity.name).is_some_and(|forgotten| identity.incarnation <= forgotten)
    }

    /// A hash of all names and incarnations. It does not depend on the order of learning them.
    pub(crate) fn hash(&self) -> u32 {
        self.hash
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Keeps the records of members that are gone in another side's list too, and that were gone
    /// there when they were forgotten. `forget_after` is for how long a record is kept at first.
    pub(crate) fn keep_gone(&mut self, side: &[Update], forget_after: Duration, now: Now) {
        let gone = side.iter().filter(|update| update.claim != Claim::Alive);
        let gone: BTreeMap<&Name, &Update> =
            gone.map(|update| (&update.identity.name, update)).collect();
        self.retain(|record| {
            let age = forget_after.saturating_sub(record.until.since(now.mono));
            let made = now.wall.0.saturating_sub(millis(age));
            gone.get(&record.identity.name).is_some_and(|update| {
                update.identity.incarnation <= record.identity.incarnation
                    && update.ended.is_none_or(|ended| ended.0 <= made)
            })
        });
    }

    /// The names, in order.
    pub(crate) fn names(&self) -> impl ExactSizeIterator<Item = &Name> {
        self.records.keys()
    }

    /// The record of a name, to tell it.
    pub(crate) fn get(&self, name: &Name, now: Instant) -> Option<Forgotten> {
        self.records.get(name).map(|record| record.told(now))
    }

    /// All records, to tell them.
    pub(crate) fn all(&self, now: Instant) -> Vec<Forgotten> {
        self.records.values().map(|record| record.told(now)).collect()
    }
}

impl Record {
    fn place(&self) -> (bool, Instant, Name) {
        (self.listed, self.until, self.identity.name.clone())
    }

    fn told(&self, now: Instant) -> Forgotten {
        let Record { identity, by, until, .. } = self.clone();
        Forgotten { identity, by, keep: until.since(now) }
    }
}

/// The address is no part of it: it does not tell two stays of a name apart.
fn fingerprint(Identity { name, incarnation, .. }: &Identity) -> u32 {
    let mut hasher = blake3::Hasher::new_derive_key("memberd forgotten 2");
    hasher.update(&incarnation.0.to_be_bytes());
    hasher.update(name.as_str().as_bytes());
    let mut bytes = [0; 4];
    hasher.finalize_xof().fill(&mut bytes);
    u32::from_be_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{identity, name};
    use crate::time::WallTime;
    use proptest::prelude::*;

    const DAY: Duration = Duration::from_secs(24 * 60 * 60);

    fn forgotten(i: u8, incarnation: u64, keep: Duration) -> Forgotten {
        let mut identity = identity(i);
        identity.incarnation = Incarnation(incarnation);
        Forgotten { identity, by: name(0), keep }
    }

    fn merged<'a>(records: impl IntoIterator<Item = &'a Forgotten>) -> ForgottenMembers {
        let mut members = ForgottenMembers::default();
        for record in records {
            members.merge(record, false, Instant::EPOCH);
        }
        members
    }

    fn any_record() -> impl Strategy<Value = Forgotten> {
        (0..3u8, 1..4u64, 0..3u8, 0..3u8, 1..4u64).prop_map(|(i, incarnation, at, by, keep)| {
            let mut record = forgotten(i, incarnation, Duration::from_secs(keep));
            record.identity.address = crate::testing::address(10 + i * 3 + at);
            record.by = name(by);
            record
        })
    }

    proptest! {
        #[test]
        fn merging_records_is_a_lattice(
            records in proptest::collection::vec(any_record(), 0..16),
            cut in any::<prop::sample::Index>(),
        ) {
            let once = merged(&records);
            let all = |members: &ForgottenMembers| members.all(Instant::EPOCH);
            let mut others = records.clone();
            others.reverse();
            prop_assert_eq!(all(&once), all(&merged(&others)), "commutative");
            let cut = if records.is_empty() { 0 } else { cut.index(records.len()) };
            let part = all(&merged(&records[cut..]));
            let in_parts = merged(records[..cut].iter().chain(&part));
            prop_assert_eq!(all(&once), all(&in_parts), "associative");
            let twice = merged(others.iter().chain(&records));
            prop_assert_eq!(all(&once), all(&twice), "idempotent");
            prop_assert_eq!(once.hash(), twice.hash());
            let sum = all(&once).into_iter().map(|record| fingerprint(&record.identity));
            prop_assert_eq!(once.hash(), sum.fold(0, u32::wrapping_add));
        }
    }

    #[test]
    fn only_the_forgotten_incarnation_and_smaller_ones_are_covered() {
        let mut members = ForgottenMembers::default();
        assert!(members.merge(&forgotten(1, 7, DAY), true, Instant::EPOCH));
        assert!(!members.merge(&forgotten(1, 7, DAY), true, Instant::EPOCH), "known");
        assert!(!members.merge(&forgotten(1, 6, DAY), true, Instant::EPOCH), "older");
        for (i, incarnation, covered) in [(1, 6, true), (1, 7, true), (1, 8, false), (2, 7, false)]
        {
            assert_eq!(members.covers(&forgotten(i, incarnation, DAY).identity), covered);
        }
        assert_eq!(members.at(identity(1).address), Some(Incarnation(7)));
    }

    /// What is told says how long is left, so no member keeps a record for longer than the first.
    #[test]
    fn a_record_ends_at_one_time_however_often_it_is_told() {
        let at = |seconds| Instant::EPOCH + Duration::from_secs(seconds);
        let mut first = ForgottenMembers::default();
        first.merge(&forgotten(1, 7, Duration::from_secs(10)), true, at(0));
        let mut other = ForgottenMembers::default();
        other.merge(&first.get(&name(1), at(6)).unwrap(), true, at(6));
        first.merge(&other.get(&name(1), at(9)).unwrap(), true, at(9));
        for members in [&mut first, &mut other] {
            members.expire(at(9));
            assert!(!members.is_empty());
            members.expire(at(10));
            assert!(members.is_empty() && members.hash() == 0);
            assert_eq!(members.at(identity(1).address), None);
        }
        let over = forgotten(1, 7, Duration::ZERO);
        assert!(!first.merge(&over, true, at(10)), "its time is over");
    }

    /// All four were forgotten a minute ago. Only the second was gone on the other side by then.
    #[test]
    fn records_of_those_who_lived_elsewhere_are_dropped() {
        let now = Now { mono: Instant::EPOCH + DAY, wall: WallTime(1_000_000) };
        let mut members = ForgottenMembers::default();
        for i in 1..5 {
            let record = Forgotten { keep: DAY - Duration::from_secs(60), ..forgotten(i, 7, DAY) };
            members.merge(&record, true, now.mono);
        }
        let said =
            |i, incarnation, claim| Update::new(forgotten(i, incarnation, DAY).identity, claim);
        let side = [
            said(1, 7, Claim::Alive),
            said(2, 7, Claim::Left).ended_at(WallTime(930_000)),
            said(3, 7, Claim::Left).ended_at(WallTime(950_000)),
        ];
        members.keep_gone(&side, DAY, now);
        assert!(members.names().eq([&name(2)]));
        assert_eq!(members.hash(), fingerprint(&forgotten(2, 7, DAY).identity));
        members.keep_gone(&[said(2, 8, Claim::Left)], DAY, now);
        assert!(members.is_empty(), "it came back there");
    }

    #[test]
    fn the_records_are_bounded() {
        let mut members = ForgottenMembers::default();
        for number in 0..=MAX_FORGOTTEN {
            let mut record = forgotten(1, 7, DAY + Duration::from_secs(number as u64));
            record.identity.name = Name::new(&format!("n{number}")).unwrap();
            members.merge(&record, false, Instant::EPOCH);
        }
        assert_eq!(members.names().len(), MAX_FORGOTTEN);
        members.expire(Instant::EPOCH + DAY);
        assert_eq!(members.names().len(), MAX_FORGOTTEN - 1, "the first has ended");
    }

    /// One call with invented names fills the records. The operators' still find their place.
    #[test]
    fn invented_names_make_room_for_listed_members() {
        let mut members = ForgottenMembers::default();
        let named = |name: &str, keep| {
            let mut record = forgotten(1, 7, keep);
            record.identity.name = Name::new(name).unwrap();
            record
        };
        assert!(members.merge(&named("listed-1", DAY / 2), true, Instant::EPOCH));
        for number in 0..MAX_FORGOTTEN {
            members.merge(&named(&format!("invented-{number}"), DAY), false, Instant::EPOCH);
        }
        for number in 2..5 {
            let record = named(&format!("listed-{number}"), DAY / 2);
            assert!(members.merge(&record, true, Instant::EPOCH));
        }
        assert!(!members.merge(&named("invented", DAY), false, Instant::EPOCH));
        assert_eq!(members.names().len(), MAX_FORGOTTEN);
        assert!((1..5).all(|i| members.get(&name_of(i), Instant::EPOCH).is_some()));
        let all = members.all(Instant::EPOCH);
        let sum = all.iter().map(|record| fingerprint(&record.identity));
        assert_eq!(members.hash(), sum.fold(0, u32::wrapping_add));
    }

    fn name_of(listed: u8) -> Name {
        Name::new(&format!("listed-{listed}")).unwrap()
    }

    /// Whoever tells a record with other addresses again and again fills nothing.
    #[test]
    fn a_record_has_one_address() {
        let mut members = ForgottenMembers::default();
        for i in 0..100 {
            let mut record = forgotten(1, 7, DAY);
            record.identity.address = crate::testing::address(i);
            members.merge(&record, true, Instant::EPOCH);
        }
        assert_eq!(members.addresses.len(), 1);
        assert_eq!(members.at(crate::testing::address(99)), Some(Incarnation(7)));
    }
}
