//! Greps whose output a person reads, each on a terminal of its own.

use memberd_tests::bad_member::BadMember;
use memberd_tests::process::Running;
use memberd_tests::settings::PATIENT;
use memberd_tests::wait::{SOON, holds};
use memberd_tests::{Daemon, Fleet, wait_until};
use nix::pty::{OpenptyResult, openpty};
use nix::sys::signal::Signal;
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::unix::process::ExitStatusExt as _;
use std::process::Stdio;
use std::sync::mpsc::{Receiver, channel};

fn offer_needle(daemon: &mut Daemon) {
    writeln!(daemon.offer("a.txt"), "needle").unwrap();
}

/// A fleet of which one that is stopped is listed as up for long.
fn patient_fleet(n: u8) -> Fleet {
    Fleet::start_with(n, |daemon| {
        offer_needle(daemon);
        daemon.settings.group = vec![PATIENT];
    })
}

/// What a grep writes that ends before its progress is shown. On a busy machine one may take
/// longer, and another one is tried.
fn quick(fleet: &Fleet, options: &[&str], for_output: bool) -> String {
    wait_until("a grep ends before its progress is shown", SOON, || {
        let written = Terminal::grep(fleet, options, for_output).finish();
        if written.contains(" answered, ") { Err(written) } else { Ok(written) }
    })
}

/// What a grep writes on a terminal, as it comes.
struct Terminal {
    running: Running,
    written: Receiver<Vec<u8>>,
    shown: String,
}

impl Terminal {
    /// A grep whose standard error is a terminal. So is its standard output, if that is asked for.
    fn grep(fleet: &Fleet, options: &[&str], for_output: bool) -> Terminal {
        let OpenptyResult { master, slave } = openpty(None, None).unwrap();
        let mut command = fleet[1].memberctl(&[&["grep"], options].concat());
        command
            .env("TERM", "xterm")
            .env_remove("NO_COLOR")
            .stdin(Stdio::null())
            .stderr(Stdio::from(slave.try_clone().unwrap()));
        command.stdout(if for_output { Stdio::from(slave) } else { Stdio::null() });
        let running = Running::start(&mut command);
        // Our copies of the terminal's end are closed with the command.
        drop(command);
        let (sender, written) = channel();
        std::thread::spawn(move || {
            let (mut terminal, mut buffer) = (File::from(master), [0; 4096]);
            // Reading fails once nobody has the other end open.
            while let Ok(count @ 1..) = terminal.read(&mut buffer)
                && sender.send(buffer[..count].to_vec()).is_ok()
            {}
        });
        Terminal { running, written, shown: String::new() }
    }

    fn wait_for(&mut self, words: &str) {
        wait_until(&format!("the terminal shows {words:?}"), SOON, || {
            self.take();
            holds(self.shown.contains(words), || format!("it shows {:?}", self.shown))
        });
    }

    fn take(&mut self) {
        self.shown.extend(self.written.try_iter().map(|bytes| String::from_utf8(bytes).unwrap()));
    }

    /// All that was written, once it has ended.
    fn finish(mut self) -> String {
        self.running.wait(SOON);
        self.shown.extend(self.written.iter().map(|bytes| String::from_utf8(bytes).unwrap()));
        self.shown
    }
}

/// It is gone from the terminal when the grep ends.
#[test]
fn progress_is_shown_while_a_grep_takes_long() {
    let fleet = patient_fleet(3);
    fleet[3].signal(Signal::SIGSTOP);
    let mut terminal = Terminal::grep(&fleet, &["-c", "needle", "a.txt"], false);
    terminal.wait_for("\r2 of 3 members answered, ");
    fleet[3].signal(Signal::SIGCONT);
    let shown = terminal.finish();
    assert!(shown.ends_with("\r\x1b[K"), "{shown:?}");
    // One that ends at once shows nothing.
    assert_eq!(quick(&fleet, &["-c", "needle", "a.txt"], false), "");
    fleet.wait_until_whole_within(SOON);
}

#[test]
fn progress_is_removed_before_more_lines_are_printed() {
    let fleet = patient_fleet(3);
    fleet[3].signal(Signal::SIGSTOP);
    let mut terminal = Terminal::grep(&fleet, &["needle", "a.txt"], true);
    terminal.wait_for("\r2 of 3 members answered, ");
    fleet[3].signal(Signal::SIGCONT);
    let shown = terminal.finish();
    let mut seen = seen(&shown);
    seen.sort();
    let line = |number: usize| {
        format!("vm{number}:{}:needle", fleet[number].directory().join("a.txt").display())
    };
    assert_eq!(seen, [1, 2, 3].map(line), "{shown:?}");
    fleet.wait_until_whole_within(SOON);
}

#[test]
fn how_far_a_grep_has_come_is_not_shown_in_the_middle_of_a_line() {
    // Output to the terminal takes longer than the delay before progress is shown.
    let length = 100_000_000;
    let fleet = Fleet::start_with(1, |daemon| {
        let mut file = daemon.offer("a.txt");
        for _ in 0..length / 100_000 {
            file.write_all(&[b'x'; 100_000]).unwrap();
        }
        file.write_all(b"\nx\n").unwrap();
    });
    let shown = Terminal::grep(&fleet, &["-h", "x", "a.txt"], true).finish();
    let printed: Vec<usize> =
        shown.lines().map(|line| line.rsplit("\x1b[K").next().unwrap().len()).collect();
    // After the last line it may be shown and erased once more.
    let (lines, erased) = printed.split_at(2);
    assert!(*lines == [length, 1] && erased.iter().all(|length| *length == 0), "{printed:?}");
}

/// The lines that a person sees. A carriage return goes back to the line's begin, and later text
/// overwrites it, or ESC [ K erases it.
fn seen(written: &str) -> Vec<String> {
    let (mut lines, mut line, mut column) = (Vec::new(), Vec::new(), 0);
    let mut rest = written;
    while let Some(character) = rest.chars().next() {
        rest = &rest[character.len_utf8()..];
        match character {
            '\r' => column = 0,
            '\n' => lines.push(String::from_iter(line.drain(..))),
            '\x1b' => {
                rest = rest.strip_prefix("[K").unwrap();
                line.truncate(column);
            }
            _ => {
                line.resize(line.len().max(column + 1), ' ');
                line[column] = character;
                column += 1;
            }
        }
    }
    lines.extend((!line.is_empty()).then(|| String::from_iter(line)));
    lines
}

/// On a terminal the longest name gives the width.
#[test]
fn lines_are_aligned_on_a_terminal_and_exact_in_a_pipe() {
    let fleet = Fleet::start_with(3, |daemon| {
        offer_needle(daemon);
        if daemon.name() == "vm2" {
            daemon.settings.name = "a-long-name".to_owned();
        }
    });
    let lines = |fleet: &Fleet, options: &[&str]| {
        let shown = quick(fleet, &[options, &["needle", "a.txt"]].concat(), true);
        let mut lines: Vec<String> = shown.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    let path = |number: usize, fleet: &Fleet| {
        fleet[number].directory().join("a.txt").display().to_string()
    };
    let expected = |gap: &str, end: &str| {
        let line =
            |name: &str, gap: &str, number| format!("{name}:{gap}{}:{end}", path(number, &fleet));
        [line("a-long-name", "", 2), line("vm1", gap, 1), line("vm3", gap, 3)]
    };
    let (aligned, exact) = (expected("        ", "needle"), expected("", "needle"));
    assert_eq!(lines(&fleet, &[]), aligned);
    assert_eq!(
        lines(&fleet, &["-c", "--color"]),
        expected("        ", "1").map(|line| colored_name(&line))
    );
    // Only members that are asked count for the longest name.
    assert_eq!(lines(&fleet, &["--on", "vm*"]), exact[1..]);
    let piped = fleet[1].ctl(&["grep", "needle", "a.txt"]);
    let mut piped: Vec<String> =
        String::from_utf8(piped.stdout).unwrap().lines().map(str::to_owned).collect();
    piped.sort();
    assert_eq!(piped, exact);
}

/// At Ctrl-C nothing of the progress stays, and members that have gone do not count.
#[test]
fn progress_of_following_counts_who_is_followed() {
    let mut fleet = Fleet::start_with(3, offer_needle);
    let mut terminal = Terminal::grep(&fleet, &["--follow", "needle", "a.txt"], false);
    terminal.wait_for("\rfollowing 3 members, ");
    fleet.crash(&[3]);
    terminal.wait_for("memberctl: vm3 failed: its logs are not followed any more");
    terminal.wait_for("\rfollowing 2 members, ");
    terminal.running.signal(Signal::SIGINT);
    let status = terminal.running.wait(SOON);
    assert_eq!(status.signal(), Some(Signal::SIGINT as i32));
    let shown = terminal.finish();
    assert!(shown.ends_with("\r\x1b[K") && !shown.contains("answered"), "{shown:?}");
}

#[test]
fn progress_is_removed_when_a_grep_is_interrupted() {
    let fleet = patient_fleet(2);
    fleet[2].signal(Signal::SIGSTOP);
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        let mut terminal = Terminal::grep(&fleet, &["-c", "needle", "a.txt"], false);
        terminal.wait_for("\r1 of 2 members answered, ");
        terminal.running.signal(signal);
        let status = terminal.running.wait(SOON);
        assert_eq!(status.signal(), Some(signal as i32));
        let shown = terminal.finish();
        assert!(shown.ends_with("\r\x1b[K"), "{shown:?}");
    }
    fleet[2].signal(Signal::SIGCONT);
    fleet.wait_until_whole_within(SOON);
}

/// Whoever writes a log, or owns its directory, does not write to the screen of its reader.
#[test]
fn control_characters_are_shown_on_a_terminal() {
    let text = b"needle \x1b[2J\rvm2:/etc/passwd:x\nneedle \xc2\x9b1m\r\nneedle\t.\n";
    let fleet = Fleet::start_with(1, |daemon| {
        let directory = daemon.directory().join("logs");
        std::fs::create_dir(&directory).unwrap();
        std::fs::write(directory.join("a\x1b]0;title\x07.txt"), text).unwrap();
        daemon.settings.files.push(directory.join("*").display().to_string());
    });
    let directory = fleet[1].directory().display().to_string();
    let name = format!("vm1:{directory}/logs/a\\x1b]0;title\\x07.txt:");
    let shown = quick(&fleet, &["needle"], true);
    let lines = [
        format!("{name}needle \\x1b[2J\\x0dvm2:/etc/passwd:x\n"),
        format!("{name}needle \\xc2\\x9b1m\r\n"),
        format!("{name}needle\t.\n"),
    ];
    // The terminal's driver adds a carriage return to each newline.
    assert_eq!(shown.replace("\r\n", "\n"), lines.concat());
    let colored = quick(&fleet, &["--color=always", "needle"], true);
    assert_eq!(colored.matches("\x1b[01;31m\x1b[Kneedle\x1b[m\x1b[K").count(), 3, "{colored:?}");
    assert!(!colored.contains("\x1b[2J") && !colored.contains('\u{9b}'), "{colored:?}");
    let raw = quick(&fleet, &["--control-chars=raw", "needle"], true);
    assert!(
        raw.contains("needle \x1b[2J\rvm2:") && raw.contains("\x1b]0;title\x07.txt:"),
        "{raw:?}"
    );
    // Elsewhere they are what they are, unless they are to be escaped.
    let piped = fleet[1].ctl(&["grep", "needle"]).stdout;
    assert!(String::from_utf8(piped).unwrap().contains("needle \x1b[2J\rvm2:"));
    let escaped = fleet[1].ctl(&["grep", "--control-chars=escape", "needle"]).stdout;
    assert_eq!(String::from_utf8(escaped).unwrap(), lines.concat());
    let json = quick(&fleet, &["--json", "needle"], true);
    assert!(json.contains("needle \\u009b1m\\r\""), "{json:?}");
}

/// Also in the totals, where words of other members stand.
#[test]
fn words_of_a_bad_member_do_not_control_a_terminal() {
    let mut fleet = Fleet::new(2);
    fleet[1].start();
    fleet[1].control().join().unwrap();
    let bad = BadMember::join("vm2", fleet[2].settings.address, fleet[1].settings.address);
    wait_until("vm1 lists vm2", SOON, || {
        let alive = fleet[1].control().alive().map_err(|error| error.to_string())?;
        holds(alive.len() == 2, || format!("{alive:?}"))
    });
    let words = "\u{1b}[2J\u{9b}2J\u{202e}\r\n\u{7f}".as_bytes();
    // A message, and then a refusal.
    bad.answer(vec![(4, words.to_vec()), (7, words.to_vec())]);
    for options in [&["needle"][..], &["--json", "needle"]] {
        let shown = quick(&fleet, options, true);
        assert!(shown.contains("vm2"), "{shown:?}");
        for character in ['\u{1b}', '\u{9b}', '\u{202e}', '\u{7f}'] {
            assert!(!shown.contains(character), "{shown:?}");
        }
        assert_eq!(shown.matches('\r').count(), shown.matches('\n').count(), "{shown:?}");
    }
}

/// As GNU grep colours a file's name and what follows it.
fn colored_name(line: &str) -> String {
    let (name, count) = line.rsplit_once(':').unwrap();
    format!("\x1b[35m\x1b[K{name}\x1b[m\x1b[K\x1b[36m\x1b[K:\x1b[m\x1b[K{count}")
}
