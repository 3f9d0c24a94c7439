//! From the settings as written to checked ones: each value is parsed here, each default stands here.

use super::error::{ConfigError, ConfigErrors};
use super::host::{Host, is_link_local};
use super::raw::{self, Field, Raw, Word};
use super::source::Source;
use super::{
    Config, Control, DEFAULT_PORT, Group, Logs, MAX_INTRODUCERS, MAX_SOCKET_PATH, Machine, Node, Paths, Plaintext, Security,
    duration,
};
use memberd_ring::{GroupSettings, Name};
use memberd_search::Offer;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;
use toml::Spanned;
use tracing::Level;

const DEFAULT_STATE_DIR: &str = "/var/lib/memberd";
const DEFAULT_LOG_DIR: &str = "/var/log/memberd";
const DEFAULT_SOCKET: &str = "/run/memberd/control.sock";
const DEFAULT_KEY_FILE: &str = "/etc/memberd/group.key";

const SIMULTANEOUS_FAILURES: RangeInclusive<u8> = 1..=16;
const INTERVAL: RangeInclusive<Duration> = Duration::from_millis(50)..=Duration::from_secs(10);
const LONGEST_TIMEOUT: Duration = Duration::from_secs(60);
const FORGET_AFTER: RangeInclusive<Duration> = Duration::from_secs(60)..=Duration::from_secs(365 * 24 * 60 * 60);

/// Checks everything, so that one run tells all errors.
pub(super) fn check(source: Source, raw: Raw, host: &dyn Host) -> Result<Config, ConfigErrors> {
    let mut checker = Checker { source, host, errors: Vec::new() };
    let security = checker.security(&raw.security);
    let node = checker.node(raw.node, &security);
    let config = Config {
        group: checker.group(raw.group, &security),
        paths: Paths {
            state_dir: checker.value("paths.state_dir", raw.paths.state_dir, DEFAULT_STATE_DIR.into(), |text| path(&text)),
            log_dir: checker.value("paths.log_dir", raw.paths.log_dir, DEFAULT_LOG_DIR.into(), |text| path(&text)),
        },
        logs: checker.logs(raw.logs),
        control: Control {
            socket: checker.value("control.socket", raw.control.socket, DEFAULT_SOCKET.into(), |text| socket(&text)),
        },
        security,
        node: match node {
            Some(node) => node,
            None => return Err(checker.into_errors()),
        },
    };
    if checker.errors.is_empty() { Ok(config) } else { Err(checker.into_errors()) }
}

struct Checker<'a> {
    source: Source<'a>,
    host: &'a dyn Host,
    errors: Vec<ConfigError>,
}

impl Checker<'_> {
    fn into_errors(mut self) -> ConfigErrors {
        self.errors.sort_by_key(|error| error.line.unwrap_or(usize::MAX));
        ConfigErrors(self.errors)
    }

    fn fail(&mut self, offset: Option<usize>, key: &str, message: &str) {
        let error = self.source.error(offset, Some(key.to_owned()), message);
        self.errors.push(error);
    }

    /// The value, or the default: when the key is absent, and as a stand-in when the value is wrong and has been noted.
    fn value<T, U>(&mut self, key: &str, field: Field<T>, default: U, parse: impl FnOnce(T) -> Result<U, String>) -> U {
        self.optional(key, field, parse).unwrap_or(default)
    }

    fn optional<T, U>(&mut self, key: &str, field: Field<T>, parse: impl FnOnce(T) -> Result<U, String>) -> Option<U> {
        let field = field?;
        let offset = field.span().start;
        parse(field.into_inner()).map_err(|message| self.fail(Some(offset), key, &message)).ok()
    }

    fn security(&mut self, raw: &raw::Security) -> Security {
        const CANNOT_SEAL: &str = "this version cannot seal traffic yet";
        let key = "security.key_file";
        if let Some(key_file) = &raw.key_file {
            let message =
                format!("{CANNOT_SEAL}: take this line out, and on a closed test network set security.allow_plaintext = true");
            self.fail(Some(key_file.span().start), key, &message);
        } else {
            match self.host.has_file(Path::new(DEFAULT_KEY_FILE)) {
                Ok(false) => {}
                Ok(true) => {
                    self.fail(None, key, &format!("{CANNOT_SEAL}: {DEFAULT_KEY_FILE} would not be used, so move it away"));
                }
                Err(error) => self.fail(None, key, &format!("cannot tell whether there is a key in {DEFAULT_KEY_FILE}: {error}")),
            }
        }
        let allowed = raw.allow_plaintext.as_ref().is_some_and(|allow| *allow.get_ref());
        Security { plaintext: if allowed { Plaintext::Anywhere } else { Plaintext::LoopbackOnly } }
    }

    fn node(&mut self, raw: raw::Node, security: &Security) -> Option<Node> {
        let name = match raw.name {
            Some(_) => self.optional("node.name", raw.name, |text| Name::new(&text).map_err(|error| error.to_string())),
            None => self.host_name(),
        };
        let machine = match raw.machine {
            Some(_) => self.optional("node.machine", raw.machine, machine),
            None => name.as_ref().map(default_machine),
        };
        let address = match raw.address {
            Some(_) => self.optional("node.address", raw.address, |text| address(&text, security)),
            None => self.default_address(security),
        };
        let port = self.value("node.port", raw.port, DEFAULT_PORT, |number| {
            u16::try_from(number.0).ok().filter(|port| *port != 0).ok_or(format!("{} is not a port: write 1 to 65535", number.0))
        });
        Some(Node { name: name?, machine: machine?, address: SocketAddr::new(address?, port) })
    }

    fn host_name(&mut self) -> Option<Name> {
        let name = self.host.name().map_err(|error| error.to_string());
        let name = name.and_then(|name| Name::new(&name).map_err(|error| error.to_string()));
        name.map_err(|error| self.fail(None, "node.name", &format!("the host name cannot be taken ({error}): set node.name")))
            .ok()
    }

    fn default_address(&mut self, security: &Security) -> Option<IpAddr> {
        let found =
            self.host.address().map_err(|error| format!("there is no default route to take it from ({error}): set node.address"));
        found.and_then(|found| usable(found, security)).map_err(|message| self.fail(None, "node.address", &message)).ok()
    }

    fn group(&mut self, raw: raw::Group, security: &Security) -> Group {
        let mut protocol = memberd_ring::Settings::default();
        let GroupSettings { max_simultaneous_failures: failures, heartbeat_interval: interval, failure_timeout: timeout } =
            protocol.group;
        let timeout_at = raw.failure_timeout.as_ref().or(raw.heartbeat_interval.as_ref()).map(|field| field.span().start);
        let failures = self.value("group.max_simultaneous_failures", raw.max_simultaneous_failures, failures, |number| {
            let (low, high) = (SIMULTANEOUS_FAILURES.start(), SIMULTANEOUS_FAILURES.end());
            let fitting = u8::try_from(number.0).ok().filter(|number| SIMULTANEOUS_FAILURES.contains(number));
            fitting.ok_or(format!("{} is out of bounds: write {low} to {high}", number.0))
        });
        let interval =
            self.value("group.heartbeat_interval", raw.heartbeat_interval, interval, |text| span_within(&text, &INTERVAL));
        let timeout = self.value("group.failure_timeout", raw.failure_timeout, timeout, |text| duration::parse(&text));
        let bounds = interval * 2..=LONGEST_TIMEOUT;
        if !bounds.contains(&timeout) {
            let (low, high) = (duration::show(*bounds.start()), duration::show(*bounds.end()));
            let found = duration::show(timeout);
            let message = format!("{found} is out of bounds: write {low} (two heartbeat intervals) to {high}");
            self.fail(timeout_at, "group.failure_timeout", &message);
        }
        protocol.group =
            GroupSettings { max_simultaneous_failures: failures, heartbeat_interval: interval, failure_timeout: timeout };
        protocol.forget_after =
            self.value("group.forget_after", raw.forget_after, protocol.forget_after, |text| span_within(&text, &FORGET_AFTER));
        Group {
            introducers: self.list("group.introducers", raw.introducers, MAX_INTRODUCERS, |text| introducer(text, security)),
            join_on_start: raw.join_on_start.is_some_and(Spanned::into_inner),
            protocol,
        }
    }

    fn logs(&mut self, raw: raw::Logs) -> Logs {
        const MAX_GLOBS: usize = 256;
        Logs {
            files: self.list("logs.files", raw.files, MAX_GLOBS, |glob| {
                Offer::new(&[glob]).map(drop).map_err(|error| error.to_string())
            }),
            level: self.value("logs.level", raw.level, Level::INFO, |text| level(&text)),
        }
    }

    /// A list of strings, each checked and its errors told with its own line.
    fn list(
        &mut self,
        key: &str,
        field: Field<Vec<Spanned<String>>>,
        most: usize,
        check: impl Fn(&str) -> Result<(), String>,
    ) -> Vec<String> {
        let Some(field) = field else { return Vec::new() };
        if field.get_ref().len() > most {
            self.fail(
                Some(field.span().start),
                key,
                &format!("{} entries are too many: write {most} at most", field.get_ref().len()),
            );
        }
        let mut entries = Vec::new();
        for entry in field.into_inner() {
            match check(entry.get_ref()) {
                Ok(()) => entries.push(entry.into_inner()),
                Err(message) => self.fail(Some(entry.span().start), key, &message),
            }
        }
        entries
    }
}

fn machine(word: Word) -> Result<Machine, String> {
    let Word(text) = word;
    // The same alphabet as a name's: it becomes part of a file's name.
    let not =
        |_| format!("{text:?} cannot be part of a file's name: write a number, or 1 to 64 letters, digits, '.', '_' or '-'");
    Name::new(&text).map_err(not)?;
    Ok(Machine(text))
}

/// The digits that end the name; without any, the name.
fn default_machine(name: &Name) -> Machine {
    let name = name.as_str();
    let stem = name.trim_end_matches(|character: char| character.is_ascii_digit());
    Machine(name.strip_prefix(stem).filter(|digits| !digits.is_empty()).unwrap_or(name).to_owned())
}

fn address(text: &str, security: &Security) -> Result<IpAddr, String> {
    let address: IpAddr = text.parse().map_err(|_| format!("{text:?} is not an IPv4 or IPv6 address"))?;
    usable(address.to_canonical(), security)
}

/// Refuses addresses that no other member could reach, or that must not be used without a key.
fn usable(address: IpAddr, security: &Security) -> Result<IpAddr, String> {
    let broadcast = matches!(address, IpAddr::V4(address) if address.is_broadcast());
    if address.is_unspecified() || address.is_multicast() || broadcast {
        return Err(format!("{address} is not the address of one machine"));
    }
    if is_link_local(address) {
        return Err(format!("{address} is link-local, which means nothing to a member elsewhere"));
    }
    if !security.accepts(address) {
        return Err(format!("{address} is not a loopback address: {WITHOUT_KEY}"));
    }
    Ok(address)
}

const WITHOUT_KEY: &str = "without a key only those are accepted; this version cannot seal traffic yet, so on a closed test network set security.allow_plaintext = true";

fn introducer(text: &str, security: &Security) -> Result<(), String> {
    check_introducer(text)?;
    match text.parse::<SocketAddr>() {
        Ok(address) => usable(address.ip(), security).map(drop),
        Err(_) => Ok(()),
    }
}

/// Checks an introducer as written: `host:port`, where the host is a name, an IPv4 address, or an IPv6 address in brackets.
///
/// # Errors
/// One line that says what is wrong and what to write.
pub fn check_introducer(text: &str) -> Result<(), String> {
    const MAX_HOST_NAME: usize = 253; // RFC 1035, as text.
    if text.parse::<Ipv6Addr>().is_ok() {
        return Err(format!("{text:?} has no port: write \"[{text}]:{DEFAULT_PORT}\""));
    }
    let Some((host, port)) = text.rsplit_once(':') else {
        return Err(format!("{text:?} has no port: write \"{text}:{DEFAULT_PORT}\""));
    };
    if !port.parse::<u16>().is_ok_and(|port| port != 0) || !port.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(format!("{text:?} does not end in a port: write 1 to 65535 after the last colon"));
    }
    let bracketed = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let character = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    let is_name = (1..=MAX_HOST_NAME).contains(&host.len()) && host.bytes().all(character);
    if bracketed.is_some_and(|inner| inner.parse::<Ipv6Addr>().is_ok()) || is_name {
        Ok(())
    } else if host.parse::<Ipv6Addr>().is_ok() {
        Err(format!("{text:?} needs brackets: write \"[{host}]:{port}\""))
    } else {
        Err(format!("{text:?} is not host:port, such as \"vm1:{DEFAULT_PORT}\" or \"[2001:db8::1]:{DEFAULT_PORT}\""))
    }
}

fn path(text: &str) -> Result<PathBuf, String> {
    if text.contains('\0') {
        return Err("a path has no zero byte".to_owned());
    }
    if !text.starts_with('/') {
        return Err(format!("{text:?} is not absolute: begin it with /"));
    }
    Ok(text.into())
}

fn socket(text: &str) -> Result<PathBuf, String> {
    if text.len() > MAX_SOCKET_PATH {
        return Err(format!("{} bytes are too long for a socket's path: write {MAX_SOCKET_PATH} at most", text.len()));
    }
    path(text)
}

fn level(text: &str) -> Result<Level, String> {
    match text {
        "error" => Ok(Level::ERROR),
        "warn" => Ok(Level::WARN),
        "info" => Ok(Level::INFO),
        "debug" => Ok(Level::DEBUG),
        "trace" => Ok(Level::TRACE),
        _ => Err(format!("{text:?} is not a level: write error, warn, info, debug or trace")),
    }
}

fn span_within(text: &str, bounds: &RangeInclusive<Duration>) -> Result<Duration, String> {
    let span = duration::parse(text)?;
    if bounds.contains(&span) {
        return Ok(span);
    }
    let (low, high) = (duration::show(*bounds.start()), duration::show(*bounds.end()));
    Err(format!("{} is out of bounds: write {low} to {high}", duration::show(span)))
}
