//! Tells systemd (sd_notify(3)) that the daemon is ready, how it is doing, and that its protocol
//! loop is alive.
//!
//! Without systemd all of it does nothing. A message that cannot be sent is not worth a failure, so
//! it is only logged.

use sd_notify::NotifyState;
use std::time::Duration;
use tokio::time::Instant;
use tracing::debug;

fn notify(state: &[NotifyState]) {
    if let Err(error) = sd_notify::notify(state) {
        debug!(%error, "cannot notify systemd");
    }
}

/// The sockets are bound.
pub fn ready() {
    notify(&[NotifyState::Ready]);
}

/// The settings are read anew; [`ready`] ends that.
pub fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(time) => notify(&[NotifyState::Reloading, time]),
        Err(error) => debug!(%error, "cannot read the clock to notify systemd"),
    }
}

/// The daemon ends.
pub fn stopping() {
    notify(&[NotifyState::Stopping]);
}

/// One line for `systemctl status`.
pub fn status(line: &str) {
    notify(&[NotifyState::Status(line)]);
}

/// Feeds systemd's watchdog, twice as often as it asks for. Only the protocol loop has one, so a
/// loop that hangs is noticed.
#[derive(Debug)]
pub struct Watchdog {
    every: Option<Duration>,
    due: Instant,
}

impl Watchdog {
    /// Asks the environment whether the watchdog is on.
    pub fn new() -> Self {
        let every = sd_notify::watchdog_enabled().map(|limit| limit / 2);
        Watchdog { every, due: Instant::now() }
    }

    /// When it is to be fed.
    pub fn due(&self) -> Option<Instant> {
        self.every.map(|_| self.due)
    }

    /// Feeds it.
    pub fn feed_if_due(&mut self) {
        if let Some(every) = self.every
            && self.due <= Instant::now()
        {
            self.due = Instant::now() + every;
            notify(&[NotifyState::Watchdog]);
        }
    }
}

impl Default for Watchdog {
    fn default() -> Self {
        Watchdog::new()
    }
}
