//! What a message is for, and whether it is of this lineage.

use super::Council;
use crate::event::Event;
use crate::message::{Body, Message, News};
use crate::time::BootTime;
use crate::view::{Term, View, ViewNumber, Voter};
use memberd_membership::Name;
use std::sync::Arc;
use std::time::Duration;

/// How often members of other lineages are told.
const OTHER_LINEAGE_INTERVAL: Duration = Duration::from_secs(60);

/// When a member of another lineage was told last.
#[derive(Debug, Clone, Default)]
pub(super) struct OtherLineages {
    told_at: Option<BootTime>,
}

impl Council {
    pub(super) fn receive(&mut self, message: Message) {
        let Message { lineage, sender, body } = message;
        if sender.name == self.own.name {
            return;
        }
        self.forget_refusal(&sender.name);
        let own = self.id.lineage;
        if lineage == own {
            self.hear(&sender);
            self.handle_body(&sender, body);
        } else if lineage.founding != own.founding || lineage.recoveries == own.recoveries {
            self.tell_other_lineage(&sender.name);
        } else if lineage.recoveries < own.recoveries {
            if !matches!(body, Body::NewView(_)) {
                self.send_whole(&sender.name);
            }
        } else if let Body::NewView(News::Whole(view)) = body {
            self.adopt_lineage(&view);
        } else {
            self.send(&sender.name, Body::Fetch { number: self.id.number });
        }
    }

    pub(super) fn tell_other_lineage(&mut self, member: &Name) {
        let now = self.now.boot;
        let told = self.other_lineages.told_at;
        if told.is_none_or(|at| now.since(at) >= OTHER_LINEAGE_INTERVAL) {
            self.other_lineages.told_at = Some(now);
            self.report(Event::OtherLineage { member: member.clone() });
        }
    }

    /// A member of this lineage says this; it may be this machine itself.
    pub(super) fn handle_body(&mut self, sender: &Voter, body: Body) {
        match body {
            Body::May { attempt, number, leader, asked } => {
                self.on_may(sender, attempt, number, leader.as_ref(), asked);
            }
            Body::Might { attempt, yes, number, promised } => {
                self.note_term(promised);
                self.on_might(sender, attempt, yes, number);
            }
            Body::NewLeader { term, number, view } => {
                self.note_term(term);
                self.on_new_leader(sender, term, number, view);
            }
            Body::Promise { term, number, accepted, lease_left } => {
                self.on_promise(sender, (term, number), accepted.map(|one| *one), lease_left);
            }
            Body::No { term, promised } => {
                self.note_term(promised.term);
                self.on_no(sender, term, &promised);
            }
            Body::Lack { number } => self.on_lack(sender, number),
            Body::Req { term, proposal } => {
                self.note_term(term);
                self.on_req(sender, term, &proposal);
            }
            Body::Ok { term, number, hash } => self.on_ok(sender, term, number, hash),
            Body::NewView(news) => self.on_new_view(sender, news),
            Body::Renew { term, sequence, lease } => {
                self.note_term(term);
                self.on_renew(sender, term, sequence, lease);
            }
            Body::Renewed { term, sequence, number, votes } => {
                self.note_votes(sender, votes);
                self.on_renewed(sender, term, sequence, number);
            }
            Body::Release { term } => self.on_release(sender, term),
            Body::TakeOver { term, number } => self.on_take_over(sender, term, number),
            Body::Invite => self.send(&sender.name, Body::Here { votes: self.settings.vote }),
            Body::Here { votes } => self.note_votes(sender, votes),
            Body::Ask(wish) => self.on_ask(sender, wish),
            Body::Fetch { number } => self.on_fetch(sender, number),
            Body::Look { sequence } => self.on_look(sender, sequence),
            Body::Seen { sequence, number, promised, frozen } => {
                self.note_term(promised);
                self.on_seen(sender, sequence, number, frozen);
            }
            Body::Survey { attempt } => self.on_survey(sender, attempt),
            Body::Surveyed { attempt, number, promised, frozen } => {
                self.note_term(promised);
                self.on_surveyed(sender, attempt, number, frozen);
            }
            Body::Freeze(recovery) => self.on_freeze(sender, recovery),
            Body::Frozen { recovery, number, accepted, promised } => {
                self.note_term(promised);
                self.on_frozen(sender, &recovery, number, accepted.map(|one| *one));
            }
            Body::Thaw { attempt } => self.on_thaw(sender, attempt),
        }
    }

    pub(super) fn note_term(&mut self, term: Term) {
        self.largest_term = self.largest_term.max(term);
    }

    /// A member lacks views after this one. If it has a newer one than is here, it may be the only
    /// one that does.
    fn on_fetch(&mut self, sender: &Voter, number: ViewNumber) {
        if self.id.number < number {
            return self.send(&sender.name, Body::Fetch { number: self.id.number });
        }
        if self.id.number == number {
            return;
        }
        let next = self.id.number == number.next();
        match self.made_by.clone().filter(|_| next) {
            Some(made_by) => self.send(&sender.name, Body::NewView(News::Operations(made_by))),
            None => self.send_whole(&sender.name),
        }
    }

    pub(super) fn send_whole(&mut self, to: &Name) {
        let view = self.view().clone();
        self.send(to, Body::NewView(News::Whole(view)));
    }

    fn on_new_view(&mut self, sender: &Voter, news: News) {
        match news {
            News::Whole(view) => self.on_whole_view(&view),
            News::Operations(proposal) => {
                if proposal.number <= self.id.number {
                    return;
                }
                if let Ok(view) = self.view().apply(&proposal) {
                    self.install(&Arc::new(view), None);
                    self.made_by = Some(proposal);
                } else if let Some(before) = self.id.number.0.checked_sub(1) {
                    // One that is two views behind gets the whole one.
                    self.send(&sender.name, Body::Fetch { number: ViewNumber(before) });
                }
            }
        }
    }

    pub(super) fn on_whole_view(&mut self, view: &Arc<View>) {
        if view.lineage == self.id.lineage && view.number > self.id.number {
            self.install(view, None);
        }
    }
}
