//! The groups and their states. Keys lie one behind the other, and each kind of state in a list of
//! its own: a line of a known group allocates nothing.

use super::aggregate::{State, StateKind, States};
use super::error::Full;
use super::fold::Limits;
use foldhash::fast::FixedState;
use hashbrown::HashTable;
use std::hash::{BuildHasher, Hasher};
use std::mem::size_of;

/// Where a group and its key are, and half of its key's hash. With few lists to look into, a line
/// of a rare group waits less for memory.
#[derive(Debug, Clone, Copy)]
struct Entry {
    hash: u32,
    group: u32,
    key: u32,
}

impl Entry {
    /// The hash that the index goes by. It is made of the half that is kept, so the index grows
    /// without reading keys.
    fn spread(self) -> u64 {
        u64::from(self.hash).wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }
}

/// Groups by key. Hashes never leave it, and rows are sorted: what is printed does not depend on
/// the hash. Only a seed that was drawn keeps a log's writer from choosing keys that collide.
#[derive(Debug)]
pub(crate) struct Table {
    hasher: FixedState,
    index: HashTable<Entry>,
    keys: Vec<u8>,
    /// Where each key ends.
    ends: Vec<usize>,
    pub(crate) states: Vec<States>,
    /// The group of the line before.
    last: usize,
    /// Bytes that sketches and sets have of their own.
    owned: usize,
    /// Bytes in all, as of the last time that they became more.
    bytes: usize,
    limits: Limits,
}

impl Table {
    pub(crate) fn new(seed: u64, kinds: &[StateKind], limits: Limits) -> Self {
        let limits = Limits { groups: limits.groups.min(1 << 31), ..limits };
        Self {
            hasher: FixedState::with_seed(seed),
            index: HashTable::new(),
            keys: Vec::new(),
            ends: Vec::new(),
            states: kinds.iter().map(|kind| States::new(*kind)).collect(),
            last: 0,
            owned: 0,
            bytes: 0,
            limits,
        }
    }

    pub(crate) fn groups(&self) -> usize {
        self.ends.len()
    }

    pub(crate) fn limits(&self) -> Limits {
        self.limits
    }

    pub(crate) fn key(&self, group: usize) -> &[u8] {
        let start = group.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.keys[start..self.ends[group]]
    }

    /// The group of this key, which may be new.
    pub(crate) fn group(&mut self, key: &[u8]) -> Result<usize, Full> {
        // A comparison of no bytes would take 80 ns: an empty `Vec` points to unmapped memory.
        if self.last < self.ends.len() && (key.is_empty() || self.key(self.last) == key) {
            return Ok(self.last);
        }
        let mut hasher = self.hasher.build_hasher();
        hasher.write(key);
        let hash = u32::try_from(hasher.finish() >> 32).unwrap_or_default();
        let entry = Entry { hash, group: 0, key: 0 };
        // No key is the beginning of another, since each part says how long it is.
        let begins = |at: usize| self.keys.get(at..).is_some_and(|keys| keys.starts_with(key));
        let is_same =
            |entry: &Entry| entry.hash == hash && usize::try_from(entry.key).is_ok_and(begins);
        let found = self.index.find(entry.spread(), is_same).copied();
        self.last = match found {
            Some(entry) => usize::try_from(entry.group).unwrap_or_default(),
            None => self.insert(key, entry)?,
        };
        Ok(self.last)
    }

    fn insert(&mut self, key: &[u8], entry: Entry) -> Result<usize, Full> {
        let group = self.ends.len();
        if group >= self.limits.groups {
            return Err(Full::Groups(self.limits.groups));
        }
        let start = u32::try_from(self.keys.len()).map_err(|_| Full::Bytes(self.limits.bytes))?;
        self.keys.extend_from_slice(key);
        self.ends.push(self.keys.len());
        for states in &mut self.states {
            states.push();
        }
        let group_number = u32::try_from(group).unwrap_or(u32::MAX);
        let entry = Entry { group: group_number, key: start, ..entry };
        self.index.insert_unique(entry.spread(), entry, |entry| entry.spread());
        self.check()?;
        Ok(group)
    }

    /// Changes a state of a group, and counts the bytes that its sketch or set takes or gives back.
    pub(crate) fn change(
        &mut self,
        group: usize,
        at: usize,
        change: impl FnOnce(&mut States),
    ) -> Result<(), Full> {
        let states = &mut self.states[at];
        let before = states.owned(group);
        change(states);
        let after = states.owned(group);
        if after == before {
            return Ok(());
        }
        self.owned = self.owned - before + after;
        if after > before { self.check() } else { Ok(()) }
    }

    /// Whether half of the bytes or groups are taken. One more group mostly fits then.
    pub(crate) fn is_half_full(&self) -> bool {
        let Limits { groups, bytes } = self.limits;
        self.groups() > groups / 2 || self.bytes > bytes / 2
    }

    fn check(&mut self) -> Result<(), Full> {
        let ends = self.ends.capacity() * size_of::<usize>();
        let states: usize = self.states.iter().map(States::bytes).sum();
        let bytes = self.keys.capacity() + ends + states + self.index.allocation_size();
        self.bytes = bytes + self.owned;
        if self.bytes > self.limits.bytes { Err(Full::Bytes(self.limits.bytes)) } else { Ok(()) }
    }

    /// Adds a state to one of a group's.
    pub(crate) fn merge_state(
        &mut self,
        group: usize,
        at: usize,
        state: &State,
    ) -> Result<(), Full> {
        self.change(group, at, |states| states.merge(group, state))
    }

    /// Adds all groups of a table of the same plan: the smaller one to the larger one.
    pub(crate) fn merge(&mut self, mut other: Self) -> Result<(), Full> {
        if other.groups() > self.groups() {
            std::mem::swap(self, &mut other);
            self.limits = other.limits;
        }
        (0..other.groups()).try_for_each(|theirs| self.take(other.key(theirs), &other, theirs))
    }

    /// Adds the states of a group of a table of the same plan to the group of this key.
    pub(crate) fn take(&mut self, key: &[u8], other: &Self, theirs: usize) -> Result<(), Full> {
        let group = self.group(key)?;
        for (at, states) in other.states.iter().enumerate() {
            self.merge_state(group, at, &states.state(theirs))?;
        }
        Ok(())
    }
}
