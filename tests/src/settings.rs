//! A daemon's settings, written as an operator would.

use memberd_control::socket;
use std::fmt::{Display, Write as _};
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

/// A line of `[group]` for tests that stop a member and then ask it. On a busy machine it would
/// otherwise be listed as failed before it is asked.
pub const PATIENT: &str = "failure_timeout = \"30s\"";

/// What differs between the daemons of a fleet.
#[derive(Debug, Clone)]
pub struct Settings {
    /// `node.name`
    pub name: String,
    /// `node.machine`, if not the digits that end the name.
    pub machine: Option<u64>,
    /// `node.address` and `node.port`
    pub address: SocketAddr,
    /// `node.bind`
    pub bind: Option<IpAddr>,
    /// `node.tags`
    pub tags: Vec<(&'static str, &'static str)>,
    /// `group.introducers`
    pub introducers: Vec<String>,
    /// `group.join_on_start`
    pub join_on_start: bool,
    /// What else `[group]` has, as lines.
    pub group: Vec<&'static str>,
    /// `paths.state_dir`
    pub state_dir: PathBuf,
    /// `paths.log_dir`
    pub log_dir: PathBuf,
    /// `logs.files`
    pub files: Vec<String>,
    /// `logs.journal`
    pub journal: bool,
    /// What else `[logs]` has, as lines.
    pub logs: Vec<String>,
    /// `[limits]`, as lines.
    pub limits: Vec<&'static str>,
    /// `[search]`, as lines.
    pub search: Vec<String>,
    /// `logs.level`
    pub level: &'static str,
    /// `control.socket`
    pub socket: PathBuf,
    /// `security.allow_plaintext`
    pub allow_plaintext: bool,
    /// `security.key_file`
    pub key_file: Option<PathBuf>,
    /// `metrics.listen`
    pub metrics: Option<SocketAddr>,
    /// `[agreement]`, as lines.
    pub agreement: Vec<String>,
    /// `[files]`, as lines.
    pub file_store: Vec<String>,
    /// `streams.worker`
    pub worker: Option<PathBuf>,
    /// `streams.jobs`
    pub jobs: bool,
}

impl Settings {
    /// Settings with all paths below one directory, and no introducers.
    pub fn new(directory: &Path, name: &str, address: SocketAddr) -> Self {
        Settings {
            name: name.to_owned(),
            machine: None,
            address,
            bind: None,
            tags: Vec::new(),
            introducers: Vec::new(),
            join_on_start: false,
            group: Vec::new(),
            state_dir: directory.join("state"),
            log_dir: directory.join("log"),
            files: Vec::new(),
            journal: false,
            logs: Vec::new(),
            limits: Vec::new(),
            search: Vec::new(),
            level: "info",
            socket: directory.join("control.sock"),
            allow_plaintext: !address.ip().is_loopback(),
            key_file: None,
            metrics: None,
            agreement: Vec::new(),
            file_store: Vec::new(),
            worker: None,
            jobs: false,
        }
    }

    /// Switches agreed views on, founded by these, with further lines.
    pub fn set_agreement(&mut self, founders: &[&str], lines: &[&str]) {
        self.agreement = vec!["enabled = true".to_owned()];
        self.agreement.push(format!("initial_council = {founders:?}"));
        self.agreement.extend(lines.iter().map(|line| (*line).to_owned()));
    }

    /// Sets `[search]`: a socket beside the other one for this group, and further lines.
    pub fn set_search(&mut self, group: impl Display, lines: &[&str]) {
        let socket = socket::search(&self.socket);
        self.search = vec![format!("socket = {socket:?}"), format!("group = '{group}'")];
        self.search.extend(lines.iter().map(|line| (*line).to_owned()));
    }

    /// The i of `machine.i.log`.
    pub fn machine(&self) -> String {
        let stem = self.name.trim_end_matches(|character: char| character.is_ascii_digit());
        let digits = self.name.strip_prefix(stem).filter(|digits| !digits.is_empty());
        self.machine
            .map_or_else(|| digits.unwrap_or(&self.name).to_owned(), |machine| machine.to_string())
    }

    /// As the settings file has it.
    pub fn to_toml(&self) -> String {
        let mut text = format!("[node]\nname = {:?}\n", self.name);
        if let Some(machine) = self.machine {
            let _ = writeln!(text, "machine = {machine}");
        }
        if let Some(bind) = self.bind {
            let _ = writeln!(text, "bind = \"{bind}\"");
        }
        if !self.tags.is_empty() {
            let tags: Vec<String> =
                self.tags.iter().map(|(key, value)| format!("{key} = {value:?}")).collect();
            let _ = writeln!(text, "tags = {{ {} }}", tags.join(", "));
        }
        let _ = write!(
            text,
            "address = \"{}\"\nport = {}\n\
             [group]\nintroducers = {:?}\njoin_on_start = {}\n{}\n\
             [paths]\nstate_dir = {:?}\nlog_dir = {:?}\n\
             [logs]\nfiles = {:?}\njournal = {}\nlevel = {:?}\n{}\n\
             [limits]\n{}\n\
             [control]\nsocket = {:?}\n\
             [search]\n{}\n\
             [security]\nallow_plaintext = {}\n",
            self.address.ip(),
            self.address.port(),
            self.introducers,
            self.join_on_start,
            self.group.join("\n"),
            self.state_dir,
            self.log_dir,
            self.files,
            self.journal,
            self.level,
            self.logs.join("\n"),
            self.limits.join("\n"),
            self.socket,
            self.search.join("\n"),
            self.allow_plaintext,
        );
        if let Some(key_file) = &self.key_file {
            let _ = writeln!(text, "key_file = {key_file:?}");
        }
        if let Some(listen) = self.metrics {
            let _ = writeln!(text, "[metrics]\nlisten = \"{listen}\"");
        }
        if !self.agreement.is_empty() {
            let _ = writeln!(text, "[agreement]\n{}", self.agreement.join("\n"));
        }
        if !self.file_store.is_empty() {
            let _ = writeln!(text, "[files]\n{}", self.file_store.join("\n"));
        }
        if let Some(worker) = &self.worker {
            let _ = writeln!(text, "[streams]\nworker = {worker:?}\njobs = {}", self.jobs);
        }
        text
    }
}
