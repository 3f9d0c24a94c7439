//! The task that owns this machine's [`Engine`]. It hands messages, the group, the file system's
//! answers, what was read of logs and the requests of clients to it, and carries out what it asks
//! for. It never waits for a disk, a log, a client or another member.

use super::describe::Here;
use super::engine::{Engine, Work};
use super::group::Group;
use super::incoming::Received;
use super::links::Links;
use super::notes;
use super::readers::{Asked, Found, Read, Readers};
use super::source::Sources;
use super::store::{JobStore, TableFound};
use super::{Command, Told};
use crate::boot_time::{self, BootTimer};
use crate::files::members::Peers;
use memberd_council::BootTime;
use memberd_jobs::{
    AskId, FileKey, JobFile, JobId, JobSpec, Message, Name, Now, StoreAnswer, StoreAsk, Table,
};
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, mpsc, watch};
use tracing::{debug, error, warn};

/// What was asked of the file system, and what it answered.
type Answered = (AskId, JobFile, StoreAnswer);

/// How many answers wait. Who answers waits when there are more.
pub(super) const ANSWERS: usize = 64;

/// The parts that the task starts with.
#[derive(Debug)]
pub(super) struct Parts {
    pub(super) engine: Engine,
    pub(super) links: Links,
    pub(super) timer: BootTimer,
    pub(super) messages: mpsc::Receiver<Received>,
    pub(super) group: watch::Receiver<Group>,
    pub(super) peers: watch::Receiver<Peers>,
    pub(super) store: JobStore,
    pub(super) sources: Sources,
    pub(super) commands: mpsc::Receiver<Command>,
}

/// What woke the task.
enum Wake {
    Timer,
    Message(Box<Received>),
    Group,
    Answered(Answered),
    Read(Read),
    Command(Command),
    TableThere,
    TableLost,
    Removed(JobId),
    End,
}

/// The owner of the engine.
struct Jobs {
    parts: Parts,
    readers: Readers,
    reads: mpsc::Receiver<Read>,
    answers: mpsc::Receiver<Answered>,
    answer: mpsc::Sender<Answered>,
    /// Whoever has found the job table says so here.
    found: Arc<Notify>,
    /// Whoever has found that it is lost, here.
    lost: Arc<Notify>,
    /// Jobs whose logs are deleted.
    removals: mpsc::Receiver<JobId>,
    removed: mpsc::Sender<JobId>,
    /// The files of each job as its last look saw them.
    seen: BTreeMap<JobId, Vec<FileKey>>,
}

/// Runs until nobody sends commands any more.
pub(super) async fn run(mut parts: Parts) {
    // Who is there already counts as changed.
    parts.group.mark_changed();
    let (read, reads) = mpsc::channel(ANSWERS);
    let (answer, answers) = mpsc::channel(ANSWERS);
    let readers = Readers::new(read);
    let (removed, removals) = mpsc::channel(ANSWERS);
    let jobs = Jobs {
        parts,
        readers,
        reads,
        answers,
        answer,
        found: Arc::default(),
        lost: Arc::default(),
        removals,
        removed,
        seen: BTreeMap::new(),
    };
    jobs.run().await;
}

/// The clocks of this machine.
pub(super) fn now() -> Now {
    let now = boot_time::now();
    let boot_ms = u64::try_from(now.boot.since_epoch().as_millis()).unwrap_or(u64::MAX);
    Now { boot_ms, wall_ms: i64::try_from(now.wall.0).unwrap_or(i64::MAX) }
}

impl Jobs {
    async fn run(mut self) {
        loop {
            self.carry_out();
            let due = self.parts.engine.due_ms();
            let due = (due < u64::MAX).then(|| BootTime::from_epoch(Duration::from_millis(due)));
            if let Err(error) = self.parts.timer.set(due) {
                error!(%error, "the timer of jobs cannot be set");
            }
            match self.wake().await {
                Ok(Wake::End) => return,
                Ok(wake) => self.take(wake),
                Err(error) => {
                    error!(%error, "jobs end on this machine: start memberd again");
                    return;
                }
            }
        }
    }

    async fn wake(&mut self) -> io::Result<Wake> {
        let Parts { timer, messages, group, commands, .. } = &mut self.parts;
        Ok(tokio::select! {
            // Who is there comes first, and what is due after what has come: an answer may be in
            // the queue that is asked for again otherwise.
            biased;
            Ok(()) = group.changed() => Wake::Group,
            Some(answered) = self.answers.recv() => Wake::Answered(answered),
            Some(read) = self.reads.recv() => Wake::Read(read),
            command = commands.recv() => command.map_or(Wake::End, Wake::Command),
            () = self.found.notified() => Wake::TableThere,
            () = self.lost.notified() => Wake::TableLost,
            Some(job) = self.removals.recv() => Wake::Removed(job),
            fired = timer.fired() => fired.map(|()| Wake::Timer)?,
            Some(message) = messages.recv() => Wake::Message(Box::new(message)),
        })
    }

    fn take(&mut self, wake: Wake) {
        let (now, engine) = (now(), &mut self.parts.engine);
        match wake {
            Wake::Timer => engine.handle_timeout(now),
            Wake::Message(received) => {
                let Received { from, message, .. } = *received;
                engine.handle_message(now, &from, message);
            }
            Wake::Group => {
                let group = self.parts.group.borrow_and_update().clone();
                engine.handle_group(now, &group);
            }
            Wake::Answered((id, file, answer)) => engine.handle_store(now, (id, file), answer),
            Wake::Read(read) => self.take_read(now, read),
            Wake::Command(command) => self.handle_command(now, command),
            Wake::Removed(job) => engine.handle_removed(now, job),
            Wake::TableThere => engine.handle_table_there(now),
            Wake::TableLost => engine.handle_table_lost(now),
            Wake::End => {}
        }
    }

    fn take_read(&mut self, now: Now, Read { life, job, found }: Read) {
        let engine = &mut self.parts.engine;
        if life != engine.life() {
            return;
        }
        match found {
            Found::Look(look) => {
                let keys = look.files.iter().map(|file| file.key).collect();
                self.seen.insert(job, keys);
                engine.handle_look(now, job, &look);
            }
            Found::Folded(number, folded) => engine.handle_folded(now, (job, number), &folded),
        }
    }

    fn handle_command(&mut self, now: Now, command: Command) {
        match command {
            Command::Change(change, reply) => self.parts.engine.change(now, change, reply),
            Command::TableThere => self.parts.engine.handle_table_there(now),
            Command::TableMissed => self.parts.engine.handle_table_missed(now),
            Command::Status(job, reply) => {
                let worker = self.parts.engine.worker();
                let status = worker.and_then(|worker| worker.status(now, job));
                // Who asked may have gone.
                let _ = reply.send(status.map(Here::from).unwrap_or_default());
            }
            Command::Tell(reply) => {
                let table = self.parts.engine.table();
                let worker = self.parts.engine.worker();
                let status = |job: &JobId| worker.and_then(|worker| worker.status(now, *job));
                let told = Told {
                    statuses: table.jobs.keys().filter_map(status).collect(),
                    table,
                    leads: self.parts.engine.leads(),
                    links: self.parts.links.count(),
                    dropped: self.parts.links.dropped(),
                };
                // Who asked may have gone.
                let _ = reply.send(Box::new(told));
            }
        }
    }

    fn carry_out(&mut self) {
        while let Some(work) = self.parts.engine.poll_work() {
            match work {
                Work::Send(to, message) => self.send(&to, &message),
                Work::Store(ask) => self.ask_store(ask),
                Work::FindTable => self.find_table(),
                Work::RestoreTable(table) => self.restore_table(table),
                Work::TableRead(table, term) => self.remove_leftovers(table, term),
                Work::Remove(job) => self.remove_logs(job),
                Work::Look(job, spec) => {
                    let released = self.released(job);
                    self.read(job, spec, Asked::Look(released));
                }
                Work::Fold(ask, spec) => self.read(ask.job, spec, Asked::Fold(ask)),
                Work::Note(note) => notes::log(&note, &self.parts.engine.table()),
            }
        }
        let engine = &self.parts.engine;
        self.readers.retain(|job| engine.reads(job));
        self.seen.retain(|job, _| engine.reads(*job));
    }

    fn send(&mut self, to: &Name, message: &Message) {
        let Some(address) = self.parts.peers.borrow().get(to).map(|peer| peer.address) else {
            debug!(%to, "nobody knows the address of a member with jobs");
            return;
        };
        match memberd_jobs::encode(message) {
            Ok(bytes) => self.parts.links.send(to, address, bytes),
            Err(error) => warn!(%to, %error, "a message about jobs is not sent"),
        }
    }

    /// An answer that cannot be taken any more is that of a task that has ended.
    fn ask_store(&self, ask: StoreAsk) {
        let (store, answer) = (self.parts.store.clone(), self.answer.clone());
        let sink = self.parts.engine.sink_of(ask.file);
        tokio::spawn(async move {
            let (id, file) = (ask.id, ask.file);
            let told = store.ask(ask, &sink).await;
            let _ = answer.send((id, file, told)).await;
        });
    }

    fn find_table(&self) {
        let (store, found) = (self.parts.store.clone(), Arc::clone(&self.found));
        let lost = Arc::clone(&self.lost);
        tokio::spawn(async move {
            match store.find_table().await {
                Ok(TableFound::There) => found.notify_one(),
                Ok(TableFound::Never) => debug!("there is no job table yet"),
                Ok(TableFound::Lost) => {
                    error!("the job table is lost: it is made anew of what members know");
                    lost.notify_one();
                }
                Err(error) => debug!(%error, "the job table is not found"),
            }
        });
    }

    fn restore_table(&self, table: Option<Arc<Table>>) {
        let Some(table) = table else {
            error!("no member knows the job table that is lost: see memberctl stream start");
            return;
        };
        let (store, found) = (self.parts.store.clone(), Arc::clone(&self.found));
        tokio::spawn(async move {
            match store.restore_table(&table).await {
                Ok(()) => {
                    let jobs = table.jobs.len();
                    warn!(jobs, "the job table was lost, and is made anew");
                    found.notify_one();
                }
                Err(error) => warn!(%error, "the job table is not made anew now"),
            }
        });
    }

    fn remove_leftovers(&self, table: Arc<Table>, term: u32) {
        let store = self.parts.store.clone();
        tokio::spawn(async move {
            if let Err(error) = store.remove_leftovers(&table, term).await {
                debug!(%error, "files of former jobs are not removed now");
            }
        });
    }

    fn remove_logs(&self, job: JobId) {
        let (store, removed) = (self.parts.store.clone(), self.removed.clone());
        tokio::spawn(async move {
            match store.remove(job).await {
                // The task may have ended.
                Ok(()) => drop(removed.send(job).await),
                Err(error) => warn!(%error, "the logs of a former job are not removed now"),
            }
        });
    }

    fn read(&mut self, job: JobId, spec: Arc<JobSpec>, asked: Asked) {
        let (sources, life) = (self.parts.sources.clone(), self.parts.engine.life());
        self.readers.ask((life, job), asked, move || sources.reader(spec));
    }

    /// What is durable of the files that were seen last: their bytes may go.
    fn released(&self, job: JobId) -> BTreeMap<FileKey, u64> {
        let Some(worker) = self.parts.engine.worker() else { return BTreeMap::new() };
        let keys = self.seen.get(&job).into_iter().flatten();
        keys.map(|key| (*key, worker.released(job, *key))).collect()
    }
}
