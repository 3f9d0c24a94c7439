//! The thread that owns what this machine keeps of files on its disk. All jobs that wait are made
//! durable together.
//!
//! Once a write or an fsync has failed, every job is refused: the task goes on without a disk, and
//! others repair what was here.

use crate::lock::lock;
use crate::metrics::histogram::{DISK_BOUNDS, Histogram};
use memberd_files::store::{
    Done, Job, JobId, OpenError, RealDisk, Refused, Store, StoreSettings, StoreState, StoreStatus,
};
use memberd_files::{ExtentId, OnDisk};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot};
use tracing::{error, info, warn};

/// With so many jobs or bytes in the queue, the task takes nothing that makes more of them.
const QUEUE: (usize, usize) = (1_024, 16 << 20);

/// The most jobs that are made durable together.
const BATCH: usize = 1_024;

/// The most answers that wait for the task, in batches.
const EVENTS: usize = 64;

/// The pause between idle steps.
const IDLE: Duration = Duration::from_secs(1);

/// What the thread says.
#[derive(Debug)]
pub(super) enum Event {
    /// The disk is open, and has this.
    Opened(Box<OnDisk>),
    /// It cannot be opened.
    Closed,
    /// Jobs have ended.
    Done(Vec<(JobId, Result<Done, Refused>)>),
    /// After a commit: how it stands, and the damaged copies that it found since.
    Stands(Box<StoreStatus>, Vec<ExtentId>),
}

/// Figures of the disk.
#[derive(Debug, Clone)]
pub(super) struct DiskFigures {
    /// How it stands, once it is open.
    pub(super) store: Option<StoreStatus>,
    /// Why it cannot be opened.
    pub(super) failure: Option<String>,
    /// How long commits took.
    pub(super) commits: Histogram,
}

/// The thread. It ends with this, after what it has taken.
#[derive(Debug)]
pub(super) struct DiskThread {
    orders: Sender<Order>,
    queued: Arc<Queued>,
    events: mpsc::Receiver<Event>,
    figures: Arc<Mutex<DiskFigures>>,
}

#[derive(Debug)]
enum Order {
    Job(JobId, Box<Job>),
    End(oneshot::Sender<()>),
}

/// What waits, in jobs and bytes.
#[derive(Debug, Default)]
struct Queued {
    jobs: AtomicUsize,
    bytes: AtomicUsize,
}

impl DiskThread {
    /// Starts the thread, which opens the store in this directory.
    ///
    /// # Errors
    /// When there is no thread.
    pub(super) fn start(directory: PathBuf, settings: StoreSettings) -> io::Result<DiskThread> {
        let (orders, received) = channel();
        let (sender, events) = mpsc::channel(EVENTS);
        let queued = Arc::new(Queued::default());
        let commits = Histogram::new(DISK_BOUNDS);
        let figures = Arc::new(Mutex::new(DiskFigures { store: None, failure: None, commits }));
        let end = ThreadEnd {
            orders: received,
            queued: Arc::clone(&queued),
            events: sender,
            figures: Arc::clone(&figures),
        };
        thread::Builder::new()
            .name("files-disk".to_owned())
            .spawn(move || end.run(&directory, settings))?;
        Ok(DiskThread { orders, queued, events, figures })
    }

    /// Asks for a job. An event follows. Jobs are done in this order.
    pub(super) fn ask(&self, id: JobId, job: Job) {
        self.queued.jobs.fetch_add(1, Ordering::Relaxed);
        self.queued.bytes.fetch_add(weight(&job), Ordering::Relaxed);
        // A thread that has ended does nothing: only the task ends it.
        let _ = self.orders.send(Order::Job(id, Box::new(job)));
    }

    /// Whether more jobs may be made for the sake of others' data.
    pub(super) fn has_room(&self) -> bool {
        let (jobs, bytes) = QUEUE;
        self.queued.jobs.load(Ordering::Relaxed) < jobs
            && self.queued.bytes.load(Ordering::Relaxed) < bytes
    }

    /// What the thread says next. It can be dropped and called again.
    pub(super) async fn event(&mut self) -> Option<Event> {
        self.events.recv().await
    }

    /// The figures of the disk.
    pub(super) fn figures(&self) -> DiskFigures {
        lock(&self.figures).clone()
    }

    /// Has it end once everything is durable, and returns then.
    pub(super) async fn end(mut self) {
        let (ended, end) = oneshot::channel();
        if self.orders.send(Order::End(ended)).is_ok() {
            // Nobody takes its answers any more.
            self.events.close();
            let _ = end.await;
        }
    }
}

/// The bytes that a job carries.
fn weight(job: &Job) -> usize {
    match job {
        Job::Append { entries, .. } => entries.iter().map(Vec::len).sum(),
        Job::Piece { bytes, .. } | Job::ImagePiece { bytes, .. } => bytes.len(),
        _ => 0,
    }
}

/// What the thread has.
struct ThreadEnd {
    orders: Receiver<Order>,
    queued: Arc<Queued>,
    events: mpsc::Sender<Event>,
    figures: Arc<Mutex<DiskFigures>>,
}

impl ThreadEnd {
    fn run(self, directory: &Path, settings: StoreSettings) {
        let opened = open(directory, settings);
        match opened {
            Ok((store, on_disk)) => {
                self.tell(Event::Opened(Box::new(on_disk)));
                self.serve(store);
            }
            Err(why) => {
                error!("files cannot be kept on this machine: {why}");
                lock(&self.figures).failure = Some(why.clone());
                self.tell(Event::Closed);
                self.refuse_all(&why);
            }
        }
    }

    fn serve(&self, mut store: Store<RealDisk>) {
        let begun = Instant::now();
        let mut step_at = begun + IDLE;
        let mut has_failed = false;
        loop {
            self.report(&mut store, &mut has_failed);
            let pause = step_at.saturating_duration_since(Instant::now());
            let end = match self.orders.recv_timeout(pause) {
                Ok(order) => self.carry_out(&mut store, order),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => return store.close(),
            };
            if let Some(ended) = end {
                store.close();
                // The task may have given up.
                let _ = ended.send(());
                return;
            }
            if Instant::now() >= step_at {
                store.idle_step(u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX));
                step_at = Instant::now() + IDLE;
            }
        }
    }

    /// Takes all jobs that wait, and makes them durable together. Reads are answered before that.
    /// Returns who waits for the end.
    fn carry_out(&self, store: &mut Store<RealDisk>, first: Order) -> Option<oneshot::Sender<()>> {
        let mut end = None;
        let mut next = Some(first);
        for _ in 0..BATCH {
            match next.take().or_else(|| self.orders.try_recv().ok()) {
                Some(Order::Job(id, job)) => {
                    self.note_taken(&job);
                    store.take(id, *job);
                }
                Some(Order::End(ended)) => {
                    end = Some(ended);
                    break;
                }
                None => break,
            }
        }
        self.pass_on(store);
        let begun = Instant::now();
        store.commit();
        if self.pass_on(store) {
            lock(&self.figures).commits.observe(begun.elapsed());
        }
        end
    }

    fn note_taken(&self, job: &Job) {
        self.queued.jobs.fetch_sub(1, Ordering::Relaxed);
        self.queued.bytes.fetch_sub(weight(job), Ordering::Relaxed);
    }

    /// Hands the answers to the task. Returns whether there were any.
    fn pass_on(&self, store: &mut Store<RealDisk>) -> bool {
        let mut done = Vec::new();
        while let Some(one) = store.poll_done() {
            done.push(one);
        }
        let is_some = !done.is_empty();
        if is_some {
            self.tell(Event::Done(done));
        }
        is_some
    }

    /// Tells how the store stands, and logs what it noticed.
    fn report(&self, store: &mut Store<RealDisk>, has_failed: &mut bool) {
        for note in store.take_notes() {
            warn!("{note}");
        }
        let status = store.status();
        if let StoreState::Failed(why) = &status.state
            && !*has_failed
        {
            *has_failed = true;
            error!(
                "the storage of files has failed, and nothing more is kept here: {why}; look \
                after the disk, then restart memberd"
            );
        }
        let bad = store.take_bad();
        let mut figures = lock(&self.figures);
        let differs = figures.store.as_ref() != Some(&status);
        figures.store = Some(status.clone());
        drop(figures);
        if differs || !bad.is_empty() {
            self.tell(Event::Stands(Box::new(status), bad));
        }
    }

    fn refuse_all(&self, why: &str) {
        while let Ok(order) = self.orders.recv() {
            match order {
                Order::Job(id, job) => {
                    self.note_taken(&job);
                    let refused = Err(Refused::Failed(why.to_owned()));
                    self.tell(Event::Done(vec![(id, refused)]));
                }
                Order::End(ended) => {
                    // The task may have given up.
                    let _ = ended.send(());
                    return;
                }
            }
        }
    }

    /// Waits while the task has not taken what came before. At the end nobody listens.
    fn tell(&self, event: Event) {
        let _ = self.events.blocking_send(event);
    }
}

fn open(directory: &Path, settings: StoreSettings) -> Result<(Store<RealDisk>, OnDisk), String> {
    let at = directory.display().to_string();
    let disk = make(directory).map_err(|error| format!("{at}: {error}"))?;
    let mut store = Store::open(disk, settings).map_err(|error| match error {
        OpenError::Disk { path, error } => format!("{at}/{path}: {error}"),
        OpenError::Damaged(why) => format!(
            "{at}: {why}; other members have the files: move the \
                                            directory away, then restart memberd"
        ),
    })?;
    let on_disk = OnDisk::load(&mut store).map_err(|error| format!("{at}: {error}"))?;
    let status = store.status();
    info!(extents = status.extents, used_bytes = status.used_bytes, "the storage of files is open");
    Ok((store, on_disk))
}

/// Only its owner may enter the directory.
fn make(directory: &Path) -> io::Result<RealDisk> {
    use std::os::unix::fs::DirBuilderExt as _;
    match std::fs::DirBuilder::new().mode(0o700).create(directory) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        made => made?,
    }
    RealDisk::open(directory)
}

#[cfg(test)]
mod tests {
    use super::*;
    use memberd_files::{Epoch, ShareName};

    const SETTINGS: StoreSettings = StoreSettings { space_bytes: 1 << 30, salt: 7 };

    fn promise(epoch: u64) -> Job {
        let share = ShareName::new("s").unwrap();
        Job::Promise { share, epoch: Epoch(epoch), memo: vec![1] }
    }

    async fn done(disk: &mut DiskThread) -> (JobId, Result<Done, Refused>) {
        loop {
            match disk.event().await.unwrap() {
                Event::Done(mut done) => return done.remove(0),
                Event::Closed => panic!("closed"),
                Event::Opened(_) | Event::Stands(..) => {}
            }
        }
    }

    #[tokio::test]
    async fn what_was_done_is_there_after_the_end() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("files");
        let mut disk = DiskThread::start(path.clone(), SETTINGS).unwrap();
        disk.ask(JobId(1), promise(3));
        assert_eq!(done(&mut disk).await, (JobId(1), Ok(Done::Durable)));
        assert!(disk.has_room());
        disk.end().await;
        let mut disk = DiskThread::start(path, SETTINGS).unwrap();
        disk.ask(JobId(1), promise(2));
        assert_eq!(done(&mut disk).await, (JobId(1), Err(Refused::Outdated)));
        disk.end().await;
    }

    /// The task must not make ever more jobs while the disk is slow.
    #[tokio::test]
    async fn a_full_queue_has_no_room() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("files");
        let mut disk = DiskThread::start(path, SETTINGS).unwrap();
        // It waits, since nobody takes its answers.
        let bytes = vec![0; Job::MAX_BYTES];
        let mut asked = 0;
        while disk.has_room() {
            asked += 1;
            assert!(asked < 10_000, "always room");
            let (id, bytes) = (ExtentId(1), bytes.clone());
            disk.ask(JobId(asked), Job::Piece { id, offset: 0, bytes });
        }
        for _ in 0..asked {
            if disk.has_room() {
                break;
            }
            // Whatever became of it, it has left the queue.
            drop(done(&mut disk).await);
        }
        assert!(disk.has_room());
    }

    /// Reads elsewhere go on, so the task must hear of each job.
    #[tokio::test]
    async fn without_a_disk_all_jobs_are_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("files");
        std::fs::write(&path, "no directory").unwrap();
        let mut disk = DiskThread::start(path, SETTINGS).unwrap();
        assert!(matches!(disk.event().await, Some(Event::Closed)));
        disk.ask(JobId(1), promise(1));
        assert!(matches!(done(&mut disk).await, (JobId(1), Err(Refused::Failed(_)))));
        assert!(disk.figures().failure.is_some());
    }
}
