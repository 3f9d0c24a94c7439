//! A start that cannot succeed ends with a status and a line that says why.

use memberd_tests::process::run;
use memberd_tests::wait::SOON;
use memberd_tests::{Daemon, Fleet, binaries};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

/// The statuses of memberd.
const FAILURE: i32 = 1;
const BAD_SETTINGS: i32 = 78;

/// Starts a daemon that must fail, and returns its lines on standard error.
fn failed_start(daemon: &mut Daemon, status: i32) -> Vec<String> {
    daemon.launch_as_configured();
    let ended = daemon.wait_for_end(SOON);
    let said = daemon.stderr();
    assert_eq!(ended.code(), Some(status), "{said}");
    said.lines().map(str::to_owned).collect()
}

/// Starts a second daemon that shares something with the first. Asserts that it fails, names what
/// it shares, and leaves the first alone.
fn assert_second_is_turned_away(share: impl Fn(&Daemon, &mut Daemon) -> String) {
    let mut fleet = Fleet::idle(1);
    fleet.add();
    let [first, second] = fleet.daemons_mut() else { panic!("two daemons") };
    let named = share(first, second);
    second.write_settings();
    let said = failed_start(second, FAILURE);
    assert!(said.len() == 1 && said[0].contains(&named), "{said:?} is not one line about {named}");
    first.control().status().unwrap();
    first.control().join().unwrap();
}

#[test]
fn two_daemons_do_not_share_a_state_directory() {
    assert_second_is_turned_away(|first, second| {
        second.settings.state_dir.clone_from(&first.settings.state_dir);
        first.settings.state_dir.display().to_string()
    });
}

#[test]
fn two_daemons_do_not_share_a_port() {
    assert_second_is_turned_away(|first, second| {
        second.settings.address = first.settings.address;
        first.settings.address.to_string()
    });
}

#[test]
fn two_daemons_do_not_share_a_control_socket() {
    assert_second_is_turned_away(|first, second| {
        second.settings.socket.clone_from(&first.settings.socket);
        first.settings.socket.display().to_string()
    });
}

#[test]
fn what_is_no_socket_is_not_removed_for_the_control_socket() {
    let mut fleet = Fleet::new(1);
    fs::write(&fleet[1].settings.socket, "precious").unwrap();
    fleet[1].write_settings();
    let said = failed_start(&mut fleet[1], FAILURE);
    let socket = fleet[1].settings.socket.clone();
    assert!(said.len() == 1 && said[0].contains(&socket.display().to_string()), "{said:?}");
    assert_eq!(fs::read_to_string(socket).unwrap(), "precious");
}

#[test]
fn every_bad_setting_is_reported_with_file_line_and_key() {
    for (line, key) in [
        ("[node]\nname = \"two words\"", "node.name"),
        ("[node]\naddress = \"127.0.0.256\"", "node.address"),
        ("[node]\naddress = \"0.0.0.0\"", "node.address"),
        ("[node]\nport = 70000", "node.port"),
        ("[node]\nport = \"8946\"", "node.port"),
        ("[node]\nprot = 8946", "node.prot"),
        ("[group]\nintroducers = [\"vm1\"]", "group.introducers"),
        ("[group]\njoin_on_start = \"yes\"", "group.join_on_start"),
        ("[group]\nmax_simultaneous_failures = 0", "group.max_simultaneous_failures"),
        ("[group]\nheartbeat_interval = \"500\"", "group.heartbeat_interval"),
        ("[group]\nfailure_timeout = \"1ms\"", "group.failure_timeout"),
        ("[group]\ndetector = \"gossip\"", "group.detector"),
        ("[group]\nping_interval = \"2s\"", "group.ping_interval"),
        ("[paths]\nstate_dir = \"relative\"", "paths.state_dir"),
        ("[logs]\nlevel = \"loud\"", "logs.level"),
        ("[control]\nsocket = \"relative.sock\"", "control.socket"),
        ("[security]\nallow_plaintext = 1", "security.allow_plaintext"),
        ("[nodes]\nname = \"vm1\"", "nodes"),
    ] {
        let mut fleet = Fleet::new(1);
        let config = fleet[1].config();
        fs::write(&config, format!("# the settings\n\n{line}\n")).unwrap();
        let said = failed_start(&mut fleet[1], BAD_SETTINGS);
        let place = if key == "nodes" { 3 } else { 4 };
        let expected = format!("{}:{place}: {key}", config.display());
        assert!(
            said.iter().any(|line| line.contains(&expected)),
            "{said:?} is not about {expected}"
        );
    }
}

#[test]
fn all_bad_settings_are_reported_at_once() {
    let mut fleet = Fleet::new(1);
    let settings =
        "[node]\nname = \"vm1\"\naddress = \"127.0.0.1\"\nport = 0\n[logs]\nlevel = \"loud\"\n";
    fs::write(fleet[1].config(), settings).unwrap();
    let said = failed_start(&mut fleet[1], BAD_SETTINGS);
    for (line, place) in said.iter().zip([":4: node.port: ", ":6: logs.level: "]) {
        assert!(line.contains(place), "{said:?}");
    }
    assert_eq!(said.len(), 2, "{said:?}");
}

/// The file is missing, or it is no TOML.
#[test]
fn an_unreadable_settings_file_is_reported_by_name() {
    let mut fleet = Fleet::new(2);
    let config = fleet[1].config().display().to_string();
    let said = failed_start(&mut fleet[1], BAD_SETTINGS);
    assert!(said.len() == 1 && said[0].contains(&config), "{said:?}");

    let config = fleet[2].config();
    fs::write(&config, "[node]\nname = vm1\n").unwrap();
    let said = failed_start(&mut fleet[2], BAD_SETTINGS);
    assert!(said.len() == 1 && said[0].contains(&format!("{}:2", config.display())), "{said:?}");
}

/// It belongs to another machine, or it is not a loopback address and there is no key.
#[test]
fn an_address_that_is_not_allowed_is_refused() {
    let mut fleet = Fleet::new(1);
    fs::write(fleet[1].config(), "[node]\nname = \"vm1\"\naddress = \"192.0.2.1\"\n").unwrap();
    let said = failed_start(&mut fleet[1], BAD_SETTINGS);
    assert!(said.len() == 1 && said[0].contains(":3: node.address: 192.0.2.1"), "{said:?}");
}

/// It may come later, as at a boot with a slow network. So the settings are not bad, and systemd
/// tries again.
#[test]
fn an_address_that_is_not_there_yet_is_no_bad_setting() {
    let mut fleet = Fleet::new(2);
    fleet[1].settings.address = "192.0.2.1:8946".parse().unwrap();
    fleet[1].settings.allow_plaintext = true;
    fleet[1].write_settings();
    let said = failed_start(&mut fleet[1], FAILURE);
    assert!(said.len() == 1 && said[0].contains("192.0.2.1 is not an address"), "{said:?}");

    fleet[2].settings.metrics = Some("192.0.2.1:9946".parse().unwrap());
    fleet[2].write_settings();
    let said = failed_start(&mut fleet[2], FAILURE);
    assert!(said.len() == 1 && said[0].contains("192.0.2.1:9946"), "{said:?}");
}

/// The address may be that of another machine, because settings are often checked elsewhere.
#[test]
fn a_check_warns_of_introducers_without_an_address() {
    let mut fleet = Fleet::new(1);
    fleet[1].settings.address = "192.0.2.1:8946".parse().unwrap();
    fleet[1].settings.allow_plaintext = true;
    fleet[1].settings.introducers = vec![
        "192.0.2.11:8946".to_owned(),
        "[::1]:8946".to_owned(),
        "no-such-host.invalid:8946".to_owned(),
    ];
    fleet[1].write_settings();
    let mut check = binaries::mortal(&binaries::memberctl(), None);
    let output = run(check.arg("check").arg(fleet[1].config()), SOON);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{output:?}");
    let warnings: Vec<&str> = said.lines().collect();
    for (line, words) in warnings.iter().zip([
        "introducer [::1]:8946: no IPv4 address, and this member uses IPv4",
        "introducer no-such-host.invalid:8946: ",
    ]) {
        let start = format!("memberd: warning: group.introducers: {words}");
        assert!(line.starts_with(&start), "{said}");
    }
    assert_eq!(warnings.len(), 2, "{said}");
}

/// Whoever exposes the logs of containers would otherwise learn it only at the first grep.
#[test]
fn a_check_warns_of_a_glob_that_finds_only_links() {
    let mut fleet = Fleet::new(1);
    let directory = fleet[1].directory().to_owned();
    for name in ["links", "both", "none"] {
        fs::create_dir_all(directory.join(name)).unwrap();
    }
    fs::write(directory.join("both/a.log"), "").unwrap();
    for name in ["links/pod.log", "both/pod.log"] {
        symlink("../both/a.log", directory.join(name)).unwrap();
    }
    let globs = ["links", "both", "none"].map(|name| directory.join(name).join("*.log"));
    fleet[1].settings.files = globs.iter().map(|glob| glob.display().to_string()).collect();
    fleet[1].write_settings();
    let mut check = binaries::mortal(&binaries::memberctl(), None);
    let output = run(check.arg("check").arg(fleet[1].config()), SOON);
    assert!(output.status.success(), "{output:?}");
    let warning = format!(
        "memberd: warning: logs.files: {}: finds only symbolic links, which are not followed: set \
        logs.follow_links there\n",
        globs[0].display()
    );
    assert_eq!(String::from_utf8_lossy(&output.stderr), warning);
}

/// A search of these files would end with an error each time.
#[test]
fn a_check_warns_of_a_glob_that_finds_keys_or_the_state() {
    let mut fleet = Fleet::new(1);
    fleet[1].set_keys("1");
    let (directory, state) = (fleet[1].directory().to_owned(), fleet[1].settings.state_dir.clone());
    fs::create_dir_all(&state).unwrap();
    fs::write(state.join("members.cbor"), "").unwrap();
    fleet[1].settings.files = vec![format!("{}/**", directory.display())];
    fleet[1].write_settings();
    let mut check = binaries::mortal(&binaries::memberctl(), None);
    let output = run(check.arg("check").arg(fleet[1].config()), SOON);
    assert!(output.status.success(), "{output:?}");
    let warning = |path: &Path, holds: &str| {
        format!(
            "memberd: warning: logs.files: {}: is never searched, since it holds {holds}: every \
            search of it ends with an error; narrow the glob\n",
            path.display()
        )
    };
    let expected = warning(&directory.join("group.key"), "keys of the group")
        + &warning(&state.join("members.cbor"), "the state of memberd");
    assert_eq!(String::from_utf8_lossy(&output.stderr), expected);
}

/// A FIFO would hang the start without a word. Each of these is one line instead.
#[test]
fn what_is_no_file_is_named_at_once() {
    let mut fleet = Fleet::new(1);
    let directory = fleet[1].directory().to_owned();
    let fifo = |path: &Path| {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        nix::unistd::mkfifo(path, nix::sys::stat::Mode::S_IRWXU).unwrap();
    };
    let is_fifo = "is a FIFO, not a file: remove it, or set another path";
    fleet[1].write_settings();
    let state = fleet[1].settings.state_dir.clone();
    for name in ["lock", "members.cbor", "members.cbor.previous"] {
        let path = state.join(name);
        fifo(&path);
        let said = failed_start(&mut fleet[1], FAILURE);
        let line = said.last().unwrap();
        assert_eq!(*line, format!("memberd: {}: {is_fifo}", path.display()), "{said:?}");
        fs::remove_file(&path).unwrap();
        fs::remove_file(directory.join("stderr")).unwrap();
    }
    fs::remove_dir_all(&state).unwrap();
    fs::write(&state, "").unwrap();
    let said = failed_start(&mut fleet[1], FAILURE);
    let words = format!("{} is not a directory: remove it, or set another path", state.display());
    assert_eq!(said, [format!("memberd: {}: {words}", state.display())]);
    fs::remove_file(&state).unwrap();
    fs::remove_file(directory.join("stderr")).unwrap();
    let key = directory.join("group.key");
    fifo(&key);
    fleet[1].settings.key_file = Some(key.clone());
    fleet[1].write_settings();
    let said = failed_start(&mut fleet[1], BAD_SETTINGS);
    let words = format!("security.key_file: {}: not a regular file", key.display());
    assert!(said.len() == 1 && said[0].contains(&words), "{said:?}");
    fs::remove_file(directory.join("stderr")).unwrap();
    let config = fleet[1].config();
    fs::remove_file(&config).unwrap();
    fifo(&config);
    let said = failed_start(&mut fleet[1], BAD_SETTINGS);
    assert_eq!(said, [format!("memberd: {}: cannot be read: {is_fifo}", config.display())]);
}

/// Whatever is wrong with a key, the settings that name its file are named, too.
#[test]
fn a_bad_key_is_reported_with_the_line_of_the_settings() {
    let mut fleet = Fleet::new(1);
    let key = fleet[1].directory().join("no.key");
    fleet[1].settings.key_file = Some(key.clone());
    fleet[1].write_settings();
    let config = fleet[1].config();
    let settings = fs::read_to_string(&config).unwrap();
    let line = 1 + settings.lines().position(|line| line.starts_with("key_file")).unwrap();
    let place =
        format!("memberd: {}:{line}: security.key_file: {}", config.display(), key.display());
    let check = |words: &str| {
        let mut check = binaries::mortal(&binaries::memberctl(), None);
        let output = run(check.arg("check").arg(&config), SOON);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.starts_with(&format!("{place}: {words}")), "{said}");
        assert_eq!(said.lines().count(), 1, "{said}");
    };
    check("No such file or directory");
    fs::write(&key, "nonsense").unwrap();
    check("its mode is 0644");
}
