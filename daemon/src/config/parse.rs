//! Turns the values of the file into valid settings, or into one line for each invalid value. It
//! owns no state.

use super::address::{self, Addresses};
use super::machine::{self, System};
use super::problems::{Problems, span};
use super::raw::{self, Machine, Set};
use super::source::Source;
use super::{Config, ConfigError, agreement, copies, files, group, limits, logs, search, streams};
use memberd_membership::{Name, Settings, TagKey, TagValue, Tags};
use memberd_search::FileFilter;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub(super) const KEY_FILE: &str = "/etc/memberd/group.key";
/// The name of systemd's credential with the group's keys.
const CREDENTIAL: &str = "group.key";
const MOST_INTRODUCERS: usize = 64;
/// A Unix socket's path and its terminating zero fit into 108 bytes: unix(7).
const LONGEST_SOCKET_PATH: usize = 107;
/// Leaves room in a path (PATH_MAX of limits.h(0p): 4,096 bytes) for the names of files, and for a
/// backslash before every character.
const LONGEST_DIRECTORY: usize = 1024;
const FORGET_AFTER: RangeInclusive<Duration> =
    Duration::from_secs(60)..=Duration::from_secs(365 * 24 * 60 * 60);

pub(super) fn parse(file: &str, text: &str, system: &System) -> Result<Config, ConfigError> {
    let source = Source { file, text };
    let raw = source.parse().map_err(ConfigError::invalid)?;
    let mut problems = Problems::new(source);
    let name = node_name(&raw.node, system, &mut problems);
    let families = machine::families(raw.group.introducers.as_ref());
    let addresses = address::addresses(&raw.node, &families, system, &mut problems);
    let machine = machine(&raw.node, name.as_ref(), &mut problems);
    let tags = tags(raw.node.tags.as_ref(), &mut problems);
    let mut group = group::group_settings(&raw.group, &mut problems);
    let agreement = agreement::agreement(&raw.agreement, name.as_ref(), &group, &mut problems);
    group.agreement = agreement.shared();
    let files = files::files(&raw.files, &agreement, &mut problems);
    let introducers = introducers(&raw.group, &mut problems);
    let forget_after = forget_after(&raw.group, &mut problems);
    let state_dir =
        directory(raw.paths.state_dir, "paths.state_dir", "/var/lib/memberd", &mut problems);
    let log_dir = directory(raw.paths.log_dir, "paths.log_dir", "/var/log/memberd", &mut problems);
    let (log_files, log_level) = logs::files_and_level(&raw.logs, &mut problems);
    let follow_links = logs::follow_links(&raw.logs, &mut problems);
    let journal_namespaces = logs::journal_namespaces(&raw.logs, &mut problems);
    let copies = copies::copies(&raw.logs, &mut problems);
    let limits = limits::limits(&raw.limits, &mut problems);
    let control_socket = control_socket(raw.control.socket, &mut problems);
    let search = search::search(raw.search, &control_socket, &mut problems);
    let key_line = raw.security.key_file.as_ref().map(|set| set.span().start);
    let key_place = source.error(key_line, Some("security.key_file"), "");
    let key_file = key_file(raw.security.key_file, system, &mut problems);
    let key_is_credential = is_credential(key_file.as_deref(), system);
    let allow_plaintext = raw.security.allow_plaintext.is_some_and(toml::Spanned::into_inner);
    let may_leave_loopback = allow_plaintext || key_file.is_some();
    address::check(&raw.node, addresses.as_ref(), may_leave_loopback, &mut problems);
    let metrics = metrics(&raw.metrics, &mut problems);
    let streams = streams::streams(raw.streams, &files, &mut problems);
    match (name, addresses) {
        (Some(name), Some(Addresses { address, host, bind })) if problems.count() == 0 => {
            Ok(Config {
                name,
                machine,
                address,
                address_host: host,
                bind,
                tags,
                introducers,
                join_on_start: raw.group.join_on_start.is_some_and(toml::Spanned::into_inner),
                group,
                forget_after,
                state_dir,
                log_dir,
                log_files,
                follow_links,
                journal: raw.logs.journal.is_some_and(toml::Spanned::into_inner),
                journal_namespaces,
                log_level,
                log_searches: raw.logs.searches.is_none_or(toml::Spanned::into_inner),
                copies,
                limits,
                control_socket,
                search,
                key_file,
                key_is_credential,
                key_place,
                allow_plaintext,
                metrics,
                agreement,
                files,
                streams,
            })
        }
        _ => Err(problems.into_error()),
    }
}

fn node_name(node: &raw::Node, system: &System, problems: &mut Problems) -> Option<Name> {
    if let Some(name) = &node.name {
        return Name::new(name.get_ref())
            .map_err(|error| problems.add(name, "node.name", error))
            .ok();
    }
    let host_name = (system.host_name)().unwrap_or_default();
    let usable = Some(&host_name).filter(|name| !machine::is_nobodys(name));
    let name = usable.and_then(|name| Name::new(name).ok()).or_else(|| system.last_name.clone());
    if name.is_none() {
        let why = match usable {
            Some(_) => "is not a member name: set it",
            None => "is that of a machine without one: set it, or the host name (hostnamectl)",
        };
        problems
            .add_not_yet("node.name", format!("not set, and the host name {host_name:?} {why}"));
    }
    name
}

fn tags(
    set: Option<&toml::Spanned<BTreeMap<String, toml::Spanned<String>>>>,
    problems: &mut Problems,
) -> Tags {
    let Some(set) = set else { return Tags::default() };
    let mut tags = Vec::new();
    for (key, value) in set.get_ref() {
        match TagKey::new(key).and_then(|key| Ok((key, TagValue::new(value.get_ref())?))) {
            Ok(tag) => tags.push(tag),
            Err(error) => problems.add(value, "node.tags", error),
        }
    }
    Tags::new(tags).map_err(|error| problems.add(set, "node.tags", error)).unwrap_or_default()
}

fn machine(node: &raw::Node, name: Option<&Name>, problems: &mut Problems) -> String {
    let Some(machine) = &node.machine else {
        let name = name.map_or("", Name::as_str);
        let digits = name.len() - name.bytes().rev().take_while(u8::is_ascii_digit).count();
        let number = name.get(digits..).filter(|number| !number.is_empty());
        return number.unwrap_or(name).to_owned();
    };
    let text = match machine.get_ref() {
        Machine::Number(number) => number.to_string(),
        Machine::Text(text) => text.clone(),
    };
    if Name::new(&text).is_err() {
        problems.add(
            machine,
            "node.machine",
            format!("{text:?} cannot be part of a file name: use letters, digits, '.', '_' or '-'"),
        );
    }
    text
}

fn introducers(group: &raw::Group, problems: &mut Problems) -> Vec<String> {
    let Some(set) = &group.introducers else { return Vec::new() };
    if set.get_ref().len() > MOST_INTRODUCERS {
        problems.add(set, "group.introducers", format!("at most {MOST_INTRODUCERS} can be listed"));
    }
    for introducer in
        set.get_ref().iter().filter(|introducer| !is_host_and_port(introducer.get_ref()))
    {
        let problem =
            format!("{:?} is not host:port (IPv6 addresses in brackets)", introducer.get_ref());
        problems.add(introducer, "group.introducers", problem);
    }
    texts(set)
}

/// Checks each glob of files: no path may be out of its reach for how it is written.
pub(super) fn check_file_globs(
    set: &toml::Spanned<Vec<toml::Spanned<String>>>,
    key: &'static str,
    problems: &mut Problems,
) {
    for glob in set.get_ref() {
        let text = glob.get_ref();
        if let Err(error) = FileFilter::new(&[text]) {
            problems.add(glob, key, error);
        } else if text.is_empty()
            || text.contains('/') && !text.starts_with('/') && !text.starts_with("**/")
        {
            let problem = format!("{text:?} matches no path: begin it with / or **/");
            problems.add(glob, key, problem);
        }
    }
}

/// The entries of a list, without their places in the file.
pub(super) fn texts(set: &toml::Spanned<Vec<toml::Spanned<String>>>) -> Vec<String> {
    set.get_ref().iter().map(|entry| entry.get_ref().clone()).collect()
}

fn is_host_and_port(text: &str) -> bool {
    if text.parse::<SocketAddr>().is_ok_and(|address| address.port() != 0) {
        return true;
    }
    text.rsplit_once(':').is_some_and(|(name, port)| {
        is_host(name) && port.parse::<u16>().is_ok_and(|port| port != 0)
    })
}

/// Whether a resolver may be asked for the text as a host name.
pub(super) fn is_host(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 253
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte))
}

fn forget_after(group: &raw::Group, problems: &mut Problems) -> Duration {
    let age = span(group.forget_after.as_ref(), "group.forget_after", &FORGET_AFTER, problems);
    if let (Some(set), Some(age)) = (&group.forget_after, age)
        && !FORGET_AFTER.contains(&age)
    {
        let why = "sooner, late updates would bring members back";
        problems.add(
            set,
            "group.forget_after",
            format!("{:?} is not between 60s and 365d; {why}", set.get_ref()),
        );
    }
    age.unwrap_or(Settings::default().forget_after)
}

fn directory(set: Set<PathBuf>, key: &str, default: &str, problems: &mut Problems) -> PathBuf {
    let Some(set) = set else { return PathBuf::from(default) };
    let path = set.get_ref();
    let bytes = path.as_os_str().as_bytes();
    let is_dotted = |part: &[u8]| part == b"." || part == b"..";
    if !path.is_absolute() {
        problems.add(&set, key, format!("{path:?} is not absolute"));
    } else if bytes.len() > LONGEST_DIRECTORY {
        problems.add(
            &set,
            key,
            format!("longer than {LONGEST_DIRECTORY} bytes: use a shorter path"),
        );
    } else if bytes.contains(&0) {
        problems.add(&set, key, format!("{path:?} has a NUL byte, which a path cannot contain"));
    } else if bytes.split(|byte| *byte == b'/').any(is_dotted) {
        problems.add(&set, key, format!("{path:?}: write the path without . or .."));
    }
    set.into_inner()
}

fn control_socket(set: Set<PathBuf>, problems: &mut Problems) -> PathBuf {
    let Some(set) = set else { return PathBuf::from("/run/memberd/control.sock") };
    socket_path(set, "control.socket", problems)
}

/// Checks the path of a socket.
pub(super) fn socket_path(
    set: toml::Spanned<PathBuf>,
    key: &str,
    problems: &mut Problems,
) -> PathBuf {
    if !set.get_ref().is_absolute() {
        problems.add(&set, key, format!("{:?} is not absolute", set.get_ref()));
    } else if set.get_ref().as_os_str().len() > LONGEST_SOCKET_PATH {
        problems.add(
            &set,
            key,
            format!("longer than {LONGEST_SOCKET_PATH} bytes, too long for a socket's path"),
        );
    }
    set.into_inner()
}

/// The file of the group's keys: the one that is set, or the credential that systemd passes
/// (systemd.exec(5)), or the default one.
fn key_file(set: Set<PathBuf>, system: &System, problems: &mut Problems) -> Option<PathBuf> {
    let key = "security.key_file";
    if let Some(set) = set {
        if !set.get_ref().is_absolute() {
            problems.add(&set, key, format!("{:?} is not absolute", set.get_ref()));
        }
        return Some(set.into_inner());
    }
    let credential = (system.credentials)().map(|directory| directory.join(CREDENTIAL));
    for path in credential.into_iter().chain([PathBuf::from(KEY_FILE)]) {
        match (system.exists)(&path) {
            Ok(false) => {}
            Ok(true) => return Some(path),
            Err(error) => problems.add_missing(
                key,
                format!("cannot tell whether there is a key in {}: {error}", path.display()),
            ),
        }
    }
    None
}

/// Whether the file is one that systemd passes.
fn is_credential(file: Option<&Path>, system: &System) -> bool {
    file.zip((system.credentials)()).is_some_and(|(file, directory)| file.starts_with(directory))
}

fn metrics(metrics: &raw::Metrics, problems: &mut Problems) -> Option<SocketAddr> {
    let set = metrics.listen.as_ref()?;
    let listen = set.get_ref().parse::<SocketAddr>().ok().filter(|address| address.port() != 0);
    if listen.is_none() {
        let problem = format!(
            "{:?} is not ADDRESS:PORT, such as \"127.0.0.1:9946\" (IPv6 addresses in brackets)",
            set.get_ref()
        );
        problems.add(set, "metrics.listen", problem);
    }
    listen
}
