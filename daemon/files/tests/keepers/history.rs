//! What happened, and whether that can be: one order of entries, nothing acknowledged lost, each
//! operation once, one primary in an epoch, reads that see all that was acknowledged before them.

use memberd_files::{Answer, Ballot, Content, Found, Mutation, OperationId, Position};
use std::collections::BTreeMap;

#[derive(Default)]
pub struct History {
    /// The entries that some keeper applied.
    order: BTreeMap<u64, Position>,
    answers: BTreeMap<OperationId, Answer>,
    /// Which primary opened under each ballot. Another one in the same epoch follows only if all
    /// have promised it.
    primaries: BTreeMap<Ballot, usize>,
    acked_to: u64,
    appended: BTreeMap<OperationId, u64>,
    pub reads: u64,
    pub ballots: u64,
    last_ballot: Ballot,
    pub broken: Option<String>,
}

impl History {
    pub fn break_it(&mut self, what: String) {
        self.broken.get_or_insert(what);
    }

    pub fn acked_to(&self) -> u64 {
        self.acked_to
    }

    pub fn answers(&self) -> &BTreeMap<OperationId, Answer> {
        &self.answers
    }

    pub fn position(&self, index: u64) -> Option<Position> {
        self.order.get(&index).copied()
    }

    pub fn asked(&mut self, operation: OperationId, mutation: &Mutation) {
        if let Mutation::Append(_) = mutation {
            self.appended.insert(operation, u64::try_from(operation.0 - 1).unwrap());
        }
    }

    /// A keeper applied up to there: all that applied it have the same entry there.
    pub fn applied(&mut self, at: usize, position: Position) {
        if position.index > 0 {
            let known = *self.order.entry(position.index).or_insert(position);
            if known != position {
                self.break_it(format!("vm{at} applied {position:?}, and another {known:?}"));
            }
        }
    }

    pub fn opens(&mut self, at: usize, ballot: Ballot) {
        let first = *self.primaries.entry(ballot).or_insert(at);
        if first != at {
            self.break_it(format!("vm{first} and vm{at} are primary under {ballot:?}"));
        }
        if ballot != self.last_ballot {
            (self.last_ballot, self.ballots) = (ballot, self.ballots + 1);
        }
    }

    pub fn answered(&mut self, operation: OperationId, answer: Answer, index: u64) {
        self.acked_to = self.acked_to.max(index);
        let first = *self.answers.entry(operation).or_insert(answer);
        if first != answer {
            self.break_it(format!("{operation:?} was answered {first:?} and {answer:?}"));
        }
    }

    /// What a read found. All that was acknowledged before it was asked is in it.
    pub fn read(&mut self, acked: u64, index: u64, is_newest: bool, found: &Found) {
        self.reads += 1;
        if is_newest && index < acked {
            self.break_it(format!("a read saw {index} entries, and {acked} were acknowledged"));
        }
        if let Found::Contents(contents) = found
            && let Content::Inline(bytes) = &contents.content
        {
            self.check_once(bytes);
        }
    }

    /// No append is in the file twice.
    fn check_once(&mut self, bytes: &[u8]) -> Vec<u64> {
        let number = |chunk: &[u8]| u64::from_be_bytes(chunk.try_into().unwrap());
        let numbers: Vec<u64> = bytes.chunks(8).map(number).collect();
        let mut sorted = numbers.clone();
        sorted.sort_unstable();
        if let Some(two) = sorted.windows(2).find(|two| two[0] == two[1]) {
            self.break_it(format!("append {} is in the file twice", two[0]));
        }
        numbers
    }

    /// At the end: every append that was acknowledged is in the file, and none that was refused.
    pub fn check_end(&mut self, bytes: &[u8]) {
        let numbers = self.check_once(bytes);
        for (operation, answer) in self.answers.clone() {
            let Some(number) = self.appended.get(&operation) else { continue };
            let is_there = numbers.contains(number);
            match answer {
                Answer::Done(_) if !is_there => {
                    self.break_it(format!("append {number} was acknowledged and is lost"));
                }
                Answer::Refused(refusal) if is_there => {
                    self.break_it(format!("append {number} was refused ({refusal}) and is there"));
                }
                Answer::Done(_) | Answer::Refused(_) => {}
            }
        }
    }
}
