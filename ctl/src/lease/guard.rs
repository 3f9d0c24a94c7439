//! The two helpers of work under a lease. Each is this program, started under another name.
//!
//! The first becomes the command: it has the kernel kill it with memberctl (prctl(2),
//! `PR_SET_PDEATHSIG`), looks at the clock once more after the fork, and then executes the command.
//! The second is a guard. It kills the command's group when the lease ends or memberctl is gone, so
//! a memberctl that was killed or stopped leaves no work behind. It is there before the command,
//! and leads its group. If it ends before the command, another one takes its place in a group of
//! its own.

use std::env::ArgsOs;
use std::ffi::{OsStr, OsString};
use std::io::{ErrorKind, PipeReader, PipeWriter, Read, Write, pipe};
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::os::unix::process::parent_id;
use std::process::{Child, Command, ExitCode, Stdio};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::{SigSet, Signal, killpg};
use nix::unistd::{Pid, getpgrp};

use super::{Alarm, BootTime, KILL_LEFT};
use crate::exit::print_message;

/// This program, also after an upgrade has replaced its file: proc(5).
const OWN: &str = "/proc/self/exe";

/// The names of the helpers.
const STARTER: &str = "memberctl-starter";
const GUARD: &str = "memberctl-guard";

/// Stands for the guard's own group.
const OWN_GROUP: u32 = 0;

/// The exit statuses of env(1), nohup(1) and the shell: the program itself failed, the command
/// cannot be executed, and there is no such command.
pub(crate) const FAILED: u8 = 125;
pub(crate) const NOT_EXECUTABLE: u8 = 126;
pub(crate) const NOT_FOUND: u8 = 127;

/// Runs as a helper, if this process was started as one.
pub(crate) fn helper() -> Option<ExitCode> {
    let mut arguments = std::env::args_os();
    let name = arguments.next()?;
    let status = match name.to_str()? {
        STARTER => become_command(arguments),
        GUARD => guard(arguments),
        _ => return None,
    };
    Some(ExitCode::from(status.unwrap_or(FAILED)))
}

/// The process that becomes the command, unless this moment is over by then.
pub(super) fn starter(command: &[OsString], until: BootTime) -> Command {
    let mut starter = Command::new(OWN);
    starter.arg0(STARTER).arg(until.0.to_string()).arg(std::process::id().to_string());
    starter.args(command);
    starter
}

fn become_command(mut arguments: ArgsOs) -> Option<u8> {
    let until = BootTime(number(arguments.next()?)?);
    let parent: u32 = number(arguments.next()?)?;
    let program = arguments.next()?;
    set_pdeathsig(Signal::SIGKILL).ok()?;
    // The parent blocks signals to read them, and a parent that is gone sends none.
    SigSet::empty().thread_set_mask().ok()?;
    let left = until.since(BootTime::now().ok()?);
    if left <= KILL_LEFT || parent_id() != parent {
        print_message("the lease was over before the command began");
        return Some(FAILED);
    }
    let error = Command::new(&program).args(arguments).exec();
    let shown = program.to_string_lossy();
    print_message(&format!("cannot run {shown}: {error}: does it exist, and is it executable?"));
    Some(if error.kind() == ErrorKind::NotFound { NOT_FOUND } else { NOT_EXECUTABLE })
}

/// Kills a group when its lease ends, or when this process does.
#[derive(Debug)]
pub(super) struct Guard {
    process: Child,
    pipe: PipeWriter,
}

impl Guard {
    /// Starts a guard under a lease, in a new group, which it guards.
    ///
    /// # Errors
    /// When there is no pipe, or no process.
    pub(super) fn start(until: BootTime) -> std::io::Result<Guard> {
        Guard::of(OWN_GROUP, until)
    }

    /// Starts a guard of this group. It is not in that group itself.
    ///
    /// # Errors
    /// As [`Guard::start`].
    pub(super) fn of(group: u32, until: BootTime) -> std::io::Result<Guard> {
        let (reader, pipe) = pipe()?;
        // One that was stopped reads nothing, and must not stop this process too.
        fcntl(&pipe, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
        let mut command = Command::new(OWN);
        command.arg0(GUARD).arg(group.to_string()).arg(until.0.to_string());
        // It holds no descriptor that a reader of the command's output waits for.
        command.stdin(reader).stdout(Stdio::null()).stderr(Stdio::null());
        Ok(Guard { process: command.process_group(0).spawn()?, pipe })
    }

    /// The process's id.
    pub(super) fn id(&self) -> u32 {
        self.process.id()
    }

    /// Tells it of a renewal. One that is gone, or reads nothing, is an error.
    pub(super) fn renew(&mut self, until: BootTime) -> std::io::Result<()> {
        self.pipe.write_all(&until.0.to_be_bytes())
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        // An error means that it has ended.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn guard(mut arguments: ArgsOs) -> Option<u8> {
    // What the group is asked to do is for the command.
    SigSet::all().thread_block().ok()?;
    let group = match number(arguments.next()?)? {
        0 => getpgrp(),
        group => Pid::from_raw(group),
    };
    let mut until = BootTime(number(arguments.next()?)?);
    let mut pipe = PipeReader::from(std::io::stdin().as_fd().try_clone_to_owned().ok()?);
    let alarm = Alarm::new().ok()?;
    loop {
        alarm.set(Some(until.minus(KILL_LEFT))).ok()?;
        match wait(&pipe, &alarm) {
            Ok(true) => match read(&mut pipe) {
                Some(renewed) => until = until.max(renewed),
                None => break,
            },
            Ok(false) if until.since(BootTime::now().ok()?) > KILL_LEFT => {}
            Ok(false) | Err(_) => break,
        }
    }
    // An error means that there is nothing left to kill.
    let _ = killpg(group, Signal::SIGKILL);
    Some(0)
}

/// Waits for either; whether the pipe has something, or has ended.
fn wait(pipe: &PipeReader, alarm: &Alarm) -> Result<bool, Errno> {
    let mut ends = [pipe.as_fd(), alarm.as_fd()].map(|fd| PollFd::new(fd, PollFlags::POLLIN));
    loop {
        match poll(&mut ends, PollTimeout::NONE) {
            Err(Errno::EINTR) => {}
            Err(error) => return Err(error),
            Ok(_) => break,
        }
    }
    let [pipe, _] = ends;
    Ok(pipe.any().unwrap_or(true))
}

/// The next renewal; none at the end.
fn read(pipe: &mut PipeReader) -> Option<BootTime> {
    let mut bytes = [0; 8];
    pipe.read_exact(&mut bytes).ok().map(|()| BootTime(u64::from_be_bytes(bytes)))
}

fn number<N: std::str::FromStr>(text: impl AsRef<OsStr>) -> Option<N> {
    text.as_ref().to_str()?.parse().ok()
}
