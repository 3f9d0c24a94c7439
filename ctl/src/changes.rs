//! The changes that the daemon tells: those that it remembers, and the others as they happen.

use memberd_control::message::{Change, EventRecord, EventsFrom, MissedRecord, Reply, Request};

use crate::connection::{Connection, Daemon, Patience, out_of_place};
use crate::exit::{Exit, Failure};
use crate::{format, json};

/// What is told: a change, or that some are missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Told {
    Event(Box<EventRecord>),
    Missed(MissedRecord),
}

impl Told {
    /// As a line of `--json`.
    pub(crate) fn json(&self) -> Result<String, Failure> {
        match self {
            Told::Event(event) => json::object(&json::Event::from(event.as_ref())),
            Told::Missed(missed) => json::object(&json::Missed::from(missed)),
        }
    }
}

/// A connection on which they come.
#[derive(Debug)]
pub(crate) struct Changes {
    connection: Connection,
    /// What is to be done if the daemon is older and does not understand the request; taken with
    /// its first answer.
    otherwise: Option<Otherwise>,
}

/// What helps with an older daemon.
#[derive(Debug)]
enum Otherwise {
    /// One that knows no changes of tags can be asked in another way.
    Ask(Daemon, EventsFrom, Patience),
    /// One that does not know how to end cannot.
    GiveUp,
}

impl Changes {
    /// Asks for them.
    pub(crate) fn follow(
        daemon: &Daemon,
        from: EventsFrom,
        patience: Patience,
    ) -> Result<Changes, Failure> {
        let connection = Connection::ask(daemon, &Request::Changes(from), patience)?;
        Ok(Changes { connection, otherwise: Some(Otherwise::Ask(daemon.clone(), from, patience)) })
    }

    /// Asks for those before a moment, in milliseconds since the Unix epoch. They end when it has
    /// come.
    pub(crate) fn until(
        daemon: &Daemon,
        from: EventsFrom,
        until: u64,
        patience: Patience,
    ) -> Result<Changes, Failure> {
        let connection = Connection::ask(daemon, &Request::ChangesUntil { from, until }, patience)?;
        Ok(Changes { connection, otherwise: Some(Otherwise::GiveUp) })
    }

    /// The next one; none when there are no more to come.
    pub(crate) fn next(&mut self) -> Result<Option<Told>, Failure> {
        self.next_by(Connection::reply)
    }

    /// As [`Changes::next`], but ends with [`Failure::OutputClosed`] when the reader of standard
    /// output goes away.
    pub(crate) fn next_while_read(&mut self) -> Result<Option<Told>, Failure> {
        self.next_by(Connection::reply_while_read)
    }

    fn next_by(
        &mut self,
        reply: impl Fn(&mut Connection) -> Result<Reply, Failure>,
    ) -> Result<Option<Told>, Failure> {
        match (reply(&mut self.connection), self.otherwise.take()) {
            (Err(failure), Some(otherwise)) if failure.exit() == Exit::Usage => match otherwise {
                Otherwise::Ask(daemon, from, patience) => {
                    self.connection =
                        Connection::ask(&daemon, &Request::EventsFrom(from), patience)?;
                    told(reply(&mut self.connection)?)
                }
                Otherwise::GiveUp => Err(Failure::new(
                    Exit::Version,
                    "this memberd is older than memberctl: systemctl restart memberd",
                )),
            },
            (reply, _) => told(reply?),
        }
    }
}

fn told(reply: Reply) -> Result<Option<Told>, Failure> {
    match reply {
        Reply::Event(event) => Ok(Some(Told::Event(Box::new(event)))),
        Reply::EventsMissed(missed) => Ok(Some(Told::Missed(missed))),
        Reply::Done => Ok(None),
        _ => Err(out_of_place()),
    }
}

/// What else there is to say: who noticed a failure, how the tags are now.
pub(crate) fn detail(event: &EventRecord) -> String {
    let tags = &event.member.tags;
    match (event.change, &event.member.evidence) {
        (Change::Tags, _) if tags.is_empty() => ", now without tags".to_owned(),
        (Change::Tags, _) => format!(", now {}", format::tags(tags)),
        (Change::Standing, Some(evidence)) => format!(", {}", format::evidence(evidence)),
        (Change::Standing, None) => String::new(),
    }
}

/// What is missing before the moment that it names.
pub(crate) fn missed_in_words(missed: &MissedRecord) -> String {
    match missed.count {
        Some(count) => {
            format!(
                "{} before this were missed: they came too fast",
                format::count(count, "change")
            )
        }
        None => "memberd does not know the changes before this".to_owned(),
    }
}

/// Goes on where a lost connection ended: no change is told twice, and none is left out that the
/// daemon knows.
#[derive(Debug)]
pub(crate) struct Resumption {
    from: EventsFrom,
    /// Those of the newest moment. The next connection tells them again, since there may be others
    /// of it.
    newest: Vec<EventRecord>,
}

impl Resumption {
    /// The first connection begins with these.
    pub(crate) fn new(from: EventsFrom) -> Resumption {
        Resumption { from, newest: Vec::new() }
    }

    /// With what the next connection has to begin.
    pub(crate) fn from(&self) -> EventsFrom {
        self.from
    }

    /// Notes what was told. Whether it is new: not what the connection before has told.
    pub(crate) fn is_new(&mut self, told: &Told) -> bool {
        match told {
            Told::Event(event) if self.newest.contains(event) => return false,
            Told::Event(event) => {
                self.newest.retain(|other| other.time == event.time);
                self.newest.push(event.as_ref().clone());
                self.from = EventsFrom::Since(event.time);
            }
            Told::Missed(missed) => self.from = EventsFrom::Since(missed.until),
        }
        true
    }

    /// The connection was lost at this moment, in milliseconds since the Unix epoch: if none of the
    /// past is wanted, what happens from now on still is.
    pub(crate) fn lost(&mut self, now: u64) {
        if self.from == EventsFrom::Last(0) {
            self.from = EventsFrom::Since(now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use memberd_control::message::{MemberRecord, MemberStatus};
    use memberd_control::tags::Tags;

    fn told(number: u64, time: u64) -> Told {
        let status = MemberStatus::Failed;
        let member = MemberRecord {
            id: format!("vm{number}@127.0.0.1:8946/1"),
            name: format!("vm{number}"),
            address: "127.0.0.1".to_owned(),
            port: 8946,
            status,
            incarnation: 1,
            this_machine: false,
            since: time,
            evidence: None,
            tags: Tags::new(),
        };
        Told::Event(Box::new(EventRecord { time, change: Change::Standing, status, member }))
    }

    #[test]
    fn of_changes_of_one_moment_those_are_told_that_were_not_before_the_connection_was_lost() {
        let mut resumption = Resumption::new(EventsFrom::Last(100));
        assert!(
            resumption.is_new(&told(1, 10))
                && resumption.is_new(&told(2, 20))
                && resumption.is_new(&told(3, 20))
        );
        resumption.lost(50);
        assert_eq!(resumption.from(), EventsFrom::Since(20));
        let again = [told(2, 20), told(3, 20), told(4, 20), told(5, 30)]
            .map(|told| resumption.is_new(&told));
        assert_eq!(again, [false, false, true, true]);
        assert_eq!(resumption.from(), EventsFrom::Since(30));
    }

    #[test]
    fn a_gap_is_told_once() {
        let mut resumption = Resumption::new(EventsFrom::Last(100));
        assert!(resumption.is_new(&told(1, 10)));
        assert!(resumption.is_new(&Told::Missed(MissedRecord { until: 40, count: None })));
        assert_eq!(resumption.from(), EventsFrom::Since(40));
    }

    #[test]
    fn who_wants_nothing_of_the_past_wants_what_happens_while_the_connection_is_lost() {
        let mut resumption = Resumption::new(EventsFrom::Last(0));
        resumption.lost(50);
        assert_eq!(resumption.from(), EventsFrom::Since(50));
    }
}
