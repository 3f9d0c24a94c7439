//! Reads the files of jobs on this machine, on a thread of the lowest priority for each job: what
//! it reads is not in a hurry, and heartbeats are. [`Readers`] owns the queues of these threads.

use crate::blocking::lower_priority;
use memberd_jobs::{FileKey, FoldAsk, Folded, JobId, Look};
use std::collections::BTreeMap;
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use tokio::sync::mpsc;
use tracing::warn;

/// What waits at one thread: a look and a fold.
const QUEUE: usize = 2;

/// How many threads have ranges summed at once: the worker answers no more.
const AT_ONCE: usize = memberd_worker::MAX_FOLDS;

/// Whose ranges the worker sums now. It is cheap to clone.
#[derive(Debug, Clone, Default)]
pub(super) struct Turns(Arc<(Mutex<usize>, Condvar)>);

/// A turn, until it is dropped.
#[derive(Debug)]
pub(super) struct Turn<'t>(&'t Turns);

impl Turns {
    /// Waits for a turn, for as long as others take to sum what they ask for at once.
    pub(super) fn take(&self) -> Turn<'_> {
        let (taken, given_back) = &*self.0;
        let taken = taken.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = given_back.wait_while(taken, |taken| *taken >= AT_ONCE);
        *taken.unwrap_or_else(PoisonError::into_inner) += 1;
        Turn(self)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let (taken, given_back) = &*self.0.0;
        *taken.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
        given_back.notify_one();
    }
}

/// Reads the files of one job.
pub(super) trait Reader {
    /// Looks at all of them. Of each that it had seen before, the bytes below `released` are not
    /// asked for again.
    fn look(&mut self, released: &BTreeMap<FileKey, u64>) -> Look;

    /// Sums ranges of them, at least the first. None: it cannot be read.
    fn fold(&mut self, ask: &FoldAsk) -> Vec<Option<Folded>>;
}

/// What is asked of a thread.
#[derive(Debug)]
pub(super) enum Asked {
    /// A look.
    Look(BTreeMap<FileKey, u64>),
    /// Sums.
    Fold(FoldAsk),
}

/// What was read.
#[derive(Debug)]
pub(super) enum Found {
    /// A look.
    Look(Look),
    /// The sums of the ask of this number.
    Folded(u64, Vec<Option<Folded>>),
}

/// An answer.
#[derive(Debug)]
pub(super) struct Read {
    /// For which worker: [`super::engine::Engine::life`].
    pub(super) life: u64,
    /// Of which job.
    pub(super) job: JobId,
    /// What.
    pub(super) found: Found,
}

/// The threads, by job.
#[derive(Debug)]
pub(super) struct Readers {
    threads: BTreeMap<JobId, SyncSender<(u64, Asked)>>,
    answers: mpsc::Sender<Read>,
}

impl Readers {
    /// No threads yet. They answer there.
    pub(super) fn new(answers: mpsc::Sender<Read>) -> Readers {
        Readers { threads: BTreeMap::new(), answers }
    }

    /// Asks the thread of a job. If there is none, `make` makes what reads there. What is asked of
    /// a busy thread is dropped, and asked for again.
    pub(super) fn ask<R: Reader>(
        &mut self,
        (life, job): (u64, JobId),
        asked: Asked,
        make: impl FnOnce() -> R + Send + 'static,
    ) {
        let thread = match self.threads.get(&job) {
            Some(thread) => thread,
            None => match start(job, make, self.answers.clone()) {
                Ok(thread) => self.threads.entry(job).or_insert(thread),
                Err(error) => {
                    warn!(%error, "no thread reads the files of a job: it waits");
                    return;
                }
            },
        };
        if let Err(TrySendError::Disconnected(_)) = thread.try_send((life, asked)) {
            // It broke off. The next look starts another one.
            self.threads.remove(&job);
        }
    }

    /// Ends the threads of jobs of which this does not hold, once they have done what they do.
    pub(super) fn retain(&mut self, runs: impl Fn(JobId) -> bool) {
        self.threads.retain(|job, _| runs(*job));
    }
}

fn start<R: Reader>(
    job: JobId,
    make: impl FnOnce() -> R + Send + 'static,
    answers: mpsc::Sender<Read>,
) -> std::io::Result<SyncSender<(u64, Asked)>> {
    let (thread, asks) = sync_channel::<(u64, Asked)>(QUEUE);
    thread::Builder::new().name("job files".to_owned()).spawn(move || {
        lower_priority();
        let mut reader = make();
        while let Ok((life, asked)) = asks.recv() {
            let found = match asked {
                Asked::Look(released) => Found::Look(reader.look(&released)),
                Asked::Fold(ask) => Found::Folded(ask.number, reader.fold(&ask)),
            };
            if answers.blocking_send(Read { life, job, found }).is_err() {
                return;
            }
        }
    })?;
    Ok(thread)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Counts the looks, and has no files.
    struct Counting(i64);

    impl Reader for Counting {
        fn look(&mut self, _: &BTreeMap<FileKey, u64>) -> Look {
            self.0 += 1;
            Look { began_ms: self.0, ..Look::default() }
        }

        fn fold(&mut self, ask: &FoldAsk) -> Vec<Option<Folded>> {
            assert!(ask.number != 13, "a fault");
            vec![None; ask.ranges.len()]
        }
    }

    #[tokio::test]
    async fn each_job_has_a_thread_that_keeps_what_it_knows() {
        let (sender, mut answers) = mpsc::channel(8);
        let mut readers = Readers::new(sender);
        for (job, expected) in [(1, 1), (1, 2), (2, 1), (1, 3)] {
            let asked = Asked::Look(BTreeMap::new());
            readers.ask((7, JobId(job)), asked, || Counting(0));
            let read = answers.recv().await.unwrap();
            let Found::Look(look) = read.found else { panic!("{read:?}") };
            assert_eq!((read.life, read.job, look.began_ms), (7, JobId(job), expected));
        }
        readers.retain(|job| job == JobId(2));
        assert_eq!(readers.threads.len(), 1);
    }

    /// The thread ends by a fault, and the next question starts another one.
    #[tokio::test]
    async fn a_thread_that_broke_off_is_replaced() {
        let (sender, mut answers) = mpsc::channel(8);
        let mut readers = Readers::new(sender);
        let fold = FoldAsk { job: JobId(1), number: 13, ranges: Vec::new() };
        readers.ask((0, JobId(1)), Asked::Fold(fold), || Counting(0));
        let again = async {
            loop {
                let asked = Asked::Look(BTreeMap::new());
                readers.ask((0, JobId(1)), asked, || Counting(40));
                let wait = std::time::Duration::from_millis(5);
                if let Ok(read) = tokio::time::timeout(wait, answers.recv()).await {
                    return read.unwrap();
                }
            }
        };
        let Found::Look(look) = again.await.found else { panic!("no look") };
        assert_eq!(look.began_ms, 41);
    }
}
