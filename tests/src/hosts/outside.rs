//! Commands on the machine that carries the hosts.

use crate::process;
use std::process::{Command, Output};
use std::time::Duration;

/// How long one may take. Making a base image takes a minute, or three on a busy machine.
const LIMIT: Duration = Duration::from_secs(300);

/// What standard output and standard error hold.
pub fn text(output: &Output) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (text(&output.stdout), text(&output.stderr))
}

/// Runs it to its end, with any status.
///
/// # Panics
/// When it does not end.
pub fn try_run(command: &mut Command) -> Output {
    process::run(command, LIMIT)
}

/// Runs it and returns what it printed.
///
/// # Panics
/// When it fails, with what it said.
pub fn run(command: &mut Command) -> String {
    let output = try_run(command);
    let (stdout, stderr) = text(&output);
    assert!(output.status.success(), "{command:?} ended with {}: {stdout}{stderr}", output.status);
    stdout
}

/// A program in a clean environment, without this machine's settings.
pub fn clean(program: &str) -> Command {
    let mut command = Command::new(program);
    command.env_clear().envs([
        ("PATH", "/usr/sbin:/usr/bin:/sbin:/bin"),
        ("HOME", "/root"),
        ("LANG", "C.UTF-8"),
    ]);
    command
}
