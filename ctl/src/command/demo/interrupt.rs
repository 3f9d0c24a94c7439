//! Blocks Ctrl-C and similar signals, so that the demo can always clean up. The demo polls for
//! them.

use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use nix::sys::signal::{SigSet, Signal};

use crate::exit::{Exit, Failure};

/// Whether the user wants to end.
pub(super) struct Interrupt {
    signals: Receiver<Signal>,
}

impl Interrupt {
    /// Blocks the signals that end a program, and receives them instead. This must be called before
    /// other threads are started, since threads inherit blocked signals. Child processes do not:
    /// std unblocks all signals in them.
    pub(super) fn block_signals() -> Result<Interrupt, Failure> {
        let held: SigSet = [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP, Signal::SIGQUIT]
            .into_iter()
            .collect();
        held.thread_block().map_err(|error| {
            Failure::new(Exit::Failed, format!("cannot hold back signals: {error}"))
        })?;
        let (sender, signals) = channel();
        std::thread::spawn(move || {
            // The loop ends when the receiver is dropped.
            while let Ok(signal) = held.wait() {
                if sender.send(signal).is_err() {
                    return;
                }
            }
        });
        Ok(Interrupt { signals })
    }

    /// Waits for this long.
    ///
    /// # Errors
    /// When the user wants to end, now or before.
    pub(super) fn pause(&self, time: Duration) -> Result<(), Failure> {
        match self.signals.recv_timeout(time) {
            Err(RecvTimeoutError::Timeout) => Ok(()),
            Ok(_) | Err(RecvTimeoutError::Disconnected) => Err(Failure::new(
                Exit::Failed,
                "the demo was interrupted; its members are stopped and its files removed",
            )),
        }
    }

    /// Waits until the user wants to end.
    pub(super) fn wait(&self) {
        // An error means that no signal can arrive, so there is nothing to wait for.
        let _ = self.signals.recv();
    }
}
