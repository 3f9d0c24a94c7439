//! The heartbeat detector: each member sends its monitors a heartbeat in every interval. It owns
//! the receivers of heartbeats and the time of the next ones.

use super::next_turn;
use super::outbox::Outbox;
use super::watches::Timing;
use crate::context::Context;
use crate::identity::{Incarnation, Name};
use crate::list::Entry;
use crate::settings::GroupSettings;
use crate::time::Instant;
use rand::RngExt;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// The interval between a monitor's probes while a heartbeat is missing. Six rounds fit before
/// `failure_timeout`, so that a live member is found in spite of 30 % loss. Heartbeats themselves
/// can then be fewer.
const PROBE_AGAIN: Duration = Duration::from_millis(175);

/// How long before the deadline the other monitors of a probed member are asked as well. Most
/// members have answered by then, and one bad link accuses nobody.
const PROBE_OTHERS: Duration = Duration::from_millis(525);

/// When heartbeats are missing, and when their absence is final. The first is missed after an
/// interval, and a fifth of one for jitter. A newcomer's heartbeat is due at once, so it has an
/// interval less. This is the time of a member that stopped an interval after its last heartbeat.
pub(super) fn timing(group: &GroupSettings) -> Timing {
    Timing {
        missed_after: group.interval().mul_f64(1.2),
        newcomer_missed_after: PROBE_AGAIN,
        patience: group.failure_timeout,
        newcomer_patience: group.failure_timeout.saturating_sub(group.interval()),
        probed_patience: group.failure_timeout,
        suspicion: Duration::ZERO,
        probe_again: PROBE_AGAIN,
        probe_again_late: PROBE_AGAIN,
        probe_others: PROBE_OTHERS,
    }
}

/// The receivers of heartbeats.
#[derive(Debug)]
pub(super) struct Heartbeats {
    next_at: Instant,
    /// The members that watch this one. Former monitors stay until the given moment, after the ring
    /// has moved.
    recipients: BTreeMap<Name, Recipient>,
    stopped: bool,
}

#[derive(Debug)]
struct Recipient {
    incarnation: Incarnation,
    address: SocketAddr,
    until: Option<Instant>,
}

impl Default for Heartbeats {
    fn default() -> Self {
        Heartbeats { next_at: Instant::EPOCH, recipients: BTreeMap::new(), stopped: false }
    }
}

impl Heartbeats {
    /// Begins at a random phase.
    pub(super) fn start(context: &mut Context) -> Self {
        let phase = context.group().interval().mul_f64(context.rng.random::<f64>());
        Heartbeats { next_at: context.now.mono + phase, ..Heartbeats::default() }
    }

    pub(super) fn stop(&mut self) {
        self.stopped = true;
    }

    pub(super) fn next_at(&self) -> Instant {
        self.next_at
    }

    /// Those that watch this member now.
    pub(super) fn monitors(&self) -> impl Iterator<Item = &Name> {
        let present = self.recipients.iter().filter(|(_, recipient)| recipient.until.is_none());
        present.map(|(name, _)| name)
    }

    /// Treats every monitor as a new one.
    pub(super) fn forget_recipients(&mut self) {
        self.recipients.clear();
    }

    /// Sets the monitors of this member, and returns the new ones. A former monitor still gets
    /// heartbeats for some time, because it may learn late that the ring has moved.
    pub(super) fn set_monitors(
        &mut self,
        monitors: &[&Arc<Entry>],
        still_up: impl Fn(&Name, Incarnation) -> bool,
        context: &Context,
    ) -> Vec<Name> {
        let linger = context.now.mono + context.group().failure_timeout * 2;
        for recipient in self.recipients.values_mut() {
            recipient.until = recipient.until.or(Some(linger));
        }
        self.recipients.retain(|name, recipient| still_up(name, recipient.incarnation));
        let mut new = BTreeSet::new();
        for entry in monitors {
            let identity = &entry.identity;
            let recipient = Recipient {
                incarnation: identity.incarnation,
                address: identity.address,
                until: None,
            };
            if self.recipients.insert(identity.name.clone(), recipient).is_none() {
                new.insert(identity.name.clone());
            }
        }
        new.into_iter().collect()
    }

    /// Sends a heartbeat out of turn.
    pub(super) fn greet(&self, name: &Name, outbox: &mut Outbox) {
        if let Some(recipient) = self.recipients.get(name).filter(|_| !self.stopped) {
            outbox.send_heartbeat(name, recipient.address);
        }
    }

    /// Sends the heartbeats of an interval if they are due.
    pub(super) fn send_if_due(&mut self, outbox: &mut Outbox) {
        let now = outbox.context.now.mono;
        if self.next_at > now {
            return;
        }
        self.next_at = next_turn(self.next_at, outbox.context.group().interval(), now);
        self.recipients.retain(|_, recipient| recipient.until.is_none_or(|until| now < until));
        if self.stopped {
            return;
        }
        for (name, recipient) in &self.recipients {
            outbox.send_heartbeat(name, recipient.address);
        }
        outbox.compare_after_change(1, self.recipients.keys());
    }
}
