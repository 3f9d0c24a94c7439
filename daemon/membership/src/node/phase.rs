//! The phases of a node, and the transitions between them: how it enters the group, comes back into
//! it, and leaves. [`Node`] owns the present phase.

use super::Node;
use crate::calls::CallPurpose;
use crate::detector::Detector;
use crate::doubt::Doubts;
use crate::event::Event;
use crate::gossip::Source;
use crate::gossip::anti_entropy::AntiEntropy;
use crate::gossip::forgetting::Forgetting;
use crate::identity::{Identity, Incarnation, Name};
use crate::join::JoinError;
use crate::join::client::{JoinAttempt, JoinStep};
use crate::leave::LeaveProgress;
use crate::list::{List, Update};
use crate::rejoin;
use crate::suspicion::Suspicions;
use crate::time::Instant;
use std::net::SocketAddr;
use std::time::Duration;

/// For how long a newcomer that was welcomed waits for a heartbeat.
pub(super) const ACTIVATION_TIMEOUT: Duration = Duration::from_secs(6);

/// Where a node is on its way into the group and out of it.
#[derive(Debug)]
pub(super) enum Phase {
    /// Not in the group.
    Out,
    /// Asking introducers.
    Joining(JoinAttempt),
    /// Welcomed, and known to the others; waits for the first heartbeat.
    Activating { since: Instant },
    /// In the group.
    Member,
    /// On its way out: the others hear that it leaves.
    Leaving(LeaveProgress),
}

impl Node {
    pub(super) fn continue_joining(&mut self) {
        if let Phase::Joining(attempt) = &mut self.phase {
            let step = attempt.step(&mut self.context);
            self.finish_join_step(step);
        }
    }

    pub(super) fn finish_join_step(&mut self, step: JoinStep) {
        match step {
            JoinStep::Wait => {}
            JoinStep::Enter { incarnation, list } => {
                if list.is_empty() {
                    self.context.report(Event::Founded);
                }
                self.enter(incarnation, &list);
            }
            JoinStep::Failed(error) => self.fail_joining(error),
        }
    }

    pub(super) fn fail_joining(&mut self, error: JoinError) {
        self.go_out();
        self.context.report(Event::JoinFailed(error));
    }

    /// Becomes a member.
    fn enter(&mut self, incarnation: Incarnation, list: &[Update]) {
        self.context.outputs.calls.abandon_all();
        self.phase = Phase::Activating { since: self.context.now.mono };
        self.members.begin(List::new(), &self.context);
        self.begin_incarnation(incarnation);
        self.detector.start(&mut self.context);
        self.take_over(list);
        self.introduce_itself();
        if self.members.up() == 1 {
            self.finish_joining();
        }
    }

    /// Begins an incarnation: all that is sent from now on is sent under it.
    fn begin_incarnation(&mut self, incarnation: Incarnation) {
        self.detector.begin_incarnation(&self.context.settings.group);
        // What the former incarnation did not come to say is not said in its name any more.
        self.context.outputs.datagrams.clear();
        self.context.local.begin(incarnation, self.context.now.mono);
        self.context.report(Event::Incarnation(incarnation));
        // It is the first in the list, or in it already, so there is room.
        self.members.set(self.context.local.introduction(), &mut self.context);
    }

    pub(super) fn take_over(&mut self, list: &[Update]) {
        self.members.take_over(list, &mut self.context);
        self.doubts.drop_settled(&self.members);
    }

    /// Tells the group of this incarnation. Heartbeats to the monitors go out as the ring is
    /// rebuilt.
    fn introduce_itself(&mut self) {
        let introduction = self.context.local.introduction();
        self.gossip.learn(introduction, Source::FirstHand, &self.members, &self.context);
        self.gossip.broadcast_if_due(&self.members, &mut self.context);
    }

    /// The first heartbeat of a member that this one watches ends the join: it is in a monitor's
    /// list.
    pub(super) fn finish_activating(&mut self, name: &Name, incarnation: Incarnation) {
        let activating = matches!(self.phase, Phase::Activating { .. });
        if activating && self.detector.has_heard(name, incarnation) {
            self.finish_joining();
        }
    }

    pub(super) fn give_up_activating_if_due(&mut self) {
        let Phase::Activating { since } = self.phase else { return };
        if self.members.up() == 1 {
            self.finish_joining();
        } else if since + ACTIVATION_TIMEOUT <= self.context.now.mono {
            self.fail_joining(JoinError::NoHeartbeat(ACTIVATION_TIMEOUT));
        }
    }

    fn finish_joining(&mut self) {
        self.phase = Phase::Member;
        self.context.report(Event::JoinDone);
    }

    /// Starts to leave. This member does not come back before it has left.
    pub(super) fn start_leaving(&mut self) {
        self.announcer.stop();
        self.context.outputs.calls.abandon(CallPurpose::Rejoin);
        self.detector.stop_sending();
        self.phase = Phase::Leaving(LeaveProgress::new(self.context.now.mono));
    }

    pub(super) fn continue_leaving(&mut self) {
        let Phase::Leaving(leave) = &mut self.phase else { return };
        let monitors = self.detector.monitors();
        if let Some(left) = leave.step(&monitors, &self.members, &mut self.context) {
            self.go_out();
            self.context.report(Event::LeaveDone { acknowledged: left.acknowledged });
        }
    }

    /// Leaves the group's state behind.
    fn go_out(&mut self) {
        self.phase = Phase::Out;
        self.give_up_forgetting();
        self.context.outputs.calls.abandon_all();
        self.gossip.clear(&self.members, &mut self.context);
        self.members.clear();
        self.forgetting = Forgetting::default();
        self.detector = Detector::new(&self.context.settings.group);
        self.candidates.clear();
        self.doubts = Doubts::default();
        self.suspicions = Suspicions::default();
        self.anti_entropy = AntiEntropy::default();
        self.announcer.stop();
    }

    /// Comes back into the group that has welcomed this member.
    pub(super) fn rejoin_group(&mut self, list: &[Update], last: u64, through: SocketAddr) {
        let old = self.context.local.incarnation;
        let new = self.rejoin.welcomed_as(last, &self.context);
        let companions = rejoin::companions(&self.members, &self.context);
        // What the former incarnation still had to say of others was about another side.
        self.gossip.clear(&self.members, &mut self.context);
        self.keep_records_of_gone(list);
        self.begin_incarnation(new);
        self.change_sides(list, through);
        self.introduce_itself();
        self.context.report(Event::Rejoined { old, new });
        rejoin::tell_companions(companions, &self.members, &mut self.context);
    }

    /// Comes back without asking, unless it has only just done so.
    pub(super) fn rejoin_alone(&mut self) {
        let old = self.context.local.incarnation;
        if let Some(new) = self.rejoin.alone(&mut self.context) {
            self.begin_incarnation(new);
            self.introduce_itself();
            self.context.report(Event::Rejoined { old, new });
        }
    }

    /// Another live machine has the name and is the newer.
    pub(super) fn give_way(&mut self, by: Identity) {
        self.context.report(Event::Superseded { by });
        self.go_out();
    }
}
