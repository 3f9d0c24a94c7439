//! Forgetting on request: the operator's wish becomes records, and all others are asked to keep
//! them too. It owns who was asked.

use super::{Node, Phase};
use crate::calls::{CallError, CallId, CallPurpose};
use crate::event::Event;
use crate::forgotten::Forgotten;
use crate::gossip::broadcast::TELL_EVERYONE_UP_TO;
use crate::gossip::forgetting;
use crate::identity::{Identity, Name};
use crate::list::{Entry, MemberState, Update};
use crate::time::Now;
use crate::wire::{self, CallReply, CallRequest, JoinRefusal};
use std::collections::BTreeMap;
use std::net::SocketAddr;

/// The most members that are asked at a time.
const ASKED_AT_A_TIME: usize = 16;

/// Which members to forget.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Forget {
    /// These, which all have to be gone.
    Named(Vec<Name>),
    /// All that failed.
    Failed,
    /// All that left.
    Left,
}

/// Why nothing was forgotten.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ForgetError {
    /// This machine is not in a group.
    #[error("not in a group: join one with memberctl join")]
    NotInGroup,
    /// Another request is under way.
    #[error("this daemon is already forgetting members: try again in a few seconds")]
    Busy,
    /// Nobody has this name.
    #[error("{0} is not in the list: memberctl list --all shows who is")]
    Unknown(Name),
    /// The member is up.
    #[error(
        "{0} is alive, and only the failed and the left can be forgotten: to take it out of the \
        group, run memberctl leave on it"
    )]
    Alive(Name),
    /// Only this machine takes the member for failed.
    #[error("only this machine takes {0} for failed, since it hears nobody: see memberctl status")]
    Doubted(Name),
}

/// What became of a request to forget.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ForgetReport {
    /// Members of an older version. They go on listing the forgotten.
    pub older: Vec<Name>,
    /// Members that did not answer. They hear of it by gossip.
    pub unanswered: Vec<Name>,
    /// How many were not asked, since the group is large. They hear of it by gossip.
    pub not_asked: usize,
}

/// A request under way.
#[derive(Debug, Default)]
pub(crate) struct ForgetRequest {
    to_ask: Vec<(Name, SocketAddr)>,
    asked: BTreeMap<CallId, Name>,
    /// The request in bytes.
    request: Option<Vec<u8>>,
    report: ForgetReport,
}

impl Node {
    /// Forgets members that are gone, here and on all others. An [`Event::ForgetDone`] follows when
    /// the others were asked; if nobody was to be forgotten, none does. Returns whom it forgot.
    ///
    /// # Errors
    /// When one of them is not gone, or this member is not in a group. Nobody is forgotten then.
    pub fn forget(&mut self, now: Now, which: &Forget) -> Result<Vec<Identity>, ForgetError> {
        if !matches!(self.phase, Phase::Member) {
            return Err(ForgetError::NotInGroup);
        }
        if self.forget_request.request.is_some() {
            return Err(ForgetError::Busy);
        }
        let mut identities = self.to_forget(which)?;
        self.begin_step(now);
        let (by, keep) = (self.context.local.name.clone(), self.context.settings.forget_after);
        let records: Vec<Forgotten> = identities
            .iter()
            .map(|identity| Forgotten { identity: identity.clone(), by: by.clone(), keep })
            .collect();
        if !records.is_empty() {
            let own = self.context.local.address;
            self.take_forgotten(&records, own);
            identities.retain(|identity| self.members.forgotten.covers(identity));
            self.ask_to_forget(records);
        }
        self.finish_step();
        Ok(identities)
    }

    fn to_forget(&self, which: &Forget) -> Result<Vec<Identity>, ForgetError> {
        let all = |wanted: fn(&MemberState) -> bool| {
            let entries = self.members.iter().filter(|entry| wanted(&entry.state));
            Ok(entries.map(|entry| entry.identity.clone()).collect())
        };
        match which {
            Forget::Failed => all(|state| matches!(state, MemberState::Failed(_))),
            Forget::Left => all(|state| matches!(state, MemberState::Left)),
            Forget::Named(names) => names.iter().map(|name| self.gone(name)).collect(),
        }
    }

    fn gone(&self, name: &Name) -> Result<Identity, ForgetError> {
        let entry: Option<&Entry> = self.members.get(name).map(AsRef::as_ref);
        let entry = entry.ok_or_else(|| ForgetError::Unknown(name.clone()))?;
        match entry.state {
            MemberState::Alive => Err(ForgetError::Alive(name.clone())),
            MemberState::Doubted(_) => Err(ForgetError::Doubted(name.clone())),
            MemberState::Failed(_) | MemberState::Left => Ok(entry.identity.clone()),
        }
    }

    /// Asks the others one by one. Their answers say who is too old for it.
    fn ask_to_forget(&mut self, forgotten: Vec<Forgotten>) {
        let own = &self.context.local.name;
        let others = self.members.iter().filter(|entry| entry.is_up());
        let mut to_ask: Vec<(Name, SocketAddr)> = others
            .filter(|entry| entry.identity.name != *own)
            .map(|entry| (entry.identity.name.clone(), entry.identity.address))
            .collect();
        let not_asked = to_ask.len().saturating_sub(TELL_EVERYONE_UP_TO);
        to_ask.truncate(TELL_EVERYONE_UP_TO);
        let sender = self.context.local.introduction();
        self.forget_request = ForgetRequest {
            to_ask,
            asked: BTreeMap::new(),
            request: Some(wire::encode_versioned(&CallRequest::Forget { sender, forgotten })),
            report: ForgetReport { not_asked, ..ForgetReport::default() },
        };
        self.go_on_asking();
    }

    fn go_on_asking(&mut self) {
        let ForgetRequest { to_ask, asked, request: Some(request), report } =
            &mut self.forget_request
        else {
            return;
        };
        while asked.len() < ASKED_AT_A_TIME
            && let Some((name, address)) = to_ask.pop()
        {
            let calls = &mut self.context.outputs.calls;
            let id = calls.start_encoded(address, request.clone(), CallPurpose::Forget);
            asked.insert(id, name);
        }
        if asked.is_empty() {
            report.older.sort();
            report.unanswered.sort();
            let report = std::mem::take(report);
            self.forget_request = ForgetRequest::default();
            self.context.report(Event::ForgetDone(report));
        }
    }

    /// A member that was asked has answered, or has not.
    pub(super) fn on_forget_reply(&mut self, id: CallId, reply: Result<CallReply, CallError>) {
        let Some(name) = self.forget_request.asked.remove(&id) else { return };
        let report = &mut self.forget_request.report;
        match reply {
            Ok(CallReply::Forgotten(records)) => self.take_all_forgotten(&records),
            Err(CallError::Refused(JoinRefusal::Version { .. })) => report.older.push(name),
            Ok(_) | Err(_) => report.unanswered.push(name),
        }
        self.go_on_asking();
    }

    /// The request ends with the membership.
    pub(super) fn give_up_forgetting(&mut self) {
        let ForgetRequest { to_ask, asked, request, mut report } =
            std::mem::take(&mut self.forget_request);
        if request.is_some() {
            let names = to_ask.into_iter().map(|(name, _)| name);
            report.unanswered.extend(names.chain(asked.into_values()));
            self.context.report(Event::ForgetDone(report));
        }
    }

    /// Another member asks to forget, or to exchange all records.
    pub(super) fn on_forget_request(
        &mut self,
        sender: &Update,
        records: &[Forgotten],
    ) -> CallReply {
        if !crate::gossip::anti_entropy::accepts(sender, &self.members) {
            return CallReply::Refused(JoinRefusal::NotInGroup);
        }
        self.take_forgotten(records, sender.identity.address);
        CallReply::Forgotten(self.members.forgotten.all(self.context.now.mono))
    }

    /// Takes in records that came with a reply.
    pub(super) fn take_all_forgotten(&mut self, records: &[Forgotten]) {
        // Who holds this member for forgotten says so to its datagrams.
        let nowhere = self.context.local.address;
        self.take_forgotten(records, nowhere);
    }

    /// Takes in records, and passes on those that are new. If this very incarnation is forgotten,
    /// this member was declared failed before: it comes back through the sender.
    pub(super) fn take_forgotten(&mut self, records: &[Forgotten], from: SocketAddr) {
        for record in records {
            let Identity { name, incarnation, address } = &record.identity;
            let local = &self.context.local;
            let own = local.incarnation;
            if *name == local.name && *incarnation >= own {
                let plausible = self.context.plausibility.is_plausibly_own(*incarnation, own);
                let leaving = matches!(self.phase, Phase::Leaving(_));
                if plausible && !leaving && from != local.address {
                    self.rejoin.through(from, *incarnation, &mut self.context);
                }
                continue;
            }
            if !self.context.plausibility.is_plausible(*incarnation, own) {
                self.context.counters.implausible += 1;
            } else if self.members.forget(record, &mut self.context) {
                self.announcer.forget(*address);
                self.forgetting.learn(name.clone(), self.context.now.mono);
            }
        }
        self.doubts.drop_settled(&self.members);
    }

    /// This member comes back through a side with this list. Whoever lives there was forgotten by
    /// mistake, and that must not spread there. What is asked on the former side is given up.
    pub(super) fn keep_records_of_gone(&mut self, side: &[Update]) {
        self.give_up_forgetting();
        self.context.outputs.calls.abandon(CallPurpose::ExchangeForgotten);
        let forget_after = self.context.settings.forget_after;
        self.members.forgotten.keep_gone(side, forget_after, self.context.now);
    }

    /// A member has told records, and perhaps the hash of all that it has.
    pub(super) fn on_forgotten(
        &mut self,
        hash: Option<u32>,
        records: &[Forgotten],
        from: SocketAddr,
    ) {
        self.take_forgotten(records, from);
        if let Some(hash) = hash {
            self.forgetting.compare(hash, from, &self.members, &mut self.context);
        }
    }

    /// A member has told something of members that are forgotten here: it has not heard of that.
    pub(super) fn tell_forgotten(&mut self, updates: &[Update], to: SocketAddr) {
        let forgotten = &self.members.forgotten;
        if forgotten.is_empty() {
            return;
        }
        let covered = updates.iter().map(|update| &update.identity);
        let names: Vec<Name> = covered
            .filter(|identity| forgotten.covers(identity))
            .map(|identity| identity.name.clone())
            .collect();
        forgetting::tell(&[to], names.iter(), &self.members, &mut self.context);
    }
}
