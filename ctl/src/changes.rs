//! The changes of the membership and of the agreed views that the daemon sends: those it remembers,
//! and then those to come.

use memberd_control::message::{
    Change, ChangeKinds, EventRecord, EventsFrom, Follow, MissedRecord, Reply, Request,
    ViewEventRecord,
};

use crate::connection::{Connection, Daemon, ReplyTimeout, unexpected_reply};
use crate::exit::{Exit, Failure};
use crate::{format, json};

/// A change, or the note that some changes are missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Update {
    Event(Box<EventRecord>),
    View(Box<ViewEventRecord>),
    Missed(MissedRecord),
}

impl Update {
    /// The update as a line of `--json`.
    pub(crate) fn json(&self) -> Result<String, Failure> {
        match self {
            Update::Event(event) => json::object(&json::Event::from(event.as_ref())),
            Update::View(event) => json::object(&json::ViewEvent::from(event.as_ref())),
            Update::Missed(missed) => json::object(&json::Missed::from(missed)),
        }
    }

    /// Its moment, in milliseconds since the Unix epoch; of a gap the end.
    pub(crate) fn time(&self) -> u64 {
        match self {
            Update::Event(event) => event.time,
            Update::View(event) => event.time,
            Update::Missed(missed) => missed.until,
        }
    }
}

/// A connection on which changes arrive.
#[derive(Debug)]
pub(crate) struct Changes {
    connection: Connection,
    /// What was asked, until the first reply: an older daemon refuses it, and is asked otherwise.
    asked: Option<Asked>,
}

/// A request to follow changes.
#[derive(Debug)]
struct Asked {
    daemon: Daemon,
    follow: Follow,
    reply_timeout: ReplyTimeout,
}

impl Changes {
    /// Asks for changes of all kinds. With `until`, in milliseconds since the Unix epoch, only
    /// those before that moment are sent, and they end when it has come.
    pub(crate) fn follow(
        daemon: &Daemon,
        from: EventsFrom,
        until: Option<u64>,
        reply_timeout: ReplyTimeout,
    ) -> Result<Changes, Failure> {
        let follow = Follow { from, kinds: ChangeKinds::WithViews, until };
        let asked = Asked { daemon: daemon.clone(), follow, reply_timeout };
        Ok(Changes { connection: asked.connect()?, asked: Some(asked) })
    }

    /// The next update; none after the last one.
    pub(crate) fn next(&mut self) -> Result<Option<Update>, Failure> {
        self.next_by(Connection::reply)
    }

    /// As [`Changes::next`], but ends with [`Failure::OutputClosed`] when the reader of standard
    /// output goes away.
    pub(crate) fn next_while_read(&mut self) -> Result<Option<Update>, Failure> {
        self.next_by(Connection::reply_while_read)
    }

    fn next_by(
        &mut self,
        reply: impl Fn(&mut Connection) -> Result<Reply, Failure>,
    ) -> Result<Option<Update>, Failure> {
        let mut first = reply(&mut self.connection);
        while let Err(failure) = &first
            && failure.exit() == Exit::Usage
            && let Some(asked) = self.asked.take()
        {
            let older = asked.for_older_daemon()?;
            self.connection = older.connect()?;
            // Nothing older is like the oldest form.
            self.asked = (older.follow.kinds != ChangeKinds::Liveness).then_some(older);
            first = reply(&mut self.connection);
        }
        self.asked = None;
        update(first?)
    }
}

impl Asked {
    fn connect(&self) -> Result<Connection, Failure> {
        Connection::ask(&self.daemon, &Request::Follow(self.follow), self.reply_timeout)
    }

    /// The request in a form that an older daemon understands.
    fn for_older_daemon(self) -> Result<Asked, Failure> {
        let older = || {
            Failure::new(
                Exit::Version,
                "this memberd is older than memberctl: systemctl restart memberd",
            )
        };
        Ok(Asked { follow: self.follow.for_older_daemon().ok_or_else(older)?, ..self })
    }
}

fn update(reply: Reply) -> Result<Option<Update>, Failure> {
    match reply {
        Reply::Event(event) => Ok(Some(Update::Event(Box::new(event)))),
        Reply::ViewEvent(event) => Ok(Some(Update::View(event))),
        Reply::EventsMissed(missed) => Ok(Some(Update::Missed(missed))),
        Reply::Done => Ok(None),
        _ => Err(unexpected_reply()),
    }
}

/// What follows the verb of a change: who noticed a failure, or the tags as they are now.
pub(crate) fn detail(event: &EventRecord) -> String {
    let tags = &event.member.tags;
    match (event.change, &event.member.evidence) {
        (Change::Tags, _) if tags.is_empty() => ", now without tags".to_owned(),
        (Change::Tags, _) => format!(", now {}", format::tags(tags)),
        (Change::Forgotten, _) => String::new(),
        (Change::Liveness, Some(evidence)) => format!(", {}", format::evidence(evidence)),
        (Change::Liveness, None) => String::new(),
    }
}

/// A sentence about a gap, to be printed after the moment at which the gap ends.
pub(crate) fn describe_gap(missed: &MissedRecord) -> String {
    match missed.count {
        Some(count) => {
            let changes = format::count(count, "change");
            format!("{changes} before this were missed: they came too fast")
        }
        None => "memberd does not know the changes before this".to_owned(),
    }
}

/// Where the next connection continues after one was lost. No change is reported twice, and none
/// is left out that the daemon remembers.
#[derive(Debug)]
pub(crate) struct Resumption {
    from: EventsFrom,
    /// The changes of the newest moment. The next connection sends them again, since others may
    /// have happened at the same moment.
    newest: Vec<Update>,
}

impl Resumption {
    /// The first connection begins here.
    pub(crate) fn new(from: EventsFrom) -> Resumption {
        Resumption { from, newest: Vec::new() }
    }

    /// Where the next connection has to begin.
    pub(crate) fn from(&self) -> EventsFrom {
        self.from
    }

    /// Notes an update, and returns whether it is new: the last connection has not sent it.
    pub(crate) fn is_new(&mut self, update: &Update) -> bool {
        match update {
            Update::Missed(_) => {}
            known if self.newest.contains(known) => return false,
            new => {
                self.newest.retain(|other| other.time() == new.time());
                self.newest.push(new.clone());
            }
        }
        self.from = EventsFrom::Since(update.time());
        true
    }

    /// Notes that the connection was lost at this moment, in milliseconds since the Unix epoch. A
    /// client that wants nothing of the past still wants what happens from then on.
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

    fn failed(number: u64, time: u64) -> Update {
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
            suspected_by: None,
            tags: Tags::new(),
        };
        Update::Event(Box::new(EventRecord { time, change: Change::Liveness, status, member }))
    }

    /// After a reconnect the daemon sends the newest moment again.
    #[test]
    fn of_one_moment_only_the_unseen_changes_are_new() {
        let mut resumption = Resumption::new(EventsFrom::Last(100));
        assert!(
            resumption.is_new(&failed(1, 10))
                && resumption.is_new(&failed(2, 20))
                && resumption.is_new(&failed(3, 20))
        );
        resumption.lost(50);
        assert_eq!(resumption.from(), EventsFrom::Since(20));
        let again = [failed(2, 20), failed(3, 20), failed(4, 20), failed(5, 30)]
            .map(|update| resumption.is_new(&update));
        assert_eq!(again, [false, false, true, true]);
        assert_eq!(resumption.from(), EventsFrom::Since(30));
    }

    #[test]
    fn a_gap_is_reported_once() {
        let mut resumption = Resumption::new(EventsFrom::Last(100));
        assert!(resumption.is_new(&failed(1, 10)));
        assert!(resumption.is_new(&Update::Missed(MissedRecord { until: 40, count: None })));
        assert_eq!(resumption.from(), EventsFrom::Since(40));
    }

    /// A client that wants nothing of the past wants what happens from the loss on.
    #[test]
    fn changes_while_the_connection_is_lost_are_wanted() {
        let mut resumption = Resumption::new(EventsFrom::Last(0));
        resumption.lost(50);
        assert_eq!(resumption.from(), EventsFrom::Since(50));
    }
}
