//! Greps whose output a person reads, on a terminal of their own.

use memberd_tests::process::Running;
use memberd_tests::wait::{SOON, holds};
use memberd_tests::{Daemon, Fleet, wait_until};
use nix::pty::{OpenptyResult, openpty};
use nix::sys::signal::Signal;
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::process::Stdio;
use std::sync::mpsc::{Receiver, channel};

fn offer_needle(daemon: &mut Daemon) {
    writeln!(daemon.offer("a.txt"), "needle").unwrap();
}

/// What a grep writes on a terminal, as it comes.
struct Terminal {
    running: Running,
    written: Receiver<Vec<u8>>,
    shown: String,
}

impl Terminal {
    /// A grep that has a terminal for its standard error, and for its standard output too if that is wanted.
    fn grep(fleet: &Fleet, options: &[&str], for_output: bool) -> Terminal {
        let OpenptyResult { master, slave } = openpty(None, None).unwrap();
        let mut command = fleet[1].memberctl(&[&["grep"], options].concat());
        command.env("TERM", "xterm").env_remove("NO_COLOR").stdin(Stdio::null()).stderr(Stdio::from(slave.try_clone().unwrap()));
        command.stdout(if for_output { Stdio::from(slave) } else { Stdio::null() });
        let running = Running::start(&mut command);
        // With the command, our copies of the terminal's end are gone.
        drop(command);
        let (sender, written) = channel();
        std::thread::spawn(move || {
            let (mut terminal, mut buffer) = (File::from(master), [0; 4096]);
            // Once nobody has its other end any more, reading fails.
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

#[test]
fn how_far_a_grep_has_come_is_shown_while_it_takes_long_and_gone_when_it_ends() {
    let fleet = Fleet::start_with(3, offer_needle);
    fleet[3].signal(Signal::SIGSTOP);
    let mut terminal = Terminal::grep(&fleet, &["-c", "needle", "a.txt"], false);
    terminal.wait_for("\r2 of 3 members answered, ");
    fleet[3].signal(Signal::SIGCONT);
    let shown = terminal.finish();
    assert!(shown.ends_with("\r\x1b[K"), "{shown:?}");
    // One that ends at once shows nothing.
    assert_eq!(Terminal::grep(&fleet, &["-c", "needle", "a.txt"], false).finish(), "");
    fleet.wait_until_whole_within(SOON);
}

#[test]
fn lines_are_aligned_by_the_longest_name_on_a_terminal_and_exact_in_a_pipe() {
    let fleet = Fleet::start_with(3, |daemon| {
        offer_needle(daemon);
        if daemon.name() == "vm2" {
            daemon.settings.name = "a-long-name".to_owned();
        }
    });
    let lines = |fleet: &Fleet, options: &[&str]| {
        let shown = Terminal::grep(fleet, &[options, &["needle", "a.txt"]].concat(), true).finish();
        let mut lines: Vec<String> = shown.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    let path = |number: usize, fleet: &Fleet| fleet[number].directory().join("a.txt").display().to_string();
    let expected = |gap: &str, end: &str| {
        let line = |name: &str, gap: &str, number| format!("{name}:{gap}{}:{end}", path(number, &fleet));
        [line("a-long-name", "", 2), line("vm1", gap, 1), line("vm3", gap, 3)]
    };
    let (aligned, exact) = (expected("        ", "needle"), expected("", "needle"));
    assert_eq!(lines(&fleet, &[]), aligned);
    assert_eq!(lines(&fleet, &["-c", "--color"]), expected("        ", "1").map(|line| colored_name(&line)));
    // The longest of those that are asked.
    assert_eq!(lines(&fleet, &["--on", "vm*"]), exact[1..]);
    let piped = fleet[1].ctl(&["grep", "needle", "a.txt"]);
    let mut piped: Vec<String> = String::from_utf8(piped.stdout).unwrap().lines().map(str::to_owned).collect();
    piped.sort();
    assert_eq!(piped, exact);
}

/// As GNU grep colours a file's name and what follows it.
fn colored_name(line: &str) -> String {
    let (name, count) = line.rsplit_once(':').unwrap();
    format!("\x1b[35m\x1b[K{name}\x1b[m\x1b[K\x1b[36m\x1b[K:\x1b[m\x1b[K{count}")
}
