//! Ctrl-C and its like as something that the demo asks about, so that it always gets to clean up.

use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use nix::sys::signal::{SigSet, Signal};

use crate::exit::{Exit, Failure};

/// Whether the user wants to end.
pub(super) struct Interrupt {
    signals: Receiver<Signal>,
}

impl Interrupt {
    /// From here on the signals that end a program only tell. Has to be called before other threads
    /// are started, since they take over which signals are held back; programs that are started do
    /// not (std starts them with none).
    pub(super) fn hold_back() -> Result<Interrupt, Failure> {
        let held: SigSet = [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP, Signal::SIGQUIT]
            .into_iter()
            .collect();
        held.thread_block().map_err(|error| {
            Failure::new(Exit::Failed, format!("cannot hold back signals: {error}"))
        })?;
        let (sender, signals) = channel();
        std::thread::spawn(move || {
            // Ends when nobody asks any more; until then each signal is one message.
            while let Ok(signal) = held.wait() {
                if sender.send(signal).is_err() {
                    return;
                }
            }
        });
        Ok(Interrupt { signals })
    }

    /// Lets time pass.
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
        // An error means that there will be no signal: no reason to stay either.
        let _ = self.signals.recv();
    }
}
