//! Accepts questions, and ends when none come. It owns the threads that answer them.

use crate::protocol::{Answer, Question, Reads};
use crate::question::{Resources, answer};
use crate::teller::Teller;
use memberd_control::frame::read_frame;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::io;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// The most questions at once.
pub(crate) const MAX_QUESTIONS: usize = 4;

/// The most questions at once that follow files. They last, so the others have places of their own.
pub(crate) const MAX_FOLLOWS: usize = 16;

/// The most questions at once that read ranges of files. memberd asks no more at once.
pub const MAX_FOLDS: usize = 2;

/// The most connections at once. Beyond the questions they only hear that there are too many.
const MAX_CONNECTIONS: usize = MAX_QUESTIONS + MAX_FOLLOWS + MAX_FOLDS + 4;

/// How long who has connected may take to ask.
const ASK_LIMIT: Duration = Duration::from_secs(10);

/// The longest wait before it looks again whether it has nothing to do.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Who may ask, and for how long the worker waits for questions.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The users whose processes may ask, by number.
    pub users: Vec<u32>,
    /// It ends after so long without a question; without one it does not.
    pub idle: Option<Duration>,
}

/// Makes a socket at this path, for this user alone. It takes the place of a socket that was left
/// there.
///
/// # Errors
/// When that fails, or anything else is there.
pub fn bind(path: &Path) -> io::Result<UnixListener> {
    match std::fs::symlink_metadata(path) {
        Ok(found) if found.file_type().is_socket() => std::fs::remove_file(path)?,
        Ok(_) => return Err(io::Error::new(io::ErrorKind::AlreadyExists, "it is no socket")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let listener = UnixListener::bind(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// Answers questions until none have come for a while.
///
/// # Errors
/// When no more connections can be accepted.
pub fn serve(listener: &UnixListener, settings: &Settings) -> io::Result<()> {
    // Who has gone meanwhile is not waited for.
    listener.set_nonblocking(true)?;
    let (resources, connections, places) =
        (Resources::default(), Count::default(), Places::default());
    let mut last = Instant::now();
    loop {
        if connections.number() > 0 {
            last = Instant::now();
        }
        if settings.idle.is_some_and(|idle| last.elapsed() >= idle) {
            return Ok(());
        }
        if connections.number() >= MAX_CONNECTIONS || !is_asked(listener)? {
            if connections.number() >= MAX_CONNECTIONS {
                std::thread::sleep(LOOK_EVERY);
            }
            continue;
        }
        let stream = match listener.accept() {
            Ok((stream, _)) => stream,
            Err(error) if is_passing(&error) => continue,
            Err(error) => return Err(error),
        };
        last = Instant::now();
        let (entry, places) = (connections.enter(), places.clone());
        let (resources, users) = (resources.clone(), settings.users.clone());
        // Without a thread, the connection ends, and memberd says so.
        let _ = std::thread::Builder::new().name("question".to_owned()).spawn(move || {
            let _entry = entry;
            connection(&stream, &users, &resources, &places);
        });
    }
}

/// Waits for a connection, but not for long.
fn is_asked(listener: &UnixListener) -> io::Result<bool> {
    let wait = Timespec::try_from(LOOK_EVERY).map_err(io::Error::other)?;
    match poll(&mut [PollFd::new(listener, PollFlags::IN)], Some(&wait)) {
        Ok(ready) => Ok(ready > 0),
        Err(rustix::io::Errno::INTR) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Whether accepting may succeed next time.
fn is_passing(error: &io::Error) -> bool {
    let kinds =
        [io::ErrorKind::WouldBlock, io::ErrorKind::Interrupted, io::ErrorKind::ConnectionAborted];
    kinds.contains(&error.kind())
}

/// Answers the one question of a connection.
fn connection(stream: &UnixStream, users: &[u32], resources: &Resources, places: &Places) {
    let Ok(sending) = stream.try_clone() else { return };
    let ready =
        stream.set_nonblocking(false).and_then(|()| stream.set_read_timeout(Some(ASK_LIMIT)));
    if ready.is_err() {
        return;
    }
    let teller = Teller::new(sending);
    let question: Result<Question, _> = read_frame(&mut &*stream);
    // Who hears a refusal may be gone.
    if !may_ask(stream, users) {
        let _ = teller.tell(&Answer::Refused("its worker answers memberd alone".to_owned()));
        return;
    }
    let entered = question
        .map_err(|error| format!("its worker is not of its memberd's version: {error}"))
        .and_then(|question| {
            let place = places.enter(question.reads)?;
            Ok((question, place))
        });
    match entered {
        // memberd opens files before it sends them, which may take long on a slow disk. And what it
        // follows may not be written to for long.
        Ok(entered) if stream.set_read_timeout(None).is_ok() => {
            answer(entered, stream, &teller, resources);
        }
        Ok(_) => {}
        Err(words) => {
            let _ = teller.tell(&Answer::Refused(words));
        }
    }
}

/// Whether the process at the other end is of one of these users (`SO_PEERCRED` of unix(7)).
fn may_ask(stream: &UnixStream, users: &[u32]) -> bool {
    rustix::net::sockopt::socket_peercred(stream)
        .is_ok_and(|peer| users.contains(&peer.uid.as_raw()))
}

/// The questions that are answered now.
#[derive(Debug, Clone, Default)]
struct Places {
    questions: Count,
    follows: Count,
    folds: Count,
}

impl Places {
    /// The place of one question, or why there is none: one line.
    fn enter(&self, reads: Reads) -> Result<Entry, String> {
        let (count, most, what) = match reads {
            Reads::Written => (&self.follows, MAX_FOLLOWS, "questions follow"),
            Reads::Files => (&self.questions, MAX_QUESTIONS, "questions run"),
            Reads::Ranges => (&self.folds, MAX_FOLDS, "questions read ranges"),
        };
        let entry = count.enter();
        if count.number() > most {
            return Err(format!("{most} {what} there already: try again later"));
        }
        Ok(entry)
    }
}

/// Counts what is there now.
#[derive(Debug, Clone, Default)]
struct Count(Arc<AtomicUsize>);

/// One that is counted, until it is dropped.
#[derive(Debug)]
pub(crate) struct Entry(Count);

impl Count {
    fn number(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    fn enter(&self) -> Entry {
        self.0.fetch_add(1, Ordering::Relaxed);
        Entry(self.clone())
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
#[path = "serve_tests.rs"]
mod tests;

#[cfg(test)]
mod bind_tests {
    use super::*;
    use tempfile::TempDir;

    /// A path that was mistyped must not cost a file.
    #[test]
    fn only_a_socket_is_replaced() {
        let directory = TempDir::new().unwrap();
        let at = |name: &str| directory.path().join(name);
        drop(bind(&at("socket")).unwrap());
        drop(bind(&at("socket")).unwrap());
        std::fs::write(at("file"), "text").unwrap();
        std::os::unix::fs::symlink("socket", at("link")).unwrap();
        for name in ["file", "link"] {
            let error = bind(&at(name)).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::AlreadyExists, "{name}");
        }
        assert_eq!(std::fs::read_to_string(at("file")).unwrap(), "text");
    }
}
