//! The clients: they write, append, read and delete files at any machine that runs.

use super::catalog::PublishHow;
use super::machine::Reading;
use super::{Happening, SECOND, World, name};
use memberd_files::{FilePath, OperationId, Reader, ReaderError, Writer, WriterError, Written};
use rand::RngExt;
use std::sync::Arc;
use std::time::Duration;

/// One write of a client.
#[derive(Clone)]
pub struct Operation {
    pub machine: usize,
    pub path: FilePath,
    pub how: PublishHow,
    pub content: Arc<Vec<u8>>,
    /// What was handed over.
    pub fed: usize,
    pub is_open: bool,
    /// What the client heard.
    pub result: Option<Result<(), WriterError>>,
    pub is_applied: bool,
}

/// Content that differs for each seed at every place.
pub fn content(seed: u64, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    blake3::Hasher::new().update(&seed.to_be_bytes()).finalize_xof().fill(&mut bytes);
    bytes
}

impl World {
    /// Clients begin operations until a moment.
    pub fn clients_until(&mut self, end: Duration) {
        let mut at = self.now;
        while at < end {
            at += self.span(100, 1_500);
            self.at(at, Happening::Client);
        }
    }

    pub fn client(&mut self) {
        let up: Vec<usize> =
            (0..self.machines.len()).filter(|i| self.machines[*i].runs()).collect();
        if up.is_empty() {
            return;
        }
        let machine = up[self.rng.random_range(0..up.len())];
        let path = FilePath::parse(&format!("/share/f{}", self.rng.random_range(0..20))).unwrap();
        match self.rng.random_range(0..100) {
            0..55 => {
                let length = match self.rng.random_range(0..10) {
                    0 => self.rng.random_range(0..16_384),
                    1..8 => self.rng.random_range(17_000..500_000),
                    _ => self.rng.random_range(1_000_000..2_600_000),
                };
                let how = match self.rng.random_range(0..4) {
                    0 => PublishHow::Create,
                    1 if length > 17_000 => PublishHow::Append,
                    _ => PublishHow::Replace,
                };
                self.put(machine, path, how, length);
            }
            55..95 => self.get(machine, path),
            _ => {
                if self.catalog.delete(&path) {
                    self.history.change(&path, self.now, None);
                }
            }
        }
    }

    /// Begins to write.
    pub fn put(
        &mut self,
        machine: usize,
        path: FilePath,
        how: PublishHow,
        length: usize,
    ) -> OperationId {
        let id = OperationId(self.rng.random());
        let (view, hints) =
            (self.machines[machine].view.clone(), self.machines[machine].hints.clone());
        let what = (id, path.share().clone());
        let put = Writer::new(self.settings.clone(), what, view, hints, self.boot());
        self.machines[machine].puts.insert(id, put);
        let content = Arc::new(content(self.rng.random(), length));
        let operation = Operation {
            machine,
            path,
            how,
            content,
            fed: 0,
            is_open: true,
            result: None,
            is_applied: false,
        };
        self.operations.insert(id, operation);
        self.feed(machine, id);
        id
    }

    /// The client hands over what there is room for.
    pub fn feed(&mut self, machine: usize, id: OperationId) {
        let now = self.boot();
        let Some(operation) = self.operations.get_mut(&id) else { return };
        let Some(put) = self.machines[machine].puts.get_mut(&id) else { return };
        let rest = operation.content.len() - operation.fed;
        let most = put.room().min(rest).min(200_000);
        if rest == 0 {
            put.end(now);
        } else {
            put.push(now, &operation.content[operation.fed..operation.fed + most]);
            operation.fed += most;
            let at = self.now + self.span(0, if most == 0 { 60 } else { 6 });
            let process = self.machines[machine].process;
            self.at(at, Happening::Feed { machine, process, operation: id });
        }
        self.drain(machine);
    }

    pub fn put_done(&mut self, id: OperationId, result: &Result<Written, WriterError>) {
        let operation = self.operations.get_mut(&id).unwrap();
        operation.is_open = false;
        operation.result = Some(result.as_ref().map(|_| ()).map_err(WriterError::clone));
        if result.is_ok() && !operation.is_applied {
            let path = operation.path.clone();
            self.broken(format!("a write of {path} was acknowledged and is not in the catalog"));
        }
    }

    /// Begins to read a whole file.
    pub fn get(&mut self, machine: usize, path: FilePath) {
        let id = self.rng.random_range(0..1_u64 << 40);
        let (view, hints) =
            (self.machines[machine].view.clone(), self.machines[machine].hints.clone());
        let first = id << 20;
        let seed = (self.rng.random(), first & !(1 << 63));
        let get = Reader::new(name(machine), (0, None), seed, view, hints, self.boot());
        let reading = Reading { get, path, since: self.now, bytes: Vec::new() };
        self.machines[machine].gets.insert(id, reading);
        self.drain(machine);
    }

    pub fn take(&mut self, machine: usize, get: u64) {
        let now = self.boot();
        if let Some(reading) = self.machines[machine].gets.get_mut(&get) {
            reading.get.taken(now);
        }
        self.drain(machine);
    }

    pub fn get_done(&mut self, reading: &Reading, result: Result<(), ReaderError>) {
        self.history.reads += 1;
        let versions = self.history.between(&reading.path, reading.since, self.now);
        let fits = match result {
            Ok(()) => versions
                .iter()
                .any(|one| one.as_ref().is_some_and(|content| **content == reading.bytes)),
            Err(ReaderError::Missing) => versions.iter().any(Option::is_none),
            // What was replaced or deleted meanwhile may go.
            Err(_) if versions.len() > 1 || !self.is_calm => true,
            Err(_) if reading.since < self.calm_since => true,
            Err(_) => false,
        };
        if !fits {
            let (path, length) = (&reading.path, reading.bytes.len());
            self.broken(format!(
                "a read of {path} gave {result:?} and {length} bytes of no version"
            ));
        }
    }

    /// Reads every file from some machine, and waits for the ends.
    pub fn read_all(&mut self) {
        let paths: Vec<FilePath> = self.catalog.files.keys().cloned().collect();
        let up: Vec<usize> =
            (0..self.machines.len()).filter(|i| self.machines[*i].runs()).collect();
        for path in paths {
            let machine = up[self.rng.random_range(0..up.len())];
            self.get(machine, path);
        }
        self.run(60 * SECOND);
        let open: usize = self.machines.iter().map(|machine| machine.gets.len()).sum();
        if open > 0 && self.violation.is_none() {
            self.broken(format!("{open} reads did not end"));
        }
    }
}
