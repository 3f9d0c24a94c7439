//! Groups with a key. Members work as without one, strangers are refused and reported, and keys are
//! changed without an outage.

use memberd_control::message::MemberStatus;
use memberd_tests::binaries::{memberd, mortal};
use memberd_tests::process::Running;
use memberd_tests::wait::{SOON, holds};
use memberd_tests::{Daemon, Fleet, wait_until};
use nix::sys::signal::Signal;
use std::fs::{self, Permissions};
use std::io::Write as _;
use std::net::{TcpStream, UdpSocket};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Output, Stdio};
use std::time::Instant;

/// The status of memberd for bad settings.
const BAD_SETTINGS: i32 = 78;

/// n daemons in one group that have these keys.
fn sealed(n: u8, digits: &str) -> Fleet {
    Fleet::start_with(n, |daemon| {
        daemon.set_keys(digits);
        // Only those that answer count.
        daemon.settings.logs.push("copies = 0".to_owned());
        writeln!(daemon.offer("some.txt"), "needle").unwrap();
    })
}

/// Asserts that a grep finds the needle on this many members. It asks again if a busy machine did
/// not answer in time. What the keys forbid stays forbidden.
fn assert_found(daemon: &Daemon, members: usize) {
    wait_until(&format!("a grep from {} finds {members}", daemon.name()), SOON, || {
        let output = daemon.ctl(&["grep", "-l", "needle", "*.txt"]);
        let found = String::from_utf8_lossy(&output.stdout).lines().count();
        holds(output.status.success() && found == members, || format!("{output:?}"))
    });
}

fn failed_join(daemon: &Daemon) -> String {
    let Output { status, stderr, .. } = daemon.ctl(&["join"]);
    let said = String::from_utf8(stderr).unwrap();
    assert_eq!((status.code(), said.lines().count()), (Some(1), 1), "{said}");
    said
}

#[test]
fn a_fleet_with_a_key_joins_notices_a_crash_and_greps() {
    let mut fleet = sealed(5, "a");
    let mut followers = fleet.follow();
    assert_found(&fleet[2], 5);
    let crash = fleet.crash(&[3]).remove(0);
    followers.assert_crash_noticed(&crash.id, crash.at, &["vm3"]);
    fleet[3].start();
    let output = fleet[3].ctl(&["join"]);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(fleet.wait_until_whole().len(), 5);
    assert_found(&fleet[3], 5);
    followers.assert_none_failed_but(&[&crash.id]);
    assert!(fleet[1].log().text().contains("messages between members are sealed"));
    for daemon in fleet.daemons() {
        for cause in ["forged", "plain", "replayed", "sealed", "unknown_key"] {
            assert_eq!(
                daemon.counter(&format!("refused_{cause}")),
                0,
                "{cause} at {}",
                daemon.name()
            );
        }
    }
}

/// It knows of nobody, and nobody knows its new incarnation. The others announce themselves to it.
#[test]
fn a_sealed_introducer_that_lost_its_disk_is_found() {
    let mut fleet = sealed(4, "a");
    fleet.crash(&[1]);
    fs::remove_dir_all(&fleet[1].settings.state_dir).unwrap();
    fleet[1].start();
    let output = fleet[1].ctl(&["join"]);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(fleet.wait_until_whole().len(), 4);
    assert_found(&fleet[1], 4);
}

#[test]
fn who_has_no_key_or_another_is_turned_away_with_the_reason() {
    let since = Instant::now();
    let mut fleet = sealed(3, "ab");
    let before = fleet.wait_until_whole();
    fleet.add().start();
    let said = failed_join(&fleet[4]);
    assert!(
        said.contains("takes only what is sealed with the group's key: set security.key_file here"),
        "{said}"
    );
    fleet.add().set_keys("c");
    fleet[5].start();
    let said = failed_join(&fleet[5]);
    assert!(
        said.contains(
            "does not have the key that is first in this keyring: compare memberctl key list"
        ),
        "{said}"
    );
    wait_until("each is counted once", SOON, || {
        let counts = (fleet[1].counter("refused_plain"), fleet[1].counter("refused_unknown_key"));
        holds(counts == (1, 1), || format!("{counts:?}"))
    });
    for cause in ["not sealed", "sealed with key"] {
        fleet[1].wait_until_logged_rarely(&[" WARN refused a connection", cause], since);
    }
    for number in [1, 2, 3] {
        assert_eq!(fleet[number].control().alive().unwrap(), before);
    }
}

#[test]
fn who_has_a_key_learns_that_the_group_has_none() {
    let mut fleet = Fleet::start(2);
    fleet.add().set_keys("a");
    fleet[3].start();
    let said = failed_join(&fleet[3]);
    assert!(
        said.contains("it has no key and speaks in the clear: set security.key_file there"),
        "{said}"
    );
    wait_until("it is counted", SOON, || {
        let count = fleet[1].counter("refused_sealed");
        holds(count == 1, || count.to_string())
    });
    fleet[1].wait_until_logged("reason=\"sealed, and this daemon has no key");
}

/// The log has one line for each cause.
#[test]
fn datagrams_of_strangers_are_counted_and_logged_once() {
    let since = Instant::now();
    let fleet = sealed(3, "a");
    let mut followers = fleet.follow();
    let stranger = UdpSocket::bind("127.0.0.1:0").unwrap();
    let id: u32 = {
        let listed = fleet[1].ctl(&[
            "key",
            "list",
            &fleet[1].settings.key_file.clone().unwrap().display().to_string(),
        ]);
        let text = String::from_utf8(listed.stdout).unwrap();
        u32::from_str_radix(
            text.lines().nth(1).and_then(|line| line.split(' ').next()).unwrap(),
            16,
        )
        .unwrap()
    };
    for length in 0..300_usize {
        let noise = vec![0xa5; length];
        let forged = [&[1][..], &id.to_be_bytes(), &noise].concat();
        let unknown = [&[1][..], &(!id).to_be_bytes(), &[0; 11], &noise, &[0; 16]].concat();
        for datagram in [&noise, &forged, &unknown] {
            stranger.send_to(datagram, fleet[1].settings.address).unwrap();
        }
        if length % 20 == 0 {
            // The socket of the daemon holds this many.
            let sent = u64::try_from(length + 1).unwrap();
            wait_until("it is up to date", SOON, || {
                holds(fleet[1].counter("refused_plain") >= sent, || format!("{sent} sent"))
            });
        }
    }
    for cause in ["plain", "forged", "unknown_key"] {
        wait_until("all are counted", SOON, || {
            let count = fleet[1].counter(&format!("refused_{cause}"));
            holds(count == 300, || format!("{cause}: {count}"))
        });
    }
    for cause in ["reason=\"not sealed", "forged, damaged", "sealed with key"] {
        fleet[1].wait_until_logged_rarely(&["refused a datagram", cause], since);
    }
    assert_eq!(fleet.wait_until_whole().len(), 3);
    followers.assert_none_failed_but(&[]);
}

/// They fail, break off, or come to nothing.
#[test]
fn failed_handshakes_are_counted_by_cause() {
    let since = Instant::now();
    let fleet = sealed(2, "a");
    let key = fleet[1].settings.key_file.clone().unwrap();
    let listed = fleet[1].ctl(&["key", "list", &key.display().to_string()]);
    let text = String::from_utf8(listed.stdout).unwrap();
    let id = u32::from_str_radix(
        text.lines().nth(1).and_then(|line| line.split(' ').next()).unwrap(),
        16,
    )
    .unwrap();
    let connect = |said: &[u8]| {
        let mut stream = TcpStream::connect(fleet[1].settings.address).unwrap();
        stream.write_all(said).unwrap();
        stream
    };
    let hello = |id: u32| [&[1][..], &id.to_be_bytes(), &[7; 48]].concat();
    // A client that sends nothing, or stops half way, has 5 s.
    let silent = [connect(&[]), connect(&hello(id)[..20])];
    let strangers = [connect(&hello(id)), connect(&hello(!id)), connect(&[0, 0, 0, 2, 1, 0])];
    drop(connect(&[]));
    drop(connect(&hello(id)[..20]));
    let expected = [
        ("forged", 1),
        ("unknown_key", 1),
        ("plain", 1),
        ("handshake_broken", 2),
        ("handshake_late", 2),
    ];
    wait_until("all are counted", SOON, || {
        let counts =
            expected.map(|(cause, _)| (cause, fleet[1].counter(&format!("refused_{cause}"))));
        holds(counts == expected, || format!("{counts:?}"))
    });
    drop((silent, strangers));
    let causes = ["forged, damaged", "sealed with key", "not sealed", "handshake took too long"];
    for cause in causes {
        fleet[1].wait_until_logged_rarely(&[" WARN refused a connection", cause], since);
    }
    // Who breaks off is not worth a warning.
    let log = fleet[1].log().text();
    let is_warned = |line: &str| line.contains(" WARN ") && line.contains("before its handshake");
    assert!(!log.lines().any(is_warned), "{log}");
    assert_eq!(fleet.wait_until_whole().len(), 2);
}

#[test]
fn with_rubbish_for_a_key_file_the_old_keys_stay_in_force() {
    let mut fleet = sealed(3, "a");
    let path = fleet[2].settings.key_file.clone().unwrap();
    let secret = "memberd-key:5ec5e75ec5e7";
    fs::write(&path, format!("# ours\n{secret}\n")).unwrap();
    fleet[2].reload();
    let log = fleet[2].log().text();
    assert!(
        log.contains(&format!(
            "security.key_file: {}: line 2: a key is 64 hexadecimal digits",
            path.display()
        )),
        "{log}"
    );
    assert!(
        log.contains("the keys were not reloaded; the old ones stay in force")
            && !log.contains("5ec5e7"),
        "{log}"
    );
    fs::remove_file(&path).unwrap();
    fleet[2].reload();
    let missing = format!("security.key_file: {}: No such file", path.display());
    assert!(fleet[2].log().text().contains(&missing));
    assert!(fleet[2].log().text().contains(" WARN settings reloaded, but not the keys"));
    // The status has it before the log does.
    let assert_warned = |daemon: &Daemon, wanted: bool| {
        let warnings = daemon.control().status().unwrap().warnings;
        let words = "the last reload did not take in the keys, and the old ones stay in force";
        let is_warned = warnings.iter().any(|warning| warning.contains(words));
        assert_eq!(is_warned, wanted, "{warnings:?}");
    };
    assert_warned(&fleet[2], true);
    assert_warned(&fleet[1], false);
    fleet.add().set_keys("a");
    fleet[4].start();
    assert!(fleet[4].ctl(&["join"]).status.success());
    assert_eq!(fleet.wait_until_whole().len(), 4);
    assert_found(&fleet[2], 3);
    fleet[2].set_keys("a");
    fleet[2].reload();
    assert_warned(&fleet[2], false);
}

/// A file that is no key file does so too.
#[test]
fn a_key_file_that_is_readable_by_others_ends_the_start() {
    let mut fleet = Fleet::new(1);
    fleet[1].set_keys("a");
    let path = fleet[1].settings.key_file.clone().unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
    fleet[1].launch();
    assert_eq!(fleet[1].wait_for_end(SOON).code(), Some(BAD_SETTINGS));
    let said = fleet[1].stderr();
    assert!(
        said.lines().count() == 1
            && said.contains(&format!("{}: its mode is 0644", path.display())),
        "{said}"
    );

    fs::remove_file(&path).unwrap();
    fleet[1].launch();
    assert_eq!(fleet[1].wait_for_end(SOON).code(), Some(BAD_SETTINGS));
    assert!(fleet[1].stderr().contains(&format!("{}: No such file", path.display())));
}

/// The keys are a credential of systemd here.
#[test]
fn a_reload_says_that_changed_credentials_need_a_restart() {
    let mut fleet = Fleet::new(1);
    fleet[1].set_keys("ab");
    fleet[1].settings.key_file = None;
    fleet[1].write_settings();
    let mut command = mortal(Path::new("env"), None);
    command.arg(format!("CREDENTIALS_DIRECTORY={}", fleet[1].directory().display()));
    let daemon = Running::start(
        command.arg(memberd()).arg("--config").arg(fleet[1].config()).stderr(Stdio::null()),
    );
    wait_until("it answers", SOON, || {
        fleet[1].control().status().map(drop).map_err(|error| error.to_string())
    });
    daemon.signal(Signal::SIGHUP);
    fleet[1].wait_until_logged(" INFO settings reloaded");
    fleet[1].wait_until_logged("the keys are a credential, which systemd copies at a start");
    let said = String::from_utf8(fleet[1].ctl(&["reload"]).stdout).unwrap();
    let words = "keys: a credential, which systemd copies at a start; after a change of the key \
                 file, systemctl restart memberd\nreloaded; no setting has changed\n";
    assert_eq!(said, words);
    let status = String::from_utf8(fleet[1].ctl(&["status"]).stdout).unwrap();
    assert!(status.contains("  keys        805cc896 seals, b37ccaa7 accepted\n"), "{status}");
    let json = String::from_utf8(fleet[1].ctl(&["status", "--json"]).stdout).unwrap();
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["keys"], serde_json::json!(["805cc896", "b37ccaa7"]));
}

/// Keys change in three steps: all members take the new key, then all use it, then all drop the old
/// one. In each step, with half of the members done, one crashes and another joins. Logs are
/// searched all the time. No live member fails, and no grep misses one.
#[test]
fn keys_are_changed_in_three_steps_without_an_outage() {
    let mut fleet = sealed(7, "a");
    let mut followers = fleet.follow();
    let mut crashed: Vec<(String, String)> = Vec::new();
    for (step, keys) in ["ab", "ba", "b"].into_iter().enumerate() {
        let numbers: Vec<usize> =
            (1..=fleet.daemons().len()).filter(|number| fleet[*number].is_running()).collect();
        let (first, second) = numbers.split_at(numbers.len() / 2);
        for number in first {
            fleet[*number].set_keys(keys);
            fleet[*number].reload();
            assert_found(&fleet[*number], numbers.len());
        }
        let victim = if step == 1 { first[1] } else { second[1] };
        let crash = fleet.crash(&[victim]).remove(0);
        crashed.push((crash.name, crash.id.clone()));
        let dead: Vec<&str> = crashed.iter().map(|(name, _)| name.as_str()).collect();
        followers.assert_crash_noticed(&crash.id, crash.at, &dead);

        // A newcomer has the keys of this step. Its introducer may not have them yet.
        let introducer = if step == 0 { first[0] } else { second[0] };
        let address = fleet[introducer].settings.address.to_string();
        let newcomer = fleet.add();
        newcomer.set_keys(keys);
        newcomer.settings.introducers = vec![address];
        writeln!(newcomer.offer("some.txt"), "needle").unwrap();
        newcomer.start();
        let output = newcomer.ctl(&["join"]);
        assert!(output.status.success(), "step {step}: {output:?}");

        for number in second.iter().filter(|number| **number != victim) {
            fleet[*number].set_keys(keys);
            fleet[*number].reload();
            assert_found(&fleet[*number], numbers.len());
        }
        assert_eq!(fleet.wait_until_whole().len(), numbers.len());
        // Those that failed are the ones that crashed.
        let ids: Vec<&str> = crashed.iter().map(|(_, id)| id.as_str()).collect();
        followers.assert_none_failed_but(&ids);
        fleet.assert_logs_accuse_none_but(&ids);
    }
    for daemon in fleet.running() {
        assert_eq!(
            (daemon.counter("refused_unknown_key"), daemon.counter("refused_forged")),
            (0, 0),
            "{}",
            daemon.name()
        );
    }
    // A member with only the old key is a stranger now.
    fleet.add().set_keys("a");
    let number = fleet.daemons().len();
    fleet[number].start();
    assert!(failed_join(&fleet[number]).contains("compare memberctl key list"));
    assert_eq!(
        fleet[1].control().status_of(&format!("vm{number}")).unwrap(),
        None::<(MemberStatus, u64)>
    );
}

/// A glob of the settings covers the key file, the state and a hard link to the key. The key is
/// replaced while the daemon runs.
#[test]
fn no_grep_prints_a_key_or_the_state() {
    let mut fleet = Fleet::start_with(2, |daemon| {
        daemon.set_keys("1");
        let directory = daemon.directory().display();
        let [all, state] = ["*.{key,log}", "state/*"].map(|glob| format!("{directory}/{glob}"));
        daemon.settings.files = vec![all, state];
        fs::hard_link(daemon.directory().join("group.key"), daemon.directory().join("copy.log"))
            .unwrap();
    });
    for _ in 0..2 {
        let output = fleet[1].ctl(&["grep", "-a", "memberd"]);
        let [lines, said] = [&output.stdout, &output.stderr]
            .map(|bytes| String::from_utf8_lossy(bytes).into_owned());
        assert!(lines.contains("/machine.1.log:") && !lines.contains("memberd-key"), "{lines}");
        assert!(!lines.contains("memberd1"), "no state: {lines}");
        for file in ["group.key", "copy.log"] {
            let words = format!("{file}: is never searched, since it holds keys of the group");
            assert_eq!(said.matches(&words).count(), 2, "{said}");
        }
        for file in ["members.cbor", "lock"] {
            let words = format!("/state/{file}: is never searched, since it holds the state");
            assert_eq!(said.matches(&words).count(), 2, "{said}");
        }
        assert_eq!(output.status.code(), Some(2), "{said}");
        for daemon in fleet.daemons_mut() {
            let copy = daemon.directory().join("copy.log");
            fs::remove_file(&copy).unwrap();
            daemon.set_keys("12");
            fs::hard_link(daemon.directory().join("group.key"), copy).unwrap();
        }
    }
}
