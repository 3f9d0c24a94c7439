//! The list of members and its merge law. It owns the entries. For each machine the largest
//! incarnation wins. Within one incarnation `left` beats `failed`, `failed` beats `alive`, and then
//! the newer tags and the earlier evidence win.

mod entry;
mod state;
pub(crate) mod tags;

pub use entry::{Change, Entry};
pub use state::{Claim, FailureEvidence, MemberState, Update};

use crate::gossip::anti_entropy::digest::Digest;
use crate::identity::{Incarnation, Name, Position};
use crate::time::Instant;
use std::cmp::Ordering;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// The most entries of a list, including failed and left members. At the bound, the oldest of those
/// make room. A list full of live members takes no more.
pub const MAX_ENTRIES: usize = 20_000;

/// The list of all members that one machine knows, including itself. A clone shares everything
/// until one of the two changes, and still shares the entries then. So ten thousand simulated lists
/// fit into one machine's memory.
#[derive(Debug, Clone, Default)]
pub struct List {
    by_name: Arc<Vec<Arc<Entry>>>,
    by_position: Arc<Vec<Arc<Entry>>>,
    digest: Digest,
    up: usize,
    /// The number of members that are reported alive and name their zone.
    zoned: usize,
}

impl List {
    /// An empty list.
    pub fn new() -> Self {
        List::default()
    }

    /// The entry of a machine.
    pub fn get(&self, name: &Name) -> Option<&Arc<Entry>> {
        self.name_index(name).ok().map(|index| &self.by_name[index])
    }

    /// The entry at an address: the one that is up, or otherwise the one with the largest
    /// incarnation.
    pub fn at(&self, address: SocketAddr) -> Option<&Arc<Entry>> {
        let position = Position::of(address);
        let start = self.by_position.partition_point(|entry| entry.position < position);
        self.by_position[start..]
            .iter()
            .take_while(|entry| entry.position == position)
            .filter(|entry| entry.identity.address == address)
            .max_by_key(|entry| (entry.is_alive_to_others(), entry.identity.incarnation))
    }

    /// All entries by name.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Arc<Entry>> {
        self.by_name.iter()
    }

    /// All entries, sorted by position and then by name. Where members name their zone, the ring
    /// has another order: see [`crate::Ring::order`].
    pub fn by_position(&self) -> &[Arc<Entry>] {
        &self.by_position
    }

    /// The number of all entries, including failed and left members.
    pub fn len(&self) -> usize {
        self.by_name.len()
    }

    /// Whether the list is empty.
    pub fn is_empty(&self) -> bool {
        self.by_name.is_empty()
    }

    /// The number of members that are up, in this machine's view.
    pub fn up(&self) -> usize {
        self.up
    }

    /// Whether any member that is reported alive names its zone.
    pub fn has_zones(&self) -> bool {
        self.zoned > 0
    }

    /// The digest of all members that are reported alive. It does not depend on the order of
    /// learning them.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// Merges one update, and returns the change. Merging is commutative, associative and
    /// idempotent. Of one end of a member, the evidence with the earliest known time stays.
    pub fn merge(&mut self, update: Update, now: Instant) -> Option<Change> {
        let index = self.name_index(&update.identity.name);
        let entry = Entry::new(update, now);
        match index {
            Ok(index) => match self.by_name[index].weight().cmp(&entry.weight()) {
                Ordering::Less => Some(self.replace(index, entry)),
                Ordering::Equal => self.agree(index, entry),
                Ordering::Greater => None,
            },
            Err(_) => self.insert(entry),
        }
    }

    /// Takes only the tags and the evidence of an update, if it has the same incarnation and state.
    /// Returns the change.
    pub fn merge_details(&mut self, update: &Update, now: Instant) -> Option<Change> {
        let index = self.name_index(&update.identity.name).ok()?;
        let entry = Entry::new(update.clone(), now);
        let same = self.by_name[index].weight() == entry.weight();
        same.then(|| self.agree(index, entry)).flatten()
    }

    /// Of two entries of one incarnation and state, the greater tags and the lesser evidence stay.
    fn agree(&mut self, index: usize, other: Entry) -> Option<Change> {
        let entry = &self.by_name[index];
        let tags = (other.tags > entry.tags).then(|| other.tags.clone());
        let earlier = !entry.is_alive_to_others() && other.evidence_key() < entry.evidence_key();
        let better = earlier.then(|| entry.with_evidence_of(other));
        let agreed = match tags {
            Some(tags) => better.as_ref().unwrap_or(entry).tagged(tags),
            None => better?,
        };
        Some(self.replace(index, agreed))
    }

    /// Inserts a member, and replaces its old entry. A member uses this when it takes over another
    /// group's list, and for its own entry. Returns the change; `None` if the list is full of live
    /// members.
    pub fn set(&mut self, update: Update, now: Instant) -> Option<Change> {
        let entry = Entry::new(update, now);
        match self.name_index(&entry.identity.name) {
            Ok(index) => Some(self.replace(index, entry)),
            Err(_) => self.insert(entry),
        }
    }

    /// Counts a live member as failed here, without a report to others. Returns the change.
    pub fn doubt(
        &mut self,
        name: &Name,
        evidence: FailureEvidence,
        now: Instant,
    ) -> Option<Change> {
        let index = self.name_index(name).ok()?;
        let entry = &self.by_name[index];
        let doubted =
            entry.is_up().then(|| entry.with_state(MemberState::Doubted(evidence), now))?;
        Some(self.replace(index, doubted))
    }

    /// Takes a doubt back, and returns the change.
    pub fn end_doubt(&mut self, name: &Name, now: Instant) -> Option<Change> {
        let index = self.name_index(name).ok()?;
        let entry = &self.by_name[index];
        let trusted = matches!(entry.state, MemberState::Doubted(_))
            .then(|| entry.with_state(MemberState::Alive, now))?;
        Some(self.replace(index, trusted))
    }

    /// Removes the entry of a machine in this incarnation or a smaller one, and returns it.
    pub fn remove(&mut self, name: &Name, up_to: Incarnation) -> Option<Arc<Entry>> {
        let index = self.name_index(name).ok()?;
        if self.by_name[index].identity.incarnation > up_to {
            return None;
        }
        let removed = Arc::make_mut(&mut self.by_name).remove(index);
        let key = removed.ring_key();
        match self.by_position.binary_search_by(|other| other.ring_key().cmp(&key)) {
            Ok(place) => drop(Arc::make_mut(&mut self.by_position).remove(place)),
            Err(_) => debug_assert!(false, "every entry stands on the ring"),
        }
        self.uncount(&removed);
        Some(removed)
    }

    /// Forgets failed and left members whose entries have not changed for `age`.
    pub fn forget(&mut self, age: Duration, now: Instant) {
        let stays = |entry: &Arc<Entry>| entry.is_alive_to_others() || now.since(entry.since) < age;
        if !self.by_name.iter().all(stays) {
            Arc::make_mut(&mut self.by_name).retain(stays);
            Arc::make_mut(&mut self.by_position).retain(stays);
        }
    }

    /// The time at which the next entry will be forgotten.
    pub fn next_forgetting(&self, age: Duration) -> Option<Instant> {
        self.by_name
            .iter()
            .filter(|entry| !entry.is_alive_to_others())
            .map(|entry| entry.since + age)
            .min()
    }

    /// Forgets the failed or left member that changed longest ago.
    fn make_room(&mut self) -> bool {
        let oldest = self
            .by_name
            .iter()
            .filter(|entry| !entry.is_alive_to_others())
            .min_by_key(|entry| entry.since)
            .cloned();
        let Some(oldest) = oldest else { return false };
        Arc::make_mut(&mut self.by_name).retain(|entry| !Arc::ptr_eq(entry, &oldest));
        Arc::make_mut(&mut self.by_position).retain(|entry| !Arc::ptr_eq(entry, &oldest));
        true
    }

    fn name_index(&self, name: &Name) -> Result<usize, usize> {
        self.by_name.binary_search_by(|entry| entry.identity.name.cmp(name))
    }

    fn insert(&mut self, entry: Entry) -> Option<Change> {
        if self.len() >= MAX_ENTRIES && !self.make_room() {
            return None;
        }
        let after = Arc::new(entry);
        let index = self.by_name.partition_point(|other| other.identity.name < after.identity.name);
        Arc::make_mut(&mut self.by_name).insert(index, Arc::clone(&after));
        self.insert_on_ring(Arc::clone(&after));
        self.count(None, &after);
        Some(Change { before: None, after })
    }

    fn replace(&mut self, index: usize, entry: Entry) -> Change {
        let after = Arc::new(entry);
        let before =
            std::mem::replace(&mut Arc::make_mut(&mut self.by_name)[index], Arc::clone(&after));
        let place =
            self.by_position.binary_search_by(|other| other.ring_key().cmp(&before.ring_key()));
        match place {
            Ok(place) if before.position == after.position => {
                Arc::make_mut(&mut self.by_position)[place] = Arc::clone(&after);
            }
            Ok(place) => {
                Arc::make_mut(&mut self.by_position).remove(place);
                self.insert_on_ring(Arc::clone(&after));
            }
            Err(_) => debug_assert!(false, "every entry stands on the ring"),
        }
        self.count(Some(&before), &after);
        Change { before: Some(before), after }
    }

    fn insert_on_ring(&mut self, entry: Arc<Entry>) {
        let index = self.by_position.partition_point(|other| other.ring_key() < entry.ring_key());
        Arc::make_mut(&mut self.by_position).insert(index, entry);
    }

    fn uncount(&mut self, before: &Entry) {
        self.up -= usize::from(before.is_up());
        if before.is_alive_to_others() {
            self.digest.remove(before.fingerprint());
            self.zoned -= usize::from(before.zone().is_some());
        }
    }

    fn count(&mut self, before: Option<&Entry>, after: &Entry) {
        if let Some(before) = before {
            self.uncount(before);
        }
        self.up += usize::from(after.is_up());
        if after.is_alive_to_others() {
            self.digest.add(after.fingerprint());
            self.zoned += usize::from(after.zone().is_some());
        }
    }
}
