//! Tests the settings, from the text of a file to the exact text of its errors. It owns no state.

mod reload;
mod wrong;

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
