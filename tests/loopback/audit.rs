//! The audit trail: who searched what, on the asking machine and on the searched ones.

use memberd_tests::process::Running;
use memberd_tests::wait::{SOON, holds};
use memberd_tests::{Daemon, Fleet, wait_until};
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Stdio;

fn trail(daemon: &Daemon) -> PathBuf {
    daemon.settings.log_dir.join(format!("searches.{}.log", daemon.settings.machine()))
}

/// Waits for this many lines with these words in the daemon's trail, and returns them.
fn lines(daemon: &Daemon, words: &str, number: usize) -> Vec<String> {
    let mut found = Vec::new();
    wait_until("the searches are logged", SOON, || {
        let text = fs::read_to_string(trail(daemon)).unwrap_or_default();
        found = text.lines().filter(|line| line.contains(words)).map(str::to_owned).collect();
        holds(found.len() == number, || text)
    });
    found
}

fn has_all(line: &str, words: &[&str]) {
    for word in words {
        assert!(line.contains(word), "{word} is not in {line}");
    }
}

/// The asking machine has a line, and each searched one.
#[test]
fn a_grep_is_logged_where_it_is_asked_and_where_it_searches() {
    let fleet = Fleet::start_with(3, |daemon| {
        daemon.offer("app.log").write_all(b"needle one\nneedle two\nother\n").unwrap();
    });
    let output = fleet[1].ctl(&["grep", "-i", "NEEDLE\x1b\\|needle", "app.log"]);
    assert!(output.status.success(), "{output:?}");
    let user = format!("uid={}", nix::unistd::getuid());
    let asked = lines(&fleet[1], "INFO grep asked", 1).remove(0);
    let pattern = r#" options=-i files=app.log pattern="NEEDLE\u{1b}\\|needle""#;
    has_all(&asked, &[&user, " socket=control members=3 answered=3 lost=0 searched_files=3"]);
    has_all(&asked, &[" lines=6 took_ms=", " outcome=done", pattern]);
    for number in 1..=3 {
        let searched = lines(&fleet[number], "INFO logs searched", 1).remove(0);
        has_all(&searched, &[&user, " member=vm1 ", " searched_files=1 ", " lines=2 ", pattern]);
        let from = format!(" from={} ", fleet[1].settings.address.ip());
        assert_eq!(searched.contains(&from), number != 1, "{searched}");
        let mode = fs::metadata(trail(&fleet[number])).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    // A request that is refused is logged as well.
    let refused = fleet[1].ctl(&["grep", "\\(", "app.log"]);
    assert_eq!(refused.status.code(), Some(2));
    let line = lines(&fleet[1], "INFO grep asked", 2).remove(1);
    has_all(&line, &[" members=0 ", " outcome=\"", r"pattern=\("]);
}

/// No grep finds itself or another one, whatever the settings offer, and the patterns are in no
/// text that can be searched.
#[test]
fn greps_are_not_found_by_greps() {
    let fleet = Fleet::start_with(2, |daemon| {
        let all = daemon.settings.log_dir.join("*.log");
        daemon.settings.files.push(all.to_str().unwrap().to_owned());
    });
    for _ in 0..2 {
        let output = fleet[1].ctl(&["grep", "hunter2"]);
        assert!(output.stdout.is_empty(), "{output:?}");
    }
    lines(&fleet[2], "INFO logs searched", 2);
    let output = fleet[1].ctl(&["grep", "-c", "-E", "hunter2|logs searched|grep asked"]);
    let counts = String::from_utf8(output.stdout).unwrap();
    assert!(counts.lines().all(|line| line.ends_with(".log:0")), "{counts}");
    for number in 1..=2 {
        // Standard error may be a container's log, which is often offered.
        let said = wait_until("the searches are said", SOON, || {
            let said = fleet[number].stderr();
            if said.matches("INFO logs searched").count() >= 3 { Ok(said) } else { Err(said) }
        });
        assert!(!said.contains("hunter2"), "{said}");
        assert!(!fleet[number].log().text().contains("searched"));
    }
}

/// A grep that follows may never end.
#[test]
fn a_search_that_goes_on_is_logged_while_it_runs() {
    let fleet = Fleet::start(2);
    let mut command = fleet[1].memberctl(&["grep", "--follow", "needle"]);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut follower = Running::start(&mut command);
    let words = [" outcome=runs options=--follow pattern=needle"];
    has_all(&lines(&fleet[1], "INFO grep asked", 1)[0], &words);
    has_all(&lines(&fleet[2], "INFO logs searched", 1)[0], &words);
    follower.signal(nix::sys::signal::Signal::SIGTERM);
    follower.wait(SOON);
    let words = [" took_ms=", " outcome=\"ended early\""];
    has_all(&lines(&fleet[1], "INFO grep asked", 2)[1], &words);
    has_all(&lines(&fleet[2], "INFO logs searched", 2)[1], &words);
}

/// The level of the log, which those who search can set, does not silence it. A setting does.
#[test]
fn only_the_settings_switch_the_trail_off() {
    let fleet = Fleet::start(1);
    let grep = || fleet[1].ctl(&["grep", "-c", "needle"]);
    assert!(fleet[1].ctl(&["log", "error,daemon=info"]).status.success());
    grep();
    lines(&fleet[1], "INFO logs searched", 1);
    let settings = fs::read_to_string(fleet[1].config()).unwrap();
    let off = settings.replacen("[logs]\n", "[logs]\nsearches = false\n", 1);
    fs::write(fleet[1].config(), off).unwrap();
    fleet[1].reload();
    grep();
    fs::write(fleet[1].config(), settings).unwrap();
    fleet[1].reload();
    grep();
    lines(&fleet[1], "INFO logs searched", 2);
}
