//! What must hold at every moment, in true time: twelve invariants of the agreement, and the
//! thirteenth, that somebody knows each share's catalog. It owns what it has seen of
//! views, proposals, durable acceptances and exclusive leaders.
//!
//! It is told of facts alone (what a machine installs, what its disk holds, what it sends, who is
//! exclusive) and knows nothing of how the protocol decides.

use super::fold::fold;
use memberd_council::{
    Body, Durable, Keeper, Lineage, Message, Name, Proposal, Share, Term, View, ViewHash, ViewId,
    Voter, VoterId,
};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// A broken invariant, by its number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    pub invariant: u8,
    pub what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        write!(formatter, "invariant {}: {}", self.invariant, self.what)
    }
}

pub fn broken(invariant: u8, what: String) -> Result<(), Violation> {
    Err(Violation { invariant, what })
}

/// Who is exclusive, in which lineage, and with which token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exclusive {
    pub machine: usize,
    pub lineage: Lineage,
    pub token: Term,
}

/// One ballot's acceptances of one content.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Ballot {
    lineage: Lineage,
    number: u64,
    hash: ViewHash,
    term: Term,
    candidate: Voter,
}

/// What a voter may not fall below.
#[derive(Debug, Clone, Copy, Default)]
struct Floor {
    view: u64,
    promised: Term,
}

impl Floor {
    fn of(durable: &Durable) -> Self {
        let promised = durable.promised.as_ref().map_or(Term(0), |ballot| ballot.term);
        Floor { view: durable.number().0, promised }
    }
}

/// The checker.
#[derive(Clone, Default)]
pub struct Invariants {
    views: BTreeMap<(Lineage, u64), (Arc<View>, ViewHash)>,
    proposals: BTreeMap<(Lineage, ViewHash), Arc<Proposal>>,
    leaders: BTreeMap<(Lineage, Term), Voter>,
    durable: BTreeMap<Ballot, BTreeSet<Voter>>,
    /// What each voter's present process has had written.
    floors: BTreeMap<VoterId, Floor>,
    /// What each voter's file has had.
    files: BTreeMap<VoterId, Floor>,
    present: Vec<Exclusive>,
    /// The largest token so far, and whose it was.
    largest: BTreeMap<Lineage, (Term, usize)>,
    burnt: BTreeSet<VoterId>,
    /// From when on the older lineages may not be exclusive.
    recovered: BTreeMap<Lineage, Duration>,
    /// By machine: no larger number may be in its part of the network.
    ceilings: BTreeMap<usize, u64>,
    pub tokens: BTreeSet<Term>,
    newest: Option<Arc<View>>,
}

/// How many voters of a council decide.
pub fn majority(view: &View) -> usize {
    match view.number.0 {
        // The founding waits for everybody.
        0 => view.council.len(),
        _ => view.council.len() / 2 + 1,
    }
}

/// Whether a voter has a seat. The founders of view 0 are known by their names.
pub fn seats(view: &View, voter: &Voter) -> bool {
    view.council
        .iter()
        .any(|seat| seat == voter || seat.id == VoterId::UNKNOWN && seat.name == voter.name)
}

/// A keeper of before that is whole, maybe since now, is among those of now. If one of the whole is
/// a member, all keepers are, and there are as many as there can be. If none is, who they are has
/// not changed.
fn kept(share: &Share, view: &View, parent: &View) -> Result<(), Violation> {
    let names = |share: &Share| share.keepers.iter().map(|one| one.name.clone()).collect();
    let (number, now): (_, BTreeSet<Name>) = (view.number, names(share));
    let up = now.iter().filter(|name| view.member(name).is_some()).count();
    let full = up == share.keepers.len() && up == view.members.len().min(share.wanted.get());
    let opens = share.keepers.iter().any(|one| one.whole && view.member(&one.name).is_some());
    let old = parent.share(&share.name).filter(|old| old.added == share.added);
    let stays = old.is_none_or(|old| {
        let of_before = |one: &Keeper| {
            old.keepers.iter().any(|was| was.name == one.name && was.since == one.since)
        };
        old.keepers.is_empty() || share.keepers.iter().any(|one| one.whole && of_before(one))
    });
    let same = old.is_some_and(|old| names(old) == now && old.changed == share.changed);
    let fits = if opens { full } else { same || view.members.is_empty() };
    if now.len() == share.keepers.len() && stays && fits {
        return Ok(());
    }
    broken(13, format!("view {number} makes {share:?} of {old:?}, with {:?}", view.members))
}

impl Invariants {
    /// The view of this number.
    pub fn view(&self, lineage: Lineage, number: u64) -> Option<&Arc<View>> {
        self.views.get(&(lineage, number)).map(|(view, _)| view)
    }

    /// The newest view that anybody installed.
    pub fn newest(&self) -> Option<&Arc<View>> {
        self.newest.as_ref()
    }

    fn is_newest(&mut self, view: &Arc<View>) {
        let rank = |view: &View| (view.lineage.recoveries, view.number.0);
        if self.newest.as_ref().is_none_or(|newest| rank(view) > rank(newest)) {
            self.newest = Some(Arc::clone(view));
        }
    }

    /// What was proposed as the view after this one, and may still be decided.
    pub fn pending(&self, view: &View) -> Vec<View> {
        let Some((_, hash)) = self.views.get(&(view.lineage, view.number.0)) else {
            return Vec::new();
        };
        let follows = |proposal: &&Arc<Proposal>| proposal.parent == *hash;
        self.proposals.values().filter(follows).map(|proposal| fold(view, proposal)).collect()
    }

    /// How many views were decided.
    pub fn decided(&self) -> usize {
        self.views.keys().filter(|(_, number)| *number > 0).count()
    }

    /// This voter may never answer again.
    pub fn burn(&mut self, voter: VoterId) {
        self.burnt.insert(voter);
    }

    /// A lineage was recovered: two leases later none before it may be exclusive.
    pub fn recover(&mut self, new: Lineage, from: Duration) {
        self.recovered.entry(new).or_insert(from);
    }

    /// A process begins a write.
    pub fn writes(&mut self, machine: usize, durable: &Durable) -> Result<(), Violation> {
        if let Some(accepted) = &durable.accepted {
            let proposal = &accepted.proposal;
            self.proposals
                .entry((durable.lineage, proposal.hash))
                .or_insert_with(|| Arc::clone(proposal));
        }
        let (floor, new) =
            (self.floors.get(&durable.voter).copied().unwrap_or_default(), Floor::of(durable));
        if new.view < floor.view || new.promised < floor.promised {
            return broken(4, format!("vm{machine} falls from {floor:?} to {new:?}"));
        }
        self.floors.insert(durable.voter, new);
        Ok(())
    }

    /// A record became durable on a machine's disk.
    pub fn durable(&mut self, name: &Name, durable: &Durable) {
        let (file, new) = (self.files.entry(durable.voter).or_default(), Floor::of(durable));
        *file = Floor { view: file.view.max(new.view), promised: file.promised.max(new.promised) };
        if let Some(accepted) = &durable.accepted {
            let key = Ballot {
                lineage: durable.lineage,
                number: accepted.proposal.number.0,
                hash: accepted.proposal.hash,
                term: accepted.ballot.term,
                candidate: accepted.ballot.candidate.clone(),
            };
            let voter = Voter { name: name.clone(), id: durable.voter };
            self.durable.entry(key).or_default().insert(voter);
        }
    }

    /// A process begins with what its disk holds.
    pub fn begins(
        &mut self,
        machine: usize,
        durable: Option<&Durable>,
        view: &View,
        own: &Voter,
    ) -> Result<(), Violation> {
        if self.burnt.contains(&own.id) {
            return broken(6, format!("vm{machine} is back as burnt {own:?}"));
        }
        let Some(durable) = durable else { return Ok(()) };
        let floor = Floor::of(durable);
        let file = self.files.get(&durable.voter).copied().unwrap_or_default();
        let falls = view.number.0 < file.view || floor.promised < file.promised;
        if own.id == durable.voter && falls {
            return broken(4, format!("vm{machine} begins with {floor:?}, its file had {file:?}"));
        }
        self.floors.insert(durable.voter, floor);
        Ok(())
    }

    /// A machine begins with view 0, which follows from the settings.
    pub fn founded(&mut self, view: &Arc<View>, id: ViewId) -> Result<(), Violation> {
        self.is_newest(view);
        let known =
            self.views.entry((view.lineage, 0)).or_insert_with(|| (Arc::clone(view), id.hash));
        if known.0 == *view { Ok(()) } else { broken(1, format!("view 0 is {view:?}")) }
    }

    /// A machine has another view than before the event.
    pub fn installs(
        &mut self,
        machine: usize,
        before: &View,
        view: &Arc<View>,
        id: ViewId,
    ) -> Result<(), Violation> {
        let number = view.number.0;
        if before.lineage == view.lineage && before.number.0 >= number {
            return broken(4, format!("vm{machine} installs view {number} again or after it"));
        }
        if self.ceilings.get(&machine).is_some_and(|ceiling| number > *ceiling) {
            return broken(11, format!("vm{machine} in a minority installs view {number}"));
        }
        if let Some((known, hash)) = self.views.get(&(view.lineage, number)) {
            if known != view || *hash != id.hash {
                return broken(1, format!("vm{machine} installs {view:?} beside {known:?}"));
            }
            return Ok(());
        }
        self.views.insert((view.lineage, number), (Arc::clone(view), id.hash));
        self.is_newest(view);
        self.one_leader(view)?;
        let parent =
            number.checked_sub(1).and_then(|parent| self.views.get(&(view.lineage, parent)));
        // The first view of a lineage has no parent in it. Others are decided one by one.
        let Some((parent, hash)) = parent.cloned() else {
            let first = view.lineage.recoveries > 0;
            return if first { Ok(()) } else { broken(3, format!("view {number} without parent")) };
        };
        if view.parent != hash {
            return broken(7, format!("view {number} names another parent"));
        }
        if view.term < parent.term {
            return broken(
                2,
                format!("view {number} has term {} after {}", view.term, parent.term),
            );
        }
        self.chosen(machine, view, id.hash, &parent)?;
        self.folded(view, id.hash, &parent)?;
        view.shares.iter().try_for_each(|share| kept(share, view, &parent))
    }

    /// How many views have shares, and in how many of them a share has another keeper than before.
    pub fn shares(&self) -> (usize, usize) {
        let views = self.views.values().map(|(view, _)| view);
        let with = views.filter(|view| !view.shares.is_empty());
        let moved = |view: &&Arc<View>| {
            let parent = view.number.0.checked_sub(1);
            let parent = parent.and_then(|parent| self.view(view.lineage, parent));
            view.shares.iter().any(|share| {
                let old = parent.and_then(|parent| parent.share(&share.name));
                old.is_some_and(|old| old.added == share.added && old.changed != share.changed)
            })
        };
        (with.clone().count(), with.filter(moved).count())
    }

    /// One leader for each term.
    fn one_leader(&mut self, view: &View) -> Result<(), Violation> {
        let Some(leader) = &view.leader else { return Ok(()) };
        let known = self.leaders.entry((view.lineage, view.term)).or_insert_with(|| leader.clone());
        if known != leader {
            return broken(2, format!("term {} has leaders {known:?} and {leader:?}", view.term));
        }
        Ok(())
    }

    /// A majority of the parent's council accepted the view durably, in one ballot.
    fn chosen(
        &self,
        machine: usize,
        view: &View,
        hash: ViewHash,
        parent: &View,
    ) -> Result<(), Violation> {
        let of_view = self.durable.iter().filter(|(ballot, _)| {
            ballot.lineage == view.lineage && ballot.number == view.number.0 && ballot.hash == hash
        });
        let most = of_view
            .map(|(_, voters)| voters.iter().filter(|voter| seats(parent, voter)).count())
            .max()
            .unwrap_or(0);
        if most < majority(parent) {
            return broken(
                3,
                format!(
                    "vm{machine} installs view {} of term {}, which {most} of {:?} accepted",
                    view.number, view.term, parent.council
                ),
            );
        }
        Ok(())
    }

    /// The view is its parent with the operations done, and nothing else.
    fn folded(&self, view: &View, hash: ViewHash, parent: &View) -> Result<(), Violation> {
        let Some(proposal) = self.proposals.get(&(view.lineage, hash)) else {
            return broken(7, format!("nobody proposed view {}", view.number));
        };
        let folded = fold(parent, proposal);
        if folded != *view {
            return broken(7, format!("{proposal:?}\nmakes {folded:?}\nand not {view:?}"));
        }
        Ok(())
    }

    /// The leader says whose acceptance decided a view.
    pub fn confirmed(&self, view: &View, confirmed_by: &[Name]) -> Result<(), Violation> {
        let Some(parent) = view.number.0.checked_sub(1) else { return Ok(()) };
        let Some(parent) = self.view(view.lineage, parent) else { return Ok(()) };
        let once: BTreeSet<&Name> = confirmed_by.iter().collect();
        let seated = |name: &&Name| parent.council.iter().any(|seat| seat.name == **name);
        if once.len() != confirmed_by.len() || !once.iter().all(seated) {
            return broken(6, format!("view {} is confirmed by {confirmed_by:?}", view.number));
        }
        Ok(())
    }

    /// A message leaves a machine: what it promises must be on the disk.
    pub fn sends(
        &self,
        machine: usize,
        message: &Message,
        durable: Option<&Durable>,
    ) -> Result<(), Violation> {
        let sender = &message.sender;
        if self.burnt.contains(&sender.id) {
            return broken(6, format!("vm{machine} speaks as burnt {sender:?}"));
        }
        let durable = durable.filter(|durable| durable.voter == sender.id);
        let promised = |least: Term| {
            durable
                .and_then(|durable| durable.promised.as_ref())
                .is_some_and(|ballot| ballot.term >= least)
        };
        let has_view = |number: u64| durable.is_some_and(|durable| durable.number().0 >= number);
        let holds = match &message.body {
            Body::Promise { term, number, .. } => promised(*term) && has_view(number.0),
            Body::Ok { term, number, .. } => {
                let accepted = durable.and_then(|durable| durable.accepted.as_ref());
                let accepted = accepted.is_some_and(|accepted| {
                    accepted.proposal.number == *number && accepted.ballot.term >= *term
                });
                has_view(number.0) || promised(*term) && accepted
            }
            Body::Frozen { .. } => durable.is_some_and(|durable| durable.recovery.is_some()),
            _ => true,
        };
        if holds {
            return Ok(());
        }
        broken(4, format!("vm{machine} sends {:?}, and its disk has {durable:?}", message.body))
    }

    /// Who is exclusive at this moment.
    pub fn exclusive(&mut self, now: Duration, those: &[Exclusive]) -> Result<(), Violation> {
        for (place, one) in those.iter().enumerate() {
            for other in &those[place + 1..] {
                if one.lineage == other.lineage {
                    return broken(5, format!("{one:?} and {other:?} are exclusive at {now:?}"));
                }
                let (older, newer) =
                    (one.lineage.min(other.lineage), one.lineage.max(other.lineage));
                if self.recovered.get(&newer).is_some_and(|from| now > *from) {
                    return broken(12, format!("{older:?} and {newer:?} are both exclusive"));
                }
            }
            if self.present.contains(one) {
                continue;
            }
            let (token, by) = self.largest.get(&one.lineage).copied().unwrap_or_default();
            if one.token < token || one.token == token && by != one.machine {
                return broken(9, format!("{one:?} comes after token {token} of vm{by}"));
            }
            self.tokens.insert(one.token);
            self.largest.insert(one.lineage, (one.token, one.machine));
        }
        if self.present != those {
            self.present = those.to_vec();
        }
        Ok(())
    }

    /// The links have changed: a part of the network without a majority of any council that its
    /// machines know makes no view. `held` is each machine's view, and its voter.
    pub fn parts(&mut self, parts: &[usize], held: &[Option<(Arc<View>, Voter)>]) {
        self.ceilings.clear();
        for part in parts.iter().collect::<BTreeSet<_>>() {
            let inside: Vec<usize> = (0..parts.len()).filter(|i| parts[*i] == *part).collect();
            let voters: Vec<&Voter> =
                inside.iter().filter_map(|i| held[*i].as_ref()).map(|(_, voter)| voter).collect();
            let views = || inside.iter().filter_map(|i| held[*i].as_ref()).map(|(view, _)| view);
            let able = views().any(|view| {
                voters.iter().filter(|voter| seats(view, voter)).count() >= majority(view)
            });
            let most = views().map(|view| view.number.0).max();
            if let Some(most) = most.filter(|_| !able) {
                // What others had accepted before may be decided still.
                let outside = |voter: &Voter| !voters.contains(&voter);
                let accepted = self
                    .durable
                    .iter()
                    .any(|(ballot, by)| ballot.number == most + 1 && by.iter().any(outside));
                if accepted {
                    continue;
                }
                self.ceilings.extend(inside.iter().map(|i| (*i, most)));
            }
        }
    }
}
