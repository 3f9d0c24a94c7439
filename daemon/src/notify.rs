//! Tells systemd (sd_notify(3)) that the daemon is ready, how it is doing, and that its protocol
//! loop is alive. It owns the time of the next watchdog message.
//!
//! Without systemd the functions do nothing. A message that cannot be sent is only logged, since
//! the daemon works without it.

use sd_notify::NotifyState;
use std::time::Duration;
use tokio::time::Instant;
use tracing::debug;

fn notify(state: &[NotifyState]) {
    if let Err(error) = sd_notify::notify(state) {
        debug!(%error, "cannot notify systemd");
    }
}

/// Says that the daemon is ready: its sockets are bound.
pub fn ready() {
    notify(&[NotifyState::Ready]);
}

/// Says that the daemon is reloading its settings. [`ready`] ends the reload.
pub fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(time) => notify(&[NotifyState::Reloading, time]),
        Err(error) => debug!(%error, "cannot read the clock to notify systemd"),
    }
}

/// Says that the daemon is stopping.
pub fn stopping() {
    notify(&[NotifyState::Stopping]);
}

/// Sends one line for `systemctl status`.
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
    /// Reads from the environment whether the watchdog is on.
    pub fn new() -> Self {
        let every = sd_notify::watchdog_enabled().map(|limit| limit / 2);
        Watchdog { every, due: Instant::now() }
    }

    /// When the next watchdog message is due; `None` without a watchdog.
    pub fn due(&self) -> Option<Instant> {
        self.every.map(|_| self.due)
    }

    /// Sends the watchdog message if it is due.
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
