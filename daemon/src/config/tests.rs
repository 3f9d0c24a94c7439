//! The settings, from the text of a file to the exact words of its errors.

use super::*;
use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::time::Duration;

/// A machine without surprises, unless a test wants some.
struct TestHost {
    name: io::Result<&'static str>,
    address: io::Result<&'static str>,
    key_file: bool,
}

impl Default for TestHost {
    fn default() -> Self {
        TestHost { name: Ok("vm3"), address: Ok("127.0.0.3"), key_file: false }
    }
}

fn same<T: Copy>(result: &io::Result<T>) -> io::Result<T> {
    result.as_ref().copied().map_err(|error| error.kind().into())
}

impl Host for TestHost {
    fn name(&self) -> io::Result<String> {
        same(&self.name).map(str::to_owned)
    }
    fn address(&self) -> io::Result<IpAddr> {
        same(&self.address).map(|text| text.parse().unwrap())
    }
    fn has_file(&self, _: &Path) -> io::Result<bool> {
        Ok(self.key_file)
    }
}

fn parse(text: &str) -> Result<Config, String> {
    parse_on(&TestHost::default(), text)
}

fn parse_on(host: &TestHost, text: &str) -> Result<Config, String> {
    Config::parse(Path::new("m.toml"), text, host).map_err(|errors| errors.to_string())
}

#[test]
fn an_empty_file_means_the_documented_defaults() {
    let config = parse("").unwrap();
    assert_eq!(config.node.name.as_str(), "vm3");
    assert_eq!(config.node.machine.to_string(), "3");
    assert_eq!(config.node.address, "127.0.0.3:8946".parse().unwrap());
    assert_eq!(config.group.introducers, Vec::<String>::new());
    assert!(!config.group.join_on_start);
    assert_eq!(config.group.protocol, memberd_ring::Settings::default());
    assert_eq!(config.paths.state_dir, Path::new("/var/lib/memberd"));
    assert_eq!(config.log_file(), Path::new("/var/log/memberd/machine.3.log"));
    assert_eq!(config.logs, Logs { files: vec![], level: Level::INFO });
    assert_eq!(config.control.socket, Path::new("/run/memberd/control.sock"));
    assert_eq!(config.security.plaintext, Plaintext::LoopbackOnly);
}

#[test]
fn every_key_is_taken_from_the_file() {
    let config = parse(
        r#"
        node = { name = "db-1.example", machine = "seven", address = "2001:db8::7", port = 1234 }
        [group]
        introducers = ["vm1:8946", "[2001:db8::1]:8946", "192.0.2.11:1"]
        join_on_start = true
        max_simultaneous_failures = 2
        heartbeat_interval = "200ms"
        failure_timeout = "1s"
        forget_after = "2h"
        [paths]
        state_dir = "/s"
        log_dir = "/l"
        [logs]
        files = ["/var/log/*.log"]
        level = "debug"
        [control]
        socket = "/c"
        [security]
        allow_plaintext = true
        "#,
    )
    .unwrap();
    assert_eq!(config.node.name.as_str(), "db-1.example");
    assert_eq!(config.node.address, "[2001:db8::7]:1234".parse().unwrap());
    assert_eq!(config.group.introducers, ["vm1:8946", "[2001:db8::1]:8946", "192.0.2.11:1"]);
    assert!(config.group.join_on_start);
    let protocol = config.group.protocol;
    assert_eq!(protocol.group.max_simultaneous_failures, 2);
    assert_eq!(protocol.group.heartbeat_interval, Duration::from_millis(200));
    assert_eq!(protocol.group.failure_timeout, Duration::from_secs(1));
    assert_eq!(protocol.forget_after, Duration::from_secs(7_200));
    assert_eq!(config.paths.state_dir, Path::new("/s"));
    assert_eq!(config.log_file(), Path::new("/l/machine.seven.log"));
    assert_eq!(config.logs, Logs { files: vec!["/var/log/*.log".into()], level: Level::DEBUG });
    assert_eq!(config.control.socket, Path::new("/c"));
    assert_eq!(config.security.plaintext, Plaintext::Anywhere);
}

#[test]
fn the_machine_is_the_digits_that_end_the_name_or_the_name() {
    for (name, machine) in
        [("vm3", "3"), ("vm03", "03"), ("web", "web"), ("7", "7"), ("a1b22", "22"), ("vm3.example", "vm3.example")]
    {
        let config = parse(&format!("node.name = {name:?}")).unwrap();
        assert_eq!(config.node.machine.to_string(), machine, "{name}");
    }
    assert_eq!(parse("node.machine = 12").unwrap().node.machine.to_string(), "12");
}

const SEAL: &str = "without a key only those are accepted; this version cannot seal traffic yet, so on a closed test network set security.allow_plaintext = true";

#[test]
fn bad_settings_are_told_with_file_line_and_key() {
    let long = format!("/{}", "s".repeat(107));
    for (text, message) in [
        ("[group]\n\nfailure_timeout = \"1.75\"", "m.toml:3: group.failure_timeout: \"1.75\" has no unit: write \"1.75s\""),
        ("[node]\nnaem = \"a\"", "m.toml:2: node.naem: unknown key: did you mean name?"),
        ("[node]\ncolour = 1", "m.toml:2: node.colour: unknown key: write one of name, machine, address, port"),
        ("[groups]\n", "m.toml:1: groups: unknown key: did you mean group?"),
        ("verbose = true", "m.toml:1: verbose: unknown key: write one of node, group, paths, logs, control, security"),
        ("[node]\nport = \"8946\"", "m.toml:2: node.port: invalid type: string \"8946\", expected a whole number"),
        ("[node]\nport = 0", "m.toml:2: node.port: 0 is not a port: write 1 to 65535"),
        ("[node]\nport = 65536", "m.toml:2: node.port: 65536 is not a port: write 1 to 65535"),
        ("\nnode = 3", "m.toml:2: node: invalid type: integer `3`, expected struct Node"),
        ("[node]\nname = 'x'\nname = 'y'", "m.toml:3: duplicate key"),
        ("[node]\nname", "m.toml:2: key with no value, expected `=`"),
        (
            "[node]\nname = 'a b'",
            "m.toml:2: node.name: \"a b\" is not a member name: 1 to 64 letters, digits, '.', '_' or '-', starting with a letter, digit or '_'",
        ),
        (
            "[node]\nmachine = '../x'",
            "m.toml:2: node.machine: \"../x\" cannot be part of a file's name: write a number, or 1 to 64 letters, digits, '.', '_' or '-'",
        ),
        ("node.machine = 1.5", "m.toml:1: node.machine: invalid type: floating point `1.5`, expected a whole number or a string"),
        ("node.address = 'vm3'", "m.toml:1: node.address: \"vm3\" is not an IPv4 or IPv6 address"),
        ("node.address = '0.0.0.0'", "m.toml:1: node.address: 0.0.0.0 is not the address of one machine"),
        ("node.address = '::'", "m.toml:1: node.address: :: is not the address of one machine"),
        ("node.address = '224.0.0.1'", "m.toml:1: node.address: 224.0.0.1 is not the address of one machine"),
        ("node.address = '255.255.255.255'", "m.toml:1: node.address: 255.255.255.255 is not the address of one machine"),
        ("node.address = 'fe80::1'", "m.toml:1: node.address: fe80::1 is link-local, which means nothing to a member elsewhere"),
        ("node.address = '192.0.2.1'", &format!("m.toml:1: node.address: 192.0.2.1 is not a loopback address: {SEAL}")),
        (
            "[group]\nintroducers = [\n  '127.0.0.1:1',\n  'vm1',\n]",
            "m.toml:4: group.introducers: \"vm1\" has no port: write \"vm1:8946\"",
        ),
        ("group.introducers = ['::1']", "m.toml:1: group.introducers: \"::1\" has no port: write \"[::1]:8946\""),
        (
            "group.introducers = ['vm1:0']",
            "m.toml:1: group.introducers: \"vm1:0\" does not end in a port: write 1 to 65535 after the last colon",
        ),
        (
            "group.introducers = ['vm 1:1']",
            "m.toml:1: group.introducers: \"vm 1:1\" is not host:port, such as \"vm1:8946\" or \"[2001:db8::1]:8946\"",
        ),
        (
            "group.introducers = ['192.0.2.1:8946']",
            &format!("m.toml:1: group.introducers: 192.0.2.1 is not a loopback address: {SEAL}"),
        ),
        ("group.introducers = 'vm1:1'", "m.toml:1: group.introducers: invalid type: string \"vm1:1\", expected a sequence"),
        ("group.introducers = [1]", "m.toml:1: group.introducers: invalid type: integer `1`, expected a string"),
        ("group.join_on_start = 'yes'", "m.toml:1: group.join_on_start: invalid type: string \"yes\", expected a boolean"),
        ("group.max_simultaneous_failures = 0", "m.toml:1: group.max_simultaneous_failures: 0 is out of bounds: write 1 to 16"),
        ("group.max_simultaneous_failures = 17", "m.toml:1: group.max_simultaneous_failures: 17 is out of bounds: write 1 to 16"),
        ("group.heartbeat_interval = '49ms'", "m.toml:1: group.heartbeat_interval: 49ms is out of bounds: write 50ms to 10s"),
        ("group.heartbeat_interval = 500", "m.toml:1: group.heartbeat_interval: invalid type: integer `500`, expected a string"),
        (
            "group.failure_timeout = '999ms'",
            "m.toml:1: group.failure_timeout: 999ms is out of bounds: write 1s (two heartbeat intervals) to 1m",
        ),
        (
            "group.heartbeat_interval = '1s'",
            "m.toml:1: group.failure_timeout: 1.75s is out of bounds: write 2s (two heartbeat intervals) to 1m",
        ),
        ("group.forget_after = '10s'", "m.toml:1: group.forget_after: 10s is out of bounds: write 1m to 365d"),
        ("paths.state_dir = 'var'", "m.toml:1: paths.state_dir: \"var\" is not absolute: begin it with /"),
        ("paths.log_dir = ''", "m.toml:1: paths.log_dir: \"\" is not absolute: begin it with /"),
        ("logs.files = ['*.log']", "m.toml:1: logs.files: *.log: not an absolute path: begin it with /"),
        ("logs.level = 'loud'", "m.toml:1: logs.level: \"loud\" is not a level: write error, warn, info, debug or trace"),
        (
            &format!("control.socket = {long:?}"),
            "m.toml:1: control.socket: 108 bytes are too long for a socket's path: write 107 at most",
        ),
        (
            "[security]\nkey_file = '/k'",
            "m.toml:2: security.key_file: this version cannot seal traffic yet: take this line out, and on a closed test network set security.allow_plaintext = true",
        ),
    ] {
        assert_eq!(parse(text).unwrap_err(), message, "{text}");
    }
}

#[test]
fn several_bad_values_are_told_at_once_in_the_order_of_the_lines() {
    let text = "[paths]\nlog_dir = 'l'\n[node]\nport = 0\n[logs]\nlevel = 'x'\n";
    let keys: Vec<String> = parse(text).unwrap_err().lines().map(|line| line.split(": ").take(2).collect::<String>()).collect();
    assert_eq!(keys, ["m.toml:2paths.log_dir", "m.toml:4node.port", "m.toml:6logs.level"]);
}

#[test]
fn defaults_that_do_not_fit_the_machine_are_errors_that_say_what_to_set() {
    let host = TestHost { address: Err(io::ErrorKind::NetworkUnreachable.into()), ..TestHost::default() };
    assert_eq!(
        parse_on(&host, "").unwrap_err(),
        "m.toml: node.address: there is no default route to take it from (network unreachable): set node.address"
    );
    let host = TestHost { name: Ok("a b"), ..TestHost::default() };
    assert!(parse_on(&host, "").unwrap_err().ends_with("): set node.name"));
    let host = TestHost { address: Ok("192.0.2.13"), ..TestHost::default() };
    assert_eq!(parse_on(&host, "").unwrap_err(), format!("m.toml: node.address: 192.0.2.13 is not a loopback address: {SEAL}"));
    assert!(parse_on(&host, "security.allow_plaintext = true").is_ok());
}

#[test]
fn a_key_file_that_would_not_be_used_is_an_error_even_in_its_default_place() {
    let host = TestHost { key_file: true, ..TestHost::default() };
    assert_eq!(
        parse_on(&host, "security.allow_plaintext = true").unwrap_err(),
        "m.toml: security.key_file: this version cannot seal traffic yet: /etc/memberd/group.key would not be used, so move it away"
    );
}

#[test]
fn more_introducers_than_a_member_would_ask_are_refused() {
    let many = vec!["vm1:1"; MAX_INTRODUCERS + 1];
    assert_eq!(
        parse(&format!("group.introducers = {many:?}")).unwrap_err(),
        "m.toml:1: group.introducers: 65 entries are too many: write 64 at most"
    );
    assert!(parse(&format!("group.introducers = {:?}", vec!["vm1:1"; MAX_INTRODUCERS])).is_ok());
}

#[test]
fn an_unreadable_file_is_told_with_its_cause() {
    let directory = tempfile::tempdir().unwrap();
    let absent = directory.path().join("none.toml");
    let error = Config::load(&absent).unwrap_err().to_string();
    assert_eq!(error, format!("{}: cannot be read: No such file or directory (os error 2)", absent.display()));
    let binary = directory.path().join("binary.toml");
    std::fs::write(&binary, [0xff, 0xfe]).unwrap();
    assert!(Config::load(&binary).unwrap_err().to_string().contains("cannot be read: stream did not contain valid UTF-8"));
    let endless = Config::load(Path::new("/dev/zero")).unwrap_err().to_string();
    assert_eq!(endless, "/dev/zero: cannot be read: it is larger than 1048576 bytes");
}

#[test]
fn without_a_key_only_loopback_is_accepted() {
    let closed = Security { plaintext: Plaintext::LoopbackOnly };
    assert!(closed.accepts(Ipv4Addr::new(127, 9, 9, 9).into()) && closed.accepts("::ffff:127.0.0.1".parse().unwrap()));
    assert!(!closed.accepts("192.0.2.1".parse().unwrap()) && !closed.accepts("2001:db8::1".parse().unwrap()));
    assert!(Security { plaintext: Plaintext::Anywhere }.accepts("192.0.2.1".parse().unwrap()));
}

#[test]
fn a_reload_changes_introducers_and_logs_and_names_what_waits_for_a_restart() {
    let old = parse("").unwrap();
    let new = parse(
        "[node]\nport = 1\n[group]\nintroducers = ['vm1:1']\nfailure_timeout = '2s'\n[logs]\nlevel = 'debug'\nfiles = ['/a']\n[control]\nsocket = '/c'",
    )
    .unwrap();
    let Reload { config, waiting } = old.reload(&new);
    assert_eq!(waiting, ["node.port", "group.failure_timeout", "control.socket"]);
    assert_eq!(config.group.introducers, new.group.introducers);
    assert_eq!(config.logs, new.logs);
    assert_eq!((&config.node, &config.control, config.group.protocol), (&old.node, &old.control, old.group.protocol));
    assert_eq!(old.reload(&old), Reload { config: old.clone(), waiting: vec![] });
}

const SHIPPED: &str = include_str!("../../../packaging/memberd.toml");

/// The shipped file with its commented-out defaults in force.
fn shipped_uncommented() -> String {
    let is_setting = |line: &&str| !line.starts_with("# ") && !line.is_empty() && *line != "#";
    SHIPPED.lines().filter(is_setting).map(|line| line.trim_start_matches('#').to_owned() + "\n").collect()
}

#[test]
fn the_shipped_settings_are_valid_and_what_they_show_is_the_default() {
    let defaults = parse("").unwrap();
    assert_eq!(parse(SHIPPED).unwrap(), defaults);
    let own = |line: &&str| !line.starts_with("address") && !line.starts_with("key_file");
    let shown: String = shipped_uncommented().lines().filter(own).map(|line| line.to_owned() + "\n").collect();
    assert_eq!(parse(&shown).unwrap(), defaults);
}

#[test]
fn every_key_that_is_known_is_documented_in_the_shipped_settings_and_the_reverse() {
    let shipped: toml::Table = toml::from_str(&shipped_uncommented()).unwrap();
    let mut documented = BTreeSet::new();
    for (section, keys) in &shipped {
        documented.extend(keys.as_table().unwrap().keys().map(|key| format!("{section}.{key}")));
    }
    // A wrong key's error lists all keys of its section.
    let known_in = |text: &str| -> Vec<String> {
        let error = parse(text).unwrap_err();
        error.split_once("write one of ").unwrap().1.split(", ").map(str::to_owned).collect()
    };
    let mut known = BTreeSet::new();
    for section in known_in("quite_another_thing = 1") {
        let keys = parse(&format!("{section}.x_y_z_x_y_z = 1")).unwrap_err();
        let list = keys.split_once("write one of ").map(|(_, list)| list.to_owned()).unwrap();
        known.extend(list.split(", ").map(|key| format!("{section}.{key}")));
    }
    assert_eq!(documented, known);
}

proptest::proptest! {
    #[test]
    fn no_text_makes_the_loader_panic(text in "[\\[\\]a-z_.=\"'0-9\n ,{}#é]{0,200}") {
        drop(parse(&text));
    }
}
