//! `run --leader`: waits for the leadership, and runs the command under the lease.

use std::ffi::OsString;
use std::os::fd::AsFd;
use std::os::unix::process::ExitStatusExt as _;
use std::process::ExitStatus;
use std::time::Duration;

use memberd_control::message::{LeaderRequest, Request};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};

use crate::agreed;
use crate::connection::{Daemon, ReplyTimeout};
use crate::exit::{Exit, Failure, print_message};
use crate::lease::{Alarm, BootTime, FAILED, Heard, Job, LeaseStream, Step, Watch};

/// The pause between two attempts to reach a lost daemon.
const RECONNECT_EVERY: Duration = Duration::from_secs(1);

/// How long the daemon may take to hear that the work has ended.
const RELEASE_TIMEOUT: Duration = Duration::from_secs(1);

/// The signals that end the wait, and are passed on to the command.
const PASSED_ON: [Signal; 4] = [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP, Signal::SIGQUIT];

/// Waits until this machine is exclusive, and returns the command's status.
pub(super) fn run(command: &[OsString], daemon: &Daemon) -> Result<u8, Failure> {
    let mut run = Run::new(command, LeaseStream::open(daemon)?).map_err(system)?;
    loop {
        match run.until_it_ends()? {
            End::Status(status) => return Ok(status),
            End::Finished => return run.finish(daemon),
            End::Before(Heard::Gone(failure)) if failure.exit() != Exit::Unreachable => {
                return Err(failure);
            }
            End::Before(heard) => {
                print_message(&match heard {
                    Heard::Gone(failure) => format!("{failure}; waiting until it is back"),
                    Heard::Lost(reason) => format!("{reason}; waiting to lead again"),
                    Heard::Lease(_) => "waiting to lead again".to_owned(),
                });
                match run.reconnect(daemon)? {
                    Ok(stream) => (run.stream, run.watch) = (stream, Watch::default()),
                    Err(status) => return Ok(status),
                }
            }
        }
    }
}

/// How a wait, or a run, ends.
enum End {
    /// A signal came while it waited.
    Status(u8),
    /// The command has ended, and was not waited for yet.
    Finished,
    /// The leadership or the daemon was lost before the command began.
    Before(Heard),
}

/// One run of a command.
struct Run<'a> {
    command: &'a [OsString],
    stream: LeaseStream,
    watch: Watch,
    job: Option<Job>,
    alarm: Alarm,
    signals: SignalFd,
}

impl<'a> Run<'a> {
    fn new(command: &'a [OsString], stream: LeaseStream) -> Result<Run<'a>, Errno> {
        let mut mask = SigSet::empty();
        PASSED_ON.into_iter().chain([Signal::SIGCHLD]).for_each(|signal| mask.add(signal));
        mask.thread_block()?;
        let signals = SignalFd::with_flags(&mask, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)?;
        let (alarm, watch) = (Alarm::new()?, Watch::default());
        Ok(Run { command, stream, watch, job: None, alarm, signals })
    }

    fn until_it_ends(&mut self) -> Result<End, Failure> {
        loop {
            if let Some(end) = self.hear() {
                return Ok(end);
            }
            if let Some(status) = self.pass_signals_on() {
                return Ok(End::Status(status));
            }
            // The clock first: a guard kills in the place of a process that was stopped.
            while let Some(step) = self.watch.step(BootTime::now().map_err(system)?) {
                self.act(step)?;
            }
            if self.job.as_mut().is_some_and(Job::has_ended) {
                return Ok(End::Finished);
            }
            self.wait().map_err(system)?;
        }
    }

    /// Takes in what the daemon has said.
    fn hear(&mut self) -> Option<End> {
        while let Some(heard) = self.stream.heard() {
            let waiting = self.job.is_none();
            match heard {
                Heard::Lease(lease) => self.watch.renew(lease),
                heard if waiting => return Some(End::Before(heard)),
                Heard::Lost(reason) => self.watch.lose(reason),
                Heard::Gone(failure) => self.watch.abandon(failure.to_string()),
            }
        }
        if let (Some(job), Some(until)) = (&mut self.job, self.watch.until()) {
            job.renew(until);
        }
        None
    }

    /// Passes signals on to the command. Before it runs, they end this process.
    fn pass_signals_on(&mut self) -> Option<u8> {
        while let Ok(Some(signal)) = self.signals.read_signal() {
            let Some(signal) =
                PASSED_ON.into_iter().find(|passed| *passed as u32 == signal.ssi_signo)
            else {
                continue;
            };
            match &self.job {
                Some(job) => job.signal(signal),
                None => return Some(128_u8.wrapping_add(signal as u8)),
            }
        }
        None
    }

    fn act(&mut self, step: Step) -> Result<(), Failure> {
        match (step, &self.job) {
            (Step::Begin(term), _) => {
                let until = self.watch.until().unwrap_or(BootTime(0));
                let job = Job::start(self.command, term, until).map_err(|error| {
                    Failure::new(Exit::Failed, format!("cannot start a process: {error}"))
                })?;
                self.job = Some(job);
            }
            (Step::Terminate, Some(job)) => {
                let reason = self.watch.lost().unwrap_or_default();
                print_message(&format!("leadership lost: {reason}; ending the command"));
                job.signal(Signal::SIGTERM);
                // A stopped process would not hear of it.
                job.signal(Signal::SIGCONT);
            }
            (Step::Kill, Some(job)) => job.signal(Signal::SIGKILL),
            (Step::Terminate | Step::Kill, None) => {}
        }
        Ok(())
    }

    /// Waits until something happens, or the next step is due.
    fn wait(&self) -> Result<(), Errno> {
        self.alarm.set(self.watch.due())?;
        let fds = [Some(self.alarm.as_fd()), Some(self.signals.as_fd()), self.stream.fd()];
        let mut ends: Vec<PollFd> =
            fds.into_iter().flatten().map(|fd| PollFd::new(fd, PollFlags::POLLIN)).collect();
        match poll(&mut ends, PollTimeout::NONE) {
            Ok(_) | Err(Errno::EINTR) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Tries until the daemon is back, or a signal comes, whose status is in the inner error.
    fn reconnect(&mut self, daemon: &Daemon) -> Result<Result<LeaseStream, u8>, Failure> {
        loop {
            let again = BootTime::now().map_err(system)?.plus(RECONNECT_EVERY);
            self.alarm.set(Some(again)).map_err(system)?;
            let fds = [self.alarm.as_fd(), self.signals.as_fd()];
            let mut ends = fds.map(|fd| PollFd::new(fd, PollFlags::POLLIN));
            let _ = poll(&mut ends, PollTimeout::NONE);
            if let Some(status) = self.pass_signals_on() {
                return Ok(Err(status));
            }
            match LeaseStream::open(daemon) {
                Err(failure) if matches!(failure.exit(), Exit::Unreachable | Exit::TimedOut) => {}
                stream => return stream.map(Ok),
            }
        }
    }

    /// Ends all that the command has started. Returns its status, and lets a hand-over go on.
    fn finish(mut self, daemon: &Daemon) -> Result<u8, Failure> {
        let Some(job) = self.job.take() else { return Ok(FAILED) };
        let ended = job.end().map_err(|error| {
            Failure::new(Exit::Failed, format!("cannot wait for the command: {error}"))
        })?;
        if let (true, Some(hold)) = (ended.all, self.watch.hold()) {
            release(daemon, hold);
        }
        match self.watch.has_ended() {
            true => Ok(FAILED),
            false => Ok(status(ended.status)),
        }
    }
}

/// Says that the work of this hold has ended. Without an answer the daemon waits for the lease.
fn release(daemon: &Daemon, hold: u64) {
    let request = Request::Leader(LeaderRequest::Release { hold });
    let daemon = Daemon { timeout: Some(RELEASE_TIMEOUT), ..daemon.clone() };
    if let Ok(mut connection) = agreed::ask(&daemon, &request, ReplyTimeout::For(RELEASE_TIMEOUT)) {
        let _ = connection.reply();
    }
}

/// As the shell has it: the code, or 128 and the signal.
fn status(status: ExitStatus) -> u8 {
    let signal = || status.signal().and_then(|signal| u8::try_from(signal).ok());
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    code.unwrap_or_else(|| 128_u8.wrapping_add(signal().unwrap_or(0)))
}

fn system(error: Errno) -> Failure {
    Failure::new(Exit::Failed, format!("cannot watch the lease: {error}"))
}
