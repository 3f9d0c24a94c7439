//! One machine of the world: its disk, and on it the holder, the repairer and the operations of
//! clients, as a daemon would wire them.

use super::disk::Disk;
use super::{Happening, World, index, name};
use memberd_files::{
    Epoch, ExtentId, ExtentJob, ExtentUse, FileContent, FilePath, FilesView, Hints, Holder,
    HolderOutput, OperationId, Publish, PublishAnswer, Reader, ReaderOutput, RepairOutput,
    Repairer, SetAnswer, SetChange, ShareName, Transfer, Writer, WriterOutput,
};
use rand::RngExt;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// What is asked of the catalog.
#[derive(Clone)]
pub enum Question {
    Publish(Publish),
    Lookup(u64, FilePath),
    Set(SetChange),
    Holders(ExtentId),
    InUse(ShareName, Vec<ExtentId>),
}

/// What it says.
#[derive(Clone)]
pub enum Reply {
    Published(OperationId, PublishAnswer),
    Found(u64, Option<FileContent>),
    Set(ExtentId, SetAnswer),
    InUse(ShareName, Epoch, Vec<(ExtentId, ExtentUse)>),
}

/// A file that is read.
pub struct Reading {
    pub get: Reader,
    pub path: FilePath,
    pub since: Duration,
    pub bytes: Vec<u8>,
}

#[derive(Default)]
pub struct Machine {
    pub process: u32,
    pub holder: Option<Holder>,
    pub repairer: Option<Repairer>,
    pub puts: BTreeMap<OperationId, Writer>,
    pub gets: BTreeMap<u64, Reading>,
    pub disk: Disk,
    pub view: Arc<FilesView>,
    pub hints: Hints,
    disk_free: Duration,
    woken_for: Option<Duration>,
}

impl Machine {
    pub fn runs(&self) -> bool {
        self.holder.is_some()
    }
}

impl World {
    /// Starts the process of a machine with what its disk has.
    pub fn start(&mut self, i: usize) {
        let now = self.boot();
        let (settings, view) = (self.settings.clone(), self.view.clone());
        let machine = &mut self.machines[i];
        machine.process += 1;
        machine.disk_free = self.now;
        machine.woken_for = None;
        machine.hints = Hints::default();
        machine.view = Arc::default();
        // The store forgets what no process goes on with.
        machine.disk.spool.clear();
        let stored = machine.disk.stored();
        machine.holder = Some(Holder::new(name(i), settings.clone(), stored, now));
        machine.repairer = Some(Repairer::new(name(i), settings, now));
        self.show_view(i, &view);
    }

    /// The process ends, and what was not synced is lost in part.
    pub fn crash(&mut self, i: usize) {
        let machine = &mut self.machines[i];
        (machine.holder, machine.repairer) = (None, None);
        machine.puts.clear();
        machine.gets.clear();
        let spools: Vec<_> = machine.disk.spool.keys().copied().collect();
        for extent in spools {
            let keep = self.rng.random_range(0.0..1.0);
            if let Some(spool) = self.machines[i].disk.spool.get_mut(&extent) {
                spool.truncate((spool.len() as f64 * keep) as usize);
            }
        }
        for operation in self.operations.values_mut().filter(|one| one.machine == i) {
            operation.is_open = false;
        }
    }

    pub fn show_view(&mut self, i: usize, view: &Arc<FilesView>) {
        let now = self.boot();
        let machine = &mut self.machines[i];
        if !machine.runs() || view.epoch <= machine.view.epoch {
            return;
        }
        let is_new = !machine.view.members.contains_key(&name(i));
        machine.view = view.clone();
        let hints = machine.hints.clone();
        if let Some(holder) = &mut machine.holder {
            holder.handle_view(now, view.epoch, is_new);
        }
        if let Some(repairer) = &mut machine.repairer {
            repairer.handle_view(now, view.clone(), hints.clone(), &BTreeSet::new());
        }
        for put in machine.puts.values_mut() {
            put.handle_view(now, view.clone(), hints.clone());
        }
        for reading in machine.gets.values_mut() {
            reading.get.handle_view(now, view.clone(), hints.clone());
        }
        self.drain(i);
    }

    pub fn hint(&mut self, i: usize, about: usize, is_failed: bool) {
        let machine = &mut self.machines[i];
        if is_failed {
            machine.hints.failed.insert(name(about));
        } else {
            machine.hints.failed.remove(&name(about));
        }
        self.show_hints(i);
    }

    pub fn show_hints(&mut self, i: usize) {
        let now = self.boot();
        let machine = &mut self.machines[i];
        let (view, hints) = (machine.view.clone(), machine.hints.clone());
        if let Some(repairer) = &mut machine.repairer {
            repairer.handle_view(now, view.clone(), hints.clone(), &BTreeSet::new());
        }
        for put in machine.puts.values_mut() {
            put.handle_view(now, view.clone(), hints.clone());
        }
        for reading in machine.gets.values_mut() {
            reading.get.handle_view(now, view.clone(), hints.clone());
        }
        self.drain(i);
    }

    /// Another machine has begun anew.
    pub fn tell_restart(&mut self, i: usize, about: usize) {
        let now = self.boot();
        if let Some(repairer) = &mut self.machines[i].repairer {
            repairer.handle_restarted(now, &name(about));
        }
        self.drain(i);
    }

    pub fn message(&mut self, from: usize, to: usize, message: &Transfer) {
        let (now, from) = (self.boot(), name(from));
        let machine = &mut self.machines[to];
        let (Some(holder), Some(repairer)) = (&mut machine.holder, &mut machine.repairer) else {
            return;
        };
        match message {
            Transfer::Got { .. } | Transfer::Sealed { .. } | Transfer::Refused { .. } => {
                for put in machine.puts.values_mut() {
                    put.handle_message(now, &from, message);
                }
                repairer.handle_message(now, &from, message);
            }
            Transfer::Lacks { .. } => repairer.handle_message(now, &from, message),
            Transfer::Data { .. } => {
                holder.handle_message(now, &from, message.clone());
                for reading in machine.gets.values_mut() {
                    reading.get.handle_message(now, &from, message);
                }
            }
            _ => holder.handle_message(now, &from, message.clone()),
        }
        self.drain(to);
    }

    pub fn run_job(&mut self, i: usize, id: u64, job: ExtentJob) {
        let (now, seals, drops) = (self.boot(), is_seal(&job), is_drop(&job));
        let machine = &mut self.machines[i];
        let result = machine.disk.run(job);
        if let (Some(extent), Ok(_)) = (seals, &result) {
            self.sealed.insert((i, extent));
        }
        if let Some(holder) = &mut machine.holder {
            holder.handle_disk(now, id, result);
        }
        if let Some(extent) = drops {
            self.check_kept(extent, &format!("vm{i} removed it"));
        }
        self.drain(i);
    }

    pub fn wake(&mut self, i: usize) {
        let now = self.boot();
        let machine = &mut self.machines[i];
        machine.woken_for = None;
        if let Some(holder) = &mut machine.holder {
            holder.handle_timeout(now);
        }
        if let Some(repairer) = &mut machine.repairer {
            repairer.handle_timeout(now);
        }
        machine.puts.values_mut().for_each(|put| put.handle_timeout(now));
        machine.gets.values_mut().for_each(|reading| reading.get.handle_timeout(now));
        self.drain(i);
    }

    /// Does what the state machines of a machine want, until they want no more.
    pub fn drain(&mut self, i: usize) {
        loop {
            if let Some(output) = self.machines[i].holder.as_mut().and_then(Holder::poll_output) {
                self.holder_output(i, output);
                continue;
            }
            let repairer = self.machines[i].repairer.as_mut();
            if let Some(output) = repairer.and_then(Repairer::poll_output) {
                match output {
                    RepairOutput::Send { to, message } => self.send(i, &to, message),
                    RepairOutput::AskSet(change) => self.ask(i, Question::Set(change)),
                    RepairOutput::AskHolders { extent, .. } => {
                        self.ask(i, Question::Holders(extent));
                    }
                }
                continue;
            }
            let mut puts = self.machines[i].puts.iter_mut();
            if let Some((id, output)) = puts.find_map(|(id, put)| Some((*id, put.poll_output()?))) {
                self.put_output(i, id, output);
                continue;
            }
            let mut gets = self.machines[i].gets.iter_mut();
            let output = gets.find_map(|(id, one)| Some((*id, one.get.poll_output()?)));
            let Some((id, output)) = output else { break };
            self.get_output(i, id, output);
        }
        self.schedule_wake(i);
    }

    fn schedule_wake(&mut self, i: usize) {
        let machine = &self.machines[i];
        let puts = machine.puts.values().filter_map(Writer::poll_timeout);
        let gets = machine.gets.values().filter_map(|reading| reading.get.poll_timeout());
        let holder = machine.holder.as_ref().and_then(Holder::poll_timeout);
        let repairer = machine.repairer.as_ref().and_then(Repairer::poll_timeout);
        let due = puts.chain(gets).chain(holder).chain(repairer).min();
        let Some(due) = due.map(|due| due.since_epoch().max(self.now)) else { return };
        if machine.woken_for.is_some_and(|at| at <= due) {
            return;
        }
        let process = machine.process;
        self.machines[i].woken_for = Some(due);
        self.at(due, Happening::Wake { machine: i, process });
    }

    fn holder_output(&mut self, i: usize, output: HolderOutput) {
        let now = self.boot();
        match output {
            HolderOutput::Send { to, message } => self.send(i, &to, message),
            HolderOutput::Job { id, job } => {
                let mut span = match job {
                    ExtentJob::Seal { .. } => self.span(1, 12),
                    _ => self.span(0, 1),
                };
                if !self.is_calm && self.rng.random_bool(0.002) {
                    span += self.span(100, 4_000);
                }
                let at = self.machines[i].disk_free.max(self.now) + span;
                self.machines[i].disk_free = at;
                let process = self.machines[i].process;
                self.at(at, Happening::Disk { machine: i, process, id, job });
            }
            HolderOutput::AskInUse { share, extents } => {
                self.ask(i, Question::InUse(share, extents));
            }
            HolderOutput::Held(stored) => {
                if let Some(repairer) = &mut self.machines[i].repairer {
                    repairer.handle_held(now, stored);
                }
            }
            HolderOutput::Dropped(extent) => {
                if let Some(repairer) = &mut self.machines[i].repairer {
                    repairer.handle_dropped(now, extent);
                }
            }
            HolderOutput::BadCopy(_) => {}
            HolderOutput::StorageFailed => {
                for machine in 0..self.machines.len() {
                    let at = self.now + self.span(100, 1_500);
                    self.at(at, Happening::Dead { machine, about: i });
                }
            }
        }
    }

    fn put_output(&mut self, i: usize, id: OperationId, output: WriterOutput) {
        match output {
            WriterOutput::Send { to, message } => self.send(i, &to, message),
            WriterOutput::Publish(publish) => self.ask(i, Question::Publish(publish)),
            WriterOutput::Done(result) => {
                self.machines[i].puts.remove(&id);
                self.put_done(id, &result);
            }
        }
    }

    fn get_output(&mut self, i: usize, id: u64, output: ReaderOutput) {
        match output {
            ReaderOutput::Lookup => {
                let path = self.machines[i].gets[&id].path.clone();
                self.ask(i, Question::Lookup(id, path));
            }
            ReaderOutput::Send { to, message } => self.send(i, &to, message),
            ReaderOutput::Length(_) => {}
            ReaderOutput::Data(piece) => {
                let reading = self.machines[i].gets.get_mut(&id).unwrap();
                reading.bytes.extend_from_slice(&piece);
                let at = self.now + self.span(0, 20);
                let process = self.machines[i].process;
                self.at(at, Happening::Taken { machine: i, process, get: id });
            }
            ReaderOutput::Done(result) => {
                let reading = self.machines[i].gets.remove(&id).unwrap();
                self.get_done(&reading, result);
            }
        }
    }

    /// A question goes to the catalog; it, or its answer, may be lost.
    fn ask(&mut self, i: usize, question: Question) {
        let late = self.span(0, 4);
        let lost = self.network.loss * 4.0;
        if self.is_cut(i, i) || self.rng.random_bool(lost.min(1.0)) {
            return self.ask_again_later(i, question);
        }
        let (at, process) = (self.now + late, self.machines[i].process);
        self.at(at, Happening::Asked { machine: i, process, question });
    }

    /// A daemon asks a lookup again by itself; all others are asked again by who asked.
    fn ask_again_later(&mut self, i: usize, question: Question) {
        if matches!(question, Question::Lookup(..)) {
            let (at, process) = (self.now + super::SECOND, self.machines[i].process);
            self.at(at, Happening::Asked { machine: i, process, question });
        }
    }

    pub fn ask_catalog(&mut self, machine: usize, process: u32, question: Question) {
        if self.is_cut(machine, machine) {
            return self.ask_again_later(machine, question);
        }
        let reply = match question {
            Question::Publish(publish) => {
                let operation = &self.operations[&publish.operation];
                let what = (&operation.path, operation.how);
                let (answer, is_new) = self.catalog.publish(self.view.epoch, &publish, what);
                if is_new {
                    self.published(&publish);
                }
                let lost = self.rng.random_bool((self.network.loss * 4.0).min(1.0));
                if lost {
                    return;
                }
                Reply::Published(publish.operation, answer)
            }
            Question::Lookup(id, path) => Reply::Found(id, self.catalog.files.get(&path).cloned()),
            Question::Set(change) => {
                let answer = self.catalog.set(&change);
                self.recorded(&change, &answer);
                Reply::Set(change.extent, answer)
            }
            Question::Holders(extent) => {
                let set = self.catalog.extent(extent).map(|one| SetAnswer::Is(one.set.clone()));
                Reply::Set(extent, set.unwrap_or(SetAnswer::Unknown))
            }
            Question::InUse(share, extents) => {
                let uses = self.catalog.in_use(&extents);
                Reply::InUse(share, self.view.epoch, uses)
            }
        };
        let at = self.now + self.span(0, 4);
        self.at(at, Happening::Replied { machine, process, reply });
    }

    pub fn reply(&mut self, i: usize, reply: Reply) {
        let now = self.boot();
        let machine = &mut self.machines[i];
        match reply {
            Reply::Published(operation, answer) => {
                if let Some(put) = machine.puts.get_mut(&operation) {
                    put.handle_published(now, answer);
                }
            }
            Reply::Found(id, found) => {
                if let Some(reading) = machine.gets.get_mut(&id) {
                    reading.get.handle_lookup(now, found);
                }
            }
            Reply::Set(extent, answer) => {
                if let Some(repairer) = &mut machine.repairer {
                    repairer.handle_set(now, extent, answer);
                }
            }
            Reply::InUse(share, epoch, uses) => {
                if let Some(holder) = &mut machine.holder {
                    holder.handle_in_use(now, &share, epoch, uses);
                }
            }
        }
        self.drain(i);
    }
}

fn is_seal(job: &ExtentJob) -> Option<ExtentId> {
    if let ExtentJob::Seal { extent, .. } = job { Some(*extent) } else { None }
}

fn is_drop(job: &ExtentJob) -> Option<ExtentId> {
    if let ExtentJob::Drop { extent } = job { Some(*extent) } else { None }
}

/// The machines of names.
pub fn indices<'a>(names: impl IntoIterator<Item = &'a memberd_files::Name>) -> Vec<usize> {
    names.into_iter().map(index).collect()
}
