//! Reads and checks the daemon's settings. A [`Config`] holds valid settings only.

mod address;
mod agreement;
mod copies;
mod effective;
mod files;
mod group;
mod limits;
mod logs;
mod machine;
mod never;
mod parse;
mod problems;
mod raw;
mod search;
mod source;
mod streams;
#[cfg(test)]
mod tests;

pub use agreement::Agreement;
pub use copies::Copies;
pub use effective::{Origin, Setting, differences};
pub use files::{Files, WebhdfsMay};
pub use search::SearchSocket;
pub use streams::Streams;

use crate::log::{Level, LogPaths};
use crate::search::journal::{JOURNALCTL, JournalOffer};
use crate::search::limits::Limits;
use memberd_control::keyring::{Keyring, KeyringError};
use memberd_control::plain_file::read_plain_file;
use memberd_membership::{GroupSettings, Name, Tags};
use memberd_search::{ExposedFiles, GlobError};
use memberd_transport::SealingKeys;
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The settings of one daemon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// This member's name.
    pub name: Name,
    /// The i of `machine.i.log`.
    pub machine: String,
    /// The address at which other members reach it, over UDP and TCP.
    pub address: SocketAddr,
    /// The host name in the settings that this address was found for, if any.
    pub address_host: Option<String>,
    /// The address of this machine that it binds, and sends from: that of `address`, unless
    /// something between translates addresses.
    pub bind: IpAddr,
    /// The tags that it announces to the group.
    pub tags: Tags,
    /// The members that it asks to join the group: `host:port`, not resolved.
    pub introducers: Vec<String>,
    /// Whether it joins when it starts.
    pub join_on_start: bool,
    /// The settings that must be equal on all members.
    pub group: GroupSettings,
    /// How long the list keeps members that failed or left.
    pub forget_after: Duration,
    /// The directory of the state that survives a restart.
    pub state_dir: PathBuf,
    /// The directory of `machine.i.log`.
    pub log_dir: PathBuf,
    /// The files that the group may grep in addition to `machine.i.log`: absolute globs.
    pub log_files: Vec<String>,
    /// The directories into which links among these files may lead.
    pub follow_links: Vec<String>,
    /// Whether the group may grep this machine's journal.
    pub journal: bool,
    /// The namespaces of the journal that the group may grep as well.
    pub journal_namespaces: Vec<String>,
    /// The level of the log.
    pub log_level: Level,
    /// Whether the log says who searched what.
    pub log_searches: bool,
    /// The copies of logs that other members keep, and that are kept of theirs.
    pub copies: Copies,
    /// The limits of greps on this machine.
    pub limits: Limits,
    /// The path of the control socket.
    pub control_socket: PathBuf,
    /// The socket for searches, and what its clients may search.
    pub search: SearchSocket,
    /// The file of the group's keys. Without one nothing is sealed.
    pub key_file: Option<PathBuf>,
    /// Whether the file is a copy that systemd made at the start of the service: systemd.exec(5),
    /// `LoadCredential`.
    pub key_is_credential: bool,
    /// The beginning of an error about the file: `FILE:LINE: KEY: ` of the settings.
    pub key_place: String,
    /// Whether the daemon uses addresses other than loopback without a key.
    pub allow_plaintext: bool,
    /// The address that serves metrics over HTTP, if any.
    pub metrics: Option<SocketAddr>,
    /// The agreed views. What all members must share of it is in `group` as well.
    pub agreement: Agreement,
    /// The replicated files.
    pub files: Files,
    /// Questions over logs.
    pub streams: Streams,
}

/// The problems of the settings: one line each, with file, line and key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct ConfigError {
    /// One line for each problem.
    pub lines: Vec<String>,
    /// Whether every problem is that this machine does not have something yet, such as a default
    /// route at its boot. Then the same settings are valid later.
    pub only_not_yet: bool,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str(&self.lines.join("\n"))
    }
}

impl ConfigError {
    /// One invalid setting.
    fn invalid(line: String) -> Self {
        ConfigError { lines: vec![line], only_not_yet: false }
    }
}

impl Config {
    /// Reads the settings from a file.
    ///
    /// # Errors
    /// When the file cannot be read, when a setting is invalid, or when this machine has no value
    /// yet for one that is not set.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        Self::load_with_text(path).map(|(config, _)| config)
    }

    /// As [`Config::load`], with the text of the file. A pipe has it only once.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn load_with_text(path: &Path) -> Result<(Self, String), ConfigError> {
        Self::load_on(path, &machine::System::default())
    }

    /// Reads the settings again. The address stays while there is no default route, and the name
    /// while there is no host name. Nobody waits for a resolver: a new address needs a restart.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn load_again(path: &Path, before: &Config) -> Result<Self, ConfigError> {
        let system = machine::System {
            last_address: Some(before.address.ip()),
            last_name: Some(before.name.clone()),
            look_up: |_| Err(io::ErrorKind::WouldBlock.into()),
            ..machine::System::default()
        };
        Self::load_on(path, &system).map(|(config, _)| config)
    }

    fn load_on(path: &Path, system: &machine::System) -> Result<(Self, String), ConfigError> {
        let file = path.display().to_string();
        let text = read(path).map_err(|error| {
            ConfigError::invalid(format!("{}: cannot be read: {error}", path.display()))
        })?;
        Ok((parse::parse(&file, &text, system)?, text))
    }

    /// Reads the settings from text. Errors name `file`.
    ///
    /// # Errors
    /// When a setting is invalid.
    pub fn parse(file: &str, text: &str) -> Result<Self, ConfigError> {
        parse::parse(file, text, &machine::System::default())
    }

    /// The path of `machine.i.log`.
    pub fn log_file(&self) -> PathBuf {
        self.log_dir.join(format!("machine.{}.log", self.machine))
    }

    /// The paths of `machine.i.log` and of the file of searches.
    pub fn log_paths(&self) -> LogPaths {
        let searches = self.log_dir.join(format!("searches.{}.log", self.machine));
        LogPaths { own: self.log_file(), searches }
    }

    /// All files that the group may grep on this machine. Keys, credentials, the state and the file
    /// of searches are none of them, whatever the globs say.
    ///
    /// # Errors
    /// When a glob is invalid.
    pub fn offer(&self) -> Result<ExposedFiles, GlobError> {
        let own = glob_literal(&self.log_file().display().to_string());
        let globs: Vec<String> = self.log_files.iter().cloned().chain([own]).collect();
        let exposed = ExposedFiles::new(&globs)?.following_links(&self.follow_links)?;
        Ok(exposed.but_never(never::never_searched(self)))
    }

    /// What the group may grep of the journal.
    pub fn journal_offer(&self) -> Option<JournalOffer> {
        self.journal.then(|| JournalOffer {
            program: PathBuf::from(JOURNALCTL),
            namespaces: self.journal_namespaces.clone(),
        })
    }

    /// Takes the settings from `new` that can change while the daemon runs. It also names the keys
    /// of all others that differ: they need a restart.
    pub fn reload(&self, new: Config) -> (Config, Vec<&'static str>) {
        let asked = new.settings();
        let files = Files {
            repair_after: new.files.repair_after,
            webhdfs: new.files.webhdfs,
            webhdfs_may: new.files.webhdfs_may,
            webhdfs_shares: new.files.webhdfs_shares,
            ..self.files.clone()
        };
        let new = Config {
            tags: new.tags,
            introducers: new.introducers,
            join_on_start: new.join_on_start,
            log_files: new.log_files,
            follow_links: new.follow_links,
            journal: new.journal,
            journal_namespaces: new.journal_namespaces,
            log_level: new.log_level,
            log_searches: new.log_searches,
            copies: new.copies,
            search: SearchSocket { restriction: new.search.restriction, ..self.search.clone() },
            key_file: new.key_file,
            key_is_credential: new.key_is_credential,
            key_place: new.key_place,
            files,
            streams: Streams { jobs: self.streams.jobs, ..new.streams },
            ..self.clone()
        };
        let kept = differences(new.settings(), asked).map(|(has, _)| has.key).collect();
        (new, kept)
    }

    /// Reads the group's keys; `None` without a key file.
    ///
    /// # Errors
    /// When the file cannot be read, when other users can read it too, or when its text is invalid.
    pub fn load_keys(&self) -> Result<Option<SealingKeys>, ConfigError> {
        let Some(path) = &self.key_file else { return Ok(None) };
        let keys = Keyring::load(path)
            .and_then(|keyring| SealingKeys::new(&keyring).ok_or(KeyringError::Empty));
        keys.map(Some).map_err(|error| {
            ConfigError::invalid(format!("{}{}: {error}", self.key_place, path.display()))
        })
    }

    /// Whether the daemon sends unsealed datagrams to other machines.
    pub fn speaks_openly(&self) -> bool {
        let is_inside = self.address.ip().is_loopback() && self.bind.is_loopback();
        self.key_file.is_none() && !is_inside
    }
}

/// The longest settings file, in bytes.
const MOST_BYTES: u64 = 1 << 20;

fn read(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    // A shell may pass its output by such a path.
    let is_passed = path.starts_with("/dev") || path.starts_with("/proc");
    let file = if is_passed { File::open(path)? } else { read_plain_file(path)? };
    file.take(MOST_BYTES + 1).read_to_string(&mut text)?;
    if text.len() as u64 > MOST_BYTES {
        return Err(io::Error::new(
            io::ErrorKind::FileTooLarge,
            format!("longer than {MOST_BYTES} bytes"),
        ));
    }
    Ok(text)
}

/// A glob that matches only this path.
fn glob_literal(path: &str) -> String {
    let special = |c: char| "*?[]{}\\!".contains(c);
    path.chars().flat_map(|c| special(c).then_some('\\').into_iter().chain([c])).collect()
}
