//! Questions over the logs of a fleet. The sums of three machines are those of a look at every line
//! in turn.

use memberd_tests::chance::Chance;
use memberd_tests::process::Running;
use memberd_tests::terminal::Terminal;
use memberd_tests::wait::{KILLED, SOON, holds};
use memberd_tests::{Daemon, Fleet, process, wait_until};
use nix::sys::signal::{Signal, kill};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, Output, Stdio};

/// How many requests each machine has served.
const REQUESTS: usize = 900;

/// The paths of the requests.
const PATHS: [&str; 4] = ["/", "/cart", "/search?q=a%20b", "/Grüße"];

/// A request, which is a line of two logs.
#[derive(Debug, Clone)]
struct Served {
    /// After ten o'clock on 2026-11-30, in UTC.
    second: usize,
    client: usize,
    path: &'static str,
    status: usize,
    /// None was sent if there is none.
    bytes: Option<usize>,
    milliseconds: usize,
}

impl Served {
    fn drawn(chance: &mut Chance) -> Served {
        let status = [200, 200, 200, 304, 404, 500, 502][chance.below(7)];
        Served {
            second: chance.below(600),
            client: chance.below(40),
            path: PATHS[chance.below(PATHS.len())],
            status,
            bytes: (status != 304).then(|| chance.below(100_000)),
            milliseconds: chance.below(3_000),
        }
    }

    fn clock(&self) -> String {
        format!("10:{:02}:{:02}", self.second / 60, self.second % 60)
    }

    fn nginx(&self) -> String {
        let Served { client, path, status, bytes, .. } = self;
        let bytes = bytes.map_or("-".to_owned(), |bytes| bytes.to_string());
        format!(
            "10.0.0.{client} - - [30/Nov/2026:{} +0000] \"GET {path} HTTP/1.1\" {status} {bytes} \
            \"-\" \"curl/8\" rt={}\n",
            self.clock(),
            thousandths(self.milliseconds)
        )
    }

    fn json(&self) -> String {
        let object = serde_json::json!({
            "time": format!("2026-11-30T{}Z", self.clock()),
            "status": self.status,
            "http": { "path": self.path, "bytes": self.bytes },
        });
        format!("{object}\n")
    }
}

/// Exactly this many thousandths, without zeros at the end.
fn thousandths(number: usize) -> String {
    let text = format!("{}.{:03}", number / 1_000, number % 1_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// What each of three machines has served. Every tenth line of the access log is none of a request.
struct Shop {
    fleet: Fleet,
    served: BTreeMap<String, Vec<Served>>,
}

fn shop(seed: u64) -> Shop {
    let (mut chance, mut served) = (Chance::new(seed), BTreeMap::new());
    let fleet = Fleet::start_with_workers(3, |daemon| {
        // A machine that is down is missing.
        daemon.settings.logs.push("copies = 0".to_owned());
        let requests: Vec<Served> = (0..REQUESTS).map(|_| Served::drawn(&mut chance)).collect();
        let nginx = requests.iter().enumerate().map(|(at, request)| match at % 10 {
            0 => format!("no request at all\n{}", request.nginx()),
            _ => request.nginx(),
        });
        write(daemon, "access.log", &nginx.collect::<String>());
        write(daemon, "app.json", &requests.iter().map(Served::json).collect::<String>());
        served.insert(daemon.name().to_owned(), requests);
    });
    Shop { fleet, served }
}

fn write(daemon: &mut Daemon, name: &str, text: &str) {
    drop(daemon.offer(name));
    fs::write(daemon.directory().join(name), text).unwrap();
}

impl Shop {
    /// All requests, each with its machine.
    fn all(&self) -> impl Iterator<Item = (&str, &Served)> {
        self.served
            .iter()
            .flat_map(|(member, served)| served.iter().map(move |one| (member.as_str(), one)))
    }

    /// What is printed in UTC, with these options and operands.
    fn ask(&self, arguments: &[&str]) -> Output {
        ask(&self.fleet[1], "UTC", arguments)
    }

    #[track_caller]
    fn says(&self, arguments: &[&str], rows: &[String]) {
        let output = self.ask(arguments);
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {output:?}");
        assert_eq!(lines(&output.stdout), rows, "{arguments:?}");
    }
}

fn ask(daemon: &Daemon, zone: &str, arguments: &[&str]) -> Output {
    let mut command = daemon.memberctl(&[&["stats"], arguments].concat());
    process::run(command.env("TZ", zone), SOON)
}

fn lines(bytes: &[u8]) -> Vec<String> {
    std::str::from_utf8(bytes).unwrap().lines().map(str::to_owned).collect()
}

fn row<const N: usize>(cells: [&dyn Display; N]) -> String {
    cells.map(ToString::to_string).join("\t")
}

/// The groups of what was served, in the order of their keys.
fn groups<'s, K: Ord>(
    served: impl Iterator<Item = (&'s str, &'s Served)>,
    key: impl Fn(&'s str, &'s Served) -> K,
) -> BTreeMap<K, Vec<&'s Served>> {
    let mut groups: BTreeMap<K, Vec<&Served>> = BTreeMap::new();
    for (member, one) in served {
        groups.entry(key(member, one)).or_default().push(one);
    }
    groups
}

/// `304` has no bytes at all, and the sum of nothing is 0.
fn bytes(group: &[&Served]) -> usize {
    group.iter().filter_map(|one| one.bytes).sum()
}

#[test]
fn sums_are_those_of_a_look_at_every_line() {
    let shop = shop(1);
    let by_status = groups(shop.all(), |member, one| (member, one.status));
    let expected: Vec<String> = by_status
        .iter()
        .map(|((member, status), group)| {
            let slowest = group.iter().map(|one| one.milliseconds).max().unwrap();
            row([member, status, &group.len(), &bytes(group), &thousandths(slowest)])
        })
        .collect();
    let query = "| nginx | count, sum(bytes), max(rt) by member, status";
    shop.says(&[query, "access.log"], &expected);
    // The other log says the same.
    let expected: Vec<String> = by_status
        .iter()
        .map(|((member, status), group)| row([member, status, &group.len(), &bytes(group)]))
        .collect();
    shop.says(&["| json | count, sum(http.bytes) by member, status", "app.json"], &expected);

    let failed = shop.all().filter(|(_, one)| one.status >= 500 && one.path == "/cart");
    let expected: Vec<String> = groups(failed, |_, one| (one.second / 60, one.path))
        .iter()
        .map(|((minute, path), group)| {
            let clients: BTreeSet<usize> = group.iter().map(|one| one.client).collect();
            let window = format!("2026-11-30T10:{minute:02}:00+00:00");
            row([&window, path, &group.len(), &clients.len()])
        })
        .collect();
    let query = "'GET /cart' | nginx | where status >= 500 | \
                 count, distinct(client) by path every 1m";
    shop.says(&["-F", query, "access.log"], &expected);
}

#[test]
fn rows_behind_a_count_are_chosen_and_put_in_order() {
    let shop = shop(2);
    let by_path = groups(shop.all(), |_, one| one.path);
    let mut rows: Vec<(usize, &str)> =
        by_path.iter().map(|(path, group)| (bytes(group), *path)).collect();
    rows.sort_by_key(|(sum, _)| std::cmp::Reverse(*sum));
    let expected: Vec<String> = rows.iter().take(2).map(|(sum, path)| row([path, sum])).collect();
    let query = "| nginx | sum(bytes) as sent by path | top 2 by sent | keep path, sent";
    shop.says(&[query, "access.log"], &expected);
    // A percentile is at most 1 % off.
    let mut times: Vec<usize> = shop.all().map(|(_, one)| one.milliseconds).collect();
    times.sort_unstable();
    let output = shop.ask(&["| nginx | p50(rt), p99(rt)", "access.log"]);
    let shown: Vec<f64> =
        lines(&output.stdout)[0].split('\t').map(|cell| cell.parse().unwrap()).collect();
    for (shown, percent) in shown.into_iter().zip([50, 99]) {
        let near = |at: usize, factor: f64| times[at] as f64 / 1_000.0 * factor;
        let at = times.len() * percent / 100;
        let range = near(at - 2, 0.989)..=near((at + 2).min(times.len() - 1), 1.011);
        assert!(range.contains(&shown), "p{percent}: {shown} is not in {range:?}");
    }
}

#[test]
fn lines_that_are_not_understood_are_counted() {
    let shop = shop(3);
    let output = shop.ask(&["--json", "| nginx | count", "access.log"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let objects: Vec<serde_json::Value> =
        lines(&output.stdout).iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    let [row, totals] = objects.as_slice() else { panic!("{objects:?}") };
    let (requests, others) = (3 * REQUESTS, 3 * REQUESTS / 10);
    assert_eq!(row["row"]["count"], requests);
    assert_eq!(
        (&totals["unparsed"], &totals["lines"]),
        (&others.into(), &(requests + others).into())
    );
    assert_eq!((&totals["answered"], &totals["rows"]), (&3.into(), &1.into()));
    let said = lines(&output.stderr);
    let words = format!("memberctl: {others} of {} lines were not understood", requests + others);
    assert!(said.len() == 1 && said[0].starts_with(&words), "{said:?}");
    // No line at all is no row of a group, and status 1.
    let output = shop.ask(&["nowhere to be found | count by member", "access.log"]);
    assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0), "{output:?}");
}

#[test]
fn a_member_that_is_down_is_missing_and_told() {
    let mut shop = shop(4);
    shop.fleet.crash(&[3]);
    shop.fleet.wait_until_whole();
    let output = shop.ask(&["| json | count by member", "app.json"]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert_eq!(lines(&output.stdout), ["vm1", "vm2"].map(|name| row([&name, &REQUESTS])));
    let said = lines(&output.stderr);
    let [line] = said.as_slice() else { panic!("{said:?}") };
    assert!(
        line.starts_with("memberctl: vm3 failed ") && line.ends_with("are not searched"),
        "{line}"
    );
    // Who is not asked is not missing.
    let output = shop.ask(&["--on=vm[1-2]", "| json | count", "app.json"]);
    assert_eq!((output.status.code(), output.stderr.len()), (Some(0), 0), "{output:?}");
    // Its worker is gone, and the member is not.
    shop.fleet[2].kill_worker();
    let output = shop.ask(&["--on=vm[1-2]", "| json | count by member", "app.json"]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert_eq!(lines(&output.stdout), [row([&"vm1", &REQUESTS])]);
    assert!(lines(&output.stderr)[0].starts_with("memberctl: vm2: "), "{output:?}");
}

/// Stamps of two zones are moments, and a window is shown in the zone of who asks.
#[test]
fn windows_are_shown_in_the_zone_of_who_asks() {
    let fleet = Fleet::start_with_workers(2, |daemon| {
        let zone = if daemon.name() == "vm1" { "+09:00" } else { "Z" };
        let line = |second, text| format!("2026-11-30T10:00:{second}{zone} {text}\n");
        write(daemon, "app.log", &(line("07", "started") + &line("59", "ready")));
    });
    for (zone, windows) in [
        ("UTC", ["2026-11-30T01:00:00+00:00", "2026-11-30T10:00:00+00:00"]),
        ("Asia/Tokyo", ["2026-11-30T10:00:00+09:00", "2026-11-30T19:00:00+09:00"]),
        ("America/New_York", ["2026-11-29T20:00:00-05:00", "2026-11-30T05:00:00-05:00"]),
    ] {
        let output = ask(&fleet[2], zone, &["| count by member every 1m", "app.log"]);
        let [tokyo, utc] = windows;
        let expected = [row([&tokyo, &"vm1", &2]), row([&utc, &"vm2", &2])];
        assert_eq!(lines(&output.stdout), expected, "{zone}: {output:?}");
    }
}

#[test]
fn rotated_files_and_a_span_of_time_are_counted() {
    let mut chance = Chance::new(5);
    let mut seconds: Vec<usize> = Vec::new();
    let fleet = Fleet::start_with_workers(2, |daemon| {
        drop(daemon.offer("access.log"));
        for name in ["access.log.2.gz", "access.log.1", "access.log"] {
            let requests: Vec<Served> = (0..50).map(|_| Served::drawn(&mut chance)).collect();
            seconds.extend(requests.iter().map(|one| one.second));
            let text: String = requests.iter().map(Served::nginx).collect();
            let plain = daemon.directory().join(name.trim_end_matches(".gz"));
            fs::write(&plain, text).unwrap();
            if name.ends_with(".gz") {
                let gzip = process::run(Command::new("gzip").arg(&plain), SOON);
                assert!(gzip.status.success(), "{gzip:?}");
            }
        }
    });
    let count = |options: &[&str]| {
        let output = ask(&fleet[1], "UTC", &[options, &["| nginx | count", "access.log"]].concat());
        assert_eq!((output.status.code(), output.stderr.len()), (Some(0), 0), "{output:?}");
        lines(&output.stdout)[0].parse::<usize>().unwrap()
    };
    assert_eq!((count(&[]), count(&["--rotated"])), (100, 300));
    let inside = seconds.iter().filter(|second| (120..300).contains(*second)).count();
    let window = ["--since=2026-11-30T10:02:00Z", "--until=2026-11-30T10:05:00Z"];
    assert_eq!(count(&[&["--rotated"], &window[..]].concat()), inside);
}

/// Each machine has other groups, so that the answer has more than any of them.
#[test]
fn limits_are_told_by_name_where_they_are_reached() {
    let fleet = Fleet::start_with_workers(2, |daemon| {
        let name = daemon.name().to_owned();
        let text: String = (0..30_000).map(|at| format!("user={name}-{at}\n")).collect();
        write(daemon, "users.log", &text);
    });
    let query = ["| logfmt | count by user", "users.log"];
    let count = |options: &[&str]| ask(&fleet[1], "UTC", &[options, &query[..]].concat());
    let all = count(&[]);
    assert_eq!(
        (all.status.code(), lines(&all.stdout).len()),
        (Some(0), 60_000),
        "{:?}",
        all.stderr
    );
    for (options, words) in [
        // A member reaches this one, and the answer the next one.
        (&["--groups=1000"][..], "1000 groups"),
        (&["--groups=40000"], "40000 groups"),
        (&["--memory=64K"], "65536 bytes"),
    ] {
        let output = count(options);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(
            (output.status.code(), output.stdout.len()),
            (Some(2), 0),
            "{options:?}: {said}"
        );
        assert!(said.contains(words), "{options:?}: {said}");
    }
    // It was not the worker's end.
    assert_eq!(count(&[]).status.code(), Some(0));
}

/// A pattern that memberctl does not read itself is refused in the members' words.
#[test]
fn a_wrong_pattern_is_refused() {
    let fleet = Fleet::start_with_workers(1, |daemon| write(daemon, "a.log", "x\n"));
    let output = ask(&fleet[1], "UTC", &["-E", "'a(' | count"]);
    let said = lines(&output.stderr);
    assert_eq!(
        (output.status.code(), output.stdout.len(), said.len()),
        (Some(2), 0, 1),
        "{output:?}"
    );
}

#[test]
fn an_interrupt_ends_a_question_at_once() {
    let fleet = Fleet::start_with_workers(3, |daemon| write(daemon, "a.log", "x\n"));
    // The member is up, and its worker says nothing.
    kill(fleet[3].worker_pid(), Signal::SIGSTOP).unwrap();
    let mut command = fleet[1].memberctl(&["stats", "| count by member"]);
    let mut asking =
        Running::start(command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()));
    let runs = |running: bool| {
        wait_until("the daemon has the question", SOON, || {
            let status = fleet[1].control().status().map_err(|error| error.to_string())?;
            holds(status.greps.is_empty() != running, || format!("{:?}", status.greps))
        });
    };
    runs(true);
    asking.signal(Signal::SIGINT);
    assert_eq!(asking.wait(KILLED).signal(), Some(Signal::SIGINT as i32));
    runs(false);
    kill(fleet[3].worker_pid(), Signal::SIGCONT).unwrap();
}

#[test]
fn a_terminal_gets_an_aligned_table() {
    let fleet = Fleet::start_with_workers(2, |daemon| {
        let lines =
            if daemon.name() == "vm1" { "n=\u{1b}[31m\n".repeat(12) } else { "n=x\n".into() };
        write(daemon, "a.log", &lines);
    });
    let socket = fleet[1].settings.socket.clone();
    let program = memberd_tests::binaries::memberctl();
    let line =
        format!("NO_COLOR=1 {} stats '| logfmt | count by n, member' a.log", program.display());
    let mut terminal = Terminal::run(&line, &[("MEMBERCTL_SOCKET", socket.as_path())]);
    assert!(terminal.wait().success());
    let seen = terminal.seen().replace("\r\n", "\n");
    let table = "n         member  count\n\\x1b[31m  vm1        12\nx         vm2         1\n";
    assert!(seen.ends_with(table), "{seen:?}");
}
