//! The operations of the last ten minutes with their answers: [`Operations`]. It owns them.

use crate::catalog::answer::Answer;
use crate::ids::OperationId;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, VecDeque};

/// What was done under which id, by the catalog's own time.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Operations {
    answers: BTreeMap<OperationId, Answer>,
    /// Oldest first.
    order: VecDeque<(u64, OperationId)>,
}

/// One remembered operation in an image.
#[derive(Serialize, Deserialize)]
pub(super) struct Remembered(u64, OperationId, Answer);

impl Operations {
    /// How long an operation is remembered, in milliseconds.
    pub(crate) const KEPT_MS: u64 = 10 * 60 * 1000;
    /// How long it is remembered however many there are.
    pub(crate) const LEAST_KEPT_MS: u64 = 2 * 60 * 1000;
    /// The most that are remembered: about 25 MB.
    pub(crate) const MAX: usize = 1 << 18;

    pub(crate) fn get(&self, id: OperationId) -> Option<Answer> {
        self.answers.get(&id).copied()
    }

    pub(crate) fn len(&self) -> usize {
        self.order.len()
    }

    /// Whether another one has no place: then the primary takes no mutation until one is old.
    pub(crate) fn is_full(&self, now_ms: u64) -> bool {
        self.len() >= Self::MAX
            && self.order.front().is_some_and(|(time, _)| now_ms < time + Self::LEAST_KEPT_MS)
    }

    pub(crate) fn remember(&mut self, now_ms: u64, id: OperationId, answer: Answer) {
        while let Some((time, oldest)) = self.order.front().copied()
            && (now_ms >= time + Self::KEPT_MS || self.len() >= Self::MAX)
        {
            self.order.pop_front();
            self.answers.remove(&oldest);
        }
        self.answers.insert(id, answer);
        self.order.push_back((now_ms, id));
    }

    pub(super) fn to_list(&self) -> impl Iterator<Item = Remembered> {
        let answer = |(time, id): &(u64, OperationId)| {
            self.answers.get(id).map(|answer| Remembered(*time, *id, *answer))
        };
        self.order.iter().filter_map(answer)
    }

    /// Nothing if an id comes twice, or their times do not grow.
    pub(super) fn from_list(list: Vec<Remembered>) -> Option<Operations> {
        let mut operations = Operations::default();
        let mut last = 0;
        for Remembered(time, id, answer) in list {
            if time < last || operations.answers.insert(id, answer).is_some() {
                return None;
            }
            last = time;
            operations.order.push_back((time, id));
        }
        (operations.len() <= Self::MAX).then_some(operations)
    }
}
