//! Holds one thread of a process still by ptrace(2), while the other threads go on.

use crate::wait::{SOON, holds};
use crate::wait_until;
use nix::sys::ptrace;
use nix::sys::signal::Signal;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use std::fs;
use std::time::Duration;

/// A thread that is held still. It goes on when this is dropped.
#[derive(Debug)]
pub struct Held(Pid);

impl Held {
    /// Holds that thread of a process, as this machine numbers it.
    ///
    /// # Panics
    /// When there is none of that name, or it does not stop.
    pub fn thread(process: Pid, name: &str) -> Self {
        let thread =
            find(process, name).unwrap_or_else(|| panic!("process {process} has no thread {name}"));
        ptrace::seize(thread, ptrace::Options::empty()).expect("the thread can be traced");
        let held = Held(thread);
        ptrace::interrupt(thread).expect("the thread can be stopped");
        wait_until(&format!("the thread {name} is held"), SOON, || {
            let status = held.status();
            holds(matches!(status, WaitStatus::PtraceEvent(..)), || format!("{status:?}"))
        });
        held
    }

    /// Waits until its process was killed. The tracer of a thread hears of the end first, and the
    /// parent of the process after that.
    ///
    /// # Panics
    /// When that is not within the limit.
    pub fn wait_until_killed(self, limit: Duration) {
        wait_until(&format!("thread {} is killed", self.0), limit, || {
            let status = self.status();
            holds(matches!(status, WaitStatus::Signaled(_, Signal::SIGKILL, _)), || {
                format!("{status:?}")
            })
        });
    }

    /// Waits until its process has ended by itself. The tracer of a thread hears of the end first,
    /// and the parent of the process after that.
    ///
    /// # Panics
    /// When that is not within the limit.
    pub fn wait_until_ended(self, limit: Duration) {
        wait_until(&format!("thread {} ends", self.0), limit, || {
            let status = self.status();
            holds(matches!(status, WaitStatus::Exited(..)), || format!("{status:?}"))
        });
    }

    /// Its state changes since the last call.
    fn status(&self) -> WaitStatus {
        waitpid(self.0, Some(WaitPidFlag::__WALL | WaitPidFlag::WNOHANG))
            .expect("a traced thread can be waited for")
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // An error means that it has been killed.
        let _ = ptrace::detach(self.0, None);
    }
}

fn find(process: Pid, name: &str) -> Option<Pid> {
    let threads = fs::read_dir(format!("/proc/{process}/task")).ok()?.flatten();
    let named = |path: &std::path::Path| {
        fs::read_to_string(path.join("comm")).is_ok_and(|found| found.trim_end() == name)
    };
    let thread = threads.map(|thread| thread.path()).find(|path| named(path))?;
    thread.file_name()?.to_str()?.parse().ok().map(Pid::from_raw)
}
