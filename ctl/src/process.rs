//! A child process in its own process group, which ends with its owner.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command, ExitStatus};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

/// How long the first wait between two looks at a process takes, and the longest one.
const LOOK_AFTER: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(50));

/// A process that runs, or has ended. Dropping it kills its group and waits for the process.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    group: u32,
}

impl Process {
    /// Starts the command in a process group of its own. Ctrl-C does not reach it, and killing it
    /// also kills its children.
    ///
    /// # Errors
    /// As [`Command::spawn`].
    pub(crate) fn start(command: &mut Command) -> io::Result<Process> {
        let child = command.process_group(0).spawn()?;
        Ok(Process { group: child.id(), child })
    }

    /// Starts the command in the group of another child of this process, which leads it.
    ///
    /// # Errors
    /// As [`Command::spawn`], or when there is no such group.
    pub(crate) fn start_in(command: &mut Command, group: u32) -> io::Result<Process> {
        let leader = i32::try_from(group).map_err(io::Error::other)?;
        Ok(Process { child: command.process_group(leader).spawn()?, group })
    }

    /// The process's id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// The id of its group.
    pub(crate) fn group(&self) -> u32 {
        self.group
    }

    /// The pipe to its standard input, unless it was taken before.
    pub(crate) fn take_stdin(&mut self) -> Option<ChildStdin> {
        self.child.stdin.take()
    }

    /// The pipes from its standard output and standard error, unless they were taken before.
    pub(crate) fn take_output(&mut self) -> (Option<ChildStdout>, Option<ChildStderr>) {
        (self.child.stdout.take(), self.child.stderr.take())
    }

    /// How it ended, if it has.
    ///
    /// # Errors
    /// As [`Child::try_wait`].
    pub(crate) fn ended(&mut self) -> io::Result<Option<ExitStatus>> {
        self.child.try_wait()
    }

    /// Waits until it ends.
    ///
    /// # Errors
    /// As [`Child::wait`].
    pub(crate) fn wait(&mut self) -> io::Result<ExitStatus> {
        self.child.wait()
    }

    /// Waits until it ends; none if it still runs after this time.
    ///
    /// # Errors
    /// As [`Child::try_wait`].
    pub(crate) fn wait_at_most(&mut self, limit: Duration) -> io::Result<Option<ExitStatus>> {
        let (begun, mut pause) = (Instant::now(), LOOK_AFTER.0);
        loop {
            match self.ended()? {
                None if begun.elapsed() < limit => std::thread::sleep(pause),
                ended => return Ok(ended),
            }
            pause = (pause * 2).min(LOOK_AFTER.1);
        }
    }

    /// Kills its group, unless the process has ended.
    ///
    /// # Errors
    /// When the process cannot be looked at, or kill(2) fails.
    pub(crate) fn kill(&mut self) -> io::Result<()> {
        self.signal(Signal::SIGKILL)
    }

    /// Sends its group a signal, unless the process has ended.
    ///
    /// # Errors
    /// As [`Process::kill`].
    pub(crate) fn signal(&mut self, signal: Signal) -> io::Result<()> {
        // No other group gets this id before this process has been waited for.
        if self.ended()?.is_none()
            && let Ok(id) = i32::try_from(self.group)
        {
            killpg(Pid::from_raw(id), signal)?;
        }
        Ok(())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // An error means that there is nothing left to kill.
        let _ = self.kill();
        let _ = self.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Stdio;

    /// `sh -c` with this line.
    fn shell(line: &str) -> Process {
        let mut command = Command::new("/bin/sh");
        Process::start(command.args(["-c", line]).stdout(Stdio::piped())).unwrap()
    }

    #[test]
    fn a_process_that_ends_in_time_has_a_status() {
        let mut process = shell("exit 3");
        let status = process.wait_at_most(Duration::from_secs(60)).unwrap().unwrap();
        assert_eq!(status.code(), Some(3));
        assert_eq!(process.ended().unwrap().unwrap().code(), Some(3));
        process.kill().unwrap();
    }

    /// What the process has started holds its output open until it is killed too.
    #[test]
    fn a_process_is_killed_with_what_it_started() {
        let mut process = shell("sleep 1000 & echo started; wait");
        assert_eq!(process.wait_at_most(Duration::from_millis(20)).unwrap(), None);
        let (output, _) = process.take_output();
        let mut output = io::BufReader::new(output.unwrap());
        let mut line = String::new();
        io::BufRead::read_line(&mut output, &mut line).unwrap();
        drop(process);
        assert_eq!(line, "started\n");
        assert_eq!(io::Read::read_to_string(&mut output, &mut line).unwrap(), 0);
    }
}
