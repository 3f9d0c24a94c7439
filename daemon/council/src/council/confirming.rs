//! Questions to the council whether the view here is the newest.

use super::Council;
use crate::event::{ConfirmId, Confirmation, Event};
use crate::message::Body;
use crate::time::BootTime;
use crate::view::{ViewNumber, Voter};
use memberd_membership::Name;
use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

/// How long the answers take at most.
const QUESTION_TIME: Duration = Duration::from_secs(1);
/// The most questions that wait.
const MAX_QUESTIONS: usize = 64;

/// Owns the questions that wait for answers.
#[derive(Debug, Clone, Default)]
pub(super) struct Confirming {
    sequence: u64,
    questions: VecDeque<Question>,
    /// When a majority confirmed last.
    pub(super) confirmed_at: Option<BootTime>,
}

#[derive(Debug, Clone)]
struct Question {
    id: ConfirmId,
    sequence: u64,
    asked_at: BootTime,
    seen: BTreeSet<Voter>,
    /// Who answered, and does not count.
    frozen: BTreeSet<Voter>,
}

impl Confirming {
    pub(super) fn due(&self) -> Option<BootTime> {
        self.questions.front().map(|question| question.asked_at + QUESTION_TIME)
    }
}

impl Council {
    pub(super) fn ask_to_confirm(&mut self, id: ConfirmId) {
        if self.confirming.questions.len() >= MAX_QUESTIONS {
            self.end_question(0);
        }
        self.confirming.sequence += 1;
        let sequence = self.confirming.sequence;
        let (own, nobody) = (BTreeSet::from([self.own.clone()]), BTreeSet::new());
        let (seen, frozen) = if self.is_recovering() { (nobody, own) } else { (own, nobody) };
        let asked_at = self.now.boot;
        self.confirming.questions.push_back(Question { id, sequence, asked_at, seen, frozen });
        self.send_to_council(&Body::Look { sequence });
        self.renew_to_confirm();
        self.count_answers();
    }

    pub(super) fn on_look(&mut self, sender: &Voter, sequence: u64) {
        let (number, promised) = (self.id.number, self.promised_term());
        let frozen = self.is_recovering();
        self.send(&sender.name, Body::Seen { sequence, number, promised, frozen });
    }

    pub(super) fn on_seen(
        &mut self,
        sender: &Voter,
        sequence: u64,
        number: ViewNumber,
        frozen: bool,
    ) {
        self.note_without_view(sender, number);
        if number > self.id.number {
            return self.send(&sender.name, Body::Fetch { number: self.id.number });
        }
        let mut questions = self.confirming.questions.iter_mut();
        let question = questions.find(|question| question.sequence == sequence);
        let few = |question: &&mut Question| question.seen.len() + question.frozen.len() < 64;
        if let Some(question) = question.filter(few) {
            let those = if frozen { &mut question.frozen } else { &mut question.seen };
            those.insert(sender.clone());
            self.count_answers();
        }
    }

    fn count_answers(&mut self) {
        let view = self.view().clone();
        let enough = |question: &Question| view.quorum().is_reached(&question.seen);
        while let Some(at) = self.confirming.questions.iter().position(enough) {
            self.confirming.confirmed_at = Some(self.now.boot);
            self.end_question(at);
        }
    }

    fn end_question(&mut self, at: usize) {
        let Some(question) = self.confirming.questions.remove(at) else { return };
        let quorum = self.store.get().view.quorum();
        let silent = quorum.missing(&question.seen);
        let council = self.view().council.len();
        let confirmed_by = council - silent.len();
        let is_frozen = |name: &Name| question.frozen.iter().any(|voter| voter.name == *name);
        let (frozen, missing) = silent.into_iter().partition(is_frozen);
        let result = Confirmation {
            number: self.id.number,
            confirmed_by,
            council,
            majority: quorum.is_reached(&question.seen),
            missing,
            frozen,
        };
        self.report(Event::Confirmed { id: question.id, result });
    }

    /// Ends the questions that took too long.
    pub(super) fn tick_confirming(&mut self) {
        while self.confirming.due().is_some_and(|due| due <= self.now.boot) {
            self.end_question(0);
        }
        self.count_answers();
    }
}
