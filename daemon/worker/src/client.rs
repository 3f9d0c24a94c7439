//! memberd's side of a question to its worker. It owns the connection.

use crate::descriptors;
use crate::protocol::{Answer, Batch, Counts, MAX_BATCH, Question};
use memberd_control::frame::{FrameError, FrameReader, Message as _, decode, write_frame};
use memberd_search::Stopped;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::fs::File;
use std::io;
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How often it looks whether the answer is still wanted.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// How long a worker may say nothing. It says something twice a second, but its processor time
/// comes last on a busy machine.
const SILENCE_LIMIT: Duration = Duration::from_secs(30);

/// A file for the worker.
#[derive(Debug)]
pub struct OpenFile {
    /// Its path.
    pub path: PathBuf,
    /// The file. Nothing of it was read.
    pub file: File,
}

/// What the worker says on the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// A part of the sums, as `memberd_streams::Fold::into_partials` gives it.
    Partial(Vec<u8>),
    /// A message about a file.
    Message(String),
    /// It has read this many bytes so far.
    Read(u64),
}

/// Why there are no sums.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// There is no socket.
    #[error("streams are off there (no memberd-worker.socket)")]
    NoSocket,
    /// There is a socket, and nobody behind it.
    #[error("its worker does not start: see systemctl status memberd-worker.socket there")]
    NotStarted,
    /// The socket cannot be used.
    #[error("cannot ask its worker: {0}")]
    Unreachable(io::Error),
    /// The worker ended before it was done.
    #[error("the worker ended (out of memory?)")]
    Ended,
    /// The worker says nothing.
    #[error("the worker has said nothing for {SILENCE_LIMIT:?}")]
    Silent,
    /// What it says is not of this protocol.
    #[error("the worker is not of this version of memberd: {0}")]
    Foreign(FrameError),
    /// The worker cannot count this, for this reason.
    #[error("{0}")]
    Refused(String),
    /// Nobody wants the sums any more.
    #[error("the search was broken off")]
    Stopped,
}

impl From<Stopped> for AskError {
    fn from(_: Stopped) -> AskError {
        AskError::Stopped
    }
}

/// Asks the worker at `socket`, and blocks meanwhile. `files` gives the next files, at most
/// [`MAX_BATCH`] at once, and none at the end. `take` gets what the worker says. Sets `cancel` to
/// end it.
///
/// # Errors
/// When there are no sums, or not all of them.
pub fn ask(
    socket: &Path,
    question: &Question,
    mut files: impl FnMut() -> Vec<OpenFile>,
    mut take: impl FnMut(Told) -> Result<(), Stopped>,
    cancel: &AtomicBool,
) -> Result<Counts, AskError> {
    let (mut connection, mut answer) = begin(socket, question, cancel)?;
    loop {
        match connection.hear(answer, &mut take, cancel)? {
            Pause::More => {
                let files = files();
                connection.write(|stream| hand_over(stream, &files))?;
            }
            Pause::Done(counts) => return Ok(counts),
        }
        answer = connection.next(cancel)?;
    }
}

/// Asks, and waits for the first answer. A worker that has had no question for a while may end just
/// now. Then it says nothing, and systemd starts another one.
pub(crate) fn begin(
    socket: &Path,
    question: &Question,
    cancel: &AtomicBool,
) -> Result<(Connection, Answer), AskError> {
    let mut connection = Connection::open(socket)?;
    let answer = match connection.ask(question, cancel) {
        Err(AskError::Ended) => {
            connection = Connection::open(socket).map_err(|_| AskError::Ended)?;
            connection.ask(question, cancel)?
        }
        first => first?,
    };
    Ok((connection, answer))
}

/// Sends the paths of these files, and then the files.
fn hand_over(stream: &mut UnixStream, files: &[OpenFile]) -> Result<(), FrameError> {
    let files = files.get(..MAX_BATCH).unwrap_or(files);
    write_frame(stream, &Batch::new(files.iter().map(|file| file.path.as_path())))?;
    if files.is_empty() {
        return Ok(());
    }
    let descriptors: Vec<_> = files.iter().map(|file| file.file.as_fd()).collect();
    descriptors::send(stream, &descriptors).map_err(FrameError::Io)
}

/// Why the worker says nothing more for now.
pub(crate) enum Pause {
    /// It waits for more to count.
    More,
    /// All is counted.
    Done(Counts),
}

pub(crate) struct Connection {
    frames: FrameReader<UnixStream>,
    heard: Instant,
}

impl Connection {
    fn open(socket: &Path) -> Result<Connection, AskError> {
        let stream = UnixStream::connect(socket).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => AskError::NoSocket,
            io::ErrorKind::ConnectionRefused => AskError::NotStarted,
            _ => AskError::Unreachable(error),
        })?;
        stream
            .set_read_timeout(Some(LOOK_EVERY))
            .and_then(|()| stream.set_write_timeout(Some(SILENCE_LIMIT)))
            .map_err(AskError::Unreachable)?;
        Ok(Connection { frames: FrameReader::new(stream), heard: Instant::now() })
    }

    /// Whether the worker has ended, as far as the system knows.
    pub(crate) fn has_ended(&mut self) -> bool {
        let mut ends = [PollFd::new(self.frames.get_mut(), PollFlags::RDHUP)];
        let now = Timespec::default();
        // Without an answer, the next frame tells.
        poll(&mut ends, Some(&now)).is_ok_and(|ready| ready > 0)
    }

    fn ask(&mut self, question: &Question, cancel: &AtomicBool) -> Result<Answer, AskError> {
        self.write(|stream| write_frame(stream, question))?;
        self.next(cancel)
    }

    /// Hears this answer and those behind it, up to a pause. `take` gets what they tell.
    pub(crate) fn hear(
        &mut self,
        mut answer: Answer,
        take: &mut dyn FnMut(Told) -> Result<(), Stopped>,
        cancel: &AtomicBool,
    ) -> Result<Pause, AskError> {
        loop {
            match answer {
                Answer::More => return Ok(Pause::More),
                Answer::Partial(bytes) => take(Told::Partial(bytes))?,
                Answer::Message(text) => take(Told::Message(text))?,
                Answer::Working(bytes) => take(Told::Read(bytes))?,
                Answer::Done(counts) => return Ok(Pause::Done(counts)),
                Answer::Refused(reason) => return Err(AskError::Refused(reason)),
                Answer::Range(_) | Answer::Unread(_) => return Err(foreign("a range")),
            }
            answer = self.next(cancel)?;
        }
    }

    /// Writes, unless the worker has ended. What it said before that is read all the same.
    pub(crate) fn write(
        &mut self,
        write: impl FnOnce(&mut UnixStream) -> Result<(), FrameError>,
    ) -> Result<(), AskError> {
        match write(self.frames.get_mut()) {
            Err(FrameError::Io(error)) if is_late(&error) => Err(AskError::Silent),
            Err(FrameError::Io(error)) if is_gone(&error) => Ok(()),
            Err(FrameError::Io(error)) => Err(AskError::Unreachable(error)),
            Ok(()) => Ok(()),
            Err(error) => Err(AskError::Refused(error.to_string())),
        }
    }

    pub(crate) fn next(&mut self, cancel: &AtomicBool) -> Result<Answer, AskError> {
        loop {
            if cancel.load(Ordering::Relaxed) {
                return Err(AskError::Stopped);
            }
            match self.frames.body(Answer::CAP) {
                Ok(body) => {
                    self.heard = Instant::now();
                    return decode(body).map_err(AskError::Foreign);
                }
                Err(FrameError::Io(error)) if is_late(&error) => {
                    if self.heard.elapsed() > SILENCE_LIMIT {
                        return Err(AskError::Silent);
                    }
                }
                Err(FrameError::Io(_) | FrameError::Closed | FrameError::CutShort) => {
                    return Err(AskError::Ended);
                }
                Err(error) => return Err(AskError::Foreign(error)),
            }
        }
    }
}

/// The worker said what has no place here.
pub(crate) fn foreign(what: &str) -> AskError {
    AskError::Foreign(FrameError::Malformed(what.to_owned()))
}

/// Whether there is nobody at the other end any more.
fn is_gone(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset)
}

/// Whether a timeout of the socket has passed, or a signal came.
fn is_late(error: &io::Error) -> bool {
    let kinds = [io::ErrorKind::WouldBlock, io::ErrorKind::TimedOut, io::ErrorKind::Interrupted];
    kinds.contains(&error.kind())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::io::Errno;

    /// A worker that has ended may have said why before. It waits for what the system did not send.
    #[test]
    fn a_write_fails_unless_the_worker_has_ended() {
        let (stream, _other) = UnixStream::pair().unwrap();
        let mut connection = Connection { frames: FrameReader::new(stream), heard: Instant::now() };
        let mut write =
            |errno: Errno| connection.write(|_| Err(FrameError::Io(io::Error::from(errno))));
        for errno in [Errno::PIPE, Errno::CONNRESET] {
            assert!(write(errno).is_ok(), "{errno}");
        }
        for errno in [Errno::TOOMANYREFS, Errno::NOBUFS, Errno::NOMEM] {
            let error = write(errno).unwrap_err();
            assert!(matches!(error, AskError::Unreachable(_)), "{errno}: {error}");
        }
        assert!(matches!(write(Errno::AGAIN), Err(AskError::Silent)));
    }
}
