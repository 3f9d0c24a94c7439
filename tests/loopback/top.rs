//! The live view: of a real fleet, on a terminal of its own, from first key to last.

use memberd_tests::binaries::{memberctl, mortal};
use memberd_tests::process::Running;
use memberd_tests::wait::{SOON, holds};
use memberd_tests::{Fleet, wait_until};
use std::io::Write;
use std::path::Path;
use std::process::Stdio;
use std::sync::{Arc, Mutex};

#[test]
fn one_screen_is_printed_with_the_whole_ring() {
    let mut fleet = Fleet::start(5);
    fleet.crash(&[4]);
    fleet.wait_until_whole();
    let output = fleet[1].ctl(&["top", "--once", "--member", "vm3"]);
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(text.lines().count(), 24, "{text}");
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    assert!(text.starts_with("vm1  4 alive  1 failed  0 left  list as 3 of 3 neighbours have it\n"), "{text}");
    for words in ["[vm3]", "# vm", " x", "vm1*", "watched by ", "vm4 failed, noticed by ", " B/s, in "] {
        assert!(text.contains(words), "{words}: {text}");
    }
}

#[test]
fn without_a_terminal_it_says_what_else_there_is() {
    let fleet = Fleet::start(1);
    let output = fleet[1].ctl(&["top"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("top needs a terminal: try memberctl top --once"));
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
    // script(1) gives it a terminal.
    let line = format!(
        "stty rows 24 cols 80; {} --socket {} top --color never",
        memberctl().display(),
        fleet[1].settings.socket.display()
    );
    let mut command = mortal(Path::new("script"), None);
    command.args(["-qec", &line, "/dev/null"]).env("TERM", "xterm").stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut terminal = Running::start(&mut command);
    let mut keys = terminal.child().stdin.take().unwrap();
    let mut screen = terminal.child().stdout.take().unwrap();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let reading = Arc::clone(&seen);
    std::thread::spawn(move || {
        let mut piece = [0; 4096];
        while let Ok(count @ 1..) = std::io::Read::read(&mut screen, &mut piece) {
            reading.lock().unwrap().extend_from_slice(&piece[..count]);
        }
    });
    let shows = |words: &str| {
        wait_until(&format!("the screen shows {words}"), SOON, || {
            let text = String::from_utf8_lossy(&seen.lock().unwrap()).into_owned();
            holds(text.contains(words), || text.clone())
        });
    };
    // Blank cells are jumped over, so single words are looked for.
    shows("CHANGES");
    keys.write_all(b"/deadlock").unwrap();
    shows("(a pattern, or options first):");
    keys.write_all(b"\r").unwrap();
    shows("detected");
    keys.write_all(b"\x1b").unwrap();
    keys.write_all(b"q").unwrap();
    assert_eq!(terminal.wait(SOON).code(), Some(0));
    // Out of the alternate screen, the cursor shown (xterm's private modes 1049 and 25).
    shows("\u{1b}[?1049l");
    shows("\u{1b}[?25h");
}
