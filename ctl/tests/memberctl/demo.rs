//! `demo`, with scripts instead of memberd that fail in several ways. Nothing may be left behind.

use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

use crate::fake::{Ended, memberctl, run};

/// A directory with a script instead of memberd, and a directory for the demo's files.
struct Place(TempDir);

impl Place {
    fn new(script: &str) -> Place {
        let directory = TempDir::new().unwrap();
        let program = directory.path().join("memberd");
        fs::write(&program, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&program, Permissions::from_mode(0o755)).unwrap();
        fs::create_dir(directory.path().join("tmp")).unwrap();
        Place(directory)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn demo(&self) -> Command {
        let mut command = memberctl();
        command.args(["demo", "--members", "2", "--memberd"]).arg(self.path("memberd"));
        command.env("TMPDIR", self.path("tmp")).env("PID_FILE", self.path("pid"));
        command
    }

    #[track_caller]
    fn is_clean(&self) {
        assert_eq!(fs::read_dir(self.path("tmp")).unwrap().count(), 0);
    }
}

#[test]
fn a_daemon_that_ends_is_shown_with_its_last_lines() {
    let place = Place::new("echo 'no such key: nod' >&2; exit 78");
    let ended = run(&mut place.demo());
    assert_eq!(ended.status, Some(1));
    assert_eq!(
        ended.stderr,
        "memberctl: vm1 said: no such key: nod\n\
         memberctl: the memberd of vm1 ended by itself (exit status: 78): see what it said above\n"
    );
    place.is_clean();
}

#[test]
fn a_program_that_is_not_there_is_named() {
    let place = Place::new("");
    fs::remove_file(place.path("memberd")).unwrap();
    let ended = run(&mut place.demo());
    ended.failed(
        1,
        &format!("cannot start {}: No such file or directory", place.path("memberd").display()),
    );
    place.is_clean();
}

#[test]
fn signals_end_the_members_and_remove_the_files() {
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        let place = Place::new("echo $$ > \"$PID_FILE\"; exec sleep 1000");
        let demo = place.demo().stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let member = wait_for_pid(&place.path("pid"));
        assert!(Path::new("/proc").join(&member).exists());

        kill(Pid::from_raw(demo.id().try_into().unwrap()), signal).unwrap();
        let output = demo.wait_with_output().unwrap();
        let ended = Ended {
            status: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        };
        ended.failed(1, "the demo was interrupted; its members are stopped and its files removed");
        assert!(!Path::new("/proc").join(&member).exists(), "{signal}: {member} is still there");
        place.is_clean();
    }
}

#[test]
fn a_reader_that_has_had_enough_ends_it_as_well() {
    let place = Place::new("exit 1");
    let mut demo = place.demo().stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut first = String::new();
    BufReader::new(demo.stdout.take().unwrap()).read_line(&mut first).unwrap();
    demo.wait().unwrap();
    place.is_clean();
}

fn wait_for_pid(file: &Path) -> String {
    let begun = Instant::now();
    loop {
        let pid = fs::read_to_string(file).unwrap_or_default();
        if pid.ends_with('\n') {
            return pid.trim().to_owned();
        }
        assert!(begun.elapsed() < Duration::from_secs(20), "no member was started");
        std::thread::yield_now();
    }
}
