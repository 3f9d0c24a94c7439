//! The changes that the daemon tells as they happen.

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
    /// How a daemon that knows no changes of tags is asked; taken with its first answer.
    otherwise: Option<(Daemon, EventsFrom, Patience)>,
}

impl Changes {
    /// Asks for them.
    pub(crate) fn follow(daemon: &Daemon, from: EventsFrom, patience: Patience) -> Result<Changes, Failure> {
        let connection = Connection::ask(daemon, &Request::Changes(from), patience)?;
        Ok(Changes { connection, otherwise: Some((daemon.clone(), from, patience)) })
    }

    /// The next one.
    pub(crate) fn next(&mut self) -> Result<Told, Failure> {
        self.next_by(Connection::reply)
    }

    /// As [`Changes::next`], but ends with [`Failure::OutputClosed`] when the reader of standard output goes away.
    pub(crate) fn next_while_read(&mut self) -> Result<Told, Failure> {
        self.next_by(Connection::reply_while_read)
    }

    fn next_by(&mut self, reply: impl Fn(&mut Connection) -> Result<Reply, Failure>) -> Result<Told, Failure> {
        match (reply(&mut self.connection), self.otherwise.take()) {
            // An older daemon, which does not understand the request.
            (Err(failure), Some((daemon, from, patience))) if failure.exit() == Exit::Usage => {
                self.connection = Connection::ask(&daemon, &Request::EventsFrom(from), patience)?;
                told(reply(&mut self.connection)?)
            }
            (reply, _) => told(reply?),
        }
    }
}

fn told(reply: Reply) -> Result<Told, Failure> {
    match reply {
        Reply::Event(event) => Ok(Told::Event(Box::new(event))),
        Reply::EventsMissed(missed) => Ok(Told::Missed(missed)),
        _ => Err(out_of_place()),
    }
}
