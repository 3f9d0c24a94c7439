//! Cleans up when a signal ends the program. It owns the thread that waits for such signals.

use std::thread;

use nix::sys::signal::{SigSet, Signal, raise};

/// The signals that end a program from a terminal or from a shell.
const SIGNALS: [Signal; 3] = [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP];

/// From now on `clear` is called before one of these signals ends the program. Call it before other
/// threads are started, since threads inherit blocked signals. It does nothing in a program that
/// waits for the signals itself.
pub(crate) fn before_the_end(clear: impl Fn() + Send + 'static) {
    let signals: SigSet = SIGNALS.into_iter().collect();
    let is_waited_for =
        SigSet::thread_get_mask().map_or(true, |blocked| blocked.contains(Signal::SIGINT));
    if is_waited_for || signals.thread_block().is_err() {
        return;
    }
    thread::spawn(move || {
        while let Ok(signal) = signals.wait() {
            clear();
            // It ends the program as it would have, unless the program was started to ignore it.
            let ends = SigSet::from(signal);
            let ended = ends.thread_unblock().and_then(|()| raise(signal));
            if ended.and_then(|()| ends.thread_block()).is_err() {
                return;
            }
        }
    });
}
