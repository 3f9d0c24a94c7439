//! memberd's side of a question that follows files. It owns the connection.

use crate::client::{AskError, Connection, Pause, Told, begin, foreign};
use crate::protocol::{Answer, MAX_WRITTEN_BYTES, Question, Written};
use memberd_control::frame::write_frame;
use memberd_search::Stopped;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

/// A worker that counts the lines which it is given. Each call blocks until they are counted, or
/// until `cancel` is set.
pub struct Feed<'c> {
    connection: Connection,
    cancel: &'c AtomicBool,
    /// The file of the last lines, and when it was written.
    file: (PathBuf, i64),
}

impl<'c> Feed<'c> {
    /// Asks the worker at `socket` a question that follows files.
    ///
    /// # Errors
    /// When there is no worker, or it refuses.
    pub fn begin(
        socket: &Path,
        question: &Question,
        cancel: &'c AtomicBool,
    ) -> Result<Feed<'c>, AskError> {
        let (connection, answer) = begin(socket, question, cancel)?;
        let mut feed = Feed { connection, cancel, file: (PathBuf::new(), 0) };
        feed.settle(answer, &mut |_| Ok(()))?;
        Ok(feed)
    }

    /// Has lines counted that were written to a file, which has no NUL byte in its path and was
    /// last written at `modified`, in milliseconds since the Unix epoch. `take` may get sums at
    /// once, if the table of the worker became half full.
    ///
    /// # Errors
    /// When the worker ends, or can count no more. Then all lines since the last round are lost.
    pub fn lines(
        &mut self,
        path: &Path,
        modified: i64,
        bytes: &[u8],
        take: &mut dyn FnMut(Told) -> Result<(), Stopped>,
    ) -> Result<(), AskError> {
        for bytes in bytes.chunks(MAX_WRITTEN_BYTES) {
            let is_new = self.file.0 != path || self.file.1 != modified;
            let written = Written::Lines {
                path: if is_new { path.as_os_str().as_bytes().to_vec() } else { Vec::new() },
                modified,
                bytes: bytes.to_vec(),
            };
            if is_new {
                self.file = (path.to_owned(), modified);
            }
            self.say(&written, take)?;
        }
        Ok(())
    }

    /// Ends a round: `take` gets the sums of all lines that it did not get sooner.
    ///
    /// # Errors
    /// As [`Feed::lines`].
    pub fn end_round(
        &mut self,
        take: &mut dyn FnMut(Told) -> Result<(), Stopped>,
    ) -> Result<(), AskError> {
        self.say(&Written::RoundEnd, take)
    }

    /// Looks whether the worker has ended, without a word to it.
    ///
    /// # Errors
    /// When it has.
    pub fn check(&mut self) -> Result<(), AskError> {
        if self.connection.has_ended() { Err(AskError::Ended) } else { Ok(()) }
    }

    fn say(
        &mut self,
        written: &Written,
        take: &mut dyn FnMut(Told) -> Result<(), Stopped>,
    ) -> Result<(), AskError> {
        self.connection.write(|stream| write_frame(stream, written))?;
        let answer = self.connection.next(self.cancel)?;
        self.settle(answer, take)
    }

    /// Hears what the worker says until it waits for more.
    fn settle(
        &mut self,
        answer: Answer,
        take: &mut dyn FnMut(Told) -> Result<(), Stopped>,
    ) -> Result<(), AskError> {
        match self.connection.hear(answer, take, self.cancel)? {
            Pause::More => Ok(()),
            Pause::Done(_) => Err(foreign("Done")),
        }
    }
}

#[cfg(test)]
#[path = "feed_tests.rs"]
mod tests;
