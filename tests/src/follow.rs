//! Follows the event streams of all daemons, and records who saw which membership change when.

use crate::control::{Control, reply};
use crate::wait::{IN_EVERY_LIST, IN_SOME_LIST, holds, wait_exactly};
use memberd_control::message::{MemberStatus, Reply, Request};
use std::collections::BTreeSet;
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

/// A change in one daemon's list.
#[derive(Debug, Clone)]
pub struct Seen {
    /// When this test read the event. The change was in the list before.
    pub at: Instant,
    /// In whose list.
    pub observer: String,
    /// Of whom.
    pub id: String,
    /// What the member is now; alive means that it joined.
    pub status: MemberStatus,
}

/// How soon a crash was noticed.
#[derive(Debug, Clone)]
pub struct Noticed {
    /// Whose, as `name@address:port/incarnation`.
    pub id: String,
    /// From the kill to the first list that has it.
    pub first: Duration,
    /// From the kill until every survivor's list has it.
    pub every: Duration,
}

/// The event streams of some daemons, followed from a moment on.
#[derive(Debug)]
pub struct Followers {
    observers: Vec<(String, UnixStream)>,
    incoming: Receiver<Seen>,
    seen: Vec<Seen>,
}

impl Followers {
    /// Follows these daemons.
    ///
    /// # Panics
    /// When one does not answer.
    pub fn of<'a>(daemons: impl Iterator<Item = (&'a str, Control)>) -> Self {
        let (sender, incoming) = channel();
        let observers = daemons
            .map(|(name, control)| {
                let stream = control.ask(&Request::Events, None).expect("a stream of events");
                // The stream has no first reply. A daemon that answers a later request has taken in
                // the earlier one.
                control.status().expect("a status");
                let (copy, sender, observer) =
                    (stream.try_clone().expect("a copy"), sender.clone(), name.to_owned());
                thread::spawn(move || read(stream, &observer, &sender));
                (name.to_owned(), copy)
            })
            .collect();
        Followers { observers, incoming, seen: Vec::new() }
    }

    /// All that was seen so far.
    pub fn seen(&mut self) -> &[Seen] {
        self.seen.extend(self.incoming.try_iter());
        &self.seen
    }

    /// When each of the observers but the excepted first saw this, if it has.
    fn first_times(
        &mut self,
        id: &str,
        status: MemberStatus,
        except: &[&str],
    ) -> Vec<(String, Option<Instant>)> {
        self.seen.extend(self.incoming.try_iter());
        let observers = self.observers.iter().filter(|(name, _)| !except.contains(&name.as_str()));
        observers
            .map(|(name, _)| {
                let of_this =
                    |seen: &&Seen| seen.observer == *name && seen.id == id && seen.status == status;
                (name.clone(), self.seen.iter().filter(of_this).map(|seen| seen.at).min())
            })
            .collect()
    }

    /// Asserts that a crash at that moment comes into some list within 2 s and into every one of
    /// the survivors' within 6 s.
    ///
    /// # Panics
    /// When it does not.
    pub fn assert_crash_noticed(&mut self, id: &str, killed: Instant, dead: &[&str]) {
        self.time_crash(id, killed, dead).assert_in_time();
    }

    /// Waits until a crash at that moment is in the list of every survivor, and returns how soon.
    ///
    /// # Panics
    /// When it is not within 6 s.
    pub fn time_crash(&mut self, id: &str, killed: Instant, dead: &[&str]) -> Noticed {
        let delays = self.assert_in_every_list(id, MemberStatus::Failed, killed, dead);
        let (first, every) = (delays.iter().min().copied(), delays.iter().max().copied());
        Noticed {
            id: id.to_owned(),
            first: first.unwrap_or_default(),
            every: every.unwrap_or_default(),
        }
    }

    /// Asserts that a change since that moment comes into every list within 6 s, and returns after
    /// which time it was in each.
    ///
    /// # Panics
    /// When it does not.
    pub fn assert_in_every_list(
        &mut self,
        id: &str,
        status: MemberStatus,
        since: Instant,
        except: &[&str],
    ) -> Vec<Duration> {
        let left = IN_EVERY_LIST.saturating_sub(since.elapsed());
        // The news of it has half a second to reach this process. The bound itself is checked on
        // the times.
        let what = format!("{id} is {status:?} in every list");
        let times = wait_exactly(&what, left + Duration::from_millis(500), || {
            let times = self.first_times(id, status, except);
            let missing: Vec<&str> = times
                .iter()
                .filter(|(_, at)| at.is_none())
                .map(|(name, _)| name.as_str())
                .collect();
            holds(missing.is_empty(), || format!("not in the lists of {missing:?}"))?;
            Ok(times)
        });
        let delays: Vec<Duration> = times
            .iter()
            .filter_map(|(_, at)| *at)
            .map(|at| at.saturating_duration_since(since))
            .collect();
        let last = delays.iter().max().copied().unwrap_or_default();
        assert!(last <= IN_EVERY_LIST, "{id} was {status:?} in every list after {last:?} only");
        delays
    }

    /// The ids of all that somebody reported failed.
    pub fn failed(&mut self) -> BTreeSet<String> {
        let failed = self.seen().iter().filter(|seen| seen.status == MemberStatus::Failed);
        failed.map(|seen| seen.id.clone()).collect()
    }

    /// Asserts that nobody reported anybody failed but these ids.
    ///
    /// # Panics
    /// When somebody did.
    pub fn assert_none_failed_but(&mut self, ids: &[&str]) {
        let failed =
            |seen: &&Seen| seen.status == MemberStatus::Failed && !ids.contains(&seen.id.as_str());
        let wrong: Vec<&Seen> = self.seen().iter().filter(failed).collect();
        assert!(wrong.is_empty(), "live members were reported failed: {wrong:#?}");
    }
}

impl Noticed {
    /// Asserts that it was in some list within 2 s; that it was in every list within 6 s is sure
    /// already.
    ///
    /// # Panics
    /// When it was not.
    pub fn assert_in_time(&self) {
        let Noticed { id, first, every } = self;
        assert!(
            *first <= IN_SOME_LIST,
            "the crash of {id} was in no list within {IN_SOME_LIST:?}, but after {first:?}, in \
            every after {every:?}"
        );
    }
}

impl Drop for Followers {
    fn drop(&mut self) {
        for (_, stream) in &self.observers {
            // Ends the thread; an error means that the daemon has gone.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

/// Reads until the daemon or the follower goes.
fn read(mut stream: UnixStream, observer: &str, sender: &Sender<Seen>) {
    while let Ok(Reply::Event(event)) = reply(&mut stream) {
        let seen = Seen {
            at: Instant::now(),
            observer: observer.to_owned(),
            id: event.member.id,
            status: event.status,
        };
        if sender.send(seen).is_err() {
            return;
        }
    }
}
