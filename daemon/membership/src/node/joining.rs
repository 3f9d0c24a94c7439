//! Joining: asking the introducers, taking the list over, announcing oneself; and letting others
//! in.

use super::{Node, Phase, heartbeat, leaving, suspect};
use crate::calls::{CallError, CallId, CallPurpose, read_reply};
use crate::detector::heartbeat::Detector;
use crate::event::Event;
use crate::gossip::broadcast::{Rumours, Source};
use crate::identity::{Incarnation, Name};
use crate::join::{
    CALL_TIMEOUT, CallReply, CallRequest, JoinError, NEXT_INTRODUCER_AFTER, Refusal, Round,
    conflict, disagreement,
};
use crate::list::tags::VersionedTags;
use crate::list::{Claim, List, Update};
use crate::settings::GroupSettings;
use crate::time::{Instant, Now};
use crate::wire::{self, DecodeError};
use std::net::SocketAddr;
use std::time::Duration;

/// For how long a newcomer that was let in waits for a heartbeat.
pub(super) const GREETING_TIMEOUT: Duration = Duration::from_secs(6);

/// How many members of former days are asked beside the introducers.
const ASK_REMEMBERED: usize = 8;

/// A request to join that came while the node is in the group, or on its way out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("already in the group, or on the way out")]
pub struct NotOut;

impl Node {
    /// Starts to join. `remembered` are the addresses of members of former days, which are asked
    /// first; then the introducers are. One that has no introducers, or is among them itself,
    /// founds the group when nobody answers.
    ///
    /// While it is joining already, the introducers are asked as well.
    ///
    /// # Errors
    /// When the node is in the group, or on its way out.
    pub fn join(
        &mut self,
        now: Now,
        introducers: Vec<SocketAddr>,
        remembered: Vec<SocketAddr>,
    ) -> Result<(), NotOut> {
        if let Phase::Joining(round) = &mut self.phase {
            // Told again while it is trying: these are asked as well.
            let new = introducers
                .into_iter()
                .filter(|address| *address != self.address && !round.queue.contains(address));
            let new: Vec<SocketAddr> = new.collect();
            round.queue.extend(new);
            round.next_at = now.mono;
            self.settle(now);
            return Ok(());
        }
        if !matches!(self.phase, Phase::Out) {
            return Err(NotOut);
        }
        let may_found = introducers.is_empty() || introducers.contains(&self.address);
        let mut queue = std::collections::VecDeque::new();
        for address in remembered.iter().take(ASK_REMEMBERED).chain(&introducers) {
            if *address != self.address && !queue.contains(address) {
                queue.push_back(*address);
            }
        }
        self.healing.set_introducers(introducers);
        self.healing.remember(remembered);
        self.phase = Phase::Joining(Round {
            queue,
            unanswered: 0,
            next_at: now.mono,
            failures: Vec::new(),
            may_found,
            incarnation: self.next_incarnation(now, Incarnation(0)),
        });
        self.due = None;
        self.continue_joining(now);
        self.settle(now);
        Ok(())
    }

    /// The introducers of the settings, resolved anew.
    pub fn set_introducers(&mut self, introducers: Vec<SocketAddr>) {
        self.healing.set_introducers(introducers);
    }

    /// Asks the next introducer when its turn has come, and founds the group or gives up when all
    /// have failed.
    pub(super) fn continue_joining(&mut self, now: Now) {
        let newcomer = self.introduction();
        let settings = self.settings.group;
        let Phase::Joining(round) = &mut self.phase else { return };
        if round.is_over() {
            self.end_round(now);
            return;
        }
        if round.next_at > now.mono {
            return;
        }
        // Every call is answered for by then, so this is only a bound.
        round.next_at = now.mono + CALL_TIMEOUT * 2;
        if let Some(address) = round.queue.pop_front() {
            if !round.queue.is_empty() {
                round.next_at = now.mono + NEXT_INTRODUCER_AFTER;
            }
            let mut newcomer = newcomer;
            newcomer.identity.incarnation = round.incarnation;
            round.unanswered += 1;
            let request = CallRequest::Join { newcomer, settings };
            self.calls.start(address, &request, CallPurpose::Join { introducer: address });
        }
    }

    fn end_round(&mut self, now: Now) {
        let Phase::Joining(round) = &mut self.phase else { return };
        if round.may_found {
            let incarnation = round.incarnation;
            self.enter(incarnation, &[], now);
        } else {
            let failures = std::mem::take(&mut round.failures);
            self.fail_joining(JoinError::NobodyAnswered(failures));
        }
    }

    pub(super) fn fail_joining(&mut self, error: JoinError) {
        self.go_out();
        self.events.push_back(Event::JoinFailed(error));
    }

    /// The reply to a call came, or the error that replaces it.
    pub fn handle_reply(&mut self, now: Now, id: CallId, reply: Result<&[u8], CallError>) {
        self.notice_stall(now);
        let reply = read_reply(reply);
        match self.calls.finish(id) {
            Some(CallPurpose::Join { introducer }) => {
                self.take_introduction(introducer, reply, now);
            }
            Some(CallPurpose::Rejoin) => self.finish_renewal(reply, now),
            Some(CallPurpose::Exchange) => {
                if let Ok(CallReply::List(list)) = reply {
                    self.take_list(&list, now);
                }
            }
            None => {}
        }
        self.settle(now);
    }

    fn take_introduction(
        &mut self,
        introducer: SocketAddr,
        reply: Result<CallReply, CallError>,
        now: Now,
    ) {
        let Phase::Joining(round) = &mut self.phase else { return };
        round.unanswered -= 1;
        let failure = match reply {
            Ok(CallReply::Welcome { list, last }) => {
                let own = round.incarnation;
                if self.is_behind(&list, now) {
                    self.fail_joining(JoinError::ClockBehind { introducer });
                } else {
                    let next = self.next_incarnation(now, self.believed(last, now));
                    self.enter(own.max(next), &list, now);
                }
                return;
            }
            Err(CallError::Refused(refusal)) if refusal != Refusal::NotInGroup => {
                self.fail_joining(JoinError::Refused { introducer, refusal });
                return;
            }
            Ok(_) => CallError::Unexpected,
            Err(error) => error,
        };
        round.failures.push((introducer, failure));
        round.next_at = now.mono;
        self.continue_joining(now);
    }

    /// Becomes a member.
    fn enter(&mut self, incarnation: Incarnation, list: &[Update], now: Now) {
        self.calls.abandon_all();
        self.phase = Phase::Greeting { since: now.mono };
        self.list = List::new();
        self.next_forgetting = now.mono + self.settings.forget_after;
        self.begin_incarnation(incarnation, now);
        self.start_heartbeats(now);
        self.take_over(list, now);
        self.announce(now);
        if self.list.up() == 1 {
            self.phase = Phase::Member;
            self.events.push_back(Event::JoinDone);
        }
    }

    /// Makes the node a member of a group that is already formed and knows it under this
    /// incarnation: how simulations of large groups and benchmarks begin.
    pub fn assume(&mut self, now: Now, list: List, incarnation: Incarnation) {
        self.phase = Phase::Member;
        self.list = list;
        self.incarnation = incarnation;
        self.born = now.mono;
        self.last_change = now.mono;
        self.next_forgetting = now.mono + self.settings.forget_after;
        self.start_heartbeats(now);
        self.lay_ring(now);
        self.settle(now);
    }

    /// Starts a new life. Everything sent from now on is sent by it, and everyone it watches has to
    /// be heard by it.
    pub(super) fn begin_incarnation(&mut self, incarnation: Incarnation, now: Now) {
        self.detector = Detector::new(self.settings.group);
        // What the former life did not come to say is not said in its name any more.
        self.outbox.clear();
        self.incarnation = incarnation;
        self.tags = VersionedTags::first(self.tags.told().cloned().unwrap_or_default());
        self.born = now.mono;
        self.events.push_back(Event::Incarnation(incarnation));
        // It is the first in the list, or in it already, so there is room.
        if let Some(change) = self.list.set(self.introduction(), now.mono) {
            self.changed(&change, now);
        }
    }

    /// Tells the group of this life; the heartbeats to the new monitors go out as the ring is laid.
    pub(super) fn announce(&mut self, now: Now) {
        let ride = self.settings.group.heartbeat_interval * 2;
        self.rumours.learn(self.introduction(), Source::FirstHand, self.list.up(), ride, now.mono);
        // Whoever watches from the last life knows the former incarnation only.
        self.heartbeats.forget_recipients();
        self.tell_rumours_if_due(now);
    }

    /// The first heartbeat of a member that this one watches ends the join: it is in a monitor's
    /// list.
    pub(super) fn finish_greeting(&mut self, name: &Name, incarnation: Incarnation) {
        if matches!(self.phase, Phase::Greeting { .. })
            && self.detector.has_heard(name, incarnation)
        {
            self.phase = Phase::Member;
            self.events.push_back(Event::JoinDone);
        }
    }

    pub(super) fn give_up_greeting_if_due(&mut self, now: Now) {
        let Phase::Greeting { since } = self.phase else { return };
        if self.list.up() == 1 {
            self.phase = Phase::Member;
            self.events.push_back(Event::JoinDone);
        } else if since + GREETING_TIMEOUT <= now.mono {
            self.fail_joining(JoinError::NoHeartbeat(GREETING_TIMEOUT));
        }
    }

    /// Leaves the group's state behind.
    pub(super) fn go_out(&mut self) {
        self.calls.abandon_all();
        self.phase = Phase::Out;
        self.list = List::new();
        self.detector = Detector::new(self.settings.group);
        self.rumours = Rumours::default();
        self.heartbeats = heartbeat::Heartbeats::default();
        self.suspicions = suspect::Suspicions::default();
        self.repairs = super::repair::Repairs::default();
        self.healing.abandon();
        self.skewed.clear();
        self.ring_moved = false;
    }

    /// Another member's request came over TCP. Returns the reply.
    pub fn handle_request(&mut self, now: Now, bytes: &[u8]) -> Vec<u8> {
        self.notice_stall(now);
        let reply = match wire::decode_versioned::<CallRequest>(bytes) {
            Err(DecodeError::Version(_)) => {
                CallReply::Refused(Refusal::Version { group: crate::settings::PROTOCOL_VERSION })
            }
            Err(DecodeError::Malformed | DecodeError::TooLong(_)) => {
                CallReply::Refused(Refusal::Malformed)
            }
            Ok(_) if !matches!(self.phase, Phase::Greeting { .. } | Phase::Member) => {
                CallReply::Refused(Refusal::NotInGroup)
            }
            Ok(CallRequest::Join { newcomer, settings }) => {
                self.introduce(&newcomer, &settings, now)
            }
            Ok(CallRequest::Exchange { sender, list }) => self.exchange(&sender, &list, now),
        };
        self.settle(now);
        wire::encode_versioned(&reply)
    }

    /// Lets a newcomer in, or says why not. Nothing changes here: the newcomer announces itself.
    fn introduce(&self, newcomer: &Update, settings: &GroupSettings, now: Now) -> CallReply {
        let identity = &newcomer.identity;
        let known =
            || self.list.get(&identity.name).into_iter().chain(self.list.at(identity.address));
        let refusal = disagreement(&self.settings.group, settings)
            .or_else(|| {
                known()
                    .filter(|entry| entry.is_up())
                    .find_map(|holder| conflict(identity, &holder.identity))
            })
            .or_else(|| {
                (!self.is_plausible(identity.incarnation, now))
                    .then(|| Refusal::ClockAhead { newcomer: identity.to_string() })
            });
        match refusal {
            Some(refusal) => CallReply::Refused(refusal),
            // Its address counts too: whoever had that before must not be taken for its newer life.
            None => CallReply::Welcome {
                list: self.whole_list(),
                last: known().map(|entry| entry.identity.incarnation.0).max().unwrap_or(0),
            },
        }
    }

    fn exchange(&mut self, sender: &Update, list: &[Update], now: Now) -> CallReply {
        let believed = self
            .list
            .get(&sender.identity.name)
            .is_some_and(|entry| entry.identity == sender.identity && entry.is_told_alive());
        if !believed || sender.claim != Claim::Alive {
            return CallReply::Refused(Refusal::NotInGroup);
        }
        let ours = self.whole_list();
        for update in list {
            self.take_news(update, Source::Told, sender.identity.address, now);
        }
        self.drop_settled_doubts();
        CallReply::List(ours)
    }

    fn take_list(&mut self, list: &[Update], now: Now) {
        for update in list {
            if update.identity.name != self.name {
                self.merge(update.clone(), Source::Told, now);
            }
        }
        self.drop_settled_doubts();
    }

    /// Starts to leave; see [`leaving`]. It does not come back before it has left.
    pub(super) fn start_leaving(&mut self, since: Instant) {
        self.healing.abandon();
        self.calls.abandon(CallPurpose::Rejoin);
        self.phase = Phase::Leaving(leaving::Farewell::new(since));
    }
}
