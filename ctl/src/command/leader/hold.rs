//! `leader --hold`: a process that is ready for systemd exactly while this machine is exclusive.

use std::os::fd::AsFd;
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use sd_notify::NotifyState;

use super::now;
use crate::connection::Daemon;
use crate::exit::{Exit, Failure, print_message};
use crate::lease::{Alarm, Heard, LeaseStream, Step, Watch};
use crate::output::Output;

/// How often systemd's watchdog is fed, which waits for 1 s: memberd-leader.service.
const FEED_EVERY: Duration = Duration::from_millis(250);

/// Waits for the leadership, and ends when it is lost. It is never released before the lease ends:
/// the units that are bound to this process are still to be stopped then.
pub(super) fn run(daemon: &Daemon) -> Result<(), Failure> {
    let mut stream = LeaseStream::open(daemon)?;
    let mut watch = Watch::default();
    let alarm = Alarm::new().map_err(system)?;
    loop {
        while let Some(heard) = stream.heard() {
            match heard {
                Heard::Lease(lease) => watch.renew(lease),
                Heard::Lost(reason) if !watch.has_begun() => return Err(lost(&reason)),
                Heard::Gone(failure) if !watch.has_begun() => return Err(failure),
                Heard::Lost(reason) => watch.lose(reason),
                Heard::Gone(failure) => watch.abandon(failure.to_string()),
            }
        }
        match watch.step(now()?) {
            Some(Step::Begin(term)) => {
                Output::new().line(&format!("this machine leads in term {term}"))?;
                notify(&[NotifyState::Ready, NotifyState::Status(&format!("leads, term {term}"))]);
            }
            Some(Step::Terminate | Step::Kill) => {
                return Err(lost(watch.lost().unwrap_or_default()));
            }
            None if watch.has_begun() => notify(&[NotifyState::Watchdog]),
            None => {}
        }
        let feed = watch.has_begun().then_some(now()?.plus(FEED_EVERY));
        alarm.set(watch.due().into_iter().chain(feed).min()).map_err(system)?;
        let fds = [Some(alarm.as_fd()), stream.fd()].into_iter().flatten();
        let mut ends: Vec<PollFd> = fds.map(|fd| PollFd::new(fd, PollFlags::POLLIN)).collect();
        match poll(&mut ends, PollTimeout::NONE) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(error) => return Err(system(error)),
        }
    }
}

fn notify(state: &[NotifyState]) {
    if let Err(error) = sd_notify::notify(state) {
        print_message(&format!("cannot notify systemd: {error}"));
    }
}

fn lost(reason: &str) -> Failure {
    Failure::new(Exit::Failed, format!("leadership lost: {reason}"))
}

fn system(error: Errno) -> Failure {
    Failure::new(Exit::Failed, format!("cannot watch the lease: {error}"))
}
