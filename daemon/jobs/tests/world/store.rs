//! The replicated file system as the jobs need it, with copies on the simulated machines. What an
//! operation does happens at one moment; answers may be lost, doubled and late (`sim.rs`).

use memberd_jobs::{At, Condition, JobFile, StoreAnswer, StoreAsk, StoreOperation as Operation};
use std::collections::{BTreeMap, BTreeSet};

/// A file.
#[derive(Debug, Clone, Default)]
pub struct Stored {
    pub bytes: Vec<u8>,
    pub version: u64,
    pub token: u64,
    pub wanted: usize,
    /// The machines that have a copy.
    pub copies: BTreeSet<usize>,
}

impl Stored {
    fn at(&self) -> At {
        At { version: self.version, length: self.bytes.len() as u64 }
    }

    fn holds(&self, condition: Condition) -> bool {
        match condition {
            Condition::Version(version) => version == self.version,
            Condition::Length(length) => length == self.bytes.len() as u64,
            Condition::Always => true,
        }
    }
}

#[derive(Debug, Clone, Default)]
pub struct Store {
    pub files: BTreeMap<JobFile, Stored>,
}

impl Store {
    /// Makes a file, with copies on these machines.
    pub fn create(&mut self, file: JobFile, wanted: usize, up: &[usize]) {
        let copies = up.iter().copied().take(wanted).collect();
        let new = Stored { wanted, copies, ..Stored::default() };
        self.files.entry(file).or_insert(new);
    }

    /// Carries an operation out. `up` are the machines that run, in an order that spreads copies.
    pub fn run(&mut self, ask: &StoreAsk, up: &[usize]) -> StoreAnswer {
        if let Operation::Create { copies } = ask.operation {
            if up.is_empty() {
                return StoreAnswer::Unavailable;
            }
            self.create(ask.file, usize::from(copies), up);
        }
        let Some(file) = self.files.get_mut(&ask.file) else { return StoreAnswer::Absent };
        if !file.copies.iter().any(|copy| up.contains(copy)) {
            return StoreAnswer::Unavailable;
        }
        match &ask.operation {
            Operation::Create { .. } => StoreAnswer::Done(file.at()),
            Operation::Read { from } => {
                let from = file.bytes.len().min(*from as usize);
                StoreAnswer::Bytes(file.at(), file.bytes[from..].to_vec())
            }
            Operation::Fence { token }
            | Operation::Append { token, .. }
            | Operation::Replace { token, .. }
                if *token < file.token =>
            {
                StoreAnswer::Fenced(file.token)
            }
            Operation::Fence { token } => {
                file.token = *token;
                StoreAnswer::Done(file.at())
            }
            Operation::Append { only, .. } | Operation::Replace { only, .. }
                if !file.holds(*only) =>
            {
                StoreAnswer::Changed(file.at())
            }
            Operation::Append { bytes, .. } => {
                file.bytes.extend_from_slice(bytes);
                file.version += 1;
                StoreAnswer::Done(file.at())
            }
            Operation::Replace { bytes, .. } => {
                file.bytes.clone_from(bytes);
                file.version += 1;
                StoreAnswer::Done(file.at())
            }
        }
    }

    /// A disk is lost.
    pub fn lose(&mut self, machine: usize) {
        for file in self.files.values_mut() {
            file.copies.remove(&machine);
        }
    }

    /// Makes one missing copy of each file, if a copy is left to read.
    pub fn repair(&mut self, up: &[usize]) {
        for file in self.files.values_mut() {
            let is_readable = file.copies.iter().any(|copy| up.contains(copy));
            if is_readable && file.copies.len() < file.wanted {
                file.copies.extend(up.iter().find(|machine| !file.copies.contains(machine)));
            }
        }
    }

    /// How many copies the file with the fewest has.
    pub fn fewest(&self) -> usize {
        self.files.values().map(|file| file.copies.len()).min().unwrap_or(0)
    }
}
