//! The changes that the daemon tells: those that it remembers, and the others as they happen.

use memberd_control::message::{EventRecord, EventsFrom, MissedRecord, Reply, Request};

use crate::connection::{Connection, Daemon, Patience, out_of_place};
use crate::exit::{Exit, Failure};

/// What is told: a change, or that some are missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Told {
    Event(Box<EventRecord>),
    Missed(MissedRecord),
}

/// A connection on which they come.
#[derive(Debug)]
pub(crate) struct Changes {
    connection: Connection,
    /// What is to be done if the daemon is older and does not understand the request; taken with its first answer.
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
    pub(crate) fn follow(daemon: &Daemon, from: EventsFrom, patience: Patience) -> Result<Changes, Failure> {
        let connection = Connection::ask(daemon, &Request::Changes(from), patience)?;
        Ok(Changes { connection, otherwise: Some(Otherwise::Ask(daemon.clone(), from, patience)) })
    }

    /// Asks for those before a moment, in milliseconds since the Unix epoch. They end when it has come.
    pub(crate) fn until(daemon: &Daemon, from: EventsFrom, until: u64, patience: Patience) -> Result<Changes, Failure> {
        let connection = Connection::ask(daemon, &Request::ChangesUntil { from, until }, patience)?;
        Ok(Changes { connection, otherwise: Some(Otherwise::GiveUp) })
    }

    /// The next one; none when there are no more to come.
    pub(crate) fn next(&mut self) -> Result<Option<Told>, Failure> {
        self.next_by(Connection::reply)
    }

    /// As [`Changes::next`], but ends with [`Failure::OutputClosed`] when the reader of standard output goes away.
    pub(crate) fn next_while_read(&mut self) -> Result<Option<Told>, Failure> {
        self.next_by(Connection::reply_while_read)
    }

    fn next_by(&mut self, reply: impl Fn(&mut Connection) -> Result<Reply, Failure>) -> Result<Option<Told>, Failure> {
        match (reply(&mut self.connection), self.otherwise.take()) {
            (Err(failure), Some(otherwise)) if failure.exit() == Exit::Usage => match otherwise {
                Otherwise::Ask(daemon, from, patience) => {
                    self.connection = Connection::ask(&daemon, &Request::EventsFrom(from), patience)?;
                    told(reply(&mut self.connection)?)
                }
                Otherwise::GiveUp => {
                    Err(Failure::new(Exit::Version, "this memberd is older than memberctl: systemctl restart memberd"))
                }
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
