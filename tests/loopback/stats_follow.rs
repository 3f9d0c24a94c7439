//! Questions that go on while logs are written. Each line counts once, whatever happens to files,
//! workers and daemons, and the last row of a key is exact.

use memberd_tests::chance::Chance;
use memberd_tests::process::Running;
use memberd_tests::terminal::Terminal;
use memberd_tests::wait::{KILLED, SOON, holds};
use memberd_tests::{Daemon, Fleet, binaries, wait_until};
use nix::sys::signal::Signal;
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;

/// What is asked: sums of each member and key.
const QUERY: &str = "| logfmt | count, sum(v) by member, k";

/// The keys of lines that are counted.
const KEYS: [&str; 3] = ["a", "b", "c"];

/// The key of the lines that show that a member is followed. How many count is not known.
const READY: &str = "ready";

/// A fleet whose members offer the log of an application, and what it is rotated to.
fn fleet(n: u8) -> Fleet {
    Fleet::start_with_workers(n, prepare)
}

fn prepare(daemon: &mut Daemon) {
    // A machine that is away is missing until it is back.
    daemon.settings.logs.push("copies = 0".to_owned());
    let log = log(daemon);
    std::fs::create_dir(log.parent().unwrap()).unwrap();
    append(&log, "k=before v=1\n");
    daemon.settings.files.push(format!("{}*", log.display()));
}

fn log(daemon: &Daemon) -> PathBuf {
    daemon.directory().join("srv/app.log")
}

fn append(path: &Path, text: &str) {
    let mut file = OpenOptions::new().create(true).append(true).open(path).unwrap();
    file.write_all(text.as_bytes()).unwrap();
}

fn text(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

/// A question that goes on, and what it has printed.
struct Asked {
    running: Running,
    output: PathBuf,
    errors: PathBuf,
}

impl Asked {
    fn start(daemon: &Daemon, arguments: &[&str]) -> Asked {
        let path = |name: &str| daemon.directory().join(name);
        let (output, errors) = (path("rows"), path("errors"));
        // The daemons write logs of their own.
        let (options, files) = (["stats", "--follow", "--every=100ms"], ["app.log*"]);
        let mut command = daemon.memberctl(&[&options[..], arguments, &files].concat());
        command.env("TZ", "UTC").stdin(Stdio::null());
        command.stdout(File::create(&output).unwrap()).stderr(File::create(&errors).unwrap());
        Asked { running: Running::start(&mut command), output, errors }
    }

    fn printed(&self) -> String {
        text(&self.output)
    }

    fn said(&self) -> String {
        text(&self.errors)
    }

    fn wait_until_said(&self, words: &str) {
        wait_until(&format!("it says {words:?}"), SOON, || {
            holds(self.said().contains(words), || self.said())
        });
    }

    /// Writes until a line of this member has come.
    fn wait_until_followed(&self, daemon: &Daemon) {
        let row = format!("{}\t{READY}\t", daemon.name());
        wait_until("the member is followed", SOON, || {
            append(&log(daemon), &format!("k={READY} v=0\n"));
            holds(self.printed().contains(&row), || self.said())
        });
    }

    /// The last row of each member and key: lines, and the sum.
    fn rows(&self) -> BTreeMap<(String, String), (u64, u64)> {
        let printed = self.printed();
        // The last line may be half a line, while it is written.
        let whole = printed.rsplit_once('\n').map_or("", |(whole, _)| whole);
        let row = |line: &str| {
            let cells: Vec<&str> = line.split('\t').collect();
            let [member, key, lines, sum] = cells.as_slice() else { panic!("{line:?}") };
            let key = ((*member).to_owned(), (*key).to_owned());
            (key, (lines.parse().unwrap(), sum.parse().unwrap()))
        };
        whole.lines().map(row).filter(|((_, key), _)| key != READY).collect()
    }

    #[track_caller]
    fn wait_until_exact(&self, written: &Written) {
        wait_until("all lines count, each once", SOON, || {
            let rows = self.rows();
            holds(rows == written.sums, || {
                format!("{rows:?}, not {:?}: {}", written.sums, self.said())
            })
        });
    }

    /// Each row grows, since it is printed only if it has changed. In the end it is interrupted.
    fn end(mut self) {
        self.running.signal(Signal::SIGINT);
        let ended = self.running.wait(KILLED);
        assert_eq!(ended.signal(), Some(Signal::SIGINT as i32));
        let mut last: BTreeMap<String, u64> = BTreeMap::new();
        for line in self.printed().lines() {
            let cells: Vec<&str> = line.split('\t').collect();
            let lines: u64 = cells[2].parse().unwrap();
            let before = last.insert(cells[..2].join(" "), lines);
            assert!(before.is_none_or(|before| before < lines), "{line:?}");
        }
    }
}

/// The sums of all lines that were written, in the plainest way.
struct Written {
    chance: Chance,
    sums: BTreeMap<(String, String), (u64, u64)>,
}

impl Written {
    fn new(seed: u64) -> Written {
        Written { chance: Chance::new(seed), sums: BTreeMap::new() }
    }

    /// Writes some lines to the log of a member.
    fn write(&mut self, daemon: &Daemon) {
        let mut lines = String::new();
        for _ in 0..1 + self.chance.below(30) {
            let (key, value) = (KEYS[self.chance.below(3)], self.chance.below(1_000));
            lines += &format!("k={key} v={value}\n");
            let sums = self.sums.entry((daemon.name().to_owned(), key.to_owned())).or_default();
            *sums = (sums.0 + 1, sums.1 + value as u64);
        }
        append(&log(daemon), &lines);
    }
}

#[test]
fn lines_count_once_while_files_are_rotated() {
    let fleet = fleet(3);
    let asked = Asked::start(&fleet[1], &[QUERY]);
    fleet.running().for_each(|daemon| asked.wait_until_followed(daemon));
    let mut written = Written::new(1);
    for round in 0..30 {
        for daemon in fleet.running() {
            written.write(daemon);
            let log = log(daemon);
            match round {
                5 | 6 | 15 => {
                    std::fs::rename(&log, log.with_extension(format!("log.{round}"))).unwrap();
                }
                // copytruncate loses what is written between the copy and the end of the file, and
                // what nobody has read by then.
                10 => {
                    asked.wait_until_exact(&written);
                    std::fs::copy(&log, log.with_extension("log.10")).unwrap();
                    File::create(&log).unwrap();
                }
                _ => {}
            }
            written.write(daemon);
        }
    }
    asked.wait_until_exact(&written);
    assert_eq!(asked.said(), "");
    asked.end();
}

/// What the worker had counted and not yet said is counted by the next one.
#[test]
fn lines_count_once_while_a_worker_is_killed() {
    let mut fleet = fleet(2);
    let asked = Asked::start(&fleet[1], &[QUERY]);
    fleet.running().for_each(|daemon| asked.wait_until_followed(daemon));
    let mut written = Written::new(2);
    for _ in 0..3 {
        fleet.running().for_each(|daemon| written.write(daemon));
        fleet[2].kill_worker();
        fleet.running().for_each(|daemon| written.write(daemon));
        fleet[2].start_worker();
        fleet.running().for_each(|daemon| written.write(daemon));
        asked.wait_until_exact(&written);
    }
    assert!(asked.said().contains("vm2"), "{}", asked.said());
    asked.end();
}

/// Its lines are missing while it is away. What it wrote meanwhile counts once it is back.
#[test]
fn lines_count_once_while_a_machine_is_away() {
    let mut fleet = fleet(3);
    let asked = Asked::start(&fleet[1], &[QUERY]);
    fleet.running().for_each(|daemon| asked.wait_until_followed(daemon));
    let mut written = Written::new(3);
    fleet.running().for_each(|daemon| written.write(daemon));
    asked.wait_until_exact(&written);
    fleet.crash(&[3]);
    asked.wait_until_said("vm3 failed: its logs are not followed any more");
    fleet.daemons().iter().for_each(|daemon| written.write(daemon));
    let away = fleet[3].name().to_owned();
    wait_until("the others go on", SOON, || {
        let others = |rows: BTreeMap<(String, String), (u64, u64)>| {
            rows.into_iter().filter(|((member, _), _)| *member != away).collect::<Vec<_>>()
        };
        let (rows, expected) = (others(asked.rows()), others(written.sums.clone()));
        holds(rows == expected, || format!("{rows:?}, not {expected:?}"))
    });
    fleet.restart(&[3]);
    asked.wait_until_said("vm3 joined: its logs are followed too, from where they were left");
    fleet.running().for_each(|daemon| written.write(daemon));
    asked.wait_until_exact(&written);
    asked.end();
}

#[test]
fn a_member_that_joins_counts_from_then_on() {
    let mut fleet = fleet(2);
    let asked = Asked::start(&fleet[1], &[QUERY]);
    fleet.running().for_each(|daemon| asked.wait_until_followed(daemon));
    let mut written = Written::new(4);
    fleet.running().for_each(|daemon| written.write(daemon));
    let newcomer = fleet.add();
    newcomer.start_worker();
    prepare(newcomer);
    newcomer.start();
    newcomer.control().join().unwrap();
    asked.wait_until_said("vm3 joined: its logs are followed too");
    asked.wait_until_followed(&fleet[3]);
    fleet.running().for_each(|daemon| written.write(daemon));
    asked.wait_until_exact(&written);
    asked.end();
}

/// A line of long ago, at this second of that minute.
fn stamped(minute: usize, second: usize, key: &str) -> String {
    format!("2020-11-30T10:{minute:02}:{second:02}Z k={key}\n")
}

/// Windows leave behind the newest line, by the times of lines.
#[test]
fn lines_that_are_too_late_are_counted_and_told() {
    let fleet = fleet(1);
    let log = log(&fleet[1]);
    let query = "| count every 10s";
    let asked = Asked::start(&fleet[1], &["--json", "--keep=1m", query]);
    let objects = || {
        let printed = asked.printed();
        let whole = printed.rsplit_once('\n').map_or("", |(whole, _)| whole).to_owned();
        let object = |line: &str| serde_json::from_str::<serde_json::Value>(line).unwrap();
        whole.lines().map(object).collect::<Vec<_>>()
    };
    let wait_for = |what: &str, is_there: &dyn Fn(&serde_json::Value) -> bool| {
        wait_until(what, SOON, || {
            holds(objects().iter().any(is_there), || format!("{:?}: {}", objects(), asked.said()))
        });
    };
    let has_window = |second: i64| {
        // 2020-11-30T10:00:00Z
        let window = 1_000 * (1_606_730_400 + second);
        move |object: &serde_json::Value| object["row"]["window"] == window
    };
    wait_until("lines are followed", SOON, || {
        append(&log, &stamped(0, 5, READY));
        holds(!objects().is_empty(), || asked.said())
    });
    // All lines before this one are counted with it or before.
    append(&log, &stamped(1, 5, "next"));
    wait_for("the second window is shown", &has_window(60));
    append(&log, &stamped(9, 5, "later"));
    wait_for("the last window is shown", &has_window(540));
    let before = objects();
    append(&log, &(stamped(0, 6, "late") + &stamped(1, 7, "late") + &stamped(8, 5, "in time")));
    wait_for("the third window is shown", &has_window(480));
    wait_for("late lines are counted", &|object| object["late"] == 2);
    asked.wait_until_said("2 of ");
    assert!(asked.said().contains("were too late for a window"), "{}", asked.said());
    let since = objects().split_off(before.len());
    let windows = since.iter().filter(|object| object["type"] == "row").count();
    assert_eq!(windows, 1, "{since:?}");
    assert_eq!(since.last().unwrap()["type"], "counts");
}

/// The table is drawn in place, and the last one stays behind.
#[test]
fn a_terminal_shows_a_table_until_it_is_interrupted() {
    let fleet = fleet(1);
    let socket = fleet[1].settings.socket.clone();
    let line = format!(
        "stty cols 60 rows 8; exec {} stats --follow --every 100ms '| logfmt | count by k' app.log",
        binaries::memberctl().display()
    );
    let environment = [("MEMBERCTL_SOCKET", socket.as_path()), ("NO_COLOR", Path::new("1"))];
    let mut terminal = Terminal::run(&line, &environment);
    terminal.wait_until_shown("following 1 member");
    wait_until("the table is shown", SOON, || {
        append(&log(&fleet[1]), "k=key0\n");
        let seen = terminal.seen();
        holds(seen.contains("key0"), || seen)
    });
    let more: String = (1..10).map(|key| format!("k=key{key}\n")).collect();
    append(&log(&fleet[1]), &more);
    terminal.wait_until_shown("key3      1\u{1b}[K\r\n6 further rows out of sight\u{1b}[K");
    // The lines of the table are written over.
    append(&log(&fleet[1]), "k=key0\n");
    terminal.wait_until_shown("\r\u{1b}[7A");
    terminal.type_keys("\u{3}");
    let status = terminal.wait();
    assert_eq!(status.code(), Some(128 + Signal::SIGINT as i32), "{}", terminal.seen());
    let seen = terminal.seen();
    let last = seen.rsplit("\u{1b}[7A").next().unwrap();
    assert!(last.contains("key3") && last.contains("following 1 member"), "{seen:?}");
    // One that cannot move its cursor gets changed rows.
    let mut dumb = Terminal::run(&format!("export TERM=dumb; {line} 2>/dev/null"), &environment);
    dumb.wait_until_shown("k\tcount\r\n");
    wait_until("changes are shown", SOON, || {
        append(&log(&fleet[1]), "k=key0\n");
        let seen = dumb.seen();
        holds(seen.contains("key0\t"), || seen)
    });
    dumb.type_keys("\u{3}");
    dumb.wait();
    assert!(!dumb.seen().contains('\u{1b}'), "{:?}", dumb.seen());
}
