//! Greps of a window of time over large logs. Their lines are not in the order of time, as in real
//! logs.

use memberd_tests::{Daemon, Fleet};
use std::fs::{File, OpenOptions};
use std::io::Write as _;

/// How many lines a log has: more than a megabyte.
const LINES: u32 = 30_000;

/// A line, and the second of 2026-11-28 at which it counts.
type Dated = (u32, String);

fn clock(second: u32) -> String {
    format!("{:02}:{:02}:{:02}", second / 3600, second / 60 % 60, second % 60)
}

/// A line a second from midnight on. Some are of a host whose clock is two hours behind, at 04:10
/// the own clock is set back by twenty minutes, and some lines have no time of their own.
fn central(from: u32) -> Vec<Dated> {
    (from..from + LINES)
        .flat_map(|at| {
            let second = if at < 15_000 { at } else { at - 1200 };
            let is_late = at % 1009 == 100 && second > 7200;
            let second = if is_late { second - 7200 } else { second };
            let host = if is_late { "late" } else { "web1" };
            let line = format!("2026-11-28T{}+00:00 {host} app: line {at}\n", clock(second));
            let trace = (at % 7 == 0).then(|| (second, format!("    at frame {at}\n")));
            [Some((second, line)), trace].into_iter().flatten()
        })
        .collect()
}

/// Apache stamps a request when it comes, and writes the line when it ends.
fn access(_: u32) -> Vec<Dated> {
    (0..LINES)
        .map(|at| {
            let (second, path) = if at % 501 == 500 { (at - 480, "slow") } else { (at, "quick") };
            let line = format!(
                "127.0.0.1 - - [28/Nov/2026:{} +0000] \"GET /{path}/{at} HTTP/1.1\" 200\n",
                clock(second)
            );
            (second, line)
        })
        .collect()
}

fn text(lines: &[Dated]) -> String {
    lines.iter().map(|(_, line)| line.as_str()).collect()
}

/// Compares what is printed of some windows with a look at every line.
fn assert_exact(daemon: &Daemon, name: &str, lines: &[Dated], when: &str) {
    for (since, until) in [(3600, 3660), (13_600, 14_400), (0, 7200), (20_000, 29_000)] {
        let inside: Vec<(usize, &str)> = (1..)
            .zip(lines)
            .filter(|(_, (second, _))| (since..until).contains(second))
            .map(|(number, (_, line))| (number, line.as_str()))
            .collect();
        let numbered: String =
            inside.iter().map(|(number, line)| format!("{number}:{line}")).collect();
        let plain: String = inside.iter().map(|(_, line)| *line).collect();
        let count = format!("{}\n", inside.len());
        let odd: Vec<&str> =
            inside.iter().map(|(_, line)| *line).filter(|line| line.contains('7')).collect();
        for (options, expected) in [
            (&["-n", ""][..], &numbered),
            (&["--merge", ""], &plain),
            (&["-c", ""], &count),
            (&["7"], &odd.concat()),
            (&["-v", "x"], &plain),
            (&["-m2", "7"], &odd.iter().take(2).copied().collect()),
        ] {
            let moments = [since, until].map(|second| format!("2026-11-28T{}Z", clock(second)));
            let [since, until] = moments.each_ref().map(String::as_str);
            let words = ["grep", "-h", "--since", since, "--until", until];
            let output = daemon.ctl(&[&words, options, &[name]].concat());
            let found = String::from_utf8(output.stdout).unwrap();
            let first = found.lines().zip(expected.lines()).find(|(found, wanted)| found != wanted);
            assert!(
                found == *expected,
                "{name} {when}, {since} to {until}, {options:?}: {} lines in place of {}, first \
                {first:?}",
                found.lines().count(),
                expected.lines().count()
            );
        }
    }
}

/// The first search of a large log reads it as a whole, and later ones only what they must.
#[test]
fn windows_are_exact_whatever_the_order_of_the_lines() {
    let fleet = Fleet::start_with(1, |daemon| {
        drop((daemon.offer("central.log"), daemon.offer("access.log")));
    });
    let path = |name: &str| fleet[1].directory().join(name);
    for (name, make) in [("central.log", central as fn(u32) -> Vec<Dated>), ("access.log", access)]
    {
        let mut lines = make(0);
        let (begun, later) = lines.split_at(20_000);
        std::fs::write(path(name), text(begun)).unwrap();
        assert_exact(&fleet[1], name, begun, "at first");
        let mut file = OpenOptions::new().append(true).open(path(name)).unwrap();
        file.write_all(text(later).as_bytes()).unwrap();
        assert_exact(&fleet[1], name, &lines, "after it grew");
        // As copytruncate does. The new text is longer than what was searched.
        lines.reverse();
        lines.retain(|(_, line)| !line.starts_with(' '));
        lines.extend(make(0));
        let mut file = File::create(path(name)).unwrap();
        file.write_all(text(&lines).as_bytes()).unwrap();
        assert_exact(&fleet[1], name, &lines, "after it was truncated");
    }
}
