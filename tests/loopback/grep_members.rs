//! Greps over a part of the fleet, and how the answers of all are put together.

use memberd_tests::settings::PATIENT;
use memberd_tests::wait::SOON;
use memberd_tests::{Daemon, Fleet};
use std::io::Write as _;
use std::process::Output;

/// Each member exposes a file that has `needle` as many times as its number says.
fn offer_needles(daemon: &mut Daemon) {
    let number: usize = daemon.name().trim_start_matches("vm").parse().unwrap();
    for (file, needles) in [("a.txt", number), ("b.txt", 10 * number)] {
        let mut file = daemon.offer(file);
        (0..needles).for_each(|n| writeln!(file, "needle {n}\nhay {n}").unwrap());
    }
}

fn stdout(output: &Output) -> Vec<String> {
    String::from_utf8(output.stdout.clone()).unwrap().lines().map(str::to_owned).collect()
}

fn stderr(output: &Output) -> Vec<String> {
    String::from_utf8(output.stderr.clone()).unwrap().lines().map(str::to_owned).collect()
}

/// Which members' lines were printed.
fn members(output: &Output) -> Vec<String> {
    let mut names: Vec<String> =
        stdout(output).iter().filter_map(|line| Some(line.split_once(':')?.0.to_owned())).collect();
    names.sort();
    names.dedup();
    names
}

#[test]
fn only_the_members_that_are_named_are_asked() {
    let fleet = Fleet::start_with(4, offer_needles);
    for (options, names) in [
        (&["--on", "vm2"][..], &["vm2"][..]),
        (&["--on", "vm[1-3]", "--not-on", "vm2"], &["vm1", "vm3"]),
        (&["--on", "vm1,vm4"], &["vm1", "vm4"]),
        (&["--on", "vm1", "--on=vm3"], &["vm1", "vm3"]),
        (&["--not-on", "vm{1,4}"], &["vm2", "vm3"]),
        // Ranges of numbers, as in ClusterShell.
        (&["--on", "vm[2-10]"], &["vm2", "vm3", "vm4"]),
        (&["--on", "vm[1,3-12]", "--not-on", "vm{3..9}"], &["vm1"]),
        (&["--on", "vm[2,4],vm1"], &["vm1", "vm2", "vm4"]),
    ] {
        let output = fleet[1].ctl(&[&["grep", "needle", "*.txt"], options].concat());
        assert_eq!(members(&output), names, "{options:?}: {output:?}");
        assert_eq!(
            (output.status.code(), stderr(&output).len()),
            (Some(0), 0),
            "{options:?}: {output:?}"
        );
    }
    // What is printed can be given as a file.
    let printed = fleet[1].ctl(&["grep", "-l", "needle", "a.txt", "--on", "vm3"]);
    let file = stdout(&printed).remove(0);
    let output = fleet[1].ctl(&["grep", "-c", "needle", &file]);
    assert_eq!(stdout(&output), [format!("{file}:3")], "{output:?}");
    for (option, reason) in [
        ("--on=vm[08-12]", "--on vm[08-12]: no member has such a name"),
        ("--on=vm[1-35-7]", "--on vm[1-35-7]: '[1-35-7]' is neither clearly numbers nor"),
        ("--not-on=vm[3-01]", "--not-on vm[3-01]: '3' and '01' have different padding"),
    ] {
        let output = fleet[1].ctl(&["grep", "needle", option]);
        assert_eq!((output.status.code(), stdout(&output).len()), (Some(2), 0), "{output:?}");
        assert!(stderr(&output)[0].starts_with(&format!("memberctl: {reason}")), "{output:?}");
    }
    for options in [&["--on", "vm2,web*"][..], &["--not-on", "*"]] {
        let output = fleet[1].ctl(&[&["grep", "needle"], options].concat());
        assert_eq!(
            (output.status.code(), stdout(&output).len(), stderr(&output).len()),
            (Some(2), 0, 1),
            "{output:?}"
        );
        let named = if options[0] == "--on" {
            "--on web*: no member has such a name"
        } else {
            "--not-on leaves no member"
        };
        assert!(stderr(&output)[0].contains(named), "{output:?}");
    }
}

/// Members come in the order of their names, and their files in the order of paths, each time.
#[test]
fn the_same_command_prints_the_same_order_each_time() {
    let fleet = Fleet::start_with(11, offer_needles);
    let expected: Vec<String> = (1..=11)
        .flat_map(|member| {
            let files = [("a.txt", member), ("b.txt", 10 * member)];
            files.map(|(file, needles)| (member, file, needles))
        })
        .flat_map(|(member, file, needles)| {
            let path = fleet[member].directory().join(file);
            (0..needles).map(move |n| format!("vm{member}:{}:needle {n}", path.display()))
        })
        .collect();
    for asked in [1, 7, 7, 11] {
        let output = fleet[asked].ctl(&["grep", "--order=name", "needle", "*.txt"]);
        assert_eq!(stdout(&output), expected, "asked vm{asked}");
    }
    // The same lines in any order.
    let mut found = stdout(&fleet[3].ctl(&["grep", "--order=found", "needle", "*.txt"]));
    found.sort();
    let mut sorted = expected.clone();
    sorted.sort();
    assert_eq!(found, sorted);
    let limited = fleet[5].ctl(&["grep", "--order=name", "--limit=40", "needle", "*.txt"]);
    assert_eq!((stdout(&limited), limited.status.code()), (expected[..40].to_vec(), Some(0)));
    let folded = fleet[5].ctl(&["grep", "--fold", "-h", "needle 0", "a.txt"]);
    let rule = "-".repeat(16);
    assert_eq!(stdout(&folded), [&rule, "vm[1-11] (11)", &rule, "needle 0"]);
}

/// Three members, of which one that is stopped is listed as up for long.
fn patient_fleet() -> Fleet {
    Fleet::start_with(3, |daemon| {
        offer_needles(daemon);
        daemon.settings.group = vec![PATIENT];
    })
}

/// The first member in the order hangs. The others' lines come all the same, before it is given up.
#[test]
fn a_hanging_member_holds_up_others_for_a_bounded_time() {
    let fleet = patient_fleet();
    fleet[1].signal(nix::sys::signal::Signal::SIGSTOP);
    let output = fleet[2].ctl(&["grep", "needle", "a.txt"]);
    fleet[1].signal(nix::sys::signal::Signal::SIGCONT);
    assert_eq!(members(&output), ["vm2", "vm3"]);
    assert_eq!((stdout(&output).len(), output.status.code()), (5, Some(3)), "{output:?}");
    fleet.wait_until_whole_within(SOON);
}

/// memberctl says once that the dead are not asked.
#[test]
fn the_dead_are_not_asked_and_those_that_left_not_missed() {
    let mut fleet = Fleet::start_with(5, |daemon| {
        daemon.settings.logs.push("copies = 0".to_owned());
        offer_needles(daemon);
    });
    fleet[5].control().leave().unwrap();
    fleet[5].kill();
    let mut followers = fleet.follow();
    let crash = fleet.crash(&[4]).remove(0);
    followers.assert_crash_noticed(&crash.id, crash.at, &["vm4"]);
    for (options, names, said, status) in [
        (&[][..], &["vm1", "vm2", "vm3"][..], 1, 0),
        (&["-q"], &[], 1, 0),
        (&["--on", "vm[34]"], &["vm3"], 1, 0),
        (&["--on", "vm[123]"], &["vm1", "vm2", "vm3"], 0, 0),
        (&["--not-on", "vm4"], &["vm1", "vm2", "vm3"], 0, 0),
        // Nobody was asked, so nobody answered.
        (&["--on", "vm4"], &[], 1, 3),
    ] {
        let output = fleet[1].ctl(&[&["grep", "needle", "*.txt"], options].concat());
        assert_eq!(members(&output), names, "{options:?}: {output:?}");
        let said_of = stderr(&output);
        assert_eq!(
            (output.status.code(), said_of.len()),
            (Some(status), said),
            "{options:?}: {output:?}"
        );
        let words = |line: &String| {
            line.starts_with("memberctl: vm4 failed ")
                && line.ends_with(": its logs are not searched")
        };
        assert!(said_of.iter().all(words), "{said_of:?}");
    }
    // One that left is missed only when it is named.
    let gone = fleet[1].ctl(&["grep", "--on", "vm5", "needle"]);
    assert_eq!(gone.status.code(), Some(3), "{gone:?}");
    let said = stderr(&gone);
    assert!(said[0].starts_with("memberctl: vm5 left ") && said.len() == 1, "{said:?}");
    assert!(said[0].ends_with(": nobody keeps its logs"), "{said:?}");
}

#[test]
fn counts_are_added_up_by_member_by_file_and_in_all() {
    let fleet = Fleet::start_with(3, offer_needles);
    let run = |options: &[&str]| {
        stdout(&fleet[2].ctl(&[&["grep"], options, &["needle", "*.txt"]].concat()))
    };
    assert_eq!(run(&["--count-by", "member"]), ["vm1:11", "vm2:22", "vm3:33"]);
    assert_eq!(
        run(&["--count-by", "member", "--total", "--on", "vm[12]"]),
        ["vm1:11", "vm2:22", "total:33"]
    );
    // Each member of this fleet has its files in a directory of its own.
    let by_file = run(&["--count-by", "file", "--total"]);
    assert_eq!(by_file.len(), 7, "{by_file:?}");
    assert!(
        by_file[0].ends_with("/vm1/a.txt:1") && by_file[5].ends_with("/vm3/b.txt:30"),
        "{by_file:?}"
    );
    assert_eq!(by_file[6], "total:66");
    let counts = run(&["-c", "--total"]);
    assert_eq!((counts.len(), counts[6].as_str()), (7, "total:66"));
}

#[test]
fn stats_say_what_was_searched_on_standard_error() {
    let fleet = Fleet::start_with(3, offer_needles);
    let output = fleet[1].ctl(&["grep", "--stats", "needle", "*.txt"]);
    assert_eq!(stdout(&output).len(), 66);
    let said = stderr(&output);
    assert_eq!(said.len(), 4, "{said:?}");
    assert!(said[0].starts_with("memberctl: vm1: 11 lines in 2 files, "), "{said:?}");
    assert!(said[3].starts_with("memberctl: 3 of 3 members: 66 lines in 6 files, "), "{said:?}");
}

#[test]
fn a_silent_member_that_has_not_failed_makes_the_status_3() {
    let fleet = patient_fleet();
    fleet[3].signal(nix::sys::signal::Signal::SIGSTOP);
    let output = fleet[1].ctl(&["grep", "--count-by", "member", "needle", "*.txt"]);
    fleet[3].signal(nix::sys::signal::Signal::SIGCONT);
    assert_eq!(stdout(&output), ["vm1:11", "vm2:22"]);
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    assert!(stderr(&output)[0].starts_with("memberctl: vm3: did not answer: "), "{output:?}");
    fleet.wait_until_whole_within(SOON);
}
