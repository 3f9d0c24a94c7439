//! The exact text of errors, with file, line and key.

use super::*;

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
fn every_problem_is_reported_at_once() {
    assert_eq!(bad("[node]\nport = 0\nname = ''\n[logs]\nlevel = 'x'").lines().count(), 3);
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
