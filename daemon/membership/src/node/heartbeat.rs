//! Heartbeats and news: who gets them, and when.

use super::{Node, Phase};
use crate::detector::heartbeat::Target;
use crate::identity::{Incarnation, Name};
use crate::list::{Entry, Update};
use crate::message::{Body, pack};
use crate::ring;
use crate::time::{Instant, Now};
use rand::RngExt;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

/// For this long after its list last changed a member also compares lists with random members
/// beyond its ring neighbours.
const COMPARE_AFTER_CHANGE: std::time::Duration = std::time::Duration::from_secs(10);

/// For this long after its life began a member's news introduces it.
const INTRODUCES_ITSELF: std::time::Duration = std::time::Duration::from_secs(10);

/// To whom heartbeats go.
#[derive(Debug)]
pub(super) struct Heartbeats {
    pub(super) next_at: Instant,
    /// Those that watch this member, and, until the moment given, those that did until the ring
    /// moved.
    recipients: BTreeMap<Name, Recipient>,
}

#[derive(Debug)]
struct Recipient {
    incarnation: Incarnation,
    address: SocketAddr,
    until: Option<Instant>,
}

impl Default for Heartbeats {
    fn default() -> Self {
        Heartbeats { next_at: Instant::EPOCH, recipients: BTreeMap::new() }
    }
}

impl Heartbeats {
    /// Those that watch this member now.
    pub(super) fn monitors(&self) -> impl Iterator<Item = &Name> {
        self.recipients
            .iter()
            .filter(|(_, recipient)| recipient.until.is_none())
            .map(|(name, _)| name)
    }

    /// Makes every monitor a new one, to be greeted as the ring is laid.
    pub(super) fn forget_recipients(&mut self) {
        self.recipients.clear();
    }
}

impl Node {
    /// Starts sending heartbeats, at a random phase so that a fleet started at once does not send
    /// in step.
    pub(super) fn start_heartbeats(&mut self, now: Now) {
        let interval = self.settings.group.heartbeat_interval;
        self.heartbeats = Heartbeats::default();
        self.heartbeats.next_at = now.mono + interval.mul_f64(self.rng.random::<f64>());
    }

    /// Reckons monitors and targets anew. A new monitor hears from us at once; a former one is sent
    /// heartbeats for as long as it may still watch, and a while more, since it may learn later
    /// than we that the ring has moved.
    ///
    /// While this machine doubts members it stands on two rings, with and without them: they may be
    /// right to think themselves alive.
    pub(super) fn lay_ring(&mut self, now: Now) {
        if !self.in_group() {
            return;
        }
        let k = usize::from(self.settings.group.max_simultaneous_failures);
        let rings: &[ring::OnRing] = if self.suspicions.any_doubt() {
            &[Entry::is_up, Entry::is_told_alive]
        } else {
            &[Entry::is_up]
        };
        let mut monitors = BTreeMap::new();
        let mut targets = BTreeMap::new();
        for on_ring in rings {
            for entry in ring::monitors(&self.list, &self.name, k, *on_ring) {
                monitors.insert(
                    entry.identity.name.clone(),
                    (entry.identity.incarnation, entry.identity.address),
                );
            }
            for entry in ring::targets(&self.list, &self.name, k, *on_ring) {
                targets.insert(entry.identity.name.clone(), self.target(entry, now.mono));
            }
        }
        let list = &self.list;
        let still_up = |name: &Name, incarnation: Incarnation| {
            list.get(name).is_some_and(|entry| {
                entry.is_told_alive() && entry.identity.incarnation == incarnation
            })
        };
        self.detector.watch(
            targets.iter().map(|(name, target)| (name, *target)),
            still_up,
            now.mono,
        );
        self.skewed.retain(|name, _| self.detector.clock(name).is_some());
        let linger = now.mono + self.settings.group.failure_timeout * 2;
        for recipient in self.heartbeats.recipients.values_mut() {
            recipient.until = recipient.until.or(Some(linger));
        }
        self.heartbeats.recipients.retain(|name, recipient| still_up(name, recipient.incarnation));
        let mut new = Vec::new();
        for (name, (incarnation, address)) in monitors {
            let known = self
                .heartbeats
                .recipients
                .insert(name.clone(), Recipient { incarnation, address, until: None });
            if known.is_none() {
                new.push(name);
            }
        }
        for name in new {
            self.send_heartbeat(&name, now);
        }
    }

    /// A member that came into the list just now is a newcomer, but not if this member is one
    /// itself and took the whole list over.
    fn target(&self, entry: &Entry, now: Instant) -> Target {
        let lately = now.since(entry.since) < self.settings.group.heartbeat_interval;
        let newcomer = lately && entry.since > self.born;
        Target { incarnation: entry.identity.incarnation, newcomer }
    }

    pub(super) fn send_heartbeats_if_due(&mut self, now: Now) {
        if self.heartbeats.next_at > now.mono {
            return;
        }
        let interval = self.settings.group.heartbeat_interval;
        let next = self.heartbeats.next_at + interval;
        self.heartbeats.next_at = if next > now.mono { next } else { now.mono + interval };
        self.heartbeats
            .recipients
            .retain(|_, recipient| recipient.until.is_none_or(|until| now.mono < until));
        if matches!(self.phase, Phase::Leaving(_)) {
            return;
        }
        let riding = self.rumours.riding(now.mono);
        // Taken out for the while: sending needs the rest of the node.
        let recipients = std::mem::take(&mut self.heartbeats.recipients);
        for (name, recipient) in &recipients {
            let body = self.heartbeat_for(name, recipient.incarnation, &riding);
            self.send(recipient.address, body, now);
        }
        if now.mono.since(self.last_change) < COMPARE_AFTER_CHANGE
            && self.list.up() > recipients.len() + 1
        {
            let except: BTreeSet<Name> = recipients.keys().cloned().collect();
            for address in self.random_members(1, &except) {
                self.send(address, self.plain_heartbeat(riding.clone()), now);
            }
        }
        self.heartbeats.recipients = recipients;
    }

    /// A heartbeat out of turn to a neighbour.
    pub(super) fn send_heartbeat(&mut self, name: &Name, now: Now) {
        if matches!(self.phase, Phase::Leaving(_)) {
            return;
        }
        if let Some(recipient) = self.heartbeats.recipients.get(name) {
            let (address, incarnation) = (recipient.address, recipient.incarnation);
            let riding = self.rumours.riding(now.mono);
            let body = self.heartbeat_for(name, incarnation, &riding);
            self.send(address, body, now);
        }
    }

    fn heartbeat_for(&self, name: &Name, incarnation: Incarnation, riding: &[Update]) -> Body {
        let mut news = riding.to_vec();
        if !self.detector.has_heard(name, incarnation)
            && !news.iter().any(|update| update.identity.name == self.name)
        {
            news.push(self.introduction());
        }
        let delay =
            self.detector.clock(name).and_then(crate::detector::peer_clock::PeerClock::delay);
        Body::Heartbeat { hash: self.list.digest().hash, delay, news }
    }

    pub(super) fn plain_heartbeat(&self, news: Vec<Update>) -> Body {
        Body::Heartbeat { hash: self.list.digest().hash, delay: None, news }
    }

    pub(super) fn tell_rumours_if_due(&mut self, now: Now) {
        let Some(telling) = self.rumours.round(self.list.up(), now.mono) else { return };
        if !telling.everyone.is_empty() {
            let everyone = self.random_members(usize::MAX, &BTreeSet::new());
            self.send_news(&everyone, &telling.everyone, now);
        }
        if !telling.few.is_empty() {
            let few = self.random_members(crate::gossip::broadcast::FANOUT, &BTreeSet::new());
            self.send_news(&few, &telling.few, now);
        }
    }

    /// Sends news in as many datagrams as it takes. A member that has just joined introduces itself
    /// in each, or those that do not know it yet would believe none of it.
    pub(super) fn send_news(&mut self, to: &[SocketAddr], news: &[Update], now: Now) {
        let introduction =
            (now.mono.since(self.born) < INTRODUCES_ITSELF).then(|| self.introduction());
        for piece in pack(news, introduction.as_ref()) {
            for address in to {
                self.send(*address, Body::News(piece.clone()), now);
            }
        }
    }
}
