//! Runs the programs of one system on five machines, each a network namespace. [`Nodes`] owns the
//! machines, the processes and their directory.

use memberd_tests::process::Running;
use memberd_tests::{Network, binaries};
use nix::sys::signal::Signal;
use nix::unistd::Pid;
use std::fs::{self, OpenOptions};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How many machines there are.
pub(crate) const MACHINES: u8 = 5;

/// The machine that is killed. Machine 1 has the client, and what knows all names.
pub(crate) const VICTIM: u8 = MACHINES;

/// How long a killed process may take to end.
const ENDS: Duration = Duration::from_secs(30);

/// What a process is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// It keeps files.
    Store,
    /// It knows where they are: a name node, a master, a filer.
    Head,
}

/// A program on a machine.
#[derive(Debug, Clone)]
pub(crate) struct Program {
    pub(crate) machine: u8,
    pub(crate) role: Role,
    /// The name of its directory and its log.
    pub(crate) name: String,
    pub(crate) path: PathBuf,
    pub(crate) arguments: Vec<String>,
}

/// The programs of a system.
#[derive(Debug)]
pub(crate) struct Nodes {
    pub(crate) network: Network,
    directory: TempDir,
    programs: Vec<(Program, Option<Running>)>,
}

impl Nodes {
    /// Machines on which nothing runs yet. What they write is below `above`.
    pub(crate) fn new(above: &Path) -> Self {
        Nodes {
            network: Network::new(MACHINES).expect("network namespaces"),
            directory: tempfile::Builder::new()
                .prefix("memberd-bench-files-")
                .tempdir_in(above)
                .expect("a temporary directory"),
            programs: Vec::new(),
        }
    }

    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// A new directory for something of this name.
    pub(crate) fn place(&self, name: &str) -> PathBuf {
        let place = self.directory().join(name);
        fs::create_dir_all(&place).expect("a directory");
        place
    }

    /// A machine's address.
    pub(crate) fn address(&self, machine: u8) -> String {
        self.network.address(machine).ip().to_string()
    }

    /// Starts a program, which is known from now on.
    pub(crate) fn start(&mut self, program: Program) {
        let running = self.run(&program);
        self.programs.push((program, Some(running)));
    }

    /// The processes end with this thread.
    fn run(&self, program: &Program) -> Running {
        let log = self.directory().join(format!("{}.log", program.name));
        let log = OpenOptions::new().create(true).append(true).open(log).expect("a log");
        let namespace = self.network.namespace(program.machine);
        let mut command = binaries::mortal(&program.path, Some(&namespace));
        command
            .args(&program.arguments)
            .current_dir(self.place(&program.name))
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a log"))
            .stderr(log);
        Running::start(&mut command)
    }

    /// Kills all that runs on a machine, and returns the moment just before.
    pub(crate) fn kill(&mut self, machine: u8) -> Instant {
        let on_it = self.programs.iter_mut().filter(|(program, _)| program.machine == machine);
        let running: Vec<Running> = on_it.filter_map(|(_, running)| running.take()).collect();
        let at = Instant::now();
        for mut process in running {
            process.signal(Signal::SIGKILL);
            process.wait(ENDS);
        }
        at
    }

    /// Starts what ran on a machine, on what its directories have.
    pub(crate) fn restart(&mut self, machine: u8) {
        for index in 0..self.programs.len() {
            let (program, running) = &self.programs[index];
            if program.machine == machine && running.is_none() {
                let process = self.run(program);
                self.programs[index].1 = Some(process);
            }
        }
    }

    /// The processes of a role that run, by machine.
    pub(crate) fn pids(&self, role: Role) -> Vec<(u8, Pid)> {
        let of = self.programs.iter().filter(|(program, _)| program.role == role);
        of.filter_map(|(program, running)| Some((program.machine, running.as_ref()?.pid())))
            .collect()
    }

    /// All processes that run.
    pub(crate) fn all_pids(&self) -> Vec<Pid> {
        [Role::Store, Role::Head]
            .into_iter()
            .flat_map(|role| self.pids(role))
            .map(|(_, pid)| pid)
            .collect()
    }

    /// Panics if a program has ended by itself, with the last lines that it said.
    pub(crate) fn check(&mut self) {
        let directory = self.directory.path().to_owned();
        for (program, running) in &mut self.programs {
            if let Some(status) = running.as_mut().and_then(Running::ended) {
                let log = directory.join(format!("{}.log", program.name));
                let said = fs::read_to_string(log).unwrap_or_default();
                let lines: Vec<&str> = said.lines().collect();
                let tail = lines[lines.len().saturating_sub(8)..].join("\n");
                panic!("{} ended with {status}: {tail}", program.name);
            }
        }
    }

    /// How many bytes the stores of a machine have on their disk.
    pub(crate) fn stored_bytes(&self, machine: u8) -> u64 {
        let stores = self
            .programs
            .iter()
            .filter(|(program, _)| program.machine == machine && program.role == Role::Store);
        stores.map(|(program, _)| size(&self.directory().join(&program.name))).sum()
    }

    /// How many bytes all machines have sent so far, with IP headers.
    pub(crate) fn sent_bytes(&self) -> u64 {
        self.network.sent().into_iter().map(|(bytes, _)| bytes).sum()
    }
}

impl Drop for Nodes {
    fn drop(&mut self) {
        for pid in self.all_pids() {
            // All signals go first, so that nobody has time to react. An error means that it has
            // ended.
            let _ = nix::sys::signal::kill(pid, Signal::SIGKILL);
        }
        self.programs.clear();
    }
}

/// What a directory takes on its disk. What vanishes meanwhile counts nothing.
fn size(path: &Path) -> u64 {
    let entries = fs::read_dir(path).into_iter().flatten().flatten();
    entries
        .map(|entry| match entry.metadata() {
            Ok(metadata) if metadata.is_dir() => size(&entry.path()),
            Ok(metadata) => metadata.blocks() * 512,
            Err(_) => 0,
        })
        .sum()
}
