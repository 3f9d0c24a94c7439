//! Repair: neighbours whose digests differ exchange what differs.

use super::Node;
use crate::calls::CallPurpose;
use crate::gossip::anti_entropy::summary::{Summary, bucket};
use crate::identity::Name;
use crate::join::CallRequest;
use crate::list::{Entry, Standing, Update};
use crate::message::{Body, pack};
use crate::time::{Instant, Now};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// News on its way explains a difference for so long.
const NEWS_TRAVELS: Duration = Duration::from_millis(200);

/// A difference that takes more datagrams than this is settled by exchanging whole lists over TCP.
const MOST_DATAGRAMS: usize = 8;

/// The most peers whose agreement is remembered.
const MAX_PEERS: usize = 64;

/// What is known of others' lists.
#[derive(Debug, Default)]
pub(super) struct Repairs {
    peers: BTreeMap<Name, Peer>,
}

#[derive(Debug)]
struct Peer {
    /// Heartbeats in a row whose hash differed.
    differed: u32,
    compared_at: Option<Instant>,
}

impl Repairs {
    /// Whether a peer's list was the same at its last heartbeat.
    pub(super) fn agrees(&self, name: &Name) -> bool {
        self.peers.get(name).is_some_and(|peer| peer.differed == 0)
    }
}

impl Node {
    /// Takes in the hash of another's list. A difference that news on its way does not explain is
    /// looked into.
    pub(super) fn compare(&mut self, name: &Name, address: SocketAddr, hash: u32, now: Now) {
        if self.repairs.peers.len() >= MAX_PEERS && !self.repairs.peers.contains_key(name) {
            self.repairs.peers.clear();
        }
        let interval = self.settings.group.heartbeat_interval;
        let quiet = now.mono.since(self.last_change) >= NEWS_TRAVELS;
        let same = hash == self.list.digest().hash;
        let peer = self
            .repairs
            .peers
            .entry(name.clone())
            .or_insert(Peer { differed: 0, compared_at: None });
        if same {
            peer.differed = 0;
            return;
        }
        peer.differed = peer.differed.saturating_add(1);
        let lately = peer.compared_at.is_some_and(|at| now.mono.since(at) < interval / 2);
        if !lately && (quiet || peer.differed >= 2) {
            peer.compared_at = Some(now.mono);
            self.counters.repairs += 1;
            let summary = Summary::of(&self.list);
            self.send(address, Body::Summary(summary), now);
        }
    }

    /// Another's list in brief: it is sent what ours has in the buckets that differ, or the lists
    /// are exchanged whole.
    pub(super) fn send_difference(&mut self, theirs: &Summary, to: SocketAddr, now: Now) {
        let buckets = theirs.buckets.len();
        let differing = Summary::with_buckets(&self.list, buckets).differing(theirs);
        let differs = |update: &Update| {
            differing.get(bucket(&update.identity, buckets)).copied().unwrap_or(false)
        };
        let news: Vec<Update> = self.certain().filter(differs).collect();
        if pack(&news, None).len() <= MOST_DATAGRAMS {
            self.send_news(&[to], &news, now);
        } else if !self.calls.any(CallPurpose::Exchange) {
            let request =
                CallRequest::Exchange { sender: self.introduction(), list: self.whole_list() };
            self.calls.start(to, &request, CallPurpose::Exchange);
        }
    }

    /// All that is known for certain.
    pub(super) fn whole_list(&self) -> Vec<Update> {
        self.certain().collect()
    }

    /// The doubted are left out, since they would be news that they are alive.
    fn certain(&self) -> impl Iterator<Item = Update> {
        let certain = |entry: &&Arc<Entry>| !matches!(entry.standing, Standing::Doubted(_));
        self.list.iter().filter(certain).map(|entry| entry.to_update())
    }
}
