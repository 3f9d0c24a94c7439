//! The membership changes of the recent past, for those who begin to follow later.

use super::Scope;
use memberd_control::message::{EventRecord, EventsFrom, MissedRecord};
use std::collections::VecDeque;
use std::sync::Arc;

/// How many changes are remembered.
pub(super) const REMEMBERED: usize = 1_024;

/// The newest changes, as this daemon saw them.
#[derive(Debug)]
pub(super) struct History {
    events: VecDeque<Arc<EventRecord>>,
    /// Since when nothing is missing, in milliseconds since the Unix epoch: the daemon's start, or
    /// the newest change that made room.
    whole_since: u64,
}

impl History {
    /// Begins with nothing, at this moment.
    pub(super) fn new(now: u64) -> Self {
        History { events: VecDeque::new(), whole_since: now }
    }

    pub(super) fn add(&mut self, event: Arc<EventRecord>) {
        if self.events.len() == REMEMBERED
            && let Some(oldest) = self.events.pop_front()
        {
            self.whole_since = oldest.time.saturating_add(1);
        }
        self.events.push_back(event);
    }

    /// Those that are wanted, the oldest first, and what is missing of them.
    pub(super) fn from(
        &self,
        wanted: EventsFrom,
        scope: Scope,
    ) -> (Vec<Arc<EventRecord>>, Option<MissedRecord>) {
        let events = self.events.iter().filter(|event| scope.includes(event));
        match wanted {
            EventsFrom::Last(count) => {
                let count = usize::try_from(count).unwrap_or(usize::MAX);
                let others = events.clone().count().saturating_sub(count);
                (events.skip(others).cloned().collect(), None)
            }
            EventsFrom::Since(moment) => {
                let known =
                    scope.until.map_or(self.whole_since, |until| until.min(self.whole_since));
                let missed = (moment < known).then_some(MissedRecord { until: known, count: None });
                (events.filter(|event| event.time >= moment).cloned().collect(), missed)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::membership::Kinds;
    use memberd_control::message::{Change, MemberRecord, MemberStatus};

    fn event(time: u64) -> Arc<EventRecord> {
        Arc::new(record(time))
    }

    fn record(time: u64) -> EventRecord {
        let member = MemberRecord {
            id: String::new(),
            name: String::new(),
            address: String::new(),
            port: 1,
            status: MemberStatus::Alive,
            incarnation: 1,
            this_machine: false,
            since: time,
            evidence: None,
            tags: memberd_control::tags::Tags::new(),
        };
        EventRecord { time, change: Change::Standing, status: MemberStatus::Alive, member }
    }

    const EVERYTHING: Scope = Scope { kinds: Kinds::Everything, until: None };
    const STANDINGS: Scope = Scope { kinds: Kinds::Standings, until: None };

    fn times(events: &[Arc<EventRecord>]) -> Vec<u64> {
        events.iter().map(|event| event.time).collect()
    }

    #[test]
    fn the_past_is_told_from_a_moment_on_and_what_was_before_the_start_is_missing() {
        let mut history = History::new(100);
        [110, 120, 130].map(event).into_iter().for_each(|event| history.add(event));
        let (events, missed) = history.from(EventsFrom::Since(120), EVERYTHING);
        assert_eq!((times(&events), missed), (vec![120, 130], None));
        let (events, missed) = history.from(EventsFrom::Since(99), EVERYTHING);
        assert_eq!(
            (times(&events), missed),
            (vec![110, 120, 130], Some(MissedRecord { until: 100, count: None }))
        );
        assert_eq!(times(&history.from(EventsFrom::Last(2), EVERYTHING).0), [120, 130]);
        assert_eq!(times(&history.from(EventsFrom::Last(u64::MAX), EVERYTHING).0), [110, 120, 130]);
    }

    #[test]
    fn who_does_not_know_of_tags_is_told_of_the_others_as_many_as_wanted() {
        let mut history = History::new(0);
        for (time, change) in
            [(1, Change::Standing), (2, Change::Standing), (3, Change::Tags), (4, Change::Tags)]
        {
            history.add(Arc::new(EventRecord { change, ..record(time) }));
        }
        assert_eq!(times(&history.from(EventsFrom::Last(1), STANDINGS).0), [2]);
        assert_eq!(times(&history.from(EventsFrom::Since(2), STANDINGS).0), [2]);
        assert_eq!(times(&history.from(EventsFrom::Since(2), EVERYTHING).0), [2, 3, 4]);
    }

    #[test]
    fn who_wants_no_more_than_the_past_is_told_what_was_before_a_moment() {
        let mut history = History::new(100);
        [110, 120, 130].map(event).into_iter().for_each(|event| history.add(event));
        let until = |until| Scope { until: Some(until), ..EVERYTHING };
        assert_eq!(times(&history.from(EventsFrom::Since(110), until(130)).0), [110, 120]);
        assert_eq!(
            times(&history.from(EventsFrom::Last(1), until(130)).0),
            [120],
            "the newest of those before"
        );
        assert_eq!(history.from(EventsFrom::Since(100), until(130)).1, None);
        let missed = |moment| Some(MissedRecord { until: moment, count: None });
        assert_eq!(
            history.from(EventsFrom::Since(90), until(95)),
            (Vec::new(), missed(95)),
            "none of them is known"
        );
        assert_eq!(history.from(EventsFrom::Since(90), until(130)).1, missed(100));
    }

    #[test]
    fn it_is_bounded_and_says_what_made_room() {
        let mut history = History::new(0);
        let count = REMEMBERED as u64 + 5;
        (1..=count).map(event).for_each(|event| history.add(event));
        let (events, missed) = history.from(EventsFrom::Since(1), EVERYTHING);
        assert_eq!(events.len(), REMEMBERED);
        assert_eq!((events[0].time, missed.map(|missed| missed.until)), (6, Some(6)));
        assert_eq!(history.from(EventsFrom::Since(6), EVERYTHING).1, None);
    }
}
