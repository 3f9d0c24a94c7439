//! The command that runs under a lease, with all that it starts. It owns these processes.

use std::ffi::OsString;
use std::io;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::prctl::set_child_subreaper;
use nix::sys::signal::{Signal, kill, killpg};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use nix::unistd::Pid;

use super::BootTime;
use super::guard::{Guard, starter};
use crate::exit::print_message;
use crate::process::Process;

/// How long to wait until what was killed is gone. Only a process within a system call of a broken
/// disk takes longer.
const GONE_WITHIN: Duration = Duration::from_millis(500);

/// A command in a process group of its own, which its guard leads.
#[derive(Debug)]
pub(crate) struct Job {
    process: Process,
    guard: Option<Guard>,
    until: BootTime,
}

impl Job {
    /// Starts the command, with its token in the environment.
    ///
    /// # Errors
    /// When no process can be started.
    pub(crate) fn start(command: &[OsString], term: u64, until: BootTime) -> io::Result<Job> {
        // What leaves the group becomes a child of this process once its parent has ended.
        set_child_subreaper(true)?;
        // The guard comes first: this process may be stopped between the two.
        let guard = Guard::start(until)?;
        let mut starter = starter(command, until);
        starter.env("MEMBERD_TERM", term.to_string());
        let process = Process::start_in(&mut starter, guard.id())?;
        Ok(Job { process, guard: Some(guard), until })
    }

    /// Tells the guard of a lease. A guard that has ended is replaced.
    pub(crate) fn renew(&mut self, until: BootTime) {
        if until <= self.until {
            return;
        }
        self.until = until;
        let renewed = self.guard.as_mut().is_some_and(|guard| guard.renew(until).is_ok());
        if !renewed {
            self.guard = match Guard::of(self.process.group(), until) {
                Ok(guard) => Some(guard),
                Err(error) => {
                    print_message(&format!("cannot start a guard of the command: {error}"));
                    None
                }
            };
        }
    }

    /// Sends the group a signal. The command was not waited for, so the group's id is still its
    /// own; nobody in it any more is no error. The guard takes none but SIGKILL and SIGSTOP.
    pub(crate) fn signal(&self, signal: Signal) {
        if let Ok(group) = i32::try_from(self.process.group()) {
            let _ = killpg(Pid::from_raw(group), signal);
        }
    }

    /// Whether the command has ended. Waits for other children that have.
    pub(crate) fn has_ended(&mut self) -> bool {
        let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG;
        loop {
            let ended = match waitid(Id::All, flags | WaitPidFlag::WNOWAIT) {
                Ok(WaitStatus::Exited(pid, _) | WaitStatus::Signaled(pid, ..)) => pid,
                Ok(_) => return false,
                Err(Errno::EINTR) => continue,
                Err(_) => return true,
            };
            let id = u32::try_from(ended.as_raw()).unwrap_or(0);
            if id == self.process.id() {
                return true;
            }
            match &self.guard {
                Some(guard) if guard.id() == id => self.guard = None,
                _ => drop(waitid(Id::Pid(ended), flags)),
            }
        }
    }

    /// Kills the group, and what has left it, then waits until all are gone.
    ///
    /// # Errors
    /// When the command cannot be waited for.
    pub(crate) fn end(mut self) -> io::Result<Ended> {
        self.signal(Signal::SIGKILL);
        self.guard = None;
        let status = self.process.wait()?;
        let begun = Instant::now();
        while begun.elapsed() < GONE_WITHIN {
            for child in children() {
                let _ = kill(child, Signal::SIGKILL);
            }
            match waitid(Id::All, WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG) {
                Err(Errno::ECHILD) => return Ok(Ended { status, all: true }),
                Ok(WaitStatus::StillAlive) => std::thread::sleep(Duration::from_millis(1)),
                Ok(_) | Err(_) => {}
            }
        }
        Ok(Ended { status, all: false })
    }
}

/// How a command ended.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ended {
    /// Its status.
    pub(crate) status: ExitStatus,
    /// Whether all that it started is gone as well.
    pub(crate) all: bool,
}

/// The children of this process, as far as the kernel tells: proc(5), `CONFIG_PROC_CHILDREN`.
fn children() -> Vec<Pid> {
    let own = std::process::id();
    let listed = std::fs::read_to_string(format!("/proc/{own}/task/{own}/children"));
    let listed = listed.unwrap_or_default();
    listed.split_whitespace().filter_map(|id| id.parse().ok()).map(Pid::from_raw).collect()
}
