//! One member of the group: [`Node`]. Owns the phase of its membership and the timers, and hands
//! every input to the state machine that it concerns.

mod forget;
mod merge;
mod phase;
mod receive;
mod status;
mod suspicions;
mod timers;

pub use forget::{Forget, ForgetError, ForgetReport};
pub use status::{Counters, Neighbour, PhaseName};

use crate::calls::{CallError, CallId, CallPurpose, UnderWay, read_reply};
use crate::candidates::Candidates;
use crate::context::Context;
use crate::detector::{self, Detector, Finding};
use crate::doubt::Doubts;
use crate::event::Event;
use crate::gossip::anti_entropy::{self, AntiEntropy};
use crate::gossip::forgetting::Forgetting;
use crate::gossip::views::{ViewNews, Views};
use crate::gossip::{Gossip, Source};
use crate::identity::{Incarnation, Name};
use crate::join::client::JoinAttempt;
use crate::join::{Inquiry, Introducers, JoinError, server};
use crate::list::tags::{Tags, VersionedTags};
use crate::list::{List, Update};
use crate::local::Local;
use crate::members::Members;
use crate::outputs::Output;
use crate::rejoin::Rejoin;
use crate::rejoin::announce::Announcer;
use crate::settings::{Detection, PROTOCOL_VERSION, Settings};
use crate::suspicion::Suspicions;
use crate::time::{Instant, Now};
use crate::wire::{self, CallReply, CallRequest, DecodeError, JoinRefusal};
use forget::ForgetRequest;
use phase::{ACTIVATION_TIMEOUT, Phase};
use std::net::SocketAddr;
use timers::Timers;

pub use timers::STALL;

/// A request to join that came while the node is in the group, or on its way out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("already in the group, or on the way out")]
pub struct NotOut;

/// A group that is already formed: how simulations of large groups and benchmarks begin. A daemon
/// makes none.
#[derive(Debug)]
pub struct SimulatedGroup {
    /// Its members, as the new one knows them.
    pub list: List,
    /// Under which incarnation they know the new one.
    pub incarnation: Incarnation,
}

/// One member of the group.
///
/// Its owner hands it inputs together with the time, and then asks [`Node::poll_output`] until
/// there is no more, and [`Node::poll_timeout`] when to wake it.
#[derive(Debug)]
pub struct Node {
    phase: Phase,
    context: Context,
    timers: Timers,
    members: Members,
    candidates: Candidates,
    detector: Detector,
    doubts: Doubts,
    suspicions: Suspicions,
    gossip: Gossip,
    forgetting: Forgetting,
    views: Views,
    forget_request: ForgetRequest,
    anti_entropy: AntiEntropy,
    announcer: Announcer,
    rejoin: Rejoin,
}

impl Node {
    /// A node that is out of the group. `last` is the largest incarnation that this machine ever
    /// used; `seed` drives every random choice.
    pub fn new(
        settings: Settings,
        name: Name,
        address: SocketAddr,
        last: Option<Incarnation>,
        seed: u64,
    ) -> Self {
        let detector = Detector::new(&settings.group);
        Node {
            phase: Phase::Out,
            context: Context::new(settings, Local::new(name, address, last), seed),
            timers: Timers::new(),
            members: Members::new(),
            candidates: Candidates::new(),
            detector,
            doubts: Doubts::default(),
            suspicions: Suspicions::default(),
            gossip: Gossip::default(),
            forgetting: Forgetting::default(),
            views: Views::default(),
            forget_request: ForgetRequest::default(),
            anti_entropy: AntiEntropy::default(),
            announcer: Announcer::default(),
            rejoin: Rejoin::new(),
        }
    }

    /// The same node, which says this of itself.
    #[must_use]
    pub fn with_tags(mut self, tags: Tags) -> Self {
        self.context.local.tags = VersionedTags::first(tags);
        self
    }

    /// Starts to join. `remembered` are the addresses of members known before, which are asked
    /// first; then the introducers are. One that has no introducers, or is among them itself,
    /// founds the group when nobody answers. Introducers without a known address count too, so a
    /// node does not found a group beside theirs. One without introducers that remembers members
    /// founds only when one of these answers that it is in no group either.
    ///
    /// While it is joining already, the introducers are asked as well.
    ///
    /// # Errors
    /// When the node is in the group, or on its way out.
    pub fn join(
        &mut self,
        now: Now,
        introducers: impl Into<Introducers>,
        remembered: Vec<SocketAddr>,
    ) -> Result<(), NotOut> {
        let introducers = introducers.into();
        self.context.begin_step(now);
        match &mut self.phase {
            Phase::Joining(attempt) => attempt.ask_also(introducers.addresses(), &self.context),
            Phase::Out => {
                let attempt = JoinAttempt::new(&introducers, &remembered, &self.context);
                self.announcer.set_introducers(introducers.addresses().to_vec());
                self.announcer.remember(remembered);
                self.phase = Phase::Joining(attempt);
                self.continue_joining();
            }
            Phase::Activating { .. } | Phase::Member | Phase::Leaving(_) => return Err(NotOut),
        }
        self.finish_step();
        Ok(())
    }

    /// The introducers of the settings, as far as their addresses are known now. A node that is
    /// joining asks the new ones as well.
    pub fn set_introducers(&mut self, now: Now, introducers: impl Into<Introducers>) {
        let introducers = introducers.into();
        self.begin_step(now);
        self.announcer.set_introducers(introducers.addresses().to_vec());
        if let Phase::Joining(attempt) = &mut self.phase {
            attempt.learn(&introducers, &self.context);
            self.continue_joining();
        }
        self.finish_step();
    }

    /// The question whether a member of this node's group is at some address; `None` while it is
    /// in none.
    pub fn inquiry(&self) -> Option<Inquiry> {
        self.member().map(|own| Inquiry::new(own, &self.context))
    }

    /// What this member says of itself from now on. In the group, the others learn it by gossip.
    pub fn set_tags(&mut self, now: Now, tags: Tags) {
        let current = self.context.local.tags.tags();
        if current.is_none_or(Tags::is_empty) && tags.is_empty() || current == Some(&tags) {
            return;
        }
        self.context.begin_step(now);
        self.change_tags(&self.context.local.tags.clone(), tags);
        self.finish_step();
    }

    /// The newest agreed view of this machine, which its group is to hear of. Out of the group, or
    /// in one that agrees on no views, nothing happens.
    pub fn spread_view(&mut self, now: Now, news: ViewNews) {
        if self.context.group().agreement.is_none() || !self.in_group() {
            return;
        }
        self.begin_step(now);
        self.views.learn(news, Source::FirstHand, &self.members, &self.context);
        self.views.tell_if_due(&self.members, &mut self.context);
        self.finish_step();
    }

    /// Starts to leave the group. An [`Event::LeaveDone`] follows, at once if the node is not in
    /// it.
    pub fn leave(&mut self, now: Now) {
        self.begin_step(now);
        match self.phase {
            Phase::Out => self.context.report(Event::LeaveDone { acknowledged: true }),
            Phase::Joining(_) => {
                self.fail_joining(JoinError::Abandoned);
                self.context.report(Event::LeaveDone { acknowledged: true });
            }
            Phase::Activating { .. } | Phase::Member => {
                if matches!(self.phase, Phase::Activating { .. }) {
                    self.context.report(Event::JoinFailed(JoinError::Abandoned));
                }
                self.start_leaving();
                self.continue_leaving();
            }
            Phase::Leaving(_) => {}
        }
        self.finish_step();
    }

    /// Handles the moment of [`Node::poll_timeout`]. The caller must first pass the datagrams that
    /// wait in the socket, so that a stalled machine reads before it accuses.
    pub fn handle_timeout(&mut self, now: Now) {
        self.begin_step(now);
        match &self.phase {
            Phase::Out => {}
            Phase::Joining(_) => self.continue_joining(),
            Phase::Activating { .. } | Phase::Member | Phase::Leaving(_) => {
                self.judge();
                self.detector.on_timeout(&self.members, &mut self.gossip, &mut self.context);
                self.gossip.broadcast_if_due(&self.members, &mut self.context);
                self.suspicions.tell_if_due(&self.members, &mut self.context);
                self.forgetting.tell_if_due(&mut self.members, &mut self.context);
                self.views.tell_if_due(&self.members, &mut self.context);
                let leaving = matches!(self.phase, Phase::Leaving(_));
                self.candidates.ask_if_due(&self.members, &mut self.context);
                self.announcer.announce_if_due(leaving, &self.members, &mut self.context);
                let lost = self.members.forget_if_due(&self.context);
                self.announcer.remember(lost);
                self.give_up_activating_if_due();
                self.continue_leaving();
            }
        }
        self.finish_step();
    }

    /// Another member's request came over TCP. Returns the reply.
    pub fn handle_request(&mut self, now: Now, bytes: &[u8]) -> Vec<u8> {
        wire::encode_versioned(&self.answer(now, wire::decode_versioned(bytes)))
    }

    /// The same for a request that was decoded elsewhere: that takes a while for a large list.
    pub fn answer(&mut self, now: Now, request: Result<CallRequest, DecodeError>) -> CallReply {
        self.begin_step(now);
        let reply = match request {
            Err(DecodeError::Version(_)) => {
                CallReply::Refused(JoinRefusal::Version { group: PROTOCOL_VERSION })
            }
            Err(DecodeError::Malformed | DecodeError::TooLong(_)) => {
                CallReply::Refused(JoinRefusal::Malformed)
            }
            Ok(_) if !matches!(self.phase, Phase::Activating { .. } | Phase::Member) => {
                CallReply::Refused(JoinRefusal::NotInGroup)
            }
            Ok(CallRequest::Join { newcomer, settings }) => {
                server::introduce(&newcomer, &settings, &self.members, &self.context)
            }
            Ok(CallRequest::Exchange { sender, list }) => self.exchange(&sender, &list),
            Ok(CallRequest::Forget { sender, forgotten }) => {
                self.on_forget_request(&sender, &forgotten)
            }
        };
        self.finish_step();
        reply
    }

    /// The reply to a call came, or the error that replaces it.
    pub fn handle_reply(&mut self, now: Now, id: CallId, reply: Result<&[u8], CallError>) {
        self.take_call(now, id, read_reply(reply));
    }

    /// The same for a reply that was read elsewhere.
    pub fn take_call(&mut self, now: Now, id: CallId, reply: Result<CallReply, CallError>) {
        self.begin_step(now);
        if let Some(under_way) = self.context.outputs.calls.finish(id) {
            self.context.told_from = Some(under_way.to);
            let mut reply = reply;
            let forgotten = match &mut reply {
                Ok(CallReply::Welcome { forgotten, .. }) => std::mem::take(forgotten),
                _ => Vec::new(),
            };
            self.take_reply(under_way, id, reply);
            if self.in_group() {
                self.take_all_forgotten(&forgotten);
            }
        }
        self.finish_step();
    }

    fn take_reply(&mut self, call: UnderWay, id: CallId, reply: Result<CallReply, CallError>) {
        match (call.purpose, reply) {
            (CallPurpose::Forget, reply) => self.on_forget_reply(id, reply),
            (CallPurpose::ExchangeForgotten, Ok(CallReply::Forgotten(records))) => {
                self.take_all_forgotten(&records);
            }
            (CallPurpose::Join { introducer }, reply) => {
                if let Phase::Joining(attempt) = &mut self.phase {
                    let step = attempt.on_reply(introducer, reply, &mut self.context);
                    self.finish_join_step(step);
                }
            }
            // Without a welcome the next message that declares this member failed starts another
            // attempt.
            (CallPurpose::Rejoin, Ok(CallReply::Welcome { list, last, .. })) => {
                self.rejoin_group(&list, last, call.to);
            }
            (CallPurpose::Exchange, Ok(CallReply::List(list))) => {
                self.merge_list(&list, call.to);
            }
            _ => {}
        }
    }

    /// What the owner is to do next: all events come first, then all datagrams, then all calls. It
    /// carries out each before it asks for the next: see [`Event::Incarnation`]. The bytes of a
    /// datagram replace those in `payload`, which is best the same buffer each time.
    pub fn poll_output(&mut self, payload: &mut Vec<u8>) -> Option<Output> {
        self.context.outputs.poll(payload)
    }

    /// When to call [`Node::handle_timeout`]; nothing while there is nothing to wait for.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.timers.due()
    }

    /// Makes the node a member of this group, without any message.
    pub fn assume(&mut self, now: Now, group: SimulatedGroup) {
        let SimulatedGroup { list, incarnation } = group;
        self.context.begin_step(now);
        self.phase = Phase::Member;
        self.members.begin(list, &self.context);
        self.members.note_whole_change(now.mono);
        self.context.local.incarnation = incarnation;
        self.context.local.began = now.mono;
        self.detector.start(&mut self.context);
        self.rebuild_ring();
        self.finish_step();
    }

    /// Every input begins here: notes the time, and this machine's own lateness. Deadlines move by
    /// it, and after a long one nobody is accused before there was time to hear.
    fn begin_step(&mut self, now: Now) {
        self.context.begin_step(now);
        let stall = self.timers.stall(now.mono);
        let Some(stall) = stall.filter(|_| self.in_group()) else { return };
        self.context.counters.stalls += 1;
        self.detector.forgive(stall, now.mono);
        self.doubts.forgive(stall);
        self.candidates.forgive(stall);
        if stall > self.context.group().failure_timeout {
            self.context.report(Event::Stalled(stall));
        }
    }

    /// Every input ends here: the ring is rebuilt if the list changed, and the next moment is
    /// reckoned.
    fn finish_step(&mut self) {
        if self.members.take_ring_moved() {
            self.suspicions.drop_settled(&self.members);
            self.rebuild_ring();
        }
        let due = match &self.phase {
            Phase::Out => None,
            Phase::Joining(attempt) => Some(attempt.next_at()),
            Phase::Activating { since } => self.next_at_in_group([*since + ACTIVATION_TIMEOUT]),
            Phase::Member => self.next_at_in_group([]),
            Phase::Leaving(leave) => self.next_at_in_group([leave.next_at()]),
        };
        self.timers.set(due, self.context.now.mono);
    }

    fn next_at_in_group(&self, own: impl IntoIterator<Item = Instant>) -> Option<Instant> {
        let parts = [
            self.detector.poll_at(),
            self.doubts.next_at(),
            self.suspicions.next_at(),
            self.gossip.next_at(),
            self.forgetting.next_at(),
            self.views.next_at(),
            self.candidates.next_at(),
            self.announcer.next_at(),
            Some(self.members.next_forgetting()),
        ];
        parts.into_iter().flatten().chain(own).min()
    }

    fn in_group(&self) -> bool {
        matches!(self.phase, Phase::Activating { .. } | Phase::Member | Phase::Leaving(_))
    }

    fn rebuild_ring(&mut self) {
        if self.in_group() {
            let any_doubted = self.doubts.any();
            let (members, gossip) = (&self.members, &mut self.gossip);
            self.detector.on_list(members, any_doubted, gossip, &mut self.context);
        }
    }

    /// Judges all that the detector found, and all doubts that have lasted.
    fn judge(&mut self) {
        let mut gap = false;
        // One that leaves pings nobody any more, so it accuses nobody either.
        let accuses_nobody = matches!(self.phase, Phase::Leaving(_))
            && matches!(self.context.group().detection, Detection::Swim(_));
        for finding in self.detector.poll(self.context.now.mono) {
            let (members, context) = (&mut self.members, &mut self.context);
            match finding {
                Finding::Missing(missing) => {
                    let lately = context.now.mono - context.group().interval();
                    let hears = self.doubts.heard_another_since(&missing.name, lately);
                    self.detector.seek(&missing, hears, members, &mut self.gossip, context);
                }
                Finding::Suspect(_) | Finding::Silent(_) if accuses_nobody => {}
                Finding::Suspect(silence) => self.suspect(&silence),
                Finding::Unanswered(name, incarnation) => {
                    detector::probe(&name, incarnation, members, context);
                }
                Finding::Silent(silence)
                    if members.is_up_as(&silence.name, silence.incarnation) =>
                {
                    gap |= !silence.ever_heard;
                    if let Some(failed) = self.doubts.on_silence(&silence, members, context) {
                        self.merge(failed, Source::FirstHand);
                    }
                }
                Finding::Silent(_) => {}
            }
        }
        if gap {
            self.detector.probe_beyond(&self.members, &self.context);
        }
        for failed in self.doubts.lasting(&mut self.members, &mut self.context) {
            self.merge(failed, Source::FirstHand);
        }
    }

    /// A member says which agreed view it has. Where nobody agrees on views, that is nonsense.
    fn take_view_news(&mut self, from: &Name, news: ViewNews) {
        let agrees = self.context.group().agreement.is_some();
        let source = Source::SecondHand;
        if agrees && self.views.learn(news, source, &self.members, &self.context) {
            self.context.report(Event::ViewHeard { from: from.clone(), news });
        }
    }

    /// Others hold tags of this very incarnation. If they would win over its own, those are said
    /// again, and win.
    fn correct_tags(&mut self, theirs: &VersionedTags) {
        if *theirs > self.context.local.tags {
            self.change_tags(theirs, self.context.local.tags());
        }
    }

    fn change_tags(&mut self, last: &VersionedTags, tags: Tags) {
        if !self.in_group() {
            self.context.local.tags = VersionedTags::first(tags);
        } else if self.context.local.change_tags(last, tags) {
            let introduction = self.context.local.introduction();
            self.members.merge(introduction.clone(), &mut self.context);
            self.gossip.learn(introduction, Source::FirstHand, &self.members, &self.context);
        } else {
            // No member changes its tags four thousand million times: somebody lied. In another
            // incarnation it counts anew.
            self.rejoin_alone();
        }
    }

    fn exchange(&mut self, sender: &Update, list: &[Update]) -> CallReply {
        if !anti_entropy::accepts(sender, &self.members) {
            return CallReply::Refused(JoinRefusal::NotInGroup);
        }
        self.context.told_from = Some(sender.identity.address);
        let ours = anti_entropy::whole_list(&self.members);
        for update in list {
            self.take_update(update, Source::SecondHand, sender.identity.address);
        }
        self.doubts.drop_settled(&self.members);
        CallReply::List(ours)
    }
}
