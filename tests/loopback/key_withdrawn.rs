//! A key that is removed from the keyring. Connections that were opened with it end, even those
//! that last for days.

use memberd_tests::process::Running;
use memberd_tests::wait::{SOON, holds};
use memberd_tests::{Daemon, Fleet, wait_until};
use nix::sys::signal::Signal;
use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::net::IpAddr;
use std::path::PathBuf;
use std::process::Stdio;

/// A `memberctl grep --follow` at this daemon, with its output and its messages.
fn follow(daemon: &Daemon) -> (Running, [PathBuf; 2]) {
    let files = ["lines", "messages"].map(|name| daemon.directory().join(name));
    let [lines, messages] = files.each_ref().map(|path| File::create(path).unwrap());
    let mut command = daemon.memberctl(&["grep", "--follow", "line", "live.log"]);
    (Running::start(command.stdin(Stdio::null()).stdout(lines).stderr(messages)), files)
}

fn write(daemon: &Daemon, words: &str) {
    let mut file =
        OpenOptions::new().append(true).open(daemon.directory().join("live.log")).unwrap();
    writeln!(file, "{words}").unwrap();
}

/// Writes to a member's log until a line arrives. The follower may have only just begun.
fn write_until_it_comes(daemon: &Daemon, [lines, messages]: &[PathBuf; 2], words: &str) {
    let expected =
        format!("{}:{}:{words}\n", daemon.name(), daemon.directory().join("live.log").display());
    wait_until(&format!("{expected:?} comes"), SOON, || {
        write(daemon, words);
        let came = fs::read_to_string(lines).unwrap();
        holds(came.contains(&expected), || came + &fs::read_to_string(messages).unwrap())
    });
}

fn wait_for(file: &PathBuf, words: &str) {
    wait_until(&format!("{words:?} is said"), SOON, || {
        let said = fs::read_to_string(file).unwrap();
        holds(said.contains(words), || said)
    });
}

/// How many connections others have with this member, ESTABLISHED of tcp(7): proc(5),
/// /proc/net/tcp. One that they began with another key and gave up does not count, because a
/// stopped process ends no connection.
fn connections_to(member: &Daemon) -> usize {
    let IpAddr::V4(own) = member.settings.address.ip() else {
        panic!("a fleet on loopback has IPv4 addresses")
    };
    let own = format!("{:08X}:", u32::from_le_bytes(own.octets()));
    let table = fs::read_to_string("/proc/net/tcp").unwrap();
    let rows = table.lines().skip(1).map(|row| row.split_whitespace().collect::<Vec<&str>>());
    rows.filter(|row| row[2].starts_with(&own) && !row[1].starts_with(&own) && row[3] == "01")
        .count()
}

/// The other members go on.
#[test]
fn a_member_with_only_the_old_key_loses_its_connections() {
    let mut fleet = Fleet::start_with(3, |daemon| {
        daemon.set_keys("a");
        // Its connections are counted.
        daemon.settings.logs.push("copies = 0".to_owned());
        drop(daemon.offer("live.log"));
    });
    let (_memberctl, theirs) = follow(&fleet[3]);
    let (_memberctl, ours) = follow(&fleet[1]);
    for number in [1, 2] {
        write_until_it_comes(&fleet[number], &theirs, "an old line");
        write_until_it_comes(&fleet[number], &ours, "an old line");
    }
    // Others may be there for a moment.
    wait_until("the member asks both others, and one of them asks it", SOON, || {
        let open = connections_to(&fleet[3]);
        holds(open == 3, || format!("{open} connections"))
    });
    for keys in ["ab", "ba"] {
        for number in [1, 2] {
            fleet[number].set_keys(keys);
            fleet[number].reload();
        }
    }
    let out = fleet.id(3);
    // It is stopped, so it cannot even end a connection.
    fleet[3].signal(Signal::SIGSTOP);
    for number in [1, 2] {
        fleet[number].set_keys("b");
        fleet[number].reload();
        fleet[number].wait_until_logged(&format!("member failed name=vm3 id={out}"));
    }
    wait_until("nothing is open to it", SOON, || {
        let open = connections_to(&fleet[3]);
        holds(open == 0, || format!("{open} connections"))
    });
    for number in [1, 2] {
        write(&fleet[number], "a secret line");
    }
    fleet[3].signal(Signal::SIGCONT);
    let [lines, messages] = theirs;
    for name in ["vm1", "vm2"] {
        wait_for(&messages, &format!("memberctl: {name}: "));
    }
    // Connections between members with the new key begin anew.
    wait_for(&ours[1], "memberctl: vm2 answers again: its logs are followed from where they");
    write_until_it_comes(&fleet[2], &ours, "a new line");
    let lines = fs::read_to_string(lines).unwrap();
    assert!(!lines.contains("secret") && !lines.contains("new"), "{lines}");
}
