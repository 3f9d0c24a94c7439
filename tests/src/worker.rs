//! The worker of a daemon, which answers questions over logs.

use crate::process::Running;
use crate::wait::{KILLED, SOON, holds};
use crate::{Daemon, Fleet, binaries, wait_until};
use nix::unistd::Pid;
use std::path::Path;
use std::process::Stdio;

/// The flags of a socket that listens: `__SO_ACCEPTCON` of the kernel.
const LISTENS: u32 = 1 << 16;

/// The flags of all sockets at this path: of the one that was bound there, and of its connections
/// (`/proc/net/unix` in proc(5)).
fn flags_of_sockets(path: &Path) -> Vec<u32> {
    let path = path.display().to_string();
    let sockets = std::fs::read_to_string("/proc/net/unix").expect("unix sockets");
    let here = sockets.lines().filter(|line| line.ends_with(&path));
    let flags = here.filter_map(|line| line.split_whitespace().nth(3));
    flags.filter_map(|flags| u32::from_str_radix(flags, 16).ok()).collect()
}

/// Whether somebody listens there. A socket has its path a little earlier.
fn is_listened_at(path: &Path) -> bool {
    flags_of_sockets(path).contains(&LISTENS)
}

impl Daemon {
    /// Starts a worker, which the daemon asks from its next start on. A test or a fleet that ends
    /// ends it, too.
    ///
    /// # Panics
    /// When it does not open its socket.
    pub fn start_worker(&mut self) {
        let socket = self.directory().join("worker.sock");
        let program = self.program("memberd-worker", binaries::memberd_worker);
        let mut command = binaries::mortal(&program, None);
        command.arg("--socket").arg(&socket).stdin(Stdio::null()).stdout(Stdio::null());
        // That of a worker that was killed would be taken for its own.
        let _ = std::fs::remove_file(&socket);
        let mut worker = Running::start(&mut command);
        wait_until("the worker opens its socket", SOON, || {
            let ended = worker.ended();
            assert!(ended.is_none(), "the worker ended: {ended:?}");
            holds(is_listened_at(&socket), || "nobody listens there".to_owned())
        });
        self.worker = Some(worker);
        self.settings.worker = Some(socket);
    }

    /// The process id of its worker.
    ///
    /// # Panics
    /// When there is none.
    pub fn worker_pid(&self) -> Pid {
        self.worker.as_ref().expect("a worker").pid()
    }

    /// How many connections its worker has, those included that it has not accepted yet.
    ///
    /// # Panics
    /// When there is none.
    pub fn worker_connections(&self) -> usize {
        let socket = self.settings.worker.as_ref().expect("a worker");
        flags_of_sockets(socket).iter().filter(|flags| **flags != LISTENS).count()
    }

    /// Kills its worker, as a machine without memory would.
    ///
    /// # Panics
    /// When there is none.
    pub fn kill_worker(&mut self) {
        let mut worker = self.worker.take().expect("a worker");
        worker.signal(nix::sys::signal::Signal::SIGKILL);
        worker.wait(KILLED);
    }
}

impl Fleet {
    /// As [`Fleet::start_with`], where each daemon has a worker.
    ///
    /// # Panics
    /// As [`Fleet::start_with`], and when a worker does not start.
    pub fn start_with_workers(n: u8, mut prepare: impl FnMut(&mut Daemon)) -> Self {
        Fleet::start_with(n, |daemon| {
            daemon.start_worker();
            prepare(daemon);
        })
    }
}
