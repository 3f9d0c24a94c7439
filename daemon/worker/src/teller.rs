//! Tells memberd how a question goes. A [`Teller`] owns the sending side of the connection, and
//! what ends the work.

use crate::protocol::{Answer, MAX_MESSAGE_BYTES};
use memberd_control::frame::write_frame;
use memberd_search::Stopped;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread::Thread;
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

    /// Does the work, and says twice a second meanwhile that it is at work. The work is over at the
    /// end, also if it panics: else this would say for ever that it is at work.
    pub(crate) fn while_at_work<T>(&self, work: impl FnOnce() -> T) -> T {
        std::thread::scope(|scope| {
            let ticker = std::thread::Builder::new()
                .name("ticker".to_owned())
                .spawn_scoped(scope, || self.keep_telling());
            let ticker = ticker.as_ref().ok().map(|ticker| ticker.thread().clone());
            let _end = WorkEnd { teller: self, ticker };
            work()
        })
    }

    /// Says twice a second that it is at work, until it is over.
    fn keep_telling(&self) {
        while !self.over.load(Ordering::Relaxed) {
            if self.tell(&Answer::Working(self.read.load(Ordering::Relaxed))).is_err() {
                break;
            }
            // Whoever ends the work wakes this thread.
            std::thread::park_timeout(WORKING_EVERY);
        }
    }
}

/// Ends the work when it is dropped.
struct WorkEnd<'t> {
    teller: &'t Teller,
    ticker: Option<Thread>,
}

impl Drop for WorkEnd<'_> {
    fn drop(&mut self) {
        self.teller.end();
        if let Some(ticker) = &self.ticker {
            ticker.unpark();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read as _;
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::sync::mpsc::channel;

    /// Who waits for the answer of a thread that has panicked sees the end of the connection.
    #[test]
    fn work_that_panics_ends() {
        let (stream, mut other) = UnixStream::pair().unwrap();
        let (ended, end) = channel();
        std::thread::spawn(move || {
            let teller = Teller::new(stream);
            let work = || -> () { panic!("as a defect would") };
            let done = catch_unwind(AssertUnwindSafe(|| teller.while_at_work(work)));
            ended.send((done.is_err(), teller.over().load(Ordering::Relaxed))).unwrap();
        });
        let limit = Duration::from_secs(30);
        assert_eq!(end.recv_timeout(limit), Ok((true, true)));
        other.set_read_timeout(Some(limit)).unwrap();
        other.read_to_end(&mut Vec::new()).unwrap();
    }
}
