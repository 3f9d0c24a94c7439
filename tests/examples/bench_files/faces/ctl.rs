//! Speaks with a member as a person does: each time memberctl is started, does one thing and ends.

use super::{Face, Took, timed};
use memberd_tests::binaries;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// A person at machine 1.
pub(crate) struct Ctl {
    socket: PathBuf,
}

impl Ctl {
    /// Someone who uses this control socket.
    pub(crate) fn new(socket: &Path) -> Self {
        Ctl { socket: socket.to_owned() }
    }

    /// Runs it with this content on standard input, and returns how long its output is.
    fn run(&self, arguments: &[&str], content: &[u8]) -> Result<usize, String> {
        let mut command = Command::new(binaries::memberctl());
        command
            .arg("--socket")
            .arg(&self.socket)
            .arg("file")
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|error| error.to_string())?;
        let talked = talk(&mut child, content);
        let output = child.wait_with_output().map_err(|error| error.to_string())?;
        if output.status.success() {
            return talked;
        }
        Err(String::from_utf8_lossy(&output.stderr).trim().to_owned())
    }
}

fn talk(child: &mut Child, content: &[u8]) -> Result<usize, String> {
    let mut input = child.stdin.take().ok_or("no pipe")?;
    input.write_all(content).map_err(|error| error.to_string())?;
    drop(input);
    let mut output = child.stdout.take().ok_or("no pipe")?;
    let (mut buffer, mut length) = (vec![0; 1 << 17], 0);
    loop {
        match output.read(&mut buffer).map_err(|error| error.to_string())? {
            0 => return Ok(length),
            count => length += count,
        }
    }
}

impl Face for Ctl {
    fn put(&mut self, path: &str, content: &[u8]) -> Took {
        timed(|| self.run(&["put", "--parents", "-", path], content))
    }

    fn get(&mut self, path: &str, length: usize) -> Took {
        timed(|| {
            let read = self.run(&["cat", path], b"")?;
            (read == length).then_some(()).ok_or("the length is another".to_owned())
        })
    }

    fn append(&mut self, path: &str, content: &[u8]) -> Took {
        timed(|| self.run(&["append", "-", path], content))
    }

    fn stat(&mut self, path: &str) -> Took {
        timed(|| self.run(&["stat", path], b""))
    }

    fn rename(&mut self, from: &str, to: &str) -> Took {
        timed(|| self.run(&["mv", from, to], b""))
    }
}
