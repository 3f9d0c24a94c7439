//! Groups with a key: members work as ever, strangers are turned away and told, and keys are changed without an outage.

use memberd_control::message::MemberStatus;
use memberd_tests::wait::{SOON, holds};
use memberd_tests::{Daemon, Fleet, wait_until};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::Signal;
use std::fs::{self, Permissions};
use std::io::Write as _;
use std::net::{TcpStream, UdpSocket};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::ExitStatusExt;
use std::process::Output;

/// The status of memberd for bad settings.
const BAD_SETTINGS: i32 = 78;

/// n daemons in one group that have these keys.
fn sealed(n: u8, digits: &str) -> Fleet {
    Fleet::start_with(n, |daemon| {
        daemon.set_keys(digits);
        writeln!(daemon.offer("some.txt"), "needle").unwrap();
    })
}

/// Asserts that a grep finds the needle on so many members. A machine that is too busy to answer in time is asked again; what the keys
/// forbid they still do then.
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
    assert!(fleet[1].log().text().contains("what members say is sealed"));
    for daemon in fleet.daemons() {
        for cause in ["forged", "plain", "replayed", "sealed", "unknown_key"] {
            assert_eq!(daemon.counter(&format!("refused_{cause}")), 0, "{cause} at {}", daemon.name());
        }
    }
}

/// It knows of nobody, and nobody knows its new life: they knock.
#[test]
fn a_sealed_introducer_that_comes_back_with_an_empty_disk_is_found_by_the_others() {
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
fn who_has_no_key_or_another_is_turned_away_and_told_why() {
    let mut fleet = sealed(3, "ab");
    let before = fleet.wait_until_whole();
    fleet.add().start();
    let said = failed_join(&fleet[4]);
    assert!(said.contains("takes only what is sealed with the group's key: set security.key_file here"), "{said}");
    fleet.add().set_keys("c");
    fleet[5].start();
    let said = failed_join(&fleet[5]);
    assert!(said.contains("does not have the key that is first in this keyring: compare memberctl key list"), "{said}");
    assert_eq!((fleet[1].counter("refused_plain"), fleet[1].counter("refused_unknown_key")), (1, 1));
    let log = fleet[1].log().text();
    assert_eq!(log.matches(" WARN refused a connection").count(), 2, "{log}");
    for number in [1, 2, 3] {
        assert_eq!(fleet[number].control().alive().unwrap(), before);
    }
}

#[test]
fn who_has_a_key_is_told_that_the_group_has_none() {
    let mut fleet = Fleet::start(2);
    fleet.add().set_keys("a");
    fleet[3].start();
    let said = failed_join(&fleet[3]);
    assert!(said.contains("it has no key and speaks in the clear: set security.key_file there"), "{said}");
    assert_eq!(fleet[1].counter("refused_sealed"), 1);
    fleet[1].wait_until_logged("reason=\"sealed, and this daemon has no key");
}

#[test]
fn what_strangers_send_is_counted_and_told_in_one_line_for_each_cause() {
    let fleet = sealed(3, "a");
    let mut followers = fleet.follow();
    let stranger = UdpSocket::bind("127.0.0.1:0").unwrap();
    let id: u32 = {
        let listed = fleet[1].ctl(&["key", "list", &fleet[1].settings.key_file.clone().unwrap().display().to_string()]);
        let text = String::from_utf8(listed.stdout).unwrap();
        u32::from_str_radix(text.lines().nth(1).and_then(|line| line.split(' ').next()).unwrap(), 16).unwrap()
    };
    for length in 0..300_usize {
        let noise = vec![0xa5; length];
        let forged = [&[1][..], &id.to_be_bytes(), &noise].concat();
        let unknown = [&[1][..], &(!id).to_be_bytes(), &[0; 11], &noise, &[0; 16]].concat();
        for datagram in [&noise, &forged, &unknown] {
            stranger.send_to(datagram, fleet[1].settings.address).unwrap();
        }
        if length % 20 == 0 {
            // No more than its socket holds.
            let sent = u64::try_from(length + 1).unwrap();
            wait_until("it is up to date", SOON, || holds(fleet[1].counter("refused_plain") >= sent, || format!("{sent} sent")));
        }
    }
    for cause in ["plain", "forged", "unknown_key"] {
        wait_until("all are counted", SOON, || {
            let count = fleet[1].counter(&format!("refused_{cause}"));
            holds(count == 300, || format!("{cause}: {count}"))
        });
    }
    let log = fleet[1].log().text();
    assert_eq!(log.matches("refused a datagram").count(), 3, "{log}");
    assert_eq!(fleet.wait_until_whole().len(), 3);
    followers.assert_none_failed_but(&[]);
}

#[test]
fn handshakes_that_fail_break_off_or_come_to_nothing_are_counted_by_cause() {
    let fleet = sealed(2, "a");
    let key = fleet[1].settings.key_file.clone().unwrap();
    let listed = fleet[1].ctl(&["key", "list", &key.display().to_string()]);
    let text = String::from_utf8(listed.stdout).unwrap();
    let id = u32::from_str_radix(text.lines().nth(1).and_then(|line| line.split(' ').next()).unwrap(), 16).unwrap();
    let connect = |said: &[u8]| {
        let mut stream = TcpStream::connect(fleet[1].settings.address).unwrap();
        stream.write_all(said).unwrap();
        stream
    };
    let hello = |id: u32| [&[1][..], &id.to_be_bytes(), &[7; 48]].concat();
    // Who says nothing, or stops in the midst of it, has 5 s.
    let silent = [connect(&[]), connect(&hello(id)[..20])];
    let strangers = [connect(&hello(id)), connect(&hello(!id)), connect(&[0, 0, 0, 2, 1, 0])];
    drop(connect(&[]));
    drop(connect(&hello(id)[..20]));
    let expected = [("forged", 1), ("unknown_key", 1), ("plain", 1), ("handshake_broken", 2), ("handshake_late", 2)];
    wait_until("all are counted", SOON, || {
        let counts = expected.map(|(cause, _)| (cause, fleet[1].counter(&format!("refused_{cause}"))));
        holds(counts == expected, || format!("{counts:?}"))
    });
    drop((silent, strangers));
    let log = fleet[1].log().text();
    assert_eq!(log.matches(" WARN refused a connection").count(), 4, "{log}");
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
    assert!(log.contains(&format!("ERROR {}: line 2: a key is 64 hexadecimal digits", path.display())), "{log}");
    assert!(log.contains("the keys were not reloaded; the old ones stay in force") && !log.contains("5ec5e7"), "{log}");
    fs::remove_file(&path).unwrap();
    fleet[2].reload();
    assert!(fleet[2].log().text().contains(&format!("ERROR {}: No such file", path.display())));
    fleet.add().set_keys("a");
    fleet[4].start();
    assert!(fleet[4].ctl(&["join"]).status.success());
    assert_eq!(fleet.wait_until_whole().len(), 4);
    assert_found(&fleet[2], 3);
}

#[test]
fn a_key_file_that_others_can_read_or_that_is_none_ends_the_start() {
    let mut fleet = Fleet::new(1);
    fleet[1].set_keys("a");
    let path = fleet[1].settings.key_file.clone().unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
    fleet[1].launch();
    assert_eq!(fleet[1].wait_for_end(SOON).code(), Some(BAD_SETTINGS));
    let said = fleet[1].stderr();
    assert!(said.lines().count() == 1 && said.contains(&format!("{}: its mode is 0644", path.display())), "{said}");

    fs::remove_file(&path).unwrap();
    fleet[1].launch();
    assert_eq!(fleet[1].wait_for_end(SOON).code(), Some(BAD_SETTINGS));
    assert!(fleet[1].stderr().contains(&format!("{}: No such file", path.display())));
}

/// Bytes that no two tests share, as a key; and how it would look in a log, in hexadecimal digits of both cases, base64 and as a list.
fn traces_of(key: &[u8; 32]) -> Vec<String> {
    let digits = |case: fn(&u8) -> String| key.iter().map(case).collect::<String>();
    let letters: Vec<char> = ('A'..='Z').chain('a'..='z').chain('0'..='9').chain(['+', '/']).collect();
    let base64 = |skipped: usize| {
        let groups = key[skipped..].chunks_exact(3);
        groups.flat_map(|group| {
            let bits = group.iter().fold(0, |bits, byte| bits << 8 | usize::from(*byte));
            [18, 12, 6, 0].map(|shift| letters[bits >> shift & 63])
        })
    };
    let list = key[..8].iter().map(u8::to_string).collect::<Vec<_>>().join(", ");
    let mut traces =
        vec![digits(|byte| format!("{byte:02x}"))[..16].to_owned(), digits(|byte| format!("{byte:02X}"))[..16].to_owned(), list];
    traces.extend((0..3).map(|skipped| base64(skipped).take(12).collect::<String>()));
    traces
}

#[test]
fn the_key_is_in_no_log() {
    let key: [u8; 32] = std::array::from_fn(|place| u8::try_from(place * 37 % 251).unwrap() ^ 0x5a);
    let line: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
    let write = |daemon: &mut Daemon, rubbish: &str| {
        daemon.set_keys("5e");
        let path = daemon.settings.key_file.clone().unwrap();
        let others = fs::read_to_string(&path).unwrap();
        fs::write(path, format!("memberd-key:{line}\n{rubbish}{others}")).unwrap();
    };
    let mut fleet = Fleet::start_with(3, |daemon| {
        daemon.settings.level = "trace";
        write(daemon, "");
    });
    let output = fleet[1].ctl(&["grep", "memberd", "*.log"]);
    assert!(output.status.success(), "{output:?}");
    fleet.crash(&[3]);
    // A key that is good, and a line beside it that is not.
    write(&mut fleet[2], "memberd-key:0123\n");
    fleet[2].reload();
    let mut traces = traces_of(&key);
    traces.extend(["5555555555".to_owned(), "eeeeeeeeee".to_owned()]);
    for daemon in fleet.daemons() {
        let said = daemon.stderr() + &daemon.log().text();
        assert!(said.contains(" DEBUG sent"), "{said}");
        assert_eq!(traces.iter().find(|trace| said.contains(trace.as_str())), None, "{said}");
    }
    let said = fleet[2].log().text();
    assert!(said.contains("line 2: a key is 64 hexadecimal digits"), "{said}");
}

/// core(5): cores are allowed here, whatever their size, and wait(2) tells whether there was one.
#[test]
fn a_daemon_with_a_key_leaves_no_core_when_it_crashes() {
    let (_, most) = getrlimit(Resource::RLIMIT_CORE).unwrap();
    setrlimit(Resource::RLIMIT_CORE, most, most).unwrap();
    let mut fleet = sealed(2, "a");
    let limits = fs::read_to_string(format!("/proc/{}/limits", fleet[1].pid())).unwrap();
    let allowed = limits.lines().any(|line| line.starts_with("Max core file size") && !line.contains(" 0  "));
    assert!(allowed || most == 0, "{limits}");
    // As root this holds of every process; of others only where dumps are forbidden: proc(5).
    assert_eq!(fs::metadata(format!("/proc/{}/mem", fleet[1].pid())).unwrap().uid(), 0);
    fleet[1].signal(Signal::SIGABRT);
    let ended = fleet[1].wait_for_end(SOON);
    assert!(ended.signal() == Some(Signal::SIGABRT as i32) && !ended.core_dumped(), "{ended:?}");
}

/// The three steps of changing a key: taken by all, then used by all, then the old one dropped by all. In the midst of each step, with
/// half of the members through it, one crashes, another comes, and logs are searched all the time.
#[test]
fn keys_are_changed_in_three_steps_under_crashes_joins_and_greps_and_nobody_is_missed_or_failed() {
    let mut fleet = sealed(7, "a");
    let mut followers = fleet.follow();
    let mut crashed: Vec<(String, String)> = Vec::new();
    for (step, keys) in ["ab", "ba", "b"].into_iter().enumerate() {
        let numbers: Vec<usize> = (1..=fleet.daemons().len()).filter(|number| fleet[*number].is_running()).collect();
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

        // A newcomer with the keys of this step, through an introducer that has them or has not yet.
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
        assert_eq!((daemon.counter("refused_unknown_key"), daemon.counter("refused_forged")), (0, 0), "{}", daemon.name());
    }
    // Who has only the old key is a stranger now.
    fleet.add().set_keys("a");
    let number = fleet.daemons().len();
    fleet[number].start();
    assert!(failed_join(&fleet[number]).contains("compare memberctl key list"));
    assert_eq!(fleet[1].control().standing(&format!("vm{number}")).unwrap(), None::<(MemberStatus, u64)>);
}
