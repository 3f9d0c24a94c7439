//! Whose turn it is with each file: [`Turns`] owns that, and which files are in trouble.

use memberd_jobs::{AskId, JobFile};
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::oneshot;

/// The most files that are known to be in trouble. Beyond it, some are told of again.
const MOST_TROUBLED: usize = 4_096;

/// Who asks about which file. All clones are one.
#[derive(Debug, Clone, Default)]
pub(super) struct Turns(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    /// One for each question under way.
    files: BTreeMap<JobFile, Holder>,
    troubled: BTreeSet<JobFile>,
    begun: u64,
}

#[derive(Debug)]
struct Holder {
    number: u64,
    id: AskId,
    /// Dropped when another one has its turn.
    _until: oneshot::Sender<()>,
}

/// The turn of one question. It ends when it is dropped.
#[derive(Debug)]
pub(super) struct Turn {
    turns: Turns,
    file: JobFile,
    number: u64,
    until: oneshot::Receiver<()>,
}

impl Turns {
    /// Gives a question its turn, and ends that of the one before. Nothing if that is newer: under
    /// a larger token, or asked later under the same.
    pub(super) fn begin(&self, file: JobFile, id: AskId) -> Option<Turn> {
        let mut state = self.lock();
        if state.files.get(&file).is_some_and(|holder| holder.id > id) {
            return None;
        }
        state.begun += 1;
        let (number, (sender, until)) = (state.begun, oneshot::channel());
        state.files.insert(file, Holder { number, id, _until: sender });
        Some(Turn { turns: self.clone(), file, number, until })
    }

    /// Notes whether a file is in trouble. Returns whether it was otherwise before.
    pub(super) fn trouble(&self, file: JobFile, is_troubled: bool) -> bool {
        let troubled = &mut self.lock().troubled;
        if !is_troubled {
            return troubled.remove(&file);
        }
        if troubled.len() >= MOST_TROUBLED {
            troubled.clear();
        }
        troubled.insert(file)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing in it is left half done by a panic.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Turn {
    /// Returns once another question has the turn.
    pub(super) async fn is_over(&mut self) {
        // Nothing is ever sent.
        let _ = (&mut self.until).await;
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if let Entry::Occupied(holder) = self.turns.lock().files.entry(self.file)
            && holder.get().number == self.number
        {
            holder.remove();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::poll_fn;
    use std::pin::pin;
    use std::task::Poll;

    async fn is_over(turn: &mut Turn) -> bool {
        let mut over = pin!(turn.is_over());
        poll_fn(|context| Poll::Ready(over.as_mut().poll(context).is_ready())).await
    }

    #[tokio::test]
    async fn a_later_question_has_the_turn_unless_it_is_older() {
        let turns = Turns::default();
        let begin = |token, number| turns.begin(JobFile::Table, AskId { token, number });
        let mut first = begin(5, 8).unwrap();
        assert!(begin(4, 9).is_none() && begin(5, 7).is_none());
        assert!(!is_over(&mut first).await);
        let mut second = begin(6, 1).unwrap();
        assert!(is_over(&mut first).await && !is_over(&mut second).await);
        drop(first);
        assert!(begin(5, 9).is_none(), "the second is under way");
        drop(second);
        assert!(begin(5, 9).is_some());
    }

    #[test]
    fn trouble_is_told_once() {
        let turns = Turns::default();
        assert!(turns.trouble(JobFile::Table, true) && !turns.trouble(JobFile::Table, true));
        assert!(turns.trouble(JobFile::Table, false) && !turns.trouble(JobFile::Table, false));
    }
}
