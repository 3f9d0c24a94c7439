//! One member of the agreement: [`Council`]. Owns all its state, and hands every input to the part
//! that it concerns.

mod acceptor;
mod catch_up;
mod confirming;
mod election;
mod exclusion;
mod founding;
mod freezing;
mod install;
mod leader;
mod receive;
mod recovering;
mod refusal;
mod reign;
mod seating;
mod telling;
#[cfg(test)]
mod tests;
mod wishing;

use crate::changes::Changes;
use crate::durable::{Durable, Origin};
use crate::event::{ConfirmId, Event, Output, RecoveryError, WriteId};
use crate::lease::LeasePromise;
use crate::message::{Body, Message};
use crate::operation::Proposal;
use crate::settings::{Mutant, Settings};
use crate::share::{ShareChange, ShareError};
use crate::standing::{Standing, StandingState};
use crate::store::Store;
use crate::time::{BootTime, Now};
use crate::view::{Term, View, ViewId, Voter};
use catch_up::CatchUp;
use confirming::Confirming;
use election::{Election, PreVote};
use exclusion::Clock;
use founding::Founding;
use leader::Lead;
use memberd_membership::Name;
use receive::OtherLineages;
use recovering::Recovering;
use refusal::Refusal;
use seating::Heard;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use wishing::Wishes;

pub use wishing::{ClaimError, HandOverError};

/// The most rounds of answers to itself in one step; a bound that is never reached.
const MAX_ROUNDS: usize = 64;

/// One member of the agreement.
///
/// Its owner hands it inputs together with the time, and then asks [`Council::poll_output`] until
/// there is no more, and [`Council::poll_timeout`] when to wake it. Nothing in it waits.
#[derive(Debug, Clone)]
pub struct Council {
    settings: Settings,
    own: Voter,
    now: Now,
    clock: Clock,
    started: BootTime,
    store: Store,
    /// The write with which this life began: nothing is promised before.
    first_write: WriteId,
    id: ViewId,
    installed_at: BootTime,
    /// What was proposed after the view, as far as it is known here.
    pending: Option<Arc<Proposal>>,
    lease_promise: LeasePromise,
    largest_term: Term,
    standings: BTreeMap<Name, Standing>,
    changes: Changes,
    heard: BTreeMap<Name, Heard>,
    election: Election,
    founding: Founding,
    pre_vote: Option<PreVote>,
    refusal: Option<Refusal>,
    lead: Option<Lead>,
    /// The term in which this machine led, until its owner says that nothing runs under it.
    /// Until then a leader before may have a lease.
    lost: Option<(Term, BootTime)>,
    wishes: Wishes,
    confirming: Confirming,
    catch_up: CatchUp,
    recovering: Option<Recovering>,
    /// When the coordinator is asked again whether its recovery still runs.
    ask_coordinator_at: BootTime,
    other_lineages: OtherLineages,
    stale_since: Option<BootTime>,
    /// Since when the list has fewer voters up than a majority.
    few_since: Option<BootTime>,
    /// What made the newest view of the one before, if that is known.
    made_by: Option<Arc<Proposal>>,
    set_aside: bool,
    outputs: VecDeque<Output>,
    due: Option<BootTime>,
}

impl Council {
    /// A member that has just started. One with a file assumes that it has promised a lease until
    /// one lease from now.
    pub fn new(settings: Settings, own: Name, origin: Origin, now: Now) -> Self {
        let (mut durable, on_disk) = match origin {
            Origin::File(durable) => (*durable, true),
            Origin::Fresh(voter) => {
                let view = Arc::new(View::genesis(&settings.initial_council));
                let (lineage, lease) = (view.lineage, settings.lease);
                let (promised, accepted, recovery) = (None, None, None);
                (Durable { lineage, voter, lease, promised, accepted, recovery, view }, false)
            }
        };
        let grown = durable.lease < settings.lease;
        durable.lease = durable.lease.max(settings.lease);
        // THE RULE that a restarted voter tells a full lease: it has forgotten what it promised.
        let forgets = settings.mutant == Some(Mutant::RestartForgetsLease);
        let promised = durable.promised.is_some() && !forgets;
        let former = if promised { now.boot + durable.lease } else { BootTime::EPOCH };
        let own = Voter { name: own, id: durable.voter };
        let largest_term = durable.promised.as_ref().map_or(durable.view.term, |one| one.term);
        let pending = durable.accepted.as_ref().map(|accepted| accepted.proposal.clone());
        let id = durable.view.id();
        let store = Store::new(durable, on_disk && !grown);
        let catch_up = CatchUp::new(&own.name, now.boot);
        let mut council = Council {
            settings,
            own,
            now,
            clock: Clock::new(now),
            started: now.boot,
            first_write: store.covering(),
            store,
            id,
            installed_at: now.boot,
            pending,
            lease_promise: LeasePromise::new(former),
            largest_term,
            standings: BTreeMap::new(),
            changes: Changes::default(),
            heard: BTreeMap::new(),
            election: Election::new(now.boot),
            founding: Founding::new(now.boot),
            pre_vote: None,
            refusal: None,
            lead: None,
            lost: None,
            wishes: Wishes::default(),
            confirming: Confirming::default(),
            catch_up,
            recovering: None,
            ask_coordinator_at: now.boot,
            other_lineages: OtherLineages::default(),
            stale_since: None,
            few_since: None,
            made_by: None,
            set_aside: false,
            outputs: VecDeque::new(),
            due: None,
        };
        council.step(now, |_| {});
        council
    }

    /// The ring's list has changed: all members that it knows, this machine among them, each name
    /// once. The first call also says that the ring has joined. It takes time in the length of the
    /// list, so the owner hands in many changes of one moment at once.
    pub fn handle_list(&mut self, now: Now, standings: &[Standing]) {
        self.step(now, |council| {
            let after: BTreeMap<Name, Standing> = standings
                .iter()
                .take(View::MAX_MEMBERS)
                .map(|standing| (standing.identity.name.clone(), standing.clone()))
                .collect();
            council.compare_refusal(&after);
            council.changes.note_failures(&council.standings, &after, now.boot);
            council.standings = after;
            council.compare();
        });
    }

    /// A message came. Whoever sent it is in it.
    pub fn handle_message(&mut self, now: Now, message: Message) {
        self.step(now, |council| council.receive(message));
    }

    /// This write, and so every one before it, is durable.
    pub fn handle_written(&mut self, now: Now, id: WriteId) {
        self.step(now, |council| council.store.on_written(id));
    }

    /// A member was heard to have this view: see [`Output::Gossip`].
    pub fn handle_gossip(&mut self, now: Now, from: &Name, view: ViewId) {
        self.step(now, |council| council.on_gossip(from, view));
    }

    /// Handles the moment of [`Council::poll_timeout`].
    pub fn handle_timeout(&mut self, now: Now) {
        self.step(now, |_| {});
    }

    /// When to call [`Council::handle_timeout`]; nothing while there is nothing to wait for.
    pub fn poll_timeout(&self) -> Option<BootTime> {
        self.due
    }

    /// What the owner is to do next. Take all of it after each input.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// The newest view.
    pub fn view(&self) -> &Arc<View> {
        &self.store.get().view
    }

    /// The newest view in short.
    pub fn view_id(&self) -> ViewId {
        self.id
    }

    /// This machine as a voter.
    pub fn own(&self) -> &Voter {
        &self.own
    }

    /// Asks the council whether the view here is the newest.
    /// [`Event::Confirmed`] follows, after a second at most. A leader renews its lease by it as
    /// well. At most 64 wait at once; of more, the oldest ends.
    pub fn confirm(&mut self, now: Now, id: ConfirmId) {
        self.step(now, |council| council.ask_to_confirm(id));
    }

    /// Asks for a claim on a key, for this machine as the newest view knows it. The owner drew
    /// `token`. [`Event::ClaimSettled`] follows once a view decides it; it is repeated to each
    /// leader until then, or until [`Council::abandon_claim`].
    ///
    /// # Errors
    /// When the key is out of bounds, this machine is in no view, or 64 claims wait.
    pub fn claim(
        &mut self,
        now: Now,
        key: &str,
        token: u64,
        retry: bool,
    ) -> Result<(), ClaimError> {
        let mut result = Ok(());
        self.step(now, |council| result = council.wish_claim(key, token, retry));
        result
    }

    /// Waits for a claim no more. It may be granted nevertheless.
    pub fn abandon_claim(&mut self, token: u64) {
        self.wishes.abandon(token);
    }

    /// Asks for a change of the shares of replicated files. The owner drew `token`.
    /// [`Event::ShareSettled`] follows once a view has it; it is repeated to each leader until
    /// then, or until [`Council::abandon_share`].
    ///
    /// # Errors
    /// When this machine is in no view, or 64 changes wait.
    pub fn change_share(
        &mut self,
        now: Now,
        token: u64,
        change: ShareChange,
    ) -> Result<(), ShareError> {
        let mut result = Ok(());
        self.step(now, |council| result = council.wish_share(token, change));
        result
    }

    /// Waits for a change of the shares no more. It may be done nevertheless.
    pub fn abandon_share(&mut self, token: u64) {
        self.wishes.abandon_share(token);
    }

    /// Asks the leader to hand over, to this voter or to the next one. A new view shows that it
    /// did.
    ///
    /// # Errors
    /// When there is no leader, or nobody to hand over to.
    pub fn hand_over(&mut self, now: Now, to: Option<Name>) -> Result<(), HandOverError> {
        let mut result = Ok(());
        self.step(now, |council| result = council.wish_hand_over(to));
        result
    }

    /// Takes over a view of a recovered lineage, from a council of this machine that was set aside:
    /// see [`Event::SetAside`].
    pub fn adopt(&mut self, now: Now, view: &Arc<View>) {
        self.step(now, |council| council.adopt_lineage(view));
    }

    /// Nothing runs under this term any more on this machine, after [`Event::LeadershipLost`]. Only
    /// then do the others learn that its lease is over; until then they wait for its end.
    pub fn let_go(&mut self, now: Now, term: Term) {
        self.step(now, |council| council.on_let_go(term));
    }

    /// This machine is about to stop by plan. It hands over, and asks for a view without it.
    /// [`Event::Released`] follows within 2 s. Until then the owner goes on as before, and leaves
    /// the ring only after it.
    pub fn release(&mut self, now: Now) {
        self.step(now, Council::wish_release);
    }

    /// An operator says that these voters are lost for good. [`Event::Recovered`] follows, after
    /// two leases and 3 s at most.
    ///
    /// # Errors
    /// When the names cannot be right, or a recovery runs here.
    pub fn recover(&mut self, now: Now, lost: &[Name]) -> Result<(), RecoveryError> {
        let mut result = Ok(());
        self.step(now, |council| result = council.begin_recovery(lost));
        result
    }

    /// Every input: the time, the input itself, what is due, and what may be sent now.
    fn step(&mut self, now: Now, input: impl FnOnce(&mut Self)) {
        if self.set_aside {
            return;
        }
        self.now = now;
        if self.clock.look(now) {
            self.on_clocks_parted();
        }
        input(self);
        for _ in 0..MAX_ROUNDS {
            self.tick();
            if self.set_aside || !self.release_answers() {
                break;
            }
        }
        self.due = if self.set_aside { None } else { self.next_due() };
    }

    /// Does all that is due.
    fn tick(&mut self) {
        self.tick_lease_length();
        self.tick_recovery();
        self.tick_wishes();
        self.tick_election();
        self.tick_founding();
        self.tick_lead();
        self.tick_confirming();
        self.tick_staleness();
        self.tick_catch_up();
    }

    fn next_due(&self) -> Option<BootTime> {
        let parts = [
            self.recovery_due(),
            self.election_due(),
            self.founding_due(),
            self.lead_due(),
            self.wishes_due(),
            self.confirming.due(),
            self.catch_up_due(),
            self.staleness_due(),
        ];
        parts.into_iter().flatten().min()
    }

    /// Writes what has changed, and sends what may be sent. Whether anything was for itself.
    fn release_answers(&mut self) -> bool {
        self.outputs.extend(self.store.write(self.now.boot));
        let early = self.settings.mutant == Some(Mutant::AnswerBeforeWrite);
        let mut own = false;
        while let Some((to, message)) = self.store.release(early) {
            if to == self.own.name {
                own = true;
                self.handle_body(&self.own.clone(), message.body);
            } else {
                self.outputs.push_back(Output::Send { to, message });
            }
        }
        own
    }

    fn message(&self, body: Body) -> Message {
        Message { lineage: self.id.lineage, sender: self.own.clone(), body }
    }

    /// Sends what depends on no promise. Before the voter id is durable, only what needs none.
    fn send(&mut self, to: &Name, body: Body) {
        if *to == self.own.name {
            return;
        }
        if !self.store.was_written(self.first_write) && !matches!(body, Body::Fetch { .. }) {
            return;
        }
        let message = self.message(body);
        self.outputs.push_back(Output::Send { to: to.clone(), message });
    }

    /// Sends what promises something, once that is durable.
    fn answer(&mut self, to: &Name, body: Body) {
        let message = self.message(body);
        self.store.answer(to.clone(), message);
    }

    /// Sends the same to all other seats of the council.
    fn send_to_council(&mut self, body: &Body) {
        for name in self.other_seats() {
            self.send(&name, body.clone());
        }
    }

    fn other_seats(&self) -> Vec<Name> {
        let names = self.view().council.iter().map(|voter| voter.name.clone());
        names.filter(|name| *name != self.own.name).collect()
    }

    fn report(&mut self, event: Event) {
        self.outputs.push_back(Output::Event(event));
    }

    fn is_mutant(&self, mutant: Mutant) -> bool {
        self.settings.mutant == Some(mutant)
    }

    fn has_seat(&self) -> bool {
        self.view().quorum().seat(&self.own).is_some()
    }

    /// Whether this voter takes part in nothing but a recovery.
    fn is_recovering(&self) -> bool {
        self.store.get().recovery.as_ref().is_some_and(|recovery| !recovery.ended)
    }

    fn is_alive(&self, name: &Name) -> bool {
        *name == self.own.name
            || self.standings.get(name).is_some_and(|one| one.state == StandingState::Alive)
    }

    fn compare(&mut self) {
        let view = self.store.get().view.clone();
        self.changes.compare(&view, &self.standings, self.now.boot);
    }
}
