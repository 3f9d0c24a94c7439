//! Tests the settings, from the text of a file to the exact text of its errors. It owns no state.

use super::machine::{Family, System};
use super::parse::parse;
use super::*;
use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};

pub(super) const SYSTEM: System = System {
    host_name: || Some("web17".to_owned()),
    default_address: |_| Some(IpAddr::V4(Ipv4Addr::LOCALHOST)),
    look_up: |_| Err(io::ErrorKind::NotFound.into()),
    last_address: None,
    last_name: None,
    credentials: || None,
    exists: |_| Ok(false),
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

/// They go along with each search, which must not become too long for other members.
#[test]
fn a_long_list_of_files_for_the_search_socket_is_refused() {
    let files = |count| format!("[search]\nfiles = [{}]", "'/var/log/x/',".repeat(count));
    assert_eq!(good(&files(256)).search.restriction.files.len(), 256);
    let long = format!("[search]\nfiles = [{}]", format!("'/{}',", "x".repeat(2044)).repeat(4));
    assert_eq!(good(&long).search.restriction.files.len(), 4);
    assert_eq!(
        bad(&long.replacen('x', "xyz", 1)),
        "m.toml:2: search.files: these globs have 8194 bytes, with 3 more for each, and go along \
        with each search, which takes 8192 at most: write fewer or shorter ones"
    );
}

/// Invalid settings, and the error text of each.
const WRONG: [(&str, &str); 24] = [
    (
        "[group]\nfailure_timeout = '1.75'",
        "m.toml:2: group.failure_timeout: \"1.75\" has no unit: write \"1.75s\"",
    ),
    (
        "[node]\nname = 'a b'",
        "m.toml:2: node.name: \"a b\" is not a member name: 1 to 64 letters, digits, '.', '_' \
        or '-', starting with a letter, digit or '_'",
    ),
    (
        "[node]\naddress = '0.0.0.0'",
        "m.toml:2: node.address: other members cannot reach an unspecified address: give one \
        they can reach",
    ),
    (
        "[node]\n\naddress = 'vm 3'",
        "m.toml:3: node.address: \"vm 3\" is not an IPv4 or IPv6 address, and not a host name",
    ),
    ("[node]\nport = 0", "m.toml:2: node.port: 0 is not a port: other members must know the port"),
    (
        "[group]\nintroducers = ['vm1']",
        "m.toml:2: group.introducers: \"vm1\" is not host:port (IPv6 addresses in brackets)",
    ),
    (
        "[group]\nmax_simultaneous_failures = 0",
        "m.toml:2: group.max_simultaneous_failures: 0 is not between 1 and 16",
    ),
    (
        "[group]\nheartbeat_interval = '1s'",
        "m.toml:2: group.failure_timeout: 1.75s is not between twice the heartbeat interval \
        (2s) and 60s",
    ),
    (
        "[logs]\nlevel = 'loud'",
        "m.toml:2: logs.level: \"loud\" is not one of error, warn, info, debug, trace",
    ),
    ("[paths]\nstate_dir = 'state'", "m.toml:2: paths.state_dir: \"state\" is not absolute"),
    (
        "[paths]\nlog_dir = '/var/../log'",
        "m.toml:2: paths.log_dir: \"/var/../log\": write the path without . or ..",
    ),
    (
        "[paths]\nlog_dir = \"/a\\u0000\"",
        "m.toml:2: paths.log_dir: \"/a\\0\" has a NUL byte, which a path cannot contain",
    ),
    (
        "[group]\nintroducers = [\n  'vm1:8946',\n  'vm2',\n]",
        "m.toml:4: group.introducers: \"vm2\" is not host:port (IPv6 addresses in brackets)",
    ),
    (
        "[logs]\nfiles = ['/a',\n'b']",
        "m.toml:3: logs.files: b: not an absolute path: begin it with /",
    ),
    (
        "[logs]\nfollow_links = ['/a',\n'/']",
        "m.toml:3: logs.follow_links: /: write an absolute path below /, without . or ..",
    ),
    ("[search]\nsocket = 'run'", "m.toml:2: search.socket: \"run\" is not absolute"),
    (
        "[search]\nsocket = '/run/memberd/control-read.sock'",
        "m.toml:2: search.socket: another control socket has this path: set one of its own",
    ),
    (
        "[search]\nfiles = ['/a',\n'log/b']",
        "m.toml:3: search.files: \"log/b\" matches no path: begin it with / or **/",
    ),
    (
        "[search]\ntags = ['role=web', '=']",
        "m.toml:2: search.tags: \"=\": write KEY=VALUE, or KEY alone for any value",
    ),
    ("[search]\ngroup = ''", "m.toml:2: search.group: is empty: name a group"),
    (
        "[group]\nforget_after = '999d'",
        "m.toml:2: group.forget_after: \"999d\" is not between 60s and 365d; sooner, late \
        updates would bring members back",
    ),
    (
        "[node]\naddress = '192.0.2.13'",
        "m.toml:2: node.address: 192.0.2.13 is not a loopback address, and without a key \
        nothing is sealed: put the group's key into /etc/memberd/group.key, or for a closed \
        test network set security.allow_plaintext = true",
    ),
    (
        "[metrics]\nlisten = '9946'",
        "m.toml:2: metrics.listen: \"9946\" is not ADDRESS:PORT, such as \"127.0.0.1:9946\" \
        (IPv6 addresses in brackets)",
    ),
    (
        "[node]\naddress = 'fe80::1'",
        "m.toml:2: node.address: a link-local address has another meaning on each machine",
    ),
];

#[test]
fn an_invalid_setting_is_reported_with_file_line_and_key() {
    for (text, message) in WRONG {
        assert_eq!(bad(text), message);
    }
}

#[test]
fn errors_of_keys_types_and_syntax_name_line_and_key() {
    for (text, message) in [
        ("[node]\nname = 'a'\nnmae = 'b'", "m.toml:3: node.nmae: unknown key: did you mean name?"),
        (
            "node.colour = 1",
            "m.toml:1: node.colour: unknown key: known keys are name, machine, address, bind, \
             port, tags",
        ),
        ("[nodes]\nname = 'a'", "m.toml:1: nodes: unknown key: did you mean node?"),
        (
            "verbose = true",
            "m.toml:1: verbose: unknown key: known keys are node, group, paths, logs, limits, \
            control, search, security, metrics, \
         agreement, files, streams",
        ),
        ("node = 3", "m.toml:1: node: invalid type: integer `3`, expected a section"),
        (
            "[node]\nport = 'x'",
            "m.toml:2: node.port: invalid type: string \"x\", expected a whole number up to 65535",
        ),
        (
            "[node]\nport = 65536",
            "m.toml:2: node.port: invalid value: integer `65536`, expected a whole number up to \
            65535",
        ),
        ("[node]\nmachine = 1.5", "m.toml:2: node.machine: expected a whole number or a string"),
        (
            "[group]\nintroducers = 'vm1:1'",
            "m.toml:2: group.introducers: invalid type: string \"vm1:1\", expected a list",
        ),
        (
            "[group]\nintroducers = [\n1]",
            "m.toml:3: group.introducers: invalid type: integer `1`, expected a string",
        ),
        (
            "[paths]\nlog_dir = 1",
            "m.toml:2: paths.log_dir: invalid type: integer `1`, expected a string",
        ),
        ("[node]\nname = 'x'\nname = 'y'", "m.toml:3: duplicate key"),
        ("[node]\nport", "m.toml:2: key with no value, expected `=`"),
    ] {
        assert_eq!(bad(text), message);
    }
}

#[test]
fn valid_globs_can_be_exposed() {
    let longest = format!("/{}", "*".repeat(1_023));
    good(&format!("[paths]\nlog_dir = '{longest}'")).offer().unwrap();
    assert_eq!(
        bad(&format!("[paths]\nlog_dir = '{longest}*'")),
        "m.toml:2: paths.log_dir: longer than 1024 bytes: use a shorter path"
    );
    let most = |files: usize| format!("[logs]\nfiles = [{}]", "'/a',".repeat(files));
    good(&most(1_023)).offer().unwrap();
    assert_eq!(
        bad(&most(1_024)),
        "m.toml:2: logs.files: with the daemon's own log, more than 1024 globs: give fewer"
    );
}

#[test]
fn every_problem_is_reported_at_once() {
    assert_eq!(bad("[node]\nport = 0\nname = ''\n[logs]\nlevel = 'x'").lines().count(), 3);
}

#[test]
fn without_a_key_only_loopback_is_used_unless_allowed() {
    let text = "[node]\naddress = '192.0.2.13'\n";
    assert!(bad(text).contains("192.0.2.13 is not a loopback address"));
    assert!(good(&format!("{text}[security]\nallow_plaintext = true")).speaks_openly());
    assert!(!good("[node]\naddress = '127.0.0.9'").speaks_openly());
    assert!(!good(&format!("{text}[security]\nkey_file = '/x'")).speaks_openly());
}

/// At a boot the network may be slow. The same settings are valid later.
#[test]
fn what_the_machine_has_not_yet_is_no_invalid_setting() {
    const KEY: &str = "[security]\nkey_file = '/x'";
    let offline = System { default_address: |_| None, ..SYSTEM };
    let failed = |text: &str, system: &System| parse("m.toml", text, system).unwrap_err();
    let missing =
        "m.toml: node.address: not set, and this machine has no default route to take it from";
    let error = failed(KEY, &offline);
    assert_eq!(error.lines, [format!("{missing} yet: set it")]);
    assert!(error.only_not_yet);
    assert!(failed("[security]\nallow_plaintext = true", &offline).only_not_yet);

    let error = failed("", &offline);
    let remedy = "set it, and put the group's key into /etc/memberd/group.key";
    assert_eq!(error.lines, [format!("{missing}: {remedy}")]);
    assert!(!error.only_not_yet, "no address of a default route is allowed without a key");

    let error = failed(&format!("{KEY}\n[logs]\nlevel = 'loud'"), &offline);
    assert_eq!((error.lines.len(), error.only_not_yet), (2, false));
    assert!(!failed(&format!("{KEY}\n[node]\naddress = '0.0.0.0'"), &offline).only_not_yet);
}

/// The host name may be set later, by DHCP or cloud-init. Until then every such machine would have
/// the same name.
#[test]
fn a_host_name_that_was_not_set_yet_is_no_default_name() {
    for host_name in [|| Some("localhost".to_owned()), || Some("(none)".to_owned()), || None] {
        let unnamed = System { host_name, ..SYSTEM };
        let error = parse("m.toml", "", &unnamed).unwrap_err();
        assert!(error.only_not_yet, "{error}");
        assert!(error.lines[0].starts_with("m.toml: node.name: not set, and "), "{error}");
        let named = parse("m.toml", "[node]\nname = 'localhost'", &unnamed).unwrap();
        assert_eq!(named.name.as_str(), "localhost", "a name that is set is obeyed");
    }
    let unnamed = System { host_name: || Some("localhost".to_owned()), ..SYSTEM };
    assert_eq!(
        parse("m.toml", "", &unnamed).unwrap_err().to_string(),
        "m.toml: node.name: not set, and the host name \"localhost\" is that of a machine without \
        one: set it, or the host name (hostnamectl)"
    );
    let reloaded = System { last_name: Name::new("web17").ok(), ..unnamed };
    assert_eq!(parse("m.toml", "", &reloaded).unwrap().name.as_str(), "web17");
    let unusable = System { host_name: || Some("two words".to_owned()), ..SYSTEM };
    let error = parse("m.toml", "", &unusable).unwrap_err();
    assert_eq!(
        error.to_string(),
        "m.toml: node.name: not set, and the host name \"two words\" is not a member name: set it"
    );
}

/// A machine often has its IPv6 address first. It must not become a member there that cannot reach
/// its introducers.
#[test]
fn the_default_address_is_of_the_family_of_the_introducers() {
    let slow_ipv4 = System {
        default_address: |family| (family == Family::V6).then(|| "2001:db8::5".parse().unwrap()),
        ..SYSTEM
    };
    let text = |introducers: &str| {
        format!("[security]\nkey_file = '/x'\n[group]\nintroducers = [{introducers}]")
    };
    let address = |introducers: &str| {
        parse("m.toml", &text(introducers), &slow_ipv4).map(|config| config.address.to_string())
    };
    for introducers in ["", "'vm1:8946'", "'[2001:db8::1]:1'", "'192.0.2.1:1', '[2001:db8::1]:1'"] {
        assert_eq!(address(introducers).as_deref(), Ok("[2001:db8::5]:8946"), "{introducers}");
    }
    assert!(address("'vm1:8946', '192.0.2.1:8946'").unwrap_err().only_not_yet);
    let both = System {
        default_address: |family| match family {
            Family::V4 => Some([192, 0, 2, 5].into()),
            Family::V6 => Some("2001:db8::5".parse().unwrap()),
        },
        ..SYSTEM
    };
    let config = parse("m.toml", &text("'[2001:db8::1]:8946'"), &both).unwrap();
    assert_eq!(config.address.to_string(), "[2001:db8::5]:8946");
    assert_eq!(parse("m.toml", &text(""), &both).unwrap().address.to_string(), "192.0.2.5:8946");
}

/// A reload, which logrotate requests too, must not fail because a cable is out.
#[test]
fn a_reload_without_a_default_route_keeps_the_address() {
    let text = "[security]\nkey_file = '/x'";
    let last_address = Some([192, 0, 2, 5].into());
    let offline = System { default_address: |_| None, last_address, ..SYSTEM };
    assert_eq!(parse("m.toml", text, &offline).unwrap().address.to_string(), "192.0.2.5:8946");
    let online = System { last_address, ..SYSTEM };
    assert_eq!(parse("m.toml", text, &online).unwrap().address.to_string(), "127.0.0.1:8946");
}

#[test]
fn the_key_file_is_set_or_a_credential_or_the_usual_one() {
    let key_file = |text: &str, system: &System| parse("m.toml", text, system).unwrap().key_file;
    let systemd = System {
        credentials: || Some(PathBuf::from("/run/credentials/memberd.service")),
        ..SYSTEM
    };
    assert_eq!(key_file("", &systemd), None, "systemd passes other credentials");
    let all = System { exists: |_| Ok(true), ..systemd };
    assert_eq!(key_file("[security]\nkey_file = '/x'", &all), Some(PathBuf::from("/x")));
    assert_eq!(
        key_file("", &all),
        Some(PathBuf::from("/run/credentials/memberd.service/group.key"))
    );
    let usual = System {
        exists: |path| Ok(path == Path::new("/etc/memberd/group.key")),
        credentials: all.credentials,
        ..SYSTEM
    };
    let is_credential =
        |text: &str, system: &System| parse("m.toml", text, system).unwrap().key_is_credential;
    assert!(
        is_credential("", &all)
            && !is_credential("[security]\nkey_file = '/x'", &all)
            && !is_credential("", &usual)
    );
    assert_eq!(key_file("", &usual), Some(PathBuf::from("/etc/memberd/group.key")));
    assert_eq!(
        bad("[security]\nkey_file = 'x'"),
        "m.toml:2: security.key_file: \"x\" is not absolute"
    );
    let hidden = System { exists: |_| Err(io::ErrorKind::PermissionDenied.into()), ..SYSTEM };
    let error = parse("m.toml", "", &hidden).unwrap_err().to_string();
    assert!(
        error.contains(
            "security.key_file: cannot tell whether there is a key in /etc/memberd/group.key"
        ),
        "{error}"
    );
}

#[test]
fn a_reload_takes_what_can_change_and_names_what_cannot() {
    let old = good("[node]\nname = 'a'");
    let new = good(
        "[node]\nname = 'b'\nport = 1\n[logs]\nlevel = 'debug'\nfiles = ['/var/log/x']\n\
         follow_links = ['/a']",
    );
    let (now, kept) = old.reload(new);
    assert_eq!(kept, ["node.name", "node.machine", "node.port"]);
    assert_eq!((now.name.as_str(), now.log_level, now.log_files.len()), ("a", Level::Debug, 1));
    assert_eq!(now.follow_links, ["/a"]);
}

/// Whichever key differs, the reload takes its value, or names it. With another detector there are
/// other keys.
#[test]
fn a_reload_forgets_no_key() {
    let old = good("[node]\nname = 'a'\n[group]\njoin_on_start = true");
    let new = good(
        "[node]\nname = 'b'\nmachine = 9\naddress = '127.0.0.9'\nbind = '127.0.0.8'\nport = 1\n\
         tags = { role = 'db' }\n\
         [group]\nintroducers = ['127.0.0.1:8946']\njoin_on_start = false\n\
         max_simultaneous_failures = 3\nheartbeat_interval = '500ms'\nfailure_timeout = '1600ms'\n\
         forget_after = '48h'\n\
         [paths]\nstate_dir = '/s'\nlog_dir = '/l'\n\
         [logs]\nfiles = ['/a']\nfollow_links = ['/b']\njournal = true\n\
         journal_namespaces = ['x']\nlevel = 'debug'\nsearches = false\n\
         copies = 1\nno_copies = ['x']\ncopies_space = '64MiB'\ncopies_total = '1GiB'\n\
         copies_age = '2d'\ncopies_rate = '1MiB'\n\
         [limits]\nsearches = 9\nsearch_threads = 1\nsearch_time = '2h'\nsearch_output = '1GiB'\n\
         search_memory = '200MiB'\ngreps = 9\n\
         [control]\nsocket = '/c.sock'\n\
         [search]\nsocket = '/s.sock'\ngroup = 'x'\nfiles = ['/a']\ntags = ['role=db']\n\
         journal = true\n\
         [security]\nkey_file = '/k'\nallow_plaintext = true\n\
         [metrics]\nlisten = '127.0.0.1:9946'\n\
         [agreement]\nenabled = true\ninitial_council = ['x']\ncouncil = 5\nlease = '2s'\n\
         vote = false\n\
         [files]\nenabled = true\nspace = '1GiB'\nrepair_after = '1min'\n\
         webhdfs = '127.0.0.1:9870'\nwebhdfs_may = 'write'\nwebhdfs_shares = ['a']\n\
         [streams]\nenabled = false\nworker = '/w.sock'\n",
    );
    let (before, asked) = (old.settings(), new.settings());
    let (now, kept) = old.reload(new);
    for ((before, asked), now) in before.iter().zip(&asked).zip(now.settings()) {
        assert_eq!(before == asked, now.key == "group.detector", "{}", now.key);
        let expected = if kept.contains(&now.key) { before } else { asked };
        assert_eq!(&now, expected);
    }
    let is_taken = |key: &&str| !kept.contains(key) && *key != "group.detector";
    let taken: Vec<_> = asked.iter().map(|asked| asked.key).filter(is_taken).collect();
    assert_eq!(
        taken,
        [
            "node.tags",
            "group.introducers",
            "group.join_on_start",
            "logs.files",
            "logs.follow_links",
            "logs.journal",
            "logs.journal_namespaces",
            "logs.level",
            "logs.searches",
            "logs.copies",
            "logs.no_copies",
            "logs.copies_space",
            "logs.copies_total",
            "logs.copies_age",
            "logs.copies_rate",
            "search.files",
            "search.tags",
            "search.journal",
            "security.key_file",
            "files.repair_after",
            "files.webhdfs",
            "files.webhdfs_may",
            "files.webhdfs_shares",
            "streams.enabled",
            "streams.worker",
        ]
    );
}

#[test]
fn tags_are_checked_and_change_with_a_reload() {
    let old = good("[node]\nname = 'a'\ntags = { role = 'web', zone = 'a' }");
    assert_eq!(old.tags.to_string(), "role=web zone=a");
    let (now, kept) = old.reload(good("[node]\nname = 'a'\ntags = { role = 'db' }"));
    assert_eq!((now.tags.to_string().as_str(), kept), ("role=db", Vec::new()));
    let error = bad("[node]\ntags = { Role = 'web' }");
    assert_eq!(
        error,
        "m.toml:2: node.tags: \"Role\" is not a tag's key: 1 to 32 of a-z, 0-9, '.', '_', '-'"
    );
    assert!(
        bad(&format!("[node]\ntags = {{ role = '{}' }}", "x".repeat(65)))
            .contains("is not a tag's value: at most 64 bytes")
    );
    let many: Vec<String> = (0..17).map(|i| format!("k{i} = ''")).collect();
    assert_eq!(
        bad(&format!("[node]\ntags = {{ {} }}", many.join(", "))),
        "m.toml:2: node.tags: more than 16 tags"
    );
}

#[test]
fn the_shipped_settings_name_every_key_and_are_good() {
    let shipped = include_str!("../../../packaging/memberd.toml");
    assert_eq!(good(shipped), good(""), "every setting is commented out");
    // The keys of one detector are refused beside the other.
    let uncommented = |left_out: &[&str]| -> String {
        let is_key = |rest: &&str| !rest.starts_with(' ') && rest.contains(" = ");
        let is_left_out = |rest: &&str| left_out.iter().any(|key| rest.starts_with(key));
        let lines = shipped.lines().map(|line| {
            line.strip_prefix("#").filter(is_key).filter(|rest| !is_left_out(rest)).unwrap_or(line)
        });
        lines.fold(String::new(), |text, line| text + line + "\n")
    };
    let config = good(&uncommented(&["ping_interval", "suspicion_timeout", "indirect_pings"]));
    assert_eq!(config.address.to_string(), "192.0.2.13:8946");
    assert_eq!(
        (config.group, config.forget_after),
        (good("").group, good("").forget_after),
        "the file shows the defaults"
    );
    assert_eq!(
        (config.limits, config.journal, config.journal_namespaces),
        (good("").limits, good("").journal, good("").journal_namespaces),
        "the file shows the defaults"
    );
    let swim = uncommented(&["heartbeat_interval", "failure_timeout"]).replace("ring", "swim");
    assert_eq!(good(&swim).group, GroupSettings::swim(), "the file shows the defaults");
    assert!(shipped.contains("4s with \"swim\""), "the timeout's other default");
    let table: toml::Table = toml::from_str(&uncommented(&[])).unwrap();
    let shown: BTreeSet<String> = table
        .iter()
        .flat_map(|(section, keys)| {
            keys.as_table().unwrap().keys().map(move |key| format!("{section}.{key}"))
        })
        .collect();
    // The known keys, as the errors about unknown keys list them.
    let known = |text: &str| -> Vec<String> {
        let error = bad(text);
        error.split_once("known keys are ").unwrap().1.split(", ").map(str::to_owned).collect()
    };
    let sections = known("xxxxxxxx = 1");
    assert_eq!(sections.len(), 12);
    let mut all = BTreeSet::new();
    for section in sections {
        let keys = known(&format!("{section}.xxxxxxxxxxxxxxxx = 1"));
        all.extend(keys.iter().map(|key| format!("{section}.{key}")));
    }
    assert_eq!(shown, all);
}

#[test]
fn an_unreadable_file_is_reported_with_path_and_cause() {
    let directory = tempfile::tempdir().unwrap();
    let absent = directory.path().join("none.toml");
    let error = Config::load(&absent).unwrap_err().to_string();
    assert_eq!(
        error,
        format!("{}: cannot be read: No such file or directory (os error 2)", absent.display())
    );
    let endless = Config::load(Path::new("/dev/zero")).unwrap_err().to_string();
    assert_eq!(endless, "/dev/zero: cannot be read: longer than 1048576 bytes");
}

proptest::proptest! {
    #[test]
    fn no_text_makes_the_loader_panic_and_every_error_is_one_line(text in "[\\[\\]a-z_.=\"'0-9\n \
    ,{}#é\u{1b}]{0,200}") {
        if let Err(ConfigError { lines, .. }) = parse("m.toml", &text, &SYSTEM) {
            let plain =
                |line: &String| line.starts_with("m.toml") && !line.contains(char::is_control);
            proptest::prop_assert!(lines.iter().all(plain));
        }
    }
}

#[test]
fn only_names_of_namespaces_are_offered() {
    let offer = |text: &str| good(text).journal_offer().map(|offer| offer.namespaces);
    assert_eq!(offer("[logs]\njournal_namespaces = ['web']"), None);
    assert_eq!(offer("[logs]\njournal = true"), Some(Vec::new()));
    let both = vec!["web".to_owned(), "*".to_owned()];
    assert_eq!(offer("[logs]\njournal = true\njournal_namespaces = ['web', '*']"), Some(both));
    let error = bad("[logs]\njournal_namespaces = ['+web']");
    assert!(error.contains("\"+web\" is not the name of a namespace, or *"), "{error}");
}

/// 600 seconds are no interval, and 24 seconds are too short to forget a member.
#[test]
fn a_number_without_a_unit_gets_one_that_fits() {
    for (key, number, fitting) in [
        ("heartbeat_interval", "600", "600ms"),
        ("heartbeat_interval", "2", "2s"),
        ("failure_timeout", "1750", "1750ms"),
        ("failure_timeout", "3", "3s"),
        ("forget_after", "24", "24h"),
        ("forget_after", "3600", "3600s"),
        ("forget_after", "0", "0s"),
    ] {
        assert_eq!(
            bad(&format!("[group]\n{key} = '{number}'")),
            format!("m.toml:2: group.{key}: \"{number}\" has no unit: write \"{fitting}\"")
        );
    }
}
