//! From the file's values to settings that are good, or to a line for each that is not.

use super::raw::{self, Machine, Set};
use super::{Config, ConfigError, is_loopback};
use crate::log::Level;
use memberd_ring::{GroupSettings, Name, Settings};
use memberd_search::Offer;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

const PORT: u16 = 8946;
const KEY_FILE: &str = "/etc/memberd/group.key";
const MOST_INTRODUCERS: usize = 64;
/// A Unix socket's path and its terminating zero fit into 108 bytes: unix(7).
const LONGEST_SOCKET_PATH: usize = 107;
const INTERVALS: RangeInclusive<Duration> = Duration::from_millis(50)..=Duration::from_secs(10);
const MOST_TIMEOUT: Duration = Duration::from_secs(60);

/// What is asked of the machine for settings that are left out.
pub(super) struct System {
    pub(super) host_name: fn() -> Option<String>,
    pub(super) default_address: fn() -> Option<IpAddr>,
    pub(super) key_file_exists: fn() -> bool,
}

impl Default for System {
    fn default() -> Self {
        System {
            host_name: || nix::unistd::gethostname().ok()?.into_string().ok(),
            default_address,
            key_file_exists: || Path::new(KEY_FILE).exists(),
        }
    }
}

/// The address of the default route. Connecting a UDP socket sends nothing; the addresses are for documentation (RFC 5737, RFC 3849).
fn default_address() -> Option<IpAddr> {
    let from = |bind: &str, to: &str| {
        let socket = UdpSocket::bind(bind).ok()?;
        socket.connect(to).ok()?;
        Some(socket.local_addr().ok()?.ip())
    };
    from("0.0.0.0:0", "192.0.2.1:9").or_else(|| from("[::]:0", "[2001:db8::1]:9"))
}

/// Collects what is wrong, each with its place.
struct Problems<'a> {
    file: &'a str,
    text: &'a str,
    lines: Vec<String>,
}

impl Problems<'_> {
    fn line_number(&self, offset: usize) -> usize {
        1 + self.text.bytes().take(offset).filter(|byte| *byte == b'\n').count()
    }

    fn add<T>(&mut self, value: &toml::Spanned<T>, key: &str, what: impl std::fmt::Display) {
        let line = self.line_number(value.span().start);
        self.lines.push(format!("{}:{line}: {key}: {what}", self.file));
    }

    fn add_missing(&mut self, key: &str, what: impl std::fmt::Display) {
        self.lines.push(format!("{}: {key}: {what}", self.file));
    }
}

pub(super) fn parse(file: &str, text: &str, system: &System) -> Result<Config, ConfigError> {
    let mut problems = Problems { file, text, lines: Vec::new() };
    let raw: raw::File = match toml::from_str(text) {
        Ok(raw) => raw,
        Err(error) => {
            let message = error.message().lines().collect::<Vec<_>>().join(" ");
            let place = error.span().map(|span| (problems.line_number(span.start), key_at(text, span.start)));
            let line = match place {
                Some((line, Some(key))) => format!("{file}:{line}: {key}: {message}"),
                Some((line, None)) => format!("{file}:{line}: {message}"),
                None => format!("{file}: {message}"),
            };
            return Err(ConfigError { lines: vec![line] });
        }
    };
    let name = node_name(&raw.node, system, &mut problems);
    let address = node_address(&raw.node, system, &mut problems);
    let machine = machine(&raw.node, name.as_ref(), &mut problems);
    let group = group_settings(&raw.group, &mut problems);
    let introducers = introducers(&raw.group, &mut problems);
    let forget_after = forget_after(&raw.group, &mut problems);
    let state_dir = directory(raw.paths.state_dir, "paths.state_dir", "/var/lib/memberd", &mut problems);
    let log_dir = directory(raw.paths.log_dir, "paths.log_dir", "/var/log/memberd", &mut problems);
    let (log_files, log_level) = logs(&raw.logs, &mut problems);
    let control_socket = control_socket(raw.control.socket, &mut problems);
    let allow_plaintext = security(&raw.security, address, system, &mut problems);
    match (name, address) {
        (Some(name), Some(address)) if problems.lines.is_empty() => Ok(Config {
            name,
            machine,
            address,
            introducers,
            join_on_start: raw.group.join_on_start.is_some_and(toml::Spanned::into_inner),
            group,
            forget_after,
            state_dir,
            log_dir,
            log_files,
            log_level,
            control_socket,
            allow_plaintext,
        }),
        _ => Err(ConfigError { lines: problems.lines }),
    }
}

/// The key whose value stands at a place: the nearest `key =` before it, under the nearest `[section]` before that.
fn key_at(text: &str, offset: usize) -> Option<String> {
    let end = text.get(offset..)?.find('\n').map_or(text.len(), |length| offset + length);
    let mut lines = text.get(..end)?.lines().rev();
    let key = lines.find_map(|line| {
        let line = line.trim();
        if line.starts_with('[') && line.ends_with(']') && !line.contains(',') {
            return Some(None);
        }
        line.split_once('=').map(|(key, _)| Some(key.trim().to_owned()))
    })??;
    let section = lines.find_map(|line| line.trim().strip_prefix('[')?.strip_suffix(']').map(str::to_owned));
    Some(section.map_or(key.clone(), |section| format!("{section}.{key}")))
}

fn node_name(node: &raw::Node, system: &System, problems: &mut Problems) -> Option<Name> {
    if let Some(name) = &node.name {
        return Name::new(name.get_ref()).map_err(|error| problems.add(name, "node.name", error)).ok();
    }
    let host_name = (system.host_name)();
    let name = host_name.as_deref().and_then(|host_name| Name::new(host_name).ok());
    if name.is_none() {
        problems.add_missing("node.name", "not set, and the host name cannot be used: set it");
    }
    name
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

fn node_address(node: &raw::Node, system: &System, problems: &mut Problems) -> Option<SocketAddr> {
    let port = node.port.as_ref().map_or(PORT, |port| *port.get_ref());
    if let Some(set) = node.port.as_ref().filter(|port| *port.get_ref() == 0) {
        problems.add(set, "node.port", "0 is no port: the others have to know it");
    }
    let Some(set) = &node.address else {
        let address = (system.default_address)();
        if address.is_none() {
            problems.add_missing("node.address", "not set, and this machine has no default route to take it from: set it");
        }
        return address.map(|ip| SocketAddr::new(ip, port));
    };
    let problem = match set.get_ref().parse::<IpAddr>() {
        Err(_) => format!("{:?} is no IPv4 or IPv6 address", set.get_ref()),
        Ok(ip) if ip.is_unspecified() => "the others cannot reach an unspecified address: give the one they reach".to_owned(),
        Ok(ip) if ip.is_multicast() || ip == IpAddr::V4(Ipv4Addr::BROADCAST) => {
            "no machine of its own has this address".to_owned()
        }
        Ok(IpAddr::V6(ip)) if ip.is_unicast_link_local() => "link-local addresses mean something else on each machine".to_owned(),
        Ok(ip) => return Some(SocketAddr::new(ip, port)),
    };
    problems.add(set, "node.address", problem);
    None
}

fn group_settings(group: &raw::Group, problems: &mut Problems) -> GroupSettings {
    let mut settings = GroupSettings::default();
    if let Some(set) = &group.max_simultaneous_failures {
        settings.max_simultaneous_failures = *set.get_ref();
        if !(1..=16).contains(set.get_ref()) {
            problems.add(set, "group.max_simultaneous_failures", format!("{} is not between 1 and 16", set.get_ref()));
        }
    }
    if let Some(interval) = duration(group.heartbeat_interval.as_ref(), "group.heartbeat_interval", problems) {
        settings.heartbeat_interval = interval;
    }
    if let Some(set) = group.heartbeat_interval.as_ref().filter(|_| !INTERVALS.contains(&settings.heartbeat_interval)) {
        problems.add(set, "group.heartbeat_interval", format!("{:?} is not between 50ms and 10s", set.get_ref()));
    }
    if let Some(timeout) = duration(group.failure_timeout.as_ref(), "group.failure_timeout", problems) {
        settings.failure_timeout = timeout;
    }
    let least = settings.heartbeat_interval * 2;
    if let Some(set) = group.failure_timeout.as_ref().or(group.heartbeat_interval.as_ref())
        && !(least..=MOST_TIMEOUT).contains(&settings.failure_timeout)
    {
        let bounds = format!("{:?} is not between twice the heartbeat interval ({least:?}) and 60s", settings.failure_timeout);
        problems.add(set, "group.failure_timeout", bounds);
    }
    settings
}

fn introducers(group: &raw::Group, problems: &mut Problems) -> Vec<String> {
    let Some(set) = &group.introducers else { return Vec::new() };
    if set.get_ref().len() > MOST_INTRODUCERS {
        problems.add(set, "group.introducers", format!("at most {MOST_INTRODUCERS} can be listed"));
    }
    for introducer in set.get_ref().iter().filter(|introducer| !is_host_and_port(introducer)) {
        problems.add(set, "group.introducers", format!("{introducer:?} is not host:port (IPv6 addresses in brackets)"));
    }
    set.get_ref().clone()
}

fn is_host_and_port(text: &str) -> bool {
    if text.parse::<SocketAddr>().is_ok_and(|address| address.port() != 0) {
        return true;
    }
    let host = |host: &str| {
        !host.is_empty() && host.len() <= 253 && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte))
    };
    text.rsplit_once(':').is_some_and(|(name, port)| host(name) && port.parse::<u16>().is_ok_and(|port| port != 0))
}

fn forget_after(group: &raw::Group, problems: &mut Problems) -> Duration {
    let least = Duration::from_secs(60);
    let age = duration(group.forget_after.as_ref(), "group.forget_after", problems);
    if let (Some(set), Some(age)) = (&group.forget_after, age)
        && age < least
    {
        problems.add(
            set,
            "group.forget_after",
            format!("{:?} is less than 60s: late rumours would raise the gone", set.get_ref()),
        );
    }
    age.unwrap_or(Settings::default().forget_after)
}

fn duration(set: Option<&toml::Spanned<String>>, key: &str, problems: &mut Problems) -> Option<Duration> {
    let set = set?;
    parse_duration(set.get_ref()).map_err(|error| problems.add(set, key, error)).ok()
}

/// Parses `500ms`, `1.75s`, `10m`, `24h`, `7d`.
///
/// # Errors
/// A few words on what is wrong.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let unit_at = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(unit_at);
    let seconds = match unit {
        "ms" => 0.001,
        "s" => 1.0,
        "m" => 60.0,
        "h" => 3_600.0,
        "d" => 86_400.0,
        "" => return Err(format!("{text:?} has no unit: write \"{text}s\" or \"{text}ms\"")),
        other => return Err(format!("{text:?}: {other:?} is no unit: ms, s, m, h and d are")),
    };
    let number: f64 = number.parse().map_err(|_| format!("{text:?} is no duration: write \"500ms\" or \"1.75s\""))?;
    let milliseconds = (number * seconds * 1_000.0).round();
    Duration::try_from_secs_f64(milliseconds / 1_000.0).map_err(|_| format!("{text:?} is too long"))
}

fn directory(set: Set<PathBuf>, key: &str, default: &str, problems: &mut Problems) -> PathBuf {
    let Some(set) = set else { return PathBuf::from(default) };
    if !set.get_ref().is_absolute() {
        problems.add(&set, key, format!("{:?} is not absolute", set.get_ref()));
    }
    set.into_inner()
}

fn logs(logs: &raw::Logs, problems: &mut Problems) -> (Vec<String>, Level) {
    let files = logs.files.as_ref().map(|set| set.get_ref().clone()).unwrap_or_default();
    if let Some(set) = &logs.files {
        for glob in &files {
            if let Err(error) = Offer::new(&[glob]) {
                problems.add(set, "logs.files", error);
            }
        }
    }
    let Some(set) = &logs.level else { return (files, Level::default()) };
    let level = Level::NAMES.iter().find(|(name, _)| name == set.get_ref()).map(|(_, level)| *level);
    if level.is_none() {
        problems.add(set, "logs.level", format!("{:?} is none of error, warn, info, debug, trace", set.get_ref()));
    }
    (files, level.unwrap_or_default())
}

fn control_socket(set: Set<PathBuf>, problems: &mut Problems) -> PathBuf {
    let Some(set) = set else { return PathBuf::from("/run/memberd/control.sock") };
    if !set.get_ref().is_absolute() {
        problems.add(&set, "control.socket", format!("{:?} is not absolute", set.get_ref()));
    } else if set.get_ref().as_os_str().len() > LONGEST_SOCKET_PATH {
        problems.add(&set, "control.socket", format!("longer than {LONGEST_SOCKET_PATH} bytes, which no socket's path can be"));
    }
    set.into_inner()
}

/// This version cannot seal: with a key it does not start, rather than speak in the clear what was meant to be sealed.
fn security(security: &raw::Security, address: Option<SocketAddr>, system: &System, problems: &mut Problems) -> bool {
    let cannot = "this version cannot seal traffic yet, and does not send in the clear what is meant to be sealed";
    if let Some(set) = &security.key_file {
        problems.add(set, "security.key_file", format!("{cannot}: leave it out"));
    } else if (system.key_file_exists)() {
        problems.add_missing("security.key_file", format!("{KEY_FILE} exists, but {cannot}: remove it"));
    }
    let allow = security.allow_plaintext.as_ref().is_some_and(|set| *set.get_ref());
    if let Some(address) = address.filter(|address| !is_loopback(address.ip()) && !allow) {
        let why = "is not a loopback address, and without a key nothing is sealed: for a closed test network set \
                   security.allow_plaintext = true";
        problems.add_missing("node.address", format!("{} {why}", address.ip()));
    }
    allow
}

#[cfg(test)]
mod tests {
    use super::*;

    const SYSTEM: System = System {
        host_name: || Some("web17".to_owned()),
        default_address: || Some(IpAddr::V4(Ipv4Addr::LOCALHOST)),
        key_file_exists: || false,
    };

    fn good(text: &str) -> Config {
        parse("m.toml", text, &SYSTEM).unwrap()
    }

    fn bad(text: &str) -> String {
        parse("m.toml", text, &SYSTEM).unwrap_err().to_string()
    }

    #[test]
    fn everything_has_a_default() {
        let config = good("");
        assert_eq!((config.name.as_str(), config.machine.as_str()), ("web17", "17"));
        assert_eq!(config.address.to_string(), "127.0.0.1:8946");
        assert_eq!(config.group, GroupSettings::default());
        assert_eq!(config.log_file(), Path::new("/var/log/memberd/machine.17.log"));
        assert_eq!(config.control_socket, Path::new("/run/memberd/control.sock"));
        assert!(!config.join_on_start);
    }

    #[test]
    fn the_machine_is_the_digits_that_end_the_name_or_the_name() {
        assert_eq!(good("[node]\nname = 'db2-007'").machine, "007");
        assert_eq!(good("[node]\nname = 'db'").machine, "db");
        assert_eq!(good("[node]\nmachine = 3").machine, "3");
        assert_eq!(good("[node]\nmachine = 'a3'").machine, "a3");
    }

    #[test]
    fn durations_have_units() {
        for (text, milliseconds) in
            [("500ms", 500), ("1.75s", 1_750), ("10m", 600_000), ("24h", 86_400_000), ("0.5d", 43_200_000)]
        {
            assert_eq!(parse_duration(text), Ok(Duration::from_millis(milliseconds)), "{text}");
        }
        for text in ["", "5", "s", "-1s", "1 s", "1.2.3s", "9e9s", "1w", "1e400s", "99999999999999999999999d"] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_wrong_is_told_with_file_line_and_key() {
        let table = [
            (
                "[group]\nfailure_timeout = '1.75'",
                "m.toml:2: group.failure_timeout: \"1.75\" has no unit: write \"1.75s\" or \"1.75ms\"",
            ),
            (
                "[node]\nname = 'a b'",
                "m.toml:2: node.name: \"a b\" is not a member name: 1 to 64 letters, digits, '.', '_' or '-', starting with a letter, digit or '_'",
            ),
            (
                "[node]\naddress = '0.0.0.0'",
                "m.toml:2: node.address: the others cannot reach an unspecified address: give the one they reach",
            ),
            ("[node]\n\naddress = 'vm3'", "m.toml:3: node.address: \"vm3\" is no IPv4 or IPv6 address"),
            ("[node]\nport = 0", "m.toml:2: node.port: 0 is no port: the others have to know it"),
            (
                "[group]\nintroducers = ['vm1']",
                "m.toml:2: group.introducers: \"vm1\" is not host:port (IPv6 addresses in brackets)",
            ),
            ("[group]\nmax_simultaneous_failures = 0", "m.toml:2: group.max_simultaneous_failures: 0 is not between 1 and 16"),
            (
                "[group]\nheartbeat_interval = '1s'",
                "m.toml:2: group.failure_timeout: 1.75s is not between twice the heartbeat interval (2s) and 60s",
            ),
            ("[logs]\nlevel = 'loud'", "m.toml:2: logs.level: \"loud\" is none of error, warn, info, debug, trace"),
            ("[paths]\nstate_dir = 'state'", "m.toml:2: paths.state_dir: \"state\" is not absolute"),
        ];
        for (text, message) in table {
            assert_eq!(bad(text), message);
        }
    }

    #[test]
    fn unknown_keys_and_wrong_types_are_told_with_line_and_key() {
        let unknown = bad("[node]\nname = 'a'\nnmae = 'b'");
        assert!(unknown.starts_with("m.toml:3: node.nmae: unknown field `nmae`, expected one of"), "{unknown}");
        let section = bad("[nodes]\nname = 'a'");
        assert!(section.starts_with("m.toml:1: unknown field `nodes`"), "{section}");
        let kind = bad("[node]\nport = 'x'");
        assert!(kind.starts_with("m.toml:2: node.port: invalid type: string \"x\", expected u16"), "{kind}");
        let syntax = bad("[node]\nport = ");
        assert!(syntax.starts_with("m.toml:2:"), "{syntax}");
    }

    #[test]
    fn every_problem_is_told_at_once() {
        assert_eq!(bad("[node]\nport = 0\nname = ''\n[logs]\nlevel = 'x'").lines().count(), 3);
    }

    #[test]
    fn without_a_key_only_loopback_is_spoken_to_unless_allowed() {
        let text = "[node]\naddress = '192.0.2.13'\n";
        assert!(bad(text).contains("192.0.2.13 is not a loopback address"));
        assert!(good(&format!("{text}[security]\nallow_plaintext = true")).speaks_openly());
        assert!(!good("[node]\naddress = '127.0.0.9'").speaks_openly());
        assert!(bad("[security]\nkey_file = '/x'").starts_with("m.toml:2: security.key_file: this version cannot seal"));
    }

    #[test]
    fn a_reload_takes_what_can_change_and_names_what_cannot() {
        let old = good("[node]\nname = 'a'");
        let new = good("[node]\nname = 'b'\nport = 1\n[logs]\nlevel = 'debug'\nfiles = ['/var/log/x']");
        let (now, kept) = old.reload(new);
        assert_eq!(kept, ["node.name", "node.machine", "node.port"]);
        assert_eq!((now.name.as_str(), now.log_level, now.log_files.len()), ("a", Level::Debug, 1));
    }

    #[test]
    fn the_shipped_settings_name_every_key_and_are_good() {
        let shipped = include_str!("../../../packaging/memberd.toml");
        assert_eq!(good(shipped), good(""), "all of it is commented out");
        let uncommented: String = shipped
            .lines()
            .map(|line| line.strip_prefix("#").filter(|rest| !rest.starts_with(' ') && rest.contains(" = ")).unwrap_or(line))
            .filter(|line| !line.starts_with("key_file"))
            .fold(String::new(), |text, line| text + line + "\n");
        let config = good(&uncommented);
        assert_eq!(config.address.to_string(), "192.0.2.13:8946");
        for key in [
            "name",
            "machine",
            "address",
            "port",
            "introducers",
            "join_on_start",
            "max_simultaneous_failures",
            "heartbeat_interval",
            "failure_timeout",
            "forget_after",
            "state_dir",
            "log_dir",
            "files",
            "level",
            "socket",
            "key_file",
            "allow_plaintext",
        ] {
            assert!(shipped.lines().any(|line| line.starts_with(&format!("#{key} = "))), "{key}");
        }
    }
}
