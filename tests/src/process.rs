//! Starts processes that end with the test.

use crate::wait::{holds, stretched};
use crate::wait_until;
use nix::sys::signal::{self, Signal};
use nix::unistd::Pid;
use std::io::Read;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// A child process, killed when dropped.
#[derive(Debug)]
pub struct Running {
    child: Child,
}

impl Running {
    /// Starts the command.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn start(command: &mut Command) -> Self {
        let child =
            command.spawn().unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
        Running { child }
    }

    /// Its process id.
    ///
    /// # Panics
    /// Never: process ids fit.
    pub fn pid(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.child.id()).expect("a process id"))
    }

    /// Its pipes.
    pub fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    /// Sends a signal, and returns the moment just before.
    ///
    /// # Panics
    /// When the process has been reaped already.
    pub fn signal(&self, signal: Signal) -> Instant {
        let at = Instant::now();
        signal::kill(self.pid(), signal).expect("the process is there");
        at
    }

    /// How it ended, if it has.
    ///
    /// # Panics
    /// When that cannot be found out.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("the child can be waited for")
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// When it has not ended within the limit.
    pub fn wait(&mut self, limit: Duration) -> ExitStatus {
        let what = format!("process {} ends", self.pid());
        wait_until(&what, limit, || self.ended().ok_or("it runs on".to_owned()))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Errors mean that it has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs a command to its end with nothing on standard input.
///
/// # Panics
/// When it has not ended within the limit.
pub fn run(command: &mut Command, limit: Duration) -> Output {
    let mut running =
        Running::start(command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()));
    let stdout = running.child().stdout.take().map(collect);
    let stderr = running.child().stderr.take().map(collect);
    let start = Instant::now();
    let status = running.wait(limit);
    let collected = |thread: Option<thread::JoinHandle<Vec<u8>>>| {
        thread
            .map(|thread| thread.join().expect("the collecting thread ends well"))
            .unwrap_or_default()
    };
    let output = Output { status, stdout: collected(stdout), stderr: collected(stderr) };
    let within = holds(start.elapsed() <= stretched(limit) * 2, || {
        format!("{command:?} left its output open")
    });
    within.unwrap_or_else(|words| panic!("{words}"));
    output
}

/// Reads to the end on a thread of its own.
pub fn collect(mut from: impl Read + Send + 'static) -> thread::JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        from.read_to_end(&mut bytes).expect("a pipe can be read");
        bytes
    })
}
