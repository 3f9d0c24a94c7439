//! `--follow`: rotation, truncation, new files, and files that go.

#![cfg(test)]

use std::cell::Cell;
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use memberd_search::{
    ExposedFiles, FileFilter, GrepBinary, Output, Query, Selection, Stopped, Totals,
};
use tempfile::TempDir;

/// How long a line may take to come. It comes far sooner.
const LIMIT: Duration = Duration::from_secs(30);

struct Sent(Sender<String>);

impl Output for Sent {
    fn lines(&mut self, bytes: Vec<u8>) -> Result<(), Stopped> {
        let text = String::from_utf8(bytes).unwrap();
        text.lines().try_for_each(|line| self.0.send(line.to_owned())).map_err(|_| Stopped)
    }

    fn message(&mut self, text: String) -> Result<(), Stopped> {
        self.0.send(format!("message {}", text.rsplit('/').next().unwrap())).map_err(|_| Stopped)
    }
}

/// A directory whose files are followed.
struct Followed {
    directory: TempDir,
    lines: Receiver<String>,
    /// How many files were created to see that nothing more comes.
    ends: Cell<u32>,
}

struct Cancel<'c>(&'c AtomicBool);

impl Drop for Cancel<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Followed {
    fn path(&self, name: &str) -> std::path::PathBuf {
        self.directory.path().join(name)
    }

    fn append(&self, name: &str, text: &str) {
        OpenOptions::new()
            .append(true)
            .create(true)
            .open(self.path(name))
            .unwrap()
            .write_all(text.as_bytes())
            .unwrap();
    }

    #[track_caller]
    fn expect(&self, lines: &[&str]) {
        for line in lines {
            assert_eq!(self.lines.recv_timeout(LIMIT).as_deref(), Ok(*line));
        }
    }
}

/// Follows `x` in all of `*.log`, which begin with `before`, while `test` runs. Writes to
/// `ready.log` until the follow has seen it.
fn follow(query: &Query, before: &[(&str, &str)], test: impl FnOnce(&Followed)) -> Totals {
    let directory = TempDir::new().unwrap();
    for (name, text) in before {
        std::fs::write(directory.path().join(name), text).unwrap();
    }
    File::create(directory.path().join("ready.log")).unwrap();
    let exposed = ExposedFiles::new(&[directory.path().join("*.log*").to_str().unwrap()]).unwrap();
    let search = query.compile().unwrap();
    let (sender, lines) = channel();
    let followed = Followed { directory, lines, ends: Cell::new(0) };
    let cancel = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            let filter = &FileFilter::default();
            let selection = Selection {
                exposed: &exposed,
                filter,
                output_file: None,
                from: None,
                tells_looks: false,
            };
            search.follow("m", selection, &mut Sent(sender), &cancel)
        });
        // The search ends with the test, also when that fails.
        let end = Cancel(&cancel);
        while followed.lines.recv_timeout(Duration::from_millis(50)).is_err() {
            followed.append("ready.log", "x ready\n");
        }
        followed.append("ready.log", "x steady\n");
        while followed.lines.recv_timeout(LIMIT).unwrap().rsplit(':').next() != Some("x steady") {}
        test(&followed);
        drop(end);
        thread.join().unwrap()
    })
}

fn query() -> Query {
    Query::default().with(|query| {
        query.pattern.patterns = vec!["x".into()];
        query.printing.no_names = true;
    })
}

#[test]
fn new_lines_come_once_they_are_whole_and_old_ones_do_not() {
    let totals = follow(&query(), &[("a.log", "x old\nx part")], |followed| {
        followed.append("a.log", "ial\nother\nx");
        followed.expect(&["x partial"]);
        followed.append("a.log", " 2\nx 3\n");
        followed.expect(&["x 2", "x 3"]);
    });
    assert!(totals.interrupted);
    assert_eq!((totals.files, totals.errors), (2, 0));
}

#[test]
fn lines_are_numbered_from_the_beginning_of_their_file() {
    follow(
        &query().with(|query| query.printing.line_numbers = true),
        &[("a.log", "x\n\nx\n")],
        |followed| {
            followed.append("a.log", "no\nx here\n");
            followed.expect(&["5:x here"]);
            followed.append("a.log", "x\n");
            followed.expect(&["6:x"]);
            followed.append("b.log", "\nx new\n");
            followed.expect(&["2:x new"]);
        },
    );
}

#[test]
fn rotation_by_renaming_loses_nothing() {
    follow(&query(), &[("a.log", "x old\n")], |followed| {
        let mut writer = OpenOptions::new().append(true).open(followed.path("a.log")).unwrap();
        writer.write_all(b"x 1\n").unwrap();
        std::fs::rename(followed.path("a.log"), followed.path("a.log.1")).unwrap();
        writer.write_all(b"x 2\n").unwrap();
        followed.expect(&["x 1", "x 2"]);
        followed.append("a.log", "x 3\n");
        followed.expect(&["x 3"]);
        // The writer has not noticed the rotation yet.
        writer.write_all(b"x 4\n").unwrap();
        followed.expect(&["x 4"]);
        followed.append("a.log", "x 5\n");
        followed.expect(&["x 5"]);
    });
}

#[test]
fn rotation_by_truncation_loses_and_repeats_nothing() {
    follow(&query(), &[("a.log", "x old\n")], |followed| {
        followed.append("a.log", "x 1\n");
        followed.expect(&["x 1"]);
        std::fs::copy(followed.path("a.log"), followed.path("a.log.1")).unwrap();
        OpenOptions::new().write(true).open(followed.path("a.log")).unwrap().set_len(0).unwrap();
        // The file is longer than before.
        followed.append("a.log", "x 2 which is longer than all there was\n");
        followed.expect(&["x 2 which is longer than all there was"]);
        expect_no_more(followed);
    });
}

#[test]
fn new_files_are_read_from_the_beginning_and_gone_ones_end() {
    follow(&query(), &[("a.log", "x old\n")], |followed| {
        followed.append("b.log", "x 1\nx 2\n");
        followed.expect(&["x 1", "x 2"]);
        followed.append("b.log", "x the end, without its newline");
        std::fs::remove_file(followed.path("b.log")).unwrap();
        followed.expect(&["x the end, without its newline"]);
    });
}

#[test]
fn max_count_holds_for_each_file() {
    follow(&query().with(|query| query.printing.max_count = Some(1000)), &[], |followed| {
        followed.append("a.log", &"x 1\n".repeat(999));
        followed.append("a.log", "x 1000\nx 1001\n");
        followed.expect(&["x 1"; 999]);
        followed.expect(&["x 1000"]);
        followed.append("a.log", "x 1002\n");
        followed.append("b.log", "x other\n");
        followed.expect(&["x other"]);
        expect_no_more(followed);
    });
}

#[test]
fn a_followed_file_is_skipped_from_its_first_nul_byte() {
    follow(&query().with(|query| query.printing.binary = GrepBinary::Skip), &[], |followed| {
        followed.append("a.log", "x text\n");
        followed.expect(&["x text"]);
        followed.append("a.log", "x\0 binary\nx after\n");
        followed.append("b.log", "x other\n");
        followed.expect(&["x other"]);
        expect_no_more(followed);
    });
}

#[test]
fn context_comes_from_earlier_and_from_later_writes() {
    let query = query().with(|query| {
        query.printing.line_numbers = true;
        query.printing.before_context = Some(2);
        query.printing.after_context = Some(2);
    });
    follow(&query, &[("a.log", "before\n")], |followed| {
        followed.append("a.log", "2\n3\n");
        followed.append("ready.log", "x seen\n");
        while !followed.lines.recv_timeout(LIMIT).unwrap().ends_with("x seen") {}
        followed.append("a.log", "4\n5 x\n");
        followed.expect(&["--", "3-3", "4-4", "5:5 x"]);
        followed.append("a.log", "6\n");
        followed.expect(&["6-6"]);
        followed.append("a.log", "7\n8\n9\n10\n11 x\n12 x\n");
        followed.expect(&["7-7", "--", "9-9", "10-10", "11:11 x", "12:12 x"]);
        // Another file's lines are between.
        followed.append("b.log", "x\n");
        followed.expect(&["--", "1:x"]);
        followed.append("a.log", "13\n");
        followed.expect(&["--", "13-13"]);
        followed.append("a.log", "14\n15\n16\n17 x\n");
        followed.expect(&["14-14", "15-15", "16-16", "17:17 x"]);
    });
}

#[test]
fn after_so_many_lines_only_their_context_comes() {
    let query = query().with(|query| {
        query.printing.after_context = Some(2);
        query.printing.max_count = Some(1);
    });
    follow(&query, &[], |followed| {
        followed.append("a.log", "x 1\nx 2\n");
        followed.expect(&["--", "x 1", "x 2"]);
        followed.append("a.log", "3\nx 4\n");
        followed.expect(&["3"]);
        followed.append("b.log", "x other\n");
        followed.expect(&["--", "x other"]);
    });
}

#[test]
fn context_too_long_to_keep_is_left_out_with_one_message() {
    let line = "y".repeat(100_000);
    follow(&query().with(|query| query.printing.before_context = Some(4)), &[], |followed| {
        let lines = format!("{line}\n").repeat(3);
        for number in 1..=2 {
            followed.append("a.log", &lines);
            followed.append("a.log", &format!("x {number}\n"));
            followed.expect(&["--", &line, &line, &format!("x {number}")]);
            if number == 1 {
                let said = "message a.log: the lines before a match are longer than 256 KiB: the \
                lines farthest from it are left out";
                followed.expect(&[said]);
            }
        }
    });
}

/// Nothing more comes of what there is now. A new file is found by a listing of all files. The
/// second one is found by the next listing, between which all files are looked at.
#[track_caller]
fn expect_no_more(followed: &Followed) {
    for _ in 0..2 {
        let end = followed.ends.get();
        followed.ends.set(end + 1);
        let line = format!("x end {end}");
        followed.append(&format!("end-{end}.log"), &format!("{line}\n"));
        followed.expect(&[&line]);
    }
}

/// Status files, `date >file`, counters of a fixed width.
#[test]
fn a_file_written_anew_at_the_same_size_is_printed_again() {
    // The first byte that differs is the last of a small file, or its first.
    let large = "long line\n".repeat(20_000);
    for (before, after) in [
        ("x state=0001\n".to_owned(), "x state=0002\n".to_owned()),
        ("x 1\nand more\n".repeat(50), format!("x 2\n{}", "and more\nx 1\n".repeat(50))),
        (format!("{large}x 1\n"), format!("{large}x 2\n")),
    ] {
        let after = &after[..before.len()];
        follow(&query(), &[("a.log", &before)], |followed| {
            std::fs::write(followed.path("a.log"), after).unwrap();
            let lines: Vec<_> = after.lines().filter(|line| line.starts_with('x')).collect();
            followed.expect(&lines);
            expect_no_more(followed);
        });
    }
}

#[test]
fn a_file_that_is_only_touched_prints_nothing() {
    follow(&query(), &[("a.log", "x old\nx part")], |followed| {
        for seconds in [1, 1_000_000_000] {
            let file = OpenOptions::new().write(true).open(followed.path("a.log")).unwrap();
            file.set_modified(std::time::UNIX_EPOCH + Duration::from_secs(seconds)).unwrap();
            expect_no_more(followed);
        }
        followed.append("a.log", "\n");
        followed.expect(&["x part"]);
    });
}

/// `copytruncate`, again and again. The line may be read before it is copied, or only from the
/// copy.
#[test]
fn copies_lose_and_repeat_nothing_however_fast_they_come() {
    follow(&query(), &[("a.log", "x old\n")], |followed| {
        for number in 1..=8 {
            let line = format!("x {number:02}\n");
            followed.append("a.log", &line);
            std::fs::copy(followed.path("a.log"), followed.path(&format!("a.log.{number}")))
                .unwrap();
            File::create(followed.path("a.log")).unwrap();
            followed.expect(&[line.trim_end()]);
        }
        expect_no_more(followed);
    });
}

/// Files that are created and renamed between two looks at the names are read, too.
#[test]
fn fast_rotation_by_renaming_loses_nothing() {
    follow(&query(), &[("a.log", "x old\n")], |followed| {
        // Lines without a time may be the same in two files. Then only the time of birth tells
        // which file is new, where the file system has it.
        let tells_birth = followed.directory.path().metadata().unwrap().created().is_ok();
        let same = if tells_birth { 2 } else { 1 };
        let lines: Vec<String> = (0..20).map(|n| format!("x {:02}", n / same)).collect();
        for (number, line) in lines.iter().enumerate() {
            for older in (1..=number).rev() {
                let path = |age| followed.path(&format!("a.log.{age}"));
                std::fs::rename(path(older), path(older + 1)).unwrap();
            }
            std::fs::rename(followed.path("a.log"), followed.path("a.log.1")).unwrap();
            followed.append("a.log", &format!("{line}\n"));
            std::thread::sleep(Duration::from_millis(20));
        }
        let mut come: Vec<String> =
            lines.iter().map(|_| followed.lines.recv_timeout(LIMIT).unwrap()).collect();
        come.sort();
        assert_eq!(come, lines);
        expect_no_more(followed);
    });
}

/// `rotatelogs -n 3` writes to `f`, `f.1` and `f.2` in turn.
#[test]
fn a_circle_of_files_is_followed_as_each_is_written() {
    follow(&query(), &[("f.log", "x 0\n")], |followed| {
        for round in 1..=3 {
            for name in ["f.log.1", "f.log.2", "f.log"] {
                File::create(followed.path(name)).unwrap();
                for line in 1..=2 {
                    let line = format!("x {round} {name} {line}");
                    followed.append(name, &format!("{line}\n"));
                    followed.expect(&[&line]);
                }
            }
        }
        expect_no_more(followed);
    });
}
