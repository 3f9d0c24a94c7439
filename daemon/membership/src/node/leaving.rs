//! Leaving: telling the monitors and a few more until one has heard it.

use super::{Node, Phase};
use crate::event::Event;
use crate::identity::Name;
use crate::join::JoinError;
use crate::message::Body;
use crate::time::{Instant, Now};
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

/// How often it is said until somebody has heard it.
const SAY_AGAIN: Duration = Duration::from_millis(200);

/// After this long without an answer the member goes anyway; the others will report it failed.
const GIVE_UP: Duration = Duration::from_secs(2);

/// How many are told beside the monitors.
const TELL_MORE: usize = 3;

/// A leave under way.
#[derive(Debug)]
pub(super) struct Farewell {
    since: Instant,
    say_at: Instant,
    heard: bool,
}

impl Farewell {
    pub(super) fn new(now: Instant) -> Self {
        Farewell { since: now, say_at: now, heard: false }
    }

    pub(super) fn next_at(&self) -> Instant {
        if self.heard { self.since } else { self.say_at.min(self.since + GIVE_UP) }
    }
}

impl Node {
    /// Starts to leave the group. An [`Event::LeaveDone`] follows, at once if the node is not in
    /// it.
    pub fn leave(&mut self, now: Now) {
        self.notice_stall(now);
        match self.phase {
            Phase::Out => self.events.push_back(Event::LeaveDone { acknowledged: true }),
            Phase::Joining(_) => {
                self.fail_joining(JoinError::Abandoned);
                self.events.push_back(Event::LeaveDone { acknowledged: true });
            }
            Phase::Greeting { .. } | Phase::Member => {
                if matches!(self.phase, Phase::Greeting { .. }) {
                    self.events.push_back(Event::JoinFailed(JoinError::Abandoned));
                }
                self.start_leaving(now.mono);
                self.continue_leaving(now);
            }
            Phase::Leaving(_) => {}
        }
        self.settle(now);
    }

    pub(super) fn continue_leaving(&mut self, now: Now) {
        let Phase::Leaving(farewell) = &mut self.phase else { return };
        let alone = self.list.up() <= 1;
        if alone || farewell.heard || now.mono >= farewell.since + GIVE_UP {
            let acknowledged = alone || farewell.heard;
            self.go_out();
            self.events.push_back(Event::LeaveDone { acknowledged });
        } else if now.mono >= farewell.say_at {
            farewell.say_at = now.mono + SAY_AGAIN;
            for address in self.farewell_addresses() {
                self.send(address, Body::Leave, now);
            }
        }
    }

    fn farewell_addresses(&mut self) -> Vec<SocketAddr> {
        let monitors: BTreeSet<Name> = self.heartbeats.monitors().cloned().collect();
        let addresses = monitors
            .iter()
            .filter_map(|name| Some(self.list.get(name)?.identity.address))
            .collect::<Vec<_>>();
        addresses.into_iter().chain(self.random_members(TELL_MORE, &monitors)).collect()
    }

    pub(super) fn note_leave_heard(&mut self) {
        if let Phase::Leaving(farewell) = &mut self.phase {
            farewell.heard = true;
        }
    }
}
