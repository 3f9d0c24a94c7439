//! Writes the agreement file on a thread of its own, so that a slow disk delays neither heartbeats
//! nor the council. It owns the record that waits to be written.

use super::file::AgreementFile;
use crate::lock::lock;
use crate::metrics::histogram::{DISK_BOUNDS, Histogram};
use memberd_council::{Durable, WriteId};
use std::io;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tracing::{error, info};

/// The first pause after a write that failed, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// Which council of this daemon asked for a write. There is a new one when a lineage is set aside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) struct Life(pub(super) u32);

/// The thread that writes.
#[derive(Debug)]
pub(super) struct Writer {
    shared: Arc<Shared>,
    /// The newest write that is durable.
    written: watch::Receiver<Option<(Life, WriteId)>>,
}

#[derive(Debug)]
struct Shared {
    waiting: Mutex<Waiting>,
    changed: Condvar,
    told: Mutex<Told>,
}

#[derive(Debug, Default)]
struct Waiting {
    /// A file of this name ending is to be made of the present one first.
    aside: Option<&'static str>,
    /// The newest record. One that was not begun is replaced: the newer contains it.
    record: Option<(Life, WriteId, Box<Durable>)>,
    ended: bool,
}

/// What the writer tells of itself.
#[derive(Debug, Clone)]
pub(crate) struct Told {
    /// How long writes took.
    pub(super) times: Histogram,
    /// How often a write failed.
    pub(super) failures: u64,
    /// Why the newest record is not on disk, if a write failed.
    pub(super) trouble: Option<String>,
}

impl Writer {
    /// Starts the thread.
    ///
    /// # Errors
    /// When it cannot be created.
    pub(super) fn start(file: AgreementFile) -> io::Result<Self> {
        let told = Told { times: Histogram::new(DISK_BOUNDS), failures: 0, trouble: None };
        let shared = Arc::new(Shared {
            waiting: Mutex::default(),
            changed: Condvar::new(),
            told: Mutex::new(told),
        });
        let (done, written) = watch::channel(None);
        let thread = Thread { file, shared: Arc::clone(&shared), done };
        thread::Builder::new().name("agreement-file".to_owned()).spawn(move || thread.run())?;
        Ok(Writer { shared, written })
    }

    /// Asks for a write. [`Writer::written`] follows, unless a later one replaces it.
    pub(super) fn write(&self, life: Life, id: WriteId, durable: Box<Durable>) {
        lock(&self.shared.waiting).record = Some((life, id, durable));
        self.shared.changed.notify_one();
    }

    /// Gives the present file this ending before anything more is written. What waits belongs to
    /// it, and is dropped.
    pub(super) fn set_aside(&self, suffix: &'static str) {
        let mut waiting = lock(&self.shared.waiting);
        (waiting.aside, waiting.record) = (Some(suffix), None);
        self.shared.changed.notify_one();
    }

    /// The next write that is durable, and so is every one before it. It can be dropped and called
    /// again.
    pub(super) async fn written(&mut self) -> Option<(Life, WriteId)> {
        self.written.changed().await.ok()?;
        *self.written.borrow_and_update()
    }

    /// What it tells of itself.
    pub(super) fn told(&self) -> Told {
        lock(&self.shared.told).clone()
    }
}

impl Drop for Writer {
    /// A write that was begun ends by itself; nobody waits for it.
    fn drop(&mut self) {
        lock(&self.shared.waiting).ended = true;
        self.shared.changed.notify_one();
    }
}

/// What the thread has.
struct Thread {
    file: AgreementFile,
    shared: Arc<Shared>,
    done: watch::Sender<Option<(Life, WriteId)>>,
}

impl Thread {
    fn run(self) {
        let mut pause = PAUSES.0;
        while let Some(Waiting { mut aside, record, .. }) = self.next() {
            let begun = Instant::now();
            match self.carry_out(&mut aside, record.as_ref()) {
                Ok(()) => {
                    pause = PAUSES.0;
                    self.note(Ok(begun.elapsed()));
                    if let Some((life, id, _)) = record {
                        self.done.send_replace(Some((life, id)));
                    }
                }
                Err(error) => {
                    self.note(Err(error));
                    self.put_back(aside, record);
                    // A newer record comes with its own hope, but not without a pause.
                    thread::sleep(pause);
                    pause = (pause * 2).min(PAUSES.1);
                }
            }
        }
    }

    /// Waits for something to do; nothing at the end.
    fn next(&self) -> Option<Waiting> {
        let mut waiting = lock(&self.shared.waiting);
        loop {
            if waiting.ended {
                return None;
            }
            if waiting.aside.is_some() || waiting.record.is_some() {
                return Some(Waiting {
                    aside: waiting.aside.take(),
                    record: waiting.record.take(),
                    ended: false,
                });
            }
            waiting = self.shared.changed.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// A file that was set aside is not set aside again, whatever fails afterwards: the next one
    /// would take its place.
    fn carry_out(
        &self,
        aside: &mut Option<&'static str>,
        record: Option<&(Life, WriteId, Box<Durable>)>,
    ) -> Result<(), String> {
        let explain = |error| format!("{:#}", anyhow::Error::from(error));
        if let Some(suffix) = *aside {
            self.file.set_aside(suffix).map_err(explain)?;
            *aside = None;
        }
        record.map_or(Ok(()), |(_, _, durable)| self.file.save(durable).map_err(explain))
    }

    /// Keeps what was not done, unless something newer came.
    fn put_back(&self, aside: Option<&'static str>, record: Option<(Life, WriteId, Box<Durable>)>) {
        let mut waiting = lock(&self.shared.waiting);
        // A file that is to be set aside now is not written any more.
        if waiting.aside.is_none() {
            waiting.aside = aside;
            if waiting.record.is_none() {
                waiting.record = record;
            }
        }
    }

    /// The log says once that writes fail, and once that they succeed again.
    fn note(&self, outcome: Result<Duration, String>) {
        let mut told = lock(&self.shared.told);
        match outcome {
            Ok(took) => {
                told.times.observe(took);
                if told.trouble.take().is_some() {
                    info!("the agreement file is written again");
                }
            }
            Err(error) => {
                told.failures += 1;
                if told.trouble.is_none() {
                    error!(
                        "the agreement file cannot be written, so this machine does not vote \
                        (retried until it works): {error}"
                    );
                }
                told.trouble = Some(error);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::StateDir;
    use memberd_council::{Lineage, Name, Origin, View, VoterId};
    use std::fs;

    fn durable(id: u128) -> Box<Durable> {
        let names = [Name::new("vm1").unwrap()];
        Box::new(Durable {
            lineage: Lineage { founding: [1; 16], recoveries: 0, recovery: [0; 16] },
            voter: VoterId(id),
            lease: Duration::from_secs(3),
            promised: None,
            accepted: None,
            recovery: None,
            view: Arc::new(View::genesis(&names)),
        })
    }

    fn file(directory: &tempfile::TempDir) -> AgreementFile {
        AgreementFile::new(Arc::new(StateDir::open(directory.path()).unwrap()))
    }

    fn voter(file: &AgreementFile) -> VoterId {
        let Ok((Origin::File(durable), None)) = file.load() else { panic!("no file") };
        durable.voter
    }

    #[tokio::test]
    async fn what_is_reported_is_on_disk() {
        let directory = tempfile::tempdir().unwrap();
        let file = file(&directory);
        let mut writer = Writer::start(file.clone()).unwrap();
        for id in 1..20 {
            writer.write(Life(0), WriteId(id), durable(id.into()));
            while writer.written().await != Some((Life(0), WriteId(id))) {}
            assert_eq!(voter(&file), VoterId(id.into()));
        }
        assert!(writer.told().times.count() >= 19);
    }

    /// The folder of the new file is missing for a while, as a full disk would be.
    #[tokio::test]
    async fn a_write_that_fails_is_repeated_and_reported_only_then() {
        let directory = tempfile::tempdir().unwrap();
        let file = file(&directory);
        let obstacle = directory.path().join("agreement.cbor.new");
        fs::create_dir(&obstacle).unwrap();
        let mut writer = Writer::start(file.clone()).unwrap();
        writer.write(Life(0), WriteId(1), durable(1));
        while writer.told().trouble.is_none() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        writer.write(Life(0), WriteId(2), durable(2));
        assert!(writer.written.borrow().is_none());
        fs::remove_dir(&obstacle).unwrap();
        assert_eq!(writer.written().await, Some((Life(0), WriteId(2))));
        assert_eq!((voter(&file), writer.told().trouble), (VoterId(2), None));
    }

    /// The second time it would be the new file that takes the name.
    #[test]
    fn a_file_is_set_aside_once_whatever_fails_afterwards() {
        let directory = tempfile::tempdir().unwrap();
        let file = file(&directory);
        file.save(&durable(1)).unwrap();
        fs::create_dir(directory.path().join("agreement.cbor.new")).unwrap();
        let told = Told { times: Histogram::new(DISK_BOUNDS), failures: 0, trouble: None };
        let shared = Arc::new(Shared {
            waiting: Mutex::default(),
            changed: Condvar::new(),
            told: Mutex::new(told),
        });
        let thread = Thread { file, shared, done: watch::channel(None).0 };
        let (mut aside, record) = (Some(".set-aside"), (Life(1), WriteId(1), durable(2)));
        assert!(thread.carry_out(&mut aside, Some(&record)).is_err());
        assert_eq!(aside, None);
        assert!(directory.path().join("agreement.cbor.set-aside").exists());
    }

    #[tokio::test]
    async fn a_file_is_set_aside_before_the_next_one() {
        let directory = tempfile::tempdir().unwrap();
        let file = file(&directory);
        let mut writer = Writer::start(file.clone()).unwrap();
        writer.write(Life(0), WriteId(1), durable(1));
        writer.written().await;
        writer.set_aside(".set-aside");
        writer.write(Life(1), WriteId(1), durable(2));
        assert_eq!(writer.written().await, Some((Life(1), WriteId(1))));
        assert_eq!(voter(&file), VoterId(2));
        assert!(directory.path().join("agreement.cbor.set-aside").exists());
    }
}
