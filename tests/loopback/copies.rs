//! Copies of logs: what a member wrote is kept by two others, whoever is killed.

use memberd_tests::copies::CopyOfFile;
use memberd_tests::wait::{SOON, holds, stretched};
use memberd_tests::{Daemon, Fleet, wait_until};
use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// What a killed member wrote is in its copies, but for this much. Sending has the lowest priority,
/// so a busy machine takes longer than the 2 s that are promised.
const LOSS: Duration = Duration::from_secs(2);
const LOSS_WHERE_BUSY: Duration = Duration::from_secs(15);

/// Longer than a keeper may be away.
const REPLACED: Duration = Duration::from_secs(60);

fn fleet(n: u8) -> Fleet {
    Fleet::start_with(n, |daemon| {
        daemon.settings.logs = vec!["copies = 2".to_owned()];
        daemon.offer("shop.log");
    })
}

fn log_of(daemon: &Daemon) -> PathBuf {
    daemon.directory().join("shop.log")
}

/// Those that keep copies of a member's log, and the newest copy of each.
fn keepers(fleet: &Fleet, source: usize, path: &Path) -> Vec<(usize, CopyOfFile)> {
    let source = fleet[source].name();
    let newest = |(at, daemon): (usize, &Daemon)| {
        let mut copies = daemon.copies_of(source, path).ok()?;
        Some((at + 1, copies.pop()?))
    };
    fleet.daemons().iter().enumerate().filter_map(newest).collect()
}

/// Waits until two members that run have exactly what the log has.
fn wait_until_kept_twice(fleet: &Fleet, source: usize, path: &Path) -> Vec<usize> {
    wait_until("two members have the whole log", stretched(REPLACED), || {
        let written = fs::read(path).map_err(|error| error.to_string())?;
        let kept = keepers(fleet, source, path);
        let whole = kept.iter().filter(|(at, copy)| {
            fleet[*at].is_running() && copy.begin == 0 && copy.text == written
        });
        let whole: Vec<usize> = whole.map(|(at, _)| *at).collect();
        holds(whole.len() == 2, || {
            let lengths: Vec<(usize, usize)> =
                kept.iter().map(|(at, copy)| (*at, copy.text.len())).collect();
            format!("{} bytes are written, and {lengths:?} kept", written.len())
        })?;
        Ok(whole)
    })
}

/// Writes numbered lines until it is stopped, each with the time since the beginning.
struct Writer {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<()>,
    begun: Instant,
}

impl Writer {
    fn start(path: &Path, pause: Duration) -> Writer {
        let (stop, begun) = (Arc::new(AtomicBool::new(false)), Instant::now());
        let mut file: File = OpenOptions::new().append(true).open(path).unwrap();
        let stopped = Arc::clone(&stop);
        let thread = thread::spawn(move || {
            for number in 0_u64.. {
                if stopped.load(Ordering::Relaxed) {
                    return;
                }
                let at = begun.elapsed().as_millis();
                file.write_all(format!("{at} ms: order {number} was paid\n").as_bytes()).unwrap();
                thread::sleep(pause);
            }
        });
        Writer { stop, thread, begun }
    }

    fn stop(self) {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap();
    }
}

/// The time of the last line.
fn last_time(text: &[u8]) -> Duration {
    let text = std::str::from_utf8(text).unwrap();
    let last = text.lines().last().unwrap_or_default();
    let milliseconds = last.split_once(' ').and_then(|(time, _)| time.parse().ok());
    Duration::from_millis(milliseconds.unwrap_or(0))
}

#[test]
fn what_a_killed_member_wrote_is_kept_by_two_others() {
    let mut fleet = fleet(4);
    let path = log_of(&fleet[1]);
    let writer = Writer::start(&path, Duration::from_millis(2));
    wait_until("some of it is kept", SOON, || {
        let kept = keepers(&fleet, 1, &path);
        holds(kept.len() == 2 && writer.begun.elapsed() > Duration::from_secs(5), || {
            format!("{} keep it", kept.len())
        })
    });
    let killed = fleet[1].kill() - writer.begun;
    writer.stop();
    let written = fs::read(&path).unwrap();
    // A copy that is just being written cannot be read.
    let kept = wait_until("both copies can be read", SOON, || {
        let kept = keepers(&fleet, 1, &path);
        if kept.len() == 2 { Ok(kept) } else { Err(format!("{} can", kept.len())) }
    });
    for (at, copy) in kept {
        assert_eq!(copy.begin, 0);
        assert!(written.starts_with(&copy.text), "vm{at}: a prefix");
        assert!(copy.text.ends_with(b"\n"), "vm{at}: whole lines");
        let lacks = killed.saturating_sub(last_time(&copy.text));
        eprintln!("vm{at} lacks the last {lacks:?}; {LOSS:?} are promised");
        assert!(lacks <= stretched(LOSS_WHERE_BUSY), "vm{at} lacks the last {lacks:?}");
        assert!(copy.offered);
    }
    // One of the copies is searched in its place.
    fleet[2].wait_until_logged("member failed name=vm1 ");
    let found = fleet[2].ctl(&["grep", "--on=vm1", "order 0 was paid"]);
    let lines = String::from_utf8(found.stdout.clone()).unwrap();
    assert_eq!(lines.lines().count(), 1, "{found:?}");
    assert!(lines.starts_with(&format!("vm1:{}:", path.display())), "{lines}");
    // It goes on where the keepers stand.
    fleet.restart(&[1]);
    let mut file = OpenOptions::new().append(true).open(&path).unwrap();
    writeln!(file, "back").unwrap();
    let again = wait_until_kept_twice(&fleet, 1, &path);
    for at in again {
        assert_eq!(fleet[at].copies_of("vm1", &path).unwrap().len(), 1, "vm{at}: one stream");
    }
}

#[test]
fn a_keeper_that_is_gone_is_replaced_unless_it_comes_back() {
    let mut fleet = fleet(4);
    let path = log_of(&fleet[1]);
    let writer = Writer::start(&path, Duration::from_millis(20));
    let keeping = |fleet: &Fleet| -> Vec<usize> {
        let kept = keepers(fleet, 1, &path);
        kept.into_iter().map(|(at, _)| at).collect()
    };
    wait_until("two members keep it", SOON, || {
        let kept = keeping(&fleet);
        holds(kept.len() == 2, || format!("{kept:?} keep it"))
    });
    let first = keeping(&fleet);
    fleet[first[0]].kill();
    fleet.restart(&[first[0]]);
    writer.stop();
    let mut whole = wait_until_kept_twice(&fleet, 1, &path);
    whole.sort_unstable();
    assert_eq!(whole, first, "it was away for a moment only");
    fleet.crash(&[first[0]]);
    let mut file = OpenOptions::new().append(true).open(&path).unwrap();
    writeln!(file, "one more").unwrap();
    let whole = wait_until_kept_twice(&fleet, 1, &path);
    assert!(whole.contains(&first[1]) && !whole.contains(&first[0]), "{whole:?}");
    fleet[1].wait_until_logged("copies of this machine's logs are no longer sent there");
}

#[test]
fn rotation_loses_no_line_and_doubles_none() {
    let fleet = fleet(3);
    let path = log_of(&fleet[2]);
    let append = |text: &str| {
        let mut file = OpenOptions::new().create(true).append(true).open(&path).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    };
    let rotated = |number: u32| path.with_extension(format!("log.{number}"));
    append("one\ntwo\n");
    wait_until_kept_twice(&fleet, 2, &path);
    append("three\n");
    fs::rename(&path, rotated(1)).unwrap();
    append("four\n");
    wait_until_kept_twice(&fleet, 2, &path);
    wait_until_kept_twice(&fleet, 2, &rotated(1));
    fs::rename(rotated(1), rotated(2)).unwrap();
    append("five\n");
    fs::copy(&path, rotated(1)).unwrap();
    File::create(&path).unwrap();
    append("six\n");
    for path in [&path, &rotated(1), &rotated(2)] {
        for at in wait_until_kept_twice(&fleet, 2, path) {
            assert_eq!(fleet[at].copies_of("vm2", path).unwrap().len(), 1);
        }
    }
}

/// The power failed: the keepers have more of the log than its own disk has.
#[test]
fn a_log_that_lost_its_end_is_found_once() {
    let mut fleet = fleet(3);
    let path = log_of(&fleet[1]);
    let append = |from: u32, to: u32| {
        let lines = (from..to).map(|number| format!("order {number} was paid with card\n"));
        let mut file = OpenOptions::new().append(true).open(&path).unwrap();
        file.write_all(lines.collect::<String>().as_bytes()).unwrap();
    };
    for round in 0..4 {
        append(round * 50, round * 50 + 50);
        wait_until_kept_twice(&fleet, 1, &path);
    }
    fleet.crash(&[1]);
    let written = fs::read(&path).unwrap();
    let cut = written.len() - 70 * "order 100 was paid with card\n".len();
    File::options().write(true).open(&path).unwrap().set_len(cut as u64).unwrap();
    append(900, 1_000);
    fleet.restart(&[1]);
    append(1_000, 1_001);
    let keepers = wait_until_kept_twice(&fleet, 1, &path);
    for at in keepers {
        assert_eq!(fleet[at].copies_of("vm1", &path).unwrap().len(), 1, "vm{at}: one file");
    }
    fleet.crash(&[1]);
    fleet[2].wait_until_logged_times("member failed name=vm1 ", 2);
    let expected = fs::read_to_string(&path).unwrap();
    for rotated in [&["--rotated"][..], &[]] {
        let name = path.to_str().unwrap();
        let search = [&["grep", "--on=vm1", "-h", "was paid", name], rotated].concat();
        let found = fleet[2].ctl(&search);
        assert_eq!(String::from_utf8_lossy(&found.stdout), expected, "{rotated:?}");
    }
}

/// Neither the offer of a former file nor that of a present one outlives the settings.
#[test]
fn what_is_no_longer_offered_is_marked_at_the_keepers() {
    let mut fleet = fleet(3);
    let path = log_of(&fleet[1]);
    fs::write(&path, "secret\n").unwrap();
    let keepers = wait_until_kept_twice(&fleet, 1, &path);
    let marked = |fleet: &Fleet, offered: bool| {
        wait_until("it is marked", SOON, || {
            let copies = keepers.iter().map(|at| fleet[*at].copies_of("vm1", &path));
            let copies: Vec<_> = copies.collect::<Result<Vec<_>, _>>()?.concat();
            holds(copies.iter().all(|copy| copy.offered == offered), || format!("{copies:?}"))
        });
    };
    fleet[1].settings.logs.push("no_copies = ['shop*']".to_owned());
    fleet[1].write_settings();
    fleet[1].reload();
    marked(&fleet, false);
    fleet[1].settings.logs.pop();
    fleet[1].write_settings();
    fleet[1].reload();
    marked(&fleet, true);
    fs::remove_file(&path).unwrap();
    fleet[1].settings.files.clear();
    fleet[1].write_settings();
    fleet[1].reload();
    marked(&fleet, false);
}

/// Nothing runs, nothing is sent, and nothing is kept for others.
#[test]
fn a_machine_that_switched_copies_off_has_no_part_in_them() {
    let mut fleet = Fleet::start_with(3, |daemon| {
        let count = if daemon.name() == "vm3" { 0 } else { 2 };
        daemon.settings.logs = vec![format!("copies = {count}")];
        daemon.offer("shop.log");
    });
    let path = log_of(&fleet[1]);
    fs::write(&path, "text\n").unwrap();
    fs::write(log_of(&fleet[3]), "text\n").unwrap();
    wait_until("the other one keeps it", SOON, || {
        let kept = keepers(&fleet, 1, &path);
        holds(kept.iter().any(|(at, copy)| *at == 2 && copy.text == b"text\n"), || {
            format!("{kept:?}")
        })
    });
    wait_until("vm1 warns of it", SOON, || {
        let warnings = fleet[1].control().status().map_err(|error| error.to_string())?.warnings;
        let expected = "copies of this machine's logs go to 1 of 2 members (vm3: ";
        holds(warnings.iter().any(|warning| warning.starts_with(expected)), || {
            format!("{warnings:?}")
        })
    });
    assert!(!fleet[3].settings.state_dir.join("copies").exists());
    let tasks = fs::read_dir(format!("/proc/{}/task", fleet[3].pid())).unwrap();
    let names = tasks.map(|task| fs::read_to_string(task.unwrap().path().join("comm")));
    assert!(names.flatten().all(|name| !name.starts_with("copies")), "no thread of its own");
    let page = String::from_utf8(fleet[3].ctl(&["metrics"]).stdout).unwrap();
    assert!(!page.contains("memberd_copies_") && !page.contains("memberd_kept_"), "{page}");
    for at in [1, 2] {
        assert!(!fleet[at].keeps("vm3"), "vm{at}");
    }
    // It is switched on by a reload.
    fleet[3].settings.logs = vec!["copies = 2".to_owned()];
    fleet[3].write_settings();
    fleet[3].reload();
    let path = log_of(&fleet[3]);
    wait_until_kept_twice(&fleet, 3, &path);
    // And off again.
    fleet[3].settings.logs = vec!["copies = 0".to_owned()];
    fleet[3].write_settings();
    fleet[3].reload();
    fs::write(&path, "text\nmore\n").unwrap();
    thread::sleep(Duration::from_secs(3));
    for (at, copy) in keepers(&fleet, 3, &path) {
        assert_eq!(copy.text, b"text\n", "vm{at}");
    }
}
