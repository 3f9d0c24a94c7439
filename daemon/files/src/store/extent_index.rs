//! The index of the extents that are here. Its memory is some 80 bytes an extent.

use super::codec::{Reader, Writer};
use super::job::ListedExtent;
use super::record::{read_set, write_set};
use crate::content::HolderSet;
use crate::ids::ExtentId;
use crate::path::ShareName;
use memberd_membership::Name;
use std::collections::BTreeMap;
use std::ops::Bound;

/// The most holders of an extent.
pub(super) const MAX_HOLDERS: usize = 5;

/// An extent, as a record tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) id: ExtentId,
    pub(super) length: u64,
    pub(super) share: ShareName,
    pub(super) set: HolderSet,
    pub(super) created_ms: u64,
}

/// The extents, with the names of members and shares by number.
#[derive(Debug, Default)]
pub(super) struct ExtentIndex {
    slots: BTreeMap<ExtentId, Slot>,
    names: Numbers<Name>,
    shares: Numbers<ShareName>,
    bytes: u64,
    bad: usize,
    found_bad: Vec<ExtentId>,
}

#[derive(Debug, Clone, Copy)]
struct Slot {
    version: u64,
    created_ms: u64,
    length: u32,
    share: u16,
    holders: [u16; MAX_HOLDERS],
    /// The number of holders, and [`BAD`].
    flags: u8,
}

const BAD: u8 = 0x80;

/// Values by number.
#[derive(Debug)]
struct Numbers<T> {
    values: Vec<T>,
    numbers: BTreeMap<T, u16>,
}

impl<T> Default for Numbers<T> {
    fn default() -> Numbers<T> {
        Numbers { values: Vec::new(), numbers: BTreeMap::new() }
    }
}

impl<T: Clone + Ord> Numbers<T> {
    /// None beyond 65,535 of them.
    fn number(&mut self, value: &T) -> Option<u16> {
        if let Some(number) = self.numbers.get(value) {
            return Some(*number);
        }
        let number = u16::try_from(self.values.len()).ok().filter(|number| *number < u16::MAX)?;
        self.values.push(value.clone());
        self.numbers.insert(value.clone(), number);
        Some(number)
    }

    fn value(&self, number: u16) -> Option<&T> {
        self.values.get(usize::from(number))
    }
}

impl Entry {
    pub(super) fn write(&self, writer: &mut Writer) {
        writer.id(self.id);
        writer.u64(self.length);
        writer.share(&self.share);
        writer.u64(self.created_ms);
        write_set(writer, &self.set);
    }

    pub(super) fn read(reader: &mut Reader) -> Option<Entry> {
        Some(Entry {
            id: reader.id()?,
            length: reader.u64()?,
            share: reader.share()?,
            created_ms: reader.u64()?,
            set: read_set(reader)?,
        })
    }
}

impl ExtentIndex {
    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    /// The bytes of all extents.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(super) fn contains(&self, id: ExtentId) -> bool {
        self.slots.contains_key(&id)
    }

    pub(super) fn version(&self, id: ExtentId) -> Option<u64> {
        self.slots.get(&id).map(|slot| slot.version)
    }

    pub(super) fn length(&self, id: ExtentId) -> Option<u64> {
        self.slots.get(&id).map(|slot| slot.length.into())
    }

    /// Adds an extent. What is there already stays, if it is of a later version.
    pub(super) fn insert(&mut self, entry: &Entry) {
        if self.version(entry.id).is_some_and(|version| version > entry.set.version) {
            return;
        }
        let Some(share) = self.shares.number(&entry.share) else { return };
        let Some((holders, count)) = self.holders(&entry.set) else { return };
        let Ok(length) = u32::try_from(entry.length) else { return };
        self.remove(entry.id);
        let (version, created_ms) = (entry.set.version, entry.created_ms);
        let slot = Slot { version, created_ms, length, share, holders, flags: count };
        self.slots.insert(entry.id, slot);
        self.bytes += entry.length;
    }

    fn holders(&mut self, set: &HolderSet) -> Option<([u16; MAX_HOLDERS], u8)> {
        let mut holders = [0; MAX_HOLDERS];
        for (number, name) in set.members.iter().enumerate() {
            *holders.get_mut(number)? = self.names.number(name)?;
        }
        Some((holders, u8::try_from(set.members.len()).ok()?))
    }

    pub(super) fn set(&mut self, id: ExtentId, set: &HolderSet) {
        let Some((holders, count)) = self.holders(set) else { return };
        let slot = self.slots.get_mut(&id).filter(|slot| slot.version < set.version);
        if let Some(slot) = slot {
            (slot.version, slot.holders) = (set.version, holders);
            slot.flags = slot.flags & BAD | count;
        }
    }

    pub(super) fn remove(&mut self, id: ExtentId) {
        if let Some(slot) = self.slots.remove(&id) {
            self.bytes -= u64::from(slot.length);
            self.bad -= usize::from(slot.flags & BAD != 0);
        }
    }

    /// Notes that an extent is damaged.
    pub(super) fn mark_bad(&mut self, id: ExtentId) {
        if let Some(slot) = self.slots.get_mut(&id).filter(|slot| slot.flags & BAD == 0) {
            slot.flags |= BAD;
            self.bad += 1;
            self.found_bad.push(id);
        }
    }

    /// The damaged extents that were found since the last call.
    pub(super) fn take_bad(&mut self) -> Vec<ExtentId> {
        std::mem::take(&mut self.found_bad)
    }

    /// How many are damaged.
    pub(super) fn bad(&self) -> usize {
        self.bad
    }

    pub(super) fn ids(&self) -> impl Iterator<Item = ExtentId> + '_ {
        self.slots.keys().copied()
    }

    /// The first extent after another.
    pub(super) fn after(&self, id: Option<ExtentId>) -> Option<ExtentId> {
        let begin = id.map_or(Bound::Unbounded, Bound::Excluded);
        self.slots.range((begin, Bound::Unbounded)).next().map(|(id, _)| *id)
    }

    pub(super) fn list(
        &self,
        with: Option<&Name>,
        after: Option<ExtentId>,
        limit: usize,
    ) -> Vec<ListedExtent> {
        let number = with.map(|name| self.names.numbers.get(name));
        if number == Some(None) {
            return Vec::new();
        }
        let number = number.flatten();
        let begin = after.map_or(Bound::Unbounded, Bound::Excluded);
        let range = self.slots.range((begin, Bound::Unbounded));
        let fits = |slot: &Slot| number.is_none_or(|number| slot.holders().contains(number));
        range.filter(|(_, slot)| fits(slot)).take(limit).filter_map(|of| self.listed(of)).collect()
    }

    fn listed(&self, (id, slot): (&ExtentId, &Slot)) -> Option<ListedExtent> {
        let members = slot.holders().iter().map(|number| self.names.value(*number).cloned());
        let set = HolderSet { version: slot.version, members: members.collect::<Option<_>>()? };
        Some(ListedExtent {
            id: *id,
            length: slot.length.into(),
            share: self.shares.value(slot.share)?.clone(),
            set,
            created_ms: slot.created_ms,
            is_bad: slot.flags & BAD != 0,
        })
    }

    /// What a checkpoint keeps of it.
    pub(super) fn write(&self, writer: &mut Writer) {
        writer.u64(self.slots.len() as u64);
        for listed in self.slots.iter().filter_map(|of| self.listed(of)) {
            let ListedExtent { id, length, share, set, created_ms, is_bad } = listed;
            Entry { id, length, share, set, created_ms }.write(writer);
            writer.u8(u8::from(is_bad));
        }
    }

    /// Finds again what a checkpoint kept.
    pub(super) fn load(reader: &mut Reader) -> Option<ExtentIndex> {
        let mut index = ExtentIndex::default();
        let count = reader.u64()?;
        for _ in 0..count {
            let entry = Entry::read(reader)?;
            index.insert(&entry);
            if reader.u8()? != 0 {
                index.mark_bad(entry.id);
            }
        }
        Some(index)
    }
}

impl Slot {
    fn holders(&self) -> &[u16] {
        &self.holders[..usize::from(self.flags & !BAD).min(MAX_HOLDERS)]
    }
}
