//! The clients of this machine whose operations are under way: [`Clients`] owns where each is told,
//! its place, and the bytes that wait.

use super::Told;
use memberd_files::{ClientId, Member, Now};
use std::collections::BTreeMap;
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};

/// The clients.
#[derive(Debug, Default)]
pub(super) struct Clients(BTreeMap<ClientId, Client>);

#[derive(Debug)]
struct Client {
    told: mpsc::Sender<Told>,
    _place: OwnedSemaphorePermit,
    /// What the member has no room for yet.
    waiting: Option<Waiting>,
}

/// Bytes that wait.
#[derive(Debug)]
struct Waiting {
    bytes: Vec<u8>,
    /// How many of them were taken.
    taken: usize,
    reply: oneshot::Sender<()>,
}

impl Clients {
    pub(super) fn add(
        &mut self,
        client: ClientId,
        told: mpsc::Sender<Told>,
        place: OwnedSemaphorePermit,
    ) {
        self.0.insert(client, Client { told, _place: place, waiting: None });
    }

    /// Bytes of a client. It waits for the reply before it comes with more. Without a reply, its
    /// operation has ended.
    pub(super) fn push(&mut self, client: ClientId, bytes: Vec<u8>, reply: oneshot::Sender<()>) {
        if let Some(client) = self.0.get_mut(&client) {
            client.waiting = Some(Waiting { bytes, taken: 0, reply });
        }
    }

    /// Hands to the member what it has room for. Returns whether it took anything.
    pub(super) fn feed(&mut self, member: &mut Member, now: Now) -> bool {
        let mut has_fed = false;
        for (id, client) in &mut self.0 {
            let Some(waiting) = &mut client.waiting else { continue };
            let rest = waiting.bytes.get(waiting.taken..).unwrap_or_default();
            let count = member.room(*id).min(rest.len());
            if let Some(next) = rest.get(..count).filter(|next| !next.is_empty()) {
                member.push(now, *id, next);
                waiting.taken += count;
                has_fed = true;
            }
            if waiting.taken >= waiting.bytes.len()
                && let Some(Waiting { reply, .. }) = client.waiting.take()
            {
                // The client may have gone; it is cancelled then.
                let _ = reply.send(());
            }
        }
        has_fed
    }

    /// Tells a client. Returns whether it is there and takes it.
    pub(super) fn tell(&mut self, client: ClientId, told: Told) -> bool {
        self.0.get(&client).is_some_and(|client| client.told.try_send(told).is_ok())
    }

    /// Forgets a client. Returns whether it was there.
    pub(super) fn remove(&mut self, client: ClientId) -> bool {
        self.0.remove(&client).is_some()
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}
