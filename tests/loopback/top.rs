//! The live view of a real fleet, on a terminal of its own, from the first key to the last.

use memberd_tests::Fleet;
use memberd_tests::binaries::memberctl;
use memberd_tests::terminal::Terminal;
use memberd_tests::wait::{SOON, holds};
use memberd_tests::wait_until;
use std::io::Write;

#[test]
fn one_screen_is_printed_with_the_whole_ring() {
    let mut fleet = Fleet::start(5);
    fleet.crash(&[4]);
    fleet.wait_until_whole();
    // With their next heartbeats the neighbours tell which list they have.
    let text = wait_until("the neighbours have the same list", SOON, || {
        let output = fleet[1].ctl(&["top", "--once", "--member", "vm3"]);
        assert!(output.status.success(), "{output:?}");
        let text = String::from_utf8(output.stdout).unwrap();
        let first = "vm1  4 alive  1 failed  0 left  list as 3 of 3 neighbours have it\n";
        if text.starts_with(first) { Ok(text) } else { Err(text) }
    });
    assert_eq!(text.lines().count(), 24, "{text}");
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    for words in
        ["[vm3]", "# vm", " x", "vm1*", "watched by ", "vm4 failed, noticed by ", " B/s, in "]
    {
        assert!(text.contains(words), "{words}: {text}");
    }
}

#[test]
fn a_member_that_nobody_knows_cannot_be_selected() {
    let fleet = Fleet::start(1);
    let output = fleet[1].ctl(&["top", "--once", "--member", "vm9"]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        String::from_utf8_lossy(&output.stderr),
        "memberctl: vm9 is not in the list: see memberctl list --all\n"
    );
}

#[test]
fn without_a_terminal_it_says_what_else_there_is() {
    let fleet = Fleet::start(1);
    let output = fleet[1].ctl(&["top"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        String::from_utf8_lossy(&output.stderr)
            .contains("top needs a terminal: try memberctl top --once")
    );
}

#[test]
fn on_a_terminal_it_greps_and_leaves_everything_as_it_was() {
    let mut fleet = Fleet::new(2);
    let mut log = fleet[2].offer("shop.log");
    writeln!(log, "deadlock detected").unwrap();
    fleet[1].start();
    fleet[2].start();
    fleet.join_all();
    fleet.wait_until_whole();
    let socket = fleet[1].settings.socket.display();
    let line = format!(
        "stty rows 24 cols 80; {} --socket {socket} top --color never",
        memberctl().display()
    );
    let mut terminal = Terminal::run(&line, &[]);
    // The program skips blank cells, so the test looks for single words.
    terminal.wait_until_shown("CHANGES");
    terminal.type_keys("/deadlock");
    terminal.wait_until_shown("(a pattern, or options first):");
    terminal.type_keys("\r");
    terminal.wait_until_shown("detected");
    terminal.type_keys("\u{1b}");
    // Here nobody could continue a stopped program, so the kernel does not stop it (setpgid(2) on
    // orphaned groups). It gives the terminal back, and takes it again.
    terminal.type_keys("\u{1a}");
    wait_until("it takes the terminal again", SOON, || {
        let text = terminal.seen();
        holds(text.matches("\u{1b}[?1049h").count() == 2, || text)
    });
    terminal.type_keys("q");
    assert_eq!(terminal.wait().code(), Some(0));
    // It leaves the alternate screen and shows the cursor (xterm's private modes 1049 and 25).
    terminal.wait_until_shown("\u{1b}[?1049l");
    terminal.wait_until_shown("\u{1b}[?25h");
}
