//! Greps by time: lines whose time is not understood, and the ways to write a time.

use memberd_tests::Fleet;
use std::io::Write as _;
use std::process::Output;

/// What a grep printed on standard output, whether it said anything on standard error, and its
/// status.
fn found(output: &Output) -> (String, bool, Option<i32>) {
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    (text, !output.stderr.is_empty(), output.status.code())
}

/// `grep -q --since 1h ERROR || alarm` must not take a log in an unknown format for one without a
/// match.
#[test]
fn a_file_whose_times_are_unknown_gives_status_2() {
    let fleet = Fleet::start_with(1, |daemon| {
        let mut unknown = daemon.offer("unknown.log");
        writeln!(unknown, "21.11.2026 01:20:33 ERROR x").unwrap();
        let mut partly = daemon.offer("partly.log");
        writeln!(partly, "2026-11-21 01:20:33 ERROR y").unwrap();
        writeln!(partly, "21.11.2026 01:20:34 ERROR z").unwrap();
        writeln!(daemon.offer("known.log"), "2026-11-21 01:20:33 ERROR v").unwrap();
    });
    let since = ["--since", "2026-11-21"];
    let grep =
        |options: &[&str]| found(&fleet[1].ctl(&[&["grep", "-h"], &since[..], options].concat()));
    let none = String::new;
    assert_eq!(grep(&["-q", "ERROR", "unknown.log"]), (none(), true, Some(2)));
    assert_eq!(grep(&["-s", "ERROR", "unknown.log"]), (none(), false, Some(2)));
    assert_eq!(grep(&["-s", "-q", "nothing", "partly.log"]), (none(), false, Some(2)));
    let both = "2026-11-21 01:20:33 ERROR y\n21.11.2026 01:20:34 ERROR z\n";
    assert_eq!(grep(&["ERROR", "partly.log"]), (both.to_owned(), true, Some(2)));
    // As in GNU grep, a match elsewhere is what -q asks for.
    assert_eq!(grep(&["-q", "ERROR"]).2, Some(0));
    let json = ["grep", "--json", "--since", "2026-11-21", "ERROR", "unknown.log", "partly.log"];
    let (objects, _, status) = found(&fleet[1].ctl(&json));
    let totals = objects.lines().last().unwrap();
    assert!(totals.contains("\"errors\":2") && status == Some(2), "{objects}");
    // Without a time that is asked for, nobody has to understand any.
    assert_eq!(found(&fleet[1].ctl(&["grep", "-c", "-h", "ERROR", "unknown.log"])).2, Some(0));
}

/// The forms of journalctl, docker and date(1), with their zones, choose the same lines.
#[test]
fn times_are_taken_as_other_programs_write_them() {
    let fleet = Fleet::start_with(1, |daemon| {
        let mut log = daemon.offer("x.log");
        for hour in 0..24 {
            writeln!(log, "2026-11-20T{hour:02}:00:00Z L").unwrap();
        }
        // MariaDB pads the hour with a blank.
        writeln!(log, "2026-11-21  0:00:00 331 [Warning] L").unwrap();
    });
    for since in [
        "2026-11-20T05:00:00Z",
        "2026-11-20 05:00 UTC",
        "Fri 2026-11-20 05:00:00 UTC",
        "2026-11-20 10:00+05:00",
        "2026-11-20 06:00 Europe/Berlin",
        "2026-11-20[America/New_York]",
        "2026-11-20T14:00[Asia/Tokyo]",
        "@1795150800",
        "1795150800.0",
    ] {
        let output = fleet[1].ctl(&["grep", "-h", "-m1", "--since", since, "L", "x.log"]);
        assert_eq!(found(&output).0, "2026-11-20T05:00:00Z L\n", "{since}: {output:?}");
    }
    let output =
        fleet[1].ctl(&["grep", "-c", "-h", "--since", "-99y", "--until", "+1h", "L", "x.log"]);
    assert_eq!(found(&output), ("25\n".to_owned(), false, Some(0)), "{output:?}");
    let refused = fleet[1].ctl(&["grep", "--since", "14:00 XYZT", "L"]);
    assert!(String::from_utf8_lossy(&refused.stderr).contains("zone 'XYZT' is not known"));
}
