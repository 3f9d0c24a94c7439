//! The clients of this machine whose operations are under way: [`Clients`] owns where each is told,
//! its place, and the bytes that wait.

use super::Told;
use memberd_files::{ClientId, Member, Now};
use std::collections::BTreeMap;
use std::ops::Bound;
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};

/// So many bytes each client may have in the member, and beyond that only while all have less than
/// [`ALL_BYTES`] together. A writer that has less than 1 MiB may wait for more.
const OWN_BYTES: usize = 5 << 18;
const ALL_BYTES: usize = 32 << 20;

/// The clients.
#[derive(Debug, Default)]
pub(super) struct Clients {
    all: BTreeMap<ClientId, Client>,
    /// Who was served last.
    last: Option<ClientId>,
}

#[derive(Debug)]
struct Client {
    told: mpsc::Sender<Told>,
    _place: OwnedSemaphorePermit,
    /// What the member has no room for yet.
    waiting: Option<Waiting>,
    /// The most room that the member had for it.
    most: usize,
}

/// Bytes that wait.
#[derive(Debug)]
struct Waiting {
    bytes: Vec<u8>,
    /// How many of them were taken.
    taken: usize,
    reply: oneshot::Sender<()>,
}

impl Client {
    /// The bytes that the member has of it, if this is its room now.
    fn held(&mut self, room: usize) -> usize {
        self.most = self.most.max(room);
        self.most - room
    }
}

impl Clients {
    pub(super) fn add(
        &mut self,
        client: ClientId,
        told: mpsc::Sender<Told>,
        place: OwnedSemaphorePermit,
    ) {
        self.all.insert(client, Client { told, _place: place, waiting: None, most: 0 });
    }

    /// Bytes of a client. It waits for the reply before it comes with more. Without a reply, its
    /// operation has ended.
    pub(super) fn push(&mut self, client: ClientId, bytes: Vec<u8>, reply: oneshot::Sender<()>) {
        if let Some(client) = self.all.get_mut(&client) {
            client.waiting = Some(Waiting { bytes, taken: 0, reply });
        }
    }

    /// Hands to the member what it has room for of the next client that waits. Returns whether it
    /// took anything.
    pub(super) fn feed(&mut self, member: &mut Member, now: Now) -> bool {
        let mut held = 0;
        for (id, client) in &mut self.all {
            held += client.held(member.room(*id));
        }
        let after = self.last.map_or(Bound::Unbounded, Bound::Excluded);
        let later = self.all.range((after, Bound::Unbounded)).map(|(id, _)| *id);
        let order: Vec<ClientId> = later.chain(self.all.keys().copied()).collect();
        order.into_iter().take(self.all.len()).any(|id| self.feed_one(member, now, id, held))
    }

    fn feed_one(&mut self, member: &mut Member, now: Now, id: ClientId, held: usize) -> bool {
        let Some(client) = self.all.get_mut(&id) else { return false };
        let room = member.room(id);
        let own = OWN_BYTES.saturating_sub(client.held(room));
        let room = room.min(own.max(ALL_BYTES.saturating_sub(held)));
        let Some(waiting) = &mut client.waiting else { return false };
        let rest = waiting.bytes.get(waiting.taken..).unwrap_or_default();
        let next = rest.get(..room.min(rest.len())).unwrap_or_default();
        if next.is_empty() && !rest.is_empty() {
            return false;
        }
        waiting.taken += next.len();
        if !next.is_empty() {
            member.push(now, id, next);
        }
        if waiting.taken >= waiting.bytes.len()
            && let Some(Waiting { reply, .. }) = client.waiting.take()
        {
            // The client may have gone; it is cancelled then.
            let _ = reply.send(());
        }
        self.last = Some(id);
        true
    }

    /// Tells a client. Returns whether it is there and takes it.
    pub(super) fn tell(&mut self, client: ClientId, told: Told) -> bool {
        self.all.get(&client).is_some_and(|client| client.told.try_send(told).is_ok())
    }

    /// Forgets a client. Returns whether it was there.
    pub(super) fn remove(&mut self, client: ClientId) -> bool {
        self.all.remove(&client).is_some()
    }

    pub(super) fn len(&self) -> usize {
        self.all.len()
    }
}
