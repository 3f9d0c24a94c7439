//! A newcomer's side of a join: each introducer is asked in turn until one welcomes it. Owns who
//! was asked and who failed.

use super::{Introducers, JoinError, Others};
use crate::calls::{CallError, CallPurpose};
use crate::context::Context;
use crate::identity::Incarnation;
use crate::list::Update;
use crate::time::{Instant, Now};
use crate::wire::{CALL_TIMEOUT, CallReply, CallRequest, JoinRefusal};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

/// How long a newcomer waits for one introducer before it asks the next as well.
const NEXT_INTRODUCER_AFTER: Duration = Duration::from_millis(300);

/// How many remembered members are asked beside the introducers.
const ASK_REMEMBERED: usize = 8;

/// How long an attempt waits for the addresses of introducers. The owner of the node has a result
/// sooner; this is only a bound.
const LOOKUP_LIMIT: Duration = Duration::from_secs(10);

/// An attempt to join.
#[derive(Debug)]
pub(crate) struct JoinAttempt {
    /// Not yet asked.
    queue: VecDeque<SocketAddr>,
    /// Asked already.
    asked: Vec<SocketAddr>,
    /// Until when it waits for addresses that are being looked up; `None` if there are none.
    lookup_until: Option<Instant>,
    /// How many were asked and have not answered yet.
    unanswered: usize,
    next_at: Instant,
    failures: Vec<(SocketAddr, CallError)>,
    /// Whether to found the group when nobody answers.
    may_found: bool,
    /// Whether it remembers members, and no introducer is listed. The group may live on without it,
    /// so it founds none beside that.
    remembers: bool,
    /// The incarnation that it asks to join with.
    incarnation: Incarnation,
}

/// What came of a step of the attempt.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum JoinStep {
    /// It goes on.
    Wait,
    /// The newcomer is a member, under this incarnation and with this list. The list is empty if it
    /// founded the group.
    Enter { incarnation: Incarnation, list: Vec<Update> },
    /// It is over.
    Failed(JoinError),
}

impl JoinAttempt {
    /// Remembered members are asked first, then the introducers.
    pub(crate) fn new(
        introducers: &Introducers,
        remembered: &[SocketAddr],
        context: &Context,
    ) -> Self {
        let own = context.local.address;
        let mut queue = VecDeque::new();
        for address in remembered.iter().take(ASK_REMEMBERED).chain(introducers.addresses()) {
            if *address != own && !queue.contains(address) {
                queue.push_back(*address);
            }
        }
        JoinAttempt {
            queue,
            asked: Vec::new(),
            lookup_until: lookup_until(introducers, context),
            unanswered: 0,
            next_at: context.now.mono,
            failures: Vec::new(),
            may_found: introducers.let_found(own),
            remembers: introducers.addresses().is_empty()
                && remembered.iter().any(|address| *address != own),
            incarnation: context.local.next_incarnation(context.now, Incarnation(0)),
        }
    }

    /// These introducers are asked as well, the next one at once. Who names this member itself
    /// wants it to found the group.
    pub(crate) fn ask_also(&mut self, introducers: &[SocketAddr], context: &Context) {
        if introducers.contains(&context.local.address) {
            (self.may_found, self.remembers) = (true, false);
        }
        for address in introducers {
            if *address != context.local.address && !self.queue.contains(address) {
                self.queue.push_back(*address);
            }
        }
        self.next_at = context.now.mono;
    }

    /// The introducers of the settings, as far as their addresses are known now. Those that were
    /// asked already are not asked again.
    pub(crate) fn learn(&mut self, introducers: &Introducers, context: &Context) {
        self.may_found = introducers.let_found(context.local.address);
        self.remembers &= introducers.addresses().is_empty();
        let limit = lookup_until(introducers, context);
        self.lookup_until = limit.map(|limit| self.lookup_until.unwrap_or(limit));
        let asked = &self.asked;
        let new = introducers.addresses().iter().filter(|address| !asked.contains(address));
        let new: Vec<SocketAddr> = new.copied().collect();
        if !new.is_empty() || self.queue.is_empty() && self.unanswered == 0 {
            self.ask_also(&new, context);
        }
    }

    pub(crate) fn next_at(&self) -> Instant {
        self.next_at
    }

    /// Asks the next introducer when its turn has come. Founds the group or gives up when all have
    /// failed.
    pub(crate) fn step(&mut self, context: &mut Context) -> JoinStep {
        let Now { mono: now, .. } = context.now;
        if self.queue.is_empty() && self.unanswered == 0 {
            if let Some(until) = self.lookup_until.filter(|until| *until > now) {
                self.next_at = until;
                return JoinStep::Wait;
            }
            let failures = std::mem::take(&mut self.failures);
            return match self.may_found {
                true if self.remembers && !failures.iter().any(is_of_no_group) => {
                    JoinStep::Failed(JoinError::NobodyRemembered(failures))
                }
                true => JoinStep::Enter { incarnation: self.incarnation, list: Vec::new() },
                false => JoinStep::Failed(JoinError::NobodyAnswered(failures)),
            };
        }
        if self.next_at > now {
            return JoinStep::Wait;
        }
        // Every call has ended by then, so this is only a bound.
        self.next_at = now + CALL_TIMEOUT * 2;
        if let Some(introducer) = self.queue.pop_front() {
            if !self.queue.is_empty() {
                self.next_at = now + NEXT_INTRODUCER_AFTER;
            }
            let mut newcomer = context.local.introduction();
            newcomer.identity.incarnation = self.incarnation;
            let request = CallRequest::Join { newcomer, settings: context.group().clone() };
            self.unanswered += 1;
            self.asked.push(introducer);
            context.call(introducer, &request, CallPurpose::Join { introducer });
        }
        JoinStep::Wait
    }

    /// Takes in an introducer's reply. A refusal is final, but for that of a daemon that is itself
    /// in no group.
    pub(crate) fn on_reply(
        &mut self,
        introducer: SocketAddr,
        reply: Result<CallReply, CallError>,
        context: &mut Context,
    ) -> JoinStep {
        self.unanswered = self.unanswered.saturating_sub(1);
        let own = context.local.incarnation;
        let failure = match reply {
            Ok(CallReply::Welcome { list, .. }) if context.plausibility.is_behind(&list, own) => {
                return JoinStep::Failed(JoinError::ClockBehind { introducer });
            }
            Ok(CallReply::Welcome { list, last, .. }) => {
                let known = context.plausibility.known(last, own);
                let next = context.local.next_incarnation(context.now, known);
                return JoinStep::Enter { incarnation: self.incarnation.max(next), list };
            }
            Err(CallError::Refused(refusal)) if refusal != JoinRefusal::NotInGroup => {
                return JoinStep::Failed(JoinError::Refused { introducer, refusal });
            }
            Ok(_) => CallError::Unexpected,
            Err(error) => error,
        };
        self.failures.push((introducer, failure));
        self.next_at = context.now.mono;
        self.step(context)
    }
}

/// Whether a daemon answered that it is in no group itself. After an outage of the whole fleet all
/// do, and one of them has to found the group.
fn is_of_no_group((_, failure): &(SocketAddr, CallError)) -> bool {
    *failure == CallError::Refused(JoinRefusal::NotInGroup)
}

fn lookup_until(introducers: &Introducers, context: &Context) -> Option<Instant> {
    (introducers.others() == Others::Pending).then_some(context.now.mono + LOOKUP_LIMIT)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Fixture, address, update};

    fn attempt(introducers: &[SocketAddr], fixture: &Fixture) -> JoinAttempt {
        attempt_through(introducers, Others::None, fixture)
    }

    fn attempt_through(known: &[SocketAddr], others: Others, fixture: &Fixture) -> JoinAttempt {
        let introducers = Introducers::new(known.to_vec(), others);
        JoinAttempt::new(&introducers, &[], &fixture.context)
    }

    /// To whom the next call goes.
    fn called(fixture: &mut Fixture) -> Option<SocketAddr> {
        fixture.context.outputs.calls.poll().map(|call| call.to)
    }

    fn unreachable() -> CallError {
        CallError::Unreachable("connection refused".to_owned())
    }

    #[test]
    fn introducers_are_asked_in_turn_and_sooner_when_one_fails() {
        let mut fixture = Fixture::new(1);
        let mut attempt = attempt(&[address(1), address(2), address(3)], &fixture);
        assert_eq!(attempt.step(&mut fixture.context), JoinStep::Wait);
        assert_eq!(called(&mut fixture), Some(address(1)));
        attempt.step(&mut fixture.context);
        assert_eq!(called(&mut fixture), None, "the second has to wait");
        fixture.pass(300);
        attempt.step(&mut fixture.context);
        assert_eq!(called(&mut fixture), Some(address(2)));
        attempt.on_reply(address(1), Err(unreachable()), &mut fixture.context);
        assert_eq!(called(&mut fixture), Some(address(3)));
    }

    #[test]
    fn a_join_fails_when_all_have_failed() {
        let mut fixture = Fixture::new(1);
        let mut attempt = attempt(&[address(1)], &fixture);
        attempt.step(&mut fixture.context);
        let refused = Err(CallError::Refused(JoinRefusal::NotInGroup));
        let step = attempt.on_reply(address(1), refused, &mut fixture.context);
        let failures = vec![(address(1), CallError::Refused(JoinRefusal::NotInGroup))];
        assert_eq!(step, JoinStep::Failed(JoinError::NobodyAnswered(failures)));
    }

    #[test]
    fn an_introducer_of_itself_founds_the_group_when_nobody_answers() {
        let mut fixture = Fixture::new(1);
        let mut attempt = attempt(&[address(0), address(1)], &fixture);
        attempt.step(&mut fixture.context);
        let step = attempt.on_reply(address(1), Err(unreachable()), &mut fixture.context);
        assert!(matches!(step, JoinStep::Enter { list, .. } if list.is_empty()));
    }

    /// The group may live on without it. It goes on asking, and founds none beside that one.
    #[test]
    fn a_newcomer_that_remembers_members_founds_nothing_alone() {
        let mut fixture = Fixture::new(1);
        let nobody = Introducers::from(Vec::new());
        let remembered = [address(0), address(1)];
        let attempt = |fixture: &mut Fixture| {
            let mut attempt = JoinAttempt::new(&nobody, &remembered, &fixture.context);
            attempt.step(&mut fixture.context);
            attempt
        };
        let step =
            attempt(&mut fixture).on_reply(address(1), Err(unreachable()), &mut fixture.context);
        let failures = vec![(address(1), unreachable())];
        assert_eq!(step, JoinStep::Failed(JoinError::NobodyRemembered(failures)));
        // Its owner names it as an introducer, and wants a group.
        let mut named = attempt(&mut fixture);
        named.ask_also(&[address(0)], &fixture.context);
        let step = named.on_reply(address(1), Err(unreachable()), &mut fixture.context);
        assert!(matches!(step, JoinStep::Enter { list, .. } if list.is_empty()));
        // After an outage of all, somebody has to found the group.
        let idle = Err(CallError::Refused(JoinRefusal::NotInGroup));
        let step = attempt(&mut fixture).on_reply(address(1), idle, &mut fixture.context);
        assert!(matches!(step, JoinStep::Enter { list, .. } if list.is_empty()));
        // One that remembers itself alone has nobody to wait for.
        let mut alone = JoinAttempt::new(&nobody, &[address(0)], &fixture.context);
        assert!(matches!(alone.step(&mut fixture.context), JoinStep::Enter { .. }));
    }

    #[test]
    fn a_welcome_lets_in_with_a_larger_incarnation_than_known() {
        let mut fixture = Fixture::new(1);
        let mut attempt = attempt(&[address(1)], &fixture);
        attempt.step(&mut fixture.context);
        let last = fixture.context.now.wall.0 + 5_000;
        let welcome = CallReply::Welcome { list: vec![update(1)], last, forgotten: Vec::new() };
        let step = attempt.on_reply(address(1), Ok(welcome), &mut fixture.context);
        let incarnation = Incarnation(last + 1);
        assert_eq!(step, JoinStep::Enter { incarnation, list: vec![update(1)] });
    }

    #[test]
    fn a_refusal_ends_the_attempt_though_others_could_be_asked() {
        let mut fixture = Fixture::new(1);
        let mut attempt = attempt(&[address(1), address(2)], &fixture);
        attempt.step(&mut fixture.context);
        let refusal = JoinRefusal::Malformed;
        let refused = Err(CallError::Refused(refusal.clone()));
        let step = attempt.on_reply(address(1), refused, &mut fixture.context);
        let error = JoinError::Refused { introducer: address(1), refusal };
        assert_eq!(step, JoinStep::Failed(error));
    }

    #[test]
    fn a_list_from_the_far_future_says_that_this_clock_is_behind() {
        let mut fixture = Fixture::new(1);
        let mut attempt = attempt(&[address(1)], &fixture);
        attempt.step(&mut fixture.context);
        let mut ahead = update(1);
        ahead.identity.incarnation.0 += 400 * 24 * 60 * 60 * 1_000;
        let welcome = CallReply::Welcome { list: vec![ahead], last: 0, forgotten: Vec::new() };
        let step = attempt.on_reply(address(1), Ok(welcome), &mut fixture.context);
        assert_eq!(step, JoinStep::Failed(JoinError::ClockBehind { introducer: address(1) }));
    }

    #[test]
    fn introducers_named_later_are_asked_at_once() {
        let mut fixture = Fixture::new(1);
        let mut attempt = attempt(&[address(1)], &fixture);
        attempt.step(&mut fixture.context);
        assert_eq!(called(&mut fixture), Some(address(1)));
        attempt.ask_also(&[address(0), address(2)], &fixture.context);
        assert_eq!(attempt.next_at(), fixture.context.now.mono);
        attempt.step(&mut fixture.context);
        assert_eq!(called(&mut fixture), Some(address(2)));
    }

    /// It founds no group of its own: the group may live behind the name.
    #[test]
    fn introducers_that_all_have_no_address_do_not_found() {
        let mut fixture = Fixture::new(1);
        let mut attempt = attempt_through(&[], Others::Unresolved, &fixture);
        let step = attempt.step(&mut fixture.context);
        assert_eq!(step, JoinStep::Failed(JoinError::NobodyAnswered(Vec::new())));
    }

    /// The known ones are asked at once. What the lookup finds is asked too, and each once. Only
    /// then the newcomer founds the group.
    #[test]
    fn nothing_is_founded_while_addresses_are_looked_up() {
        let mut fixture = Fixture::new(1);
        let known = [address(0), address(1)];
        let mut attempt = attempt_through(&known, Others::Pending, &fixture);
        assert_eq!(attempt.step(&mut fixture.context), JoinStep::Wait);
        assert_eq!(called(&mut fixture), Some(address(1)));
        let step = attempt.on_reply(address(1), Err(unreachable()), &mut fixture.context);
        assert_eq!(step, JoinStep::Wait, "the second may have the group");
        assert_eq!(attempt.next_at(), fixture.context.now.mono + LOOKUP_LIMIT);

        let found = Introducers::from(vec![address(0), address(1), address(2)]);
        attempt.learn(&found, &fixture.context);
        assert_eq!(attempt.step(&mut fixture.context), JoinStep::Wait);
        assert_eq!(called(&mut fixture), Some(address(2)));
        assert_eq!(called(&mut fixture), None, "the first was asked before");
        let step = attempt.on_reply(address(2), Err(unreachable()), &mut fixture.context);
        assert!(matches!(step, JoinStep::Enter { list, .. } if list.is_empty()));
    }

    #[test]
    fn a_lookup_without_end_does_not_hold_up_a_join() {
        let mut fixture = Fixture::new(1);
        let mut attempt = attempt_through(&[], Others::Pending, &fixture);
        assert_eq!(attempt.step(&mut fixture.context), JoinStep::Wait);
        let waiting = Introducers::new(Vec::new(), Others::Pending);
        fixture.pass(9_000);
        attempt.learn(&waiting, &fixture.context);
        assert_eq!(attempt.step(&mut fixture.context), JoinStep::Wait);
        fixture.pass(1_000);
        let step = attempt.step(&mut fixture.context);
        assert_eq!(step, JoinStep::Failed(JoinError::NobodyAnswered(Vec::new())));
    }

    #[test]
    fn a_lookup_that_finds_nothing_ends_the_attempt_at_once() {
        let mut fixture = Fixture::new(1);
        let mut attempt = attempt_through(&[], Others::Pending, &fixture);
        assert_eq!(attempt.step(&mut fixture.context), JoinStep::Wait);
        let nothing = Introducers::new(Vec::new(), Others::Unresolved);
        attempt.learn(&nothing, &fixture.context);
        assert_eq!(attempt.next_at(), fixture.context.now.mono);
        let step = attempt.step(&mut fixture.context);
        assert_eq!(step, JoinStep::Failed(JoinError::NobodyAnswered(Vec::new())));
    }
}
