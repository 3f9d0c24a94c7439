//! Handles the events of the node: logs, remembers, measures and publishes them, and answers the
//! clients that wait for them.

use super::remembered::Remembered;
use super::{FIRST_RETRY, Membership, RETRY};
use crate::log;
use crate::membership::{Founded, JoinFailure, Joined, Member, MemberChange};
use crate::notify;
use memberd_membership::{Event, Identity, JoinError, MemberState, millis};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use tracing::{debug, error, info, warn};

/// From how many on it is worth a line that members are reported who are not there. A few of them
/// crashed just after their join.
const NOTEWORTHY: u64 = 16;

fn report_unconfirmed(count: u64) {
    if count >= NOTEWORTHY {
        warn!(
            count,
            "other members report members that do not answer; they are not taken into the list \
            (repeated at most once a minute)"
        );
    } else {
        debug!(count, "members that were reported do not answer");
    }
}

fn report_stall(stall: Duration) {
    warn!(
        milliseconds = millis(stall),
        "this daemon was not run for longer than the failure timeout; no member is accused for it"
    );
}

fn report_clock(member: &Identity, ahead_ms: i64) {
    warn!(
        name = %member.name,
        ahead_ms,
        "the wall clock of a neighbour disagrees with ours; heartbeats are judged without it"
    );
}

impl Membership {
    pub(super) async fn handle_event(&mut self, event: Event) {
        let now = self.clocks.now();
        match event {
            Event::Member(event) => {
                log::member_event(&event);
                let own = self.node.member().map(|id| id.incarnation);
                self.gauges.note(&event, self.node.name(), own, now);
                let entry = self.node.list().get(&event.member.name).map(AsRef::as_ref);
                let (this, anchor) = (self.node.name(), self.anchor);
                self.publish(MemberChange::of_liveness(event, entry, this, anchor, now));
                self.list_changed = true;
            }
            Event::Tagged(id) => {
                if let Some(entry) = self.node.list().get(&id.name) {
                    log::member_tagged(entry);
                    let (this, anchor) = (self.node.name(), self.anchor);
                    self.publish(MemberChange::of_tags(entry, this, anchor, now));
                }
            }
            Event::Suspected { .. }
            | Event::Cleared { .. }
            | Event::Refuted { .. }
            | Event::FailureDetected { .. }
            | Event::FailureTold { .. } => log::detection(&event),
            Event::Evidence(id) => self.correct_history(&id),
            Event::Forgotten { entry, by } => self.note_forgotten(&entry, &by, now),
            Event::ForgetDone(report) => self.forget_done(report),
            Event::Incarnation(incarnation) => {
                // After its first datagram, a crash at any moment must be followed by a rejoin.
                self.writer.update_incarnation(incarnation);
                self.update_state(true);
                self.writer.make_durable().await;
                self.session.begin(incarnation);
            }
            Event::Founded => self.note_founded(),
            Event::JoinDone => self.join_done(),
            Event::JoinFailed(error) => self.join_failed(error),
            Event::LeaveDone { acknowledged } => self.leave_done(acknowledged).await,
            Event::Rejoined { old, new } => {
                warn!(%old, %new, "other members declared this node failed; rejoined with \
                a new incarnation");
            }
            Event::Superseded { by } => {
                error!(%by, "another machine has this one's name; trying to come back: give each \
                machine its own [node] name");
                let failure = JoinFailure::Superseded(by.to_string());
                self.not_joined = Some(failure.clone());
                self.end_join(Err(failure));
                // If the other member is really alive, this one is refused. If not, this one
                // returns as soon as that is known.
                self.retry = Some((Instant::now() + FIRST_RETRY, RETRY));
                notify::status(&self.status_line());
            }
            Event::Stalled(stall) => report_stall(stall),
            Event::ClockDisagrees { member, ahead } => report_clock(&member, ahead),
            Event::ClockAgrees { member } => {
                info!(name = %member.name, "the wall clock of a neighbour agrees with ours again");
            }
            Event::ViewHeard { from, news } => self.handle.publish_view(from, news),
            Event::Unconfirmed { count } => report_unconfirmed(count),
            Event::OtherSettings { address } => warn!(
                %address,
                "a group with other settings is reached at this address; the detector, k, the \
                intervals and timeouts must agree to merge"
            ),
        }
    }

    /// The end of a member is known better.
    fn correct_history(&mut self, id: &Identity) {
        if let Some(entry) = self.node.list().get(&id.name) {
            let member = Member::new(entry, self.node.name(), self.anchor);
            self.history.correct(&member);
        }
    }

    /// Passes a change to the present followers, and remembers it for later ones.
    pub(super) fn publish(&mut self, change: MemberChange) {
        let change = Arc::new(change);
        self.history.add(Arc::clone(&change));
        self.handle.publish(change);
    }

    /// Who forgot the introducers has a group of one, and hears of it here.
    fn note_founded(&mut self) {
        let nobody_listed = self.asked.addresses().is_empty();
        if nobody_listed {
            self.founded = Some(Founded::NoIntroducers);
            warn!("founded a new group; no introducers are set");
        } else {
            self.founded = Some(Founded::NobodyAnswered);
            info!("founded a new group; no other introducer answered");
        }
    }

    fn join_done(&mut self) {
        self.retry = None;
        self.warned_of_join = false;
        self.not_joined = None;
        self.update_state(true);
        notify::status(&self.status_line());
        if let Some(id) = self.node.member() {
            info!(%id, alive = self.node.list().up(), "in the group");
            let (up, founded) = (self.node.list().up(), self.founded);
            self.end_join(Ok(Joined { id, up, already: false, founded }));
        }
    }

    fn join_failed(&mut self, error: JoinError) {
        self.not_joined = Some(error.clone().into());
        notify::status(&self.status_line());
        if let Some((at, backoff)) = &mut self.retry {
            *at = Instant::now() + backoff.next_pause();
            if self.warned_of_join {
                debug!(%error, "could not join; trying again");
            } else {
                self.warned_of_join = true;
                warn!(%error, "could not join; trying again until it works");
            }
        } else {
            // A client requested one attempt, and it failed.
            self.update_state(false);
            if self.joining.is_none() {
                warn!(%error, "could not join");
            }
        }
        self.end_join(Err(error.into()));
    }

    pub(super) fn end_join(&mut self, result: Result<Joined, JoinFailure>) {
        if let Some(reply) = self.joining.take() {
            // The client may have disconnected.
            let _ = reply.send(result);
        }
    }

    async fn leave_done(&mut self, acknowledged: bool) {
        if !acknowledged {
            warn!(
                "left the group, but no member acknowledged it: the others will report this one \
                failed"
            );
        }
        self.traffic.out();
        self.founded = None;
        self.remembered = Remembered::new(self.writer.members());
        // The leave is durable before a client gets the answer. So no rejoin follows a crash.
        self.update_state(false);
        self.writer.make_durable().await;
        notify::status(&self.status_line());
        for reply in self.leaving.drain(..) {
            let _ = reply.send(true);
        }
    }

    pub(super) fn update_state(&mut self, in_group: bool) {
        let members = self.node.list().iter().filter(|entry| entry.state != MemberState::Left);
        self.writer.update_members(in_group, members.map(|entry| entry.identity.clone()));
    }
}
