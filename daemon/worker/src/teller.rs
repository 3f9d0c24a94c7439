//! Tells memberd how a question goes. A [`Teller`] owns the sending side of the connection, and
//! what ends the work.

use crate::protocol::{Answer, MAX_MESSAGE_BYTES};
use memberd_control::frame::write_frame;
use memberd_search::Stopped;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// How often it says that it is at work. That is also when it notices that memberd is gone.
const WORKING_EVERY: Duration = Duration::from_millis(500);

/// The sending side of one connection. All threads of a question share it.
#[derive(Debug)]
pub(crate) struct Teller {
    stream: Mutex<UnixStream>,
    read: AtomicU64,
    over: AtomicBool,
}

impl Teller {
    /// A teller that writes there.
    pub(crate) fn new(stream: UnixStream) -> Teller {
        let (read, over) = (AtomicU64::new(0), AtomicBool::new(false));
        Teller { stream: Mutex::new(stream), read, over }
    }

    /// Says something. If nobody is there any more, the work is over.
    pub(crate) fn tell(&self, answer: &Answer) -> Result<(), Stopped> {
        let mut stream = self.stream.lock().unwrap_or_else(PoisonError::into_inner);
        write_frame(&mut *stream, answer).map_err(|_| {
            self.end();
            Stopped
        })
    }

    /// Passes on a message of the search.
    pub(crate) fn message(&self, mut text: String) -> Result<(), Stopped> {
        let mut length = text.len().min(MAX_MESSAGE_BYTES);
        while !text.is_char_boundary(length) {
            length -= 1;
        }
        text.truncate(length);
        self.tell(&Answer::Message(text))
    }

    /// Notes that this many more bytes were read.
    pub(crate) fn note_read(&self, bytes: u64) {
        self.read.fetch_add(bytes, Ordering::Relaxed);
    }

    /// The work is over, whether or not it is done.
    pub(crate) fn end(&self) {
        self.over.store(true, Ordering::Relaxed);
    }

    /// Set once the work is over.
    pub(crate) fn over(&self) -> &AtomicBool {
        &self.over
    }

    /// Says twice a second that it is at work, until it is over.
    pub(crate) fn keep_telling(&self) {
        while !self.over.load(Ordering::Relaxed) {
            if self.tell(&Answer::Working(self.read.load(Ordering::Relaxed))).is_err() {
                break;
            }
            // Whoever ends the work wakes this thread.
            std::thread::park_timeout(WORKING_EVERY);
        }
    }
}
