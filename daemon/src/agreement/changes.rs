//! Remembers what happened to the agreed views, for `memberctl events`. It owns those records, and
//! tells them to all who follow.

use super::convert::pending_record;
use memberd_control::message::{MAX_EVENT_NAMES, ViewChange, ViewEventRecord};
use memberd_council::{Event, Name, Operation, View, ViewNumber, Voter};
use memberd_membership::{Identity, WallTime, millis};
use std::collections::VecDeque;
use std::sync::Arc;
use tokio::sync::broadcast;

/// The most records that are remembered, and that wait for one follower.
const REMEMBERED: usize = 256;

/// The newest records, in the order in which things happened here.
#[derive(Debug)]
pub(super) struct ViewChanges {
    remembered: VecDeque<Arc<ViewEventRecord>>,
    /// Nothing after this moment is missing. It is the daemon's start, or the time of the newest
    /// dropped record.
    whole_since: WallTime,
    followers: broadcast::Sender<Arc<ViewEventRecord>>,
}

/// The remembered records, and those to come, without a gap between them.
#[derive(Debug)]
pub(crate) struct Followed {
    /// The remembered, the oldest first.
    pub past: Vec<Arc<ViewEventRecord>>,
    /// Nothing after this moment is missing among them.
    pub whole_since: WallTime,
    /// Those to come.
    pub coming: broadcast::Receiver<Arc<ViewEventRecord>>,
}

impl ViewChanges {
    /// None yet. They begin at this moment.
    pub(super) fn new(now: WallTime) -> Self {
        let (followers, _) = broadcast::channel(REMEMBERED);
        ViewChanges { remembered: VecDeque::new(), whole_since: now, followers }
    }

    /// Takes in an event, of which the view is this one by now.
    pub(super) fn take(&mut self, event: &Event, view: &View, now: WallTime) {
        let Some(record) = record(event, view) else { return };
        let record = Arc::new(ViewEventRecord { time: now.0, ..record });
        if self.remembered.len() == REMEMBERED
            && let Some(oldest) = self.remembered.pop_front()
        {
            self.whole_since = WallTime(oldest.time.saturating_add(1));
        }
        self.remembered.push_back(Arc::clone(&record));
        // An error means that nobody follows.
        let _ = self.followers.send(record);
    }

    /// All that are remembered, and those to come.
    pub(super) fn follow(&self) -> Followed {
        Followed {
            past: self.remembered.iter().cloned().collect(),
            whole_since: self.whole_since,
            coming: self.followers.subscribe(),
        }
    }
}

/// What a client is told of an event, without its time; none of what answers a question.
fn record(event: &Event, view: &View) -> Option<ViewEventRecord> {
    Some(match event {
        Event::ViewInstalled { view, added, removed, .. } => ViewEventRecord {
            leader: view.leader.as_ref().map(|leader| leader.name.to_string()),
            added: member_names(added),
            removed: member_names(removed),
            members: u64::try_from(view.members.len()).unwrap_or(u64::MAX),
            ..of_view(view, ViewChange::Installed)
        },
        Event::LeaderElected { leader, term, .. } => ViewEventRecord {
            term: Some(term.0),
            leader: Some(leader.name.to_string()),
            ..of_view(view, ViewChange::Elected)
        },
        Event::LeadershipLost { term, reason } => ViewEventRecord {
            term: Some(term.0),
            reason: Some(reason.as_str().to_owned()),
            ..of_view(view, ViewChange::Lost)
        },
        Event::OperationPending { number, operations, by } => {
            of_operations(ViewChange::Pending, *number, operations, by)
        }
        Event::OperationFinished { number, operations, by } => {
            of_operations(ViewChange::Finished, *number, operations, by)
        }
        Event::ViewStale { missing } => {
            ViewEventRecord { missing: names(missing), ..of_view(view, ViewChange::Stale) }
        }
        Event::ViewFresh { after } => {
            ViewEventRecord { after_ms: Some(millis(*after)), ..of_view(view, ViewChange::Fresh) }
        }
        _ => return None,
    })
}

fn of_view(view: &View, change: ViewChange) -> ViewEventRecord {
    let (number, term) = (view.number.0, Some(view.term.0));
    ViewEventRecord { change, number, term, ..ViewEventRecord::default() }
}

fn of_operations(
    change: ViewChange,
    number: ViewNumber,
    operations: &[Operation],
    by: &Voter,
) -> ViewEventRecord {
    ViewEventRecord {
        change,
        number: number.0,
        operations: operations.iter().take(MAX_EVENT_NAMES).map(pending_record).collect(),
        by: Some(by.name.to_string()),
        ..ViewEventRecord::default()
    }
}

fn member_names(members: &[Identity]) -> Vec<String> {
    members.iter().take(MAX_EVENT_NAMES).map(|member| member.name.to_string()).collect()
}

fn names(names: &[Name]) -> Vec<String> {
    names.iter().take(MAX_EVENT_NAMES).map(ToString::to_string).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use memberd_council::{LossReason, Term, VoterId};

    fn voter(name: &str) -> Voter {
        Voter { name: Name::new(name).unwrap(), id: VoterId(7) }
    }

    fn view() -> View {
        View { term: Term(7), ..View::genesis(&[Name::new("vm1").unwrap()]) }
    }

    fn told(event: &Event) -> Option<ViewEventRecord> {
        let mut changes = ViewChanges::new(WallTime(10));
        changes.take(event, &view(), WallTime(20));
        changes.follow().past.first().map(|record| record.as_ref().clone())
    }

    #[test]
    fn an_event_is_told_with_what_it_is_about() {
        let lost = Event::LeadershipLost { term: Term(7), reason: LossReason::NoMajority };
        let record = told(&lost).unwrap();
        assert_eq!((record.change, record.time, record.term), (ViewChange::Lost, 20, Some(7)));
        assert_eq!(record.reason.as_deref(), Some("no-majority"));
        let (leader, operations) = (voter("vm3"), vec![Operation::Seat(vec![voter("vm1")])]);
        let pending =
            Event::OperationPending { number: ViewNumber(8), operations, by: leader.clone() };
        let record = told(&pending).unwrap();
        assert_eq!((record.number, record.operations.len()), (8, 1));
        assert_eq!((record.by.as_deref(), record.term), (Some("vm3"), None));
        let elected = Event::LeaderElected { leader, term: Term(9), here: false };
        let record = told(&elected).unwrap();
        assert_eq!((record.leader.as_deref(), record.term), (Some("vm3"), Some(9)));
        assert_eq!(told(&Event::Released { in_view: true }), None);
    }

    #[test]
    fn what_is_remembered_is_bounded_and_followers_hear_the_rest() {
        let mut changes = ViewChanges::new(WallTime(10));
        assert_eq!(changes.follow().whole_since, WallTime(10));
        let mut follower = changes.follow().coming;
        let count = u64::try_from(REMEMBERED).unwrap() + 3;
        for time in 1..=count {
            let fresh = Event::ViewStale { missing: Vec::new() };
            changes.take(&fresh, &view(), WallTime(time));
            assert_eq!(follower.try_recv().unwrap().time, time);
        }
        let followed = changes.follow();
        assert_eq!(followed.past.len(), REMEMBERED);
        assert_eq!((followed.past[0].time, followed.whole_since), (4, WallTime(4)));
    }
}
