//! The thread that owns the store. It appends what sources send, makes it durable once a second for
//! all together, and acknowledges it then. It seals and verifies when nothing else is to be done.

use super::kept_state::{End, KeptStates};
use super::status::KeepingStatus;
use crate::lock::lock;
use crate::time::wall;
use memberd_copies::block::Block;
use memberd_copies::standing::Standing;
use memberd_copies::store::{Durable, Limits, Refused, Store, StoreState};
use memberd_copies::stream::{StreamHead, StreamId};
use memberd_copies::wire::{FromKeeper, Kept};
use memberd_membership::Name;
use memberd_search::LineSpans;
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};
use tokio::time::timeout_at;
use tracing::{error, info, warn};

/// How long a block waits at most until it is made durable, with all others.
const SYNC: Duration = Duration::from_secs(1);

/// With this much it does not wait, in bytes: a source has a window of twice as much.
const SYNC_BYTES: usize = 1 << 20;

/// The pause between idle steps while copies come, and when none came for a while.
const IDLE: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(10));

/// How long copies count as coming.
const ACTIVE: Duration = Duration::from_secs(5);

/// Which connection it is. A later one has a greater number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct ConnectionId(pub(super) u64);

/// What the thread is asked to do.
#[derive(Debug)]
pub(super) enum Job {
    /// A source has come. Its earlier connection counts no more.
    Begin {
        connection: ConnectionId,
        source: Name,
        /// Takes what the source is to be told. It is dropped when the connection is to end.
        told: mpsc::Sender<FromKeeper>,
        /// Takes the standings.
        reply: oneshot::Sender<Vec<Standing>>,
    },
    /// A source says this of a stream.
    Head(ConnectionId, Box<StreamHead>),
    /// A block, and the memory that it holds.
    Block(ConnectionId, Block, OwnedSemaphorePermit),
    /// A source says how much it has not sent, and how long its looks are apart.
    Behind(ConnectionId, u64, u32),
    /// The connection has ended.
    Ended(ConnectionId, End),
    /// The settings have changed.
    Limits(Limits),
    /// The thread is to end.
    End,
}

/// A connection of a source.
struct Connection {
    source: Name,
    told: mpsc::Sender<FromKeeper>,
    /// What was appended and is not acknowledged.
    appended: HashMap<StreamId, u64>,
}

impl Connection {
    fn new(source: Name, told: mpsc::Sender<FromKeeper>) -> Self {
        Connection { source, told, appended: HashMap::new() }
    }
}

/// What the thread starts with.
#[derive(Debug)]
pub(super) struct Parts {
    pub(super) directory: PathBuf,
    pub(super) limits: Limits,
    pub(super) jobs: mpsc::Receiver<Job>,
    pub(super) states: KeptStates,
    pub(super) status: Arc<Mutex<KeepingStatus>>,
}

/// The owner of the store.
pub(super) struct Keeping {
    store: Store,
    times: LineSpans,
    connections: HashMap<ConnectionId, Connection>,
    unsynced_bytes: usize,
    sync_at: Option<Instant>,
    step_at: Instant,
    active: Instant,
    has_failed: bool,
    jobs: mpsc::Receiver<Job>,
    states: KeptStates,
    status: Arc<Mutex<KeepingStatus>>,
}

impl Keeping {
    /// Opens the store. None if it cannot be opened: then nothing is kept, and the log and the
    /// status say so.
    pub(super) fn open(parts: Parts) -> Option<Self> {
        let Parts { directory, limits, jobs, states, status } = parts;
        let store = match Store::open(&directory, limits) {
            Ok(store) => store,
            Err(error) => {
                error!(%error, "copies of other members' logs cannot be kept");
                lock(&status).failure = Some(error.to_string());
                return None;
            }
        };
        let now = Instant::now();
        Some(Keeping {
            store,
            times: LineSpans::default(),
            connections: HashMap::new(),
            unsynced_bytes: 0,
            sync_at: None,
            step_at: now,
            active: now,
            has_failed: false,
            jobs,
            states,
            status,
        })
    }

    /// Runs until it is told to end.
    pub(super) async fn run(mut self) {
        self.report();
        loop {
            let due = self.sync_at.map_or(self.step_at, |at| at.min(self.step_at));
            match timeout_at(due.into(), self.jobs.recv()).await {
                Ok(Some(Job::End) | None) => return self.sync(),
                Ok(Some(job)) => self.take(job),
                Err(_) => {}
            }
            let now = Instant::now();
            if self.sync_at.is_some_and(|at| at <= now) || self.unsynced_bytes >= SYNC_BYTES {
                self.sync();
            }
            // Others' blocks come first.
            if self.step_at <= now && self.jobs.is_empty() {
                self.step(now);
            }
        }
    }

    fn take(&mut self, job: Job) {
        match job {
            Job::Begin { connection, source, told, reply } => {
                self.connections.retain(|_, old| old.source != source);
                self.begin(connection, source, told, reply);
            }
            Job::Head(connection, head) => self.take_head(connection, *head),
            Job::Block(connection, block, memory) => {
                self.take_block(connection, &block);
                drop(memory);
            }
            Job::Behind(connection, bytes, every_ms) => {
                if let Some(Connection { source, .. }) = self.connections.get(&connection) {
                    self.states.note(source, |state| {
                        (state.behind_bytes, state.every_ms) = (Some(bytes), every_ms.into());
                    });
                }
            }
            Job::Ended(connection, end) => {
                if let Some(ended) = self.connections.remove(&connection) {
                    self.states.close(&ended.source, end);
                }
            }
            Job::Limits(limits) => {
                self.store.set_limits(limits);
                lock(&self.status).limit_bytes = limits.total_bytes;
                self.step_at = Instant::now();
            }
            Job::End => {}
        }
    }

    fn begin(
        &mut self,
        id: ConnectionId,
        source: Name,
        told: mpsc::Sender<FromKeeper>,
        reply: oneshot::Sender<Vec<Standing>>,
    ) {
        // What is not durable does not count.
        self.sync();
        let standings = match self.store.standings(&source) {
            Ok(standings) => standings,
            Err(failed) => {
                self.connections.insert(id, Connection::new(source, told));
                // It is told why first.
                drop(reply);
                return self.fail(&failed.to_string());
            }
        };
        self.states.note(&source, |state| (state.open, state.behind_bytes) = (true, None));
        info!(%source, streams = standings.len(), "copies of a member's logs are kept here");
        self.connections.insert(id, Connection::new(source, told));
        // The connection may have ended already.
        let _ = reply.send(standings);
    }

    fn take_head(&mut self, id: ConnectionId, head: StreamHead) {
        let Some(connection) = self.connections.get(&id) else { return };
        let stream = head.id;
        match self.store.head(&connection.source, head) {
            Ok(()) => self.note_unsynced(0),
            Err(reason) => self.refuse(id, stream, reason),
        }
    }

    fn take_block(&mut self, id: ConnectionId, block: &Block) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        match self.store.append(&connection.source, block) {
            Ok(end) => {
                connection.appended.insert(block.head.stream, end);
                self.note_unsynced(block.frame.len());
            }
            Err(reason) => self.refuse(id, block.head.stream, reason),
        }
    }

    fn note_unsynced(&mut self, bytes: usize) {
        let now = Instant::now();
        self.unsynced_bytes += bytes;
        self.sync_at = self.sync_at.or(Some(now + SYNC));
        if now - self.active > ACTIVE {
            self.step_at = self.step_at.min(now + IDLE.0);
        }
        self.active = now;
    }

    /// The source begins anew, or chooses another keeper.
    fn refuse(&mut self, id: ConnectionId, stream: StreamId, reason: Refused) {
        if let Refused::Failed(reason) = &reason {
            return self.fail(&reason.clone());
        }
        lock(&self.status).refused += 1;
        if let Some(connection) = self.connections.remove(&id) {
            warn!(source = %connection.source, %reason, "a copy is not kept as it came");
            self.states.close(&connection.source, End::Closed);
            // A connection that is stuck ends without it.
            let _ = connection.told.try_send(FromKeeper::Refused { stream, reason });
        }
    }

    /// Makes durable what was appended, and acknowledges it.
    fn sync(&mut self) {
        if self.sync_at.take().is_none() {
            return;
        }
        self.unsynced_bytes = 0;
        let begun = Instant::now();
        match self.store.sync() {
            Ok(durable) => {
                lock(&self.status).sync_times.observe(begun.elapsed());
                self.acknowledge(&durable);
                self.report();
            }
            Err(failed) => self.fail(&failed.to_string()),
        }
    }

    /// Acknowledges what the store says to be durable, and nothing else. A stream whose head finds
    /// no space on the disk waits for another sync.
    fn acknowledge(&mut self, durable: &[Durable]) {
        let ends: HashMap<(&Name, StreamId), u64> =
            durable.iter().map(|one| ((&one.source, one.stream), one.end)).collect();
        let states = &self.states;
        self.connections.retain(|_, connection| {
            let Connection { source, appended, told } = connection;
            let mut kept = Vec::new();
            appended.retain(|stream, end| match ends.get(&(&*source, *stream)) {
                Some(durable_end) => {
                    kept.push(Kept { stream: *stream, end: *durable_end });
                    durable_end < end
                }
                None => true,
            });
            if kept.is_empty() {
                return true;
            }
            let is_told = told.try_send(FromKeeper::Kept(kept)).is_ok();
            if !is_told {
                states.close(source, End::Closed);
            }
            is_told
        });
        if self.connections.values().any(|connection| !connection.appended.is_empty()) {
            self.sync_at = Some(Instant::now() + SYNC);
        }
    }

    /// The store takes nothing more. All sources are told, so that they choose other keepers.
    fn fail(&mut self, reason: &str) {
        if !self.has_failed {
            error!(reason, "copies of other members' logs can no longer be kept");
            self.has_failed = true;
        }
        for (_, connection) in self.connections.drain() {
            self.states.close(&connection.source, End::Closed);
            let stopped = FromKeeper::Stopped { reason: format!("it cannot keep them: {reason}") };
            // A connection that is stuck ends without it.
            let _ = connection.told.try_send(stopped);
        }
        lock(&self.status).failure = Some(reason.to_owned());
    }

    /// Does a little of what can wait.
    fn step(&mut self, now: Instant) {
        let has_more = self.store.idle_step(&mut self.times, wall().0);
        for note in self.store.take_notes() {
            warn!("{note}");
            lock(&self.status).trouble = Some(note);
        }
        if let StoreState::Failed(reason) = self.store.state() {
            self.fail(&reason);
        }
        let pause = match has_more {
            true => Duration::ZERO,
            false if now - self.active <= ACTIVE => IDLE.0,
            false => IDLE.1,
        };
        self.step_at = Instant::now() + pause;
        self.report();
    }

    fn report(&self) {
        let mut status = lock(&self.status);
        status.counts = self.store.counts();
    }
}
