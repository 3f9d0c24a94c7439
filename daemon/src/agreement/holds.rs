//! What the holders of this machine's lease were told. It owns the holds.
//!
//! A moment that was told is a promise: the holder's work may run until then. So a planned
//! hand-over waits until each hold is released, or its last told moment has passed.

use memberd_council::{BootTime, Term};
use tokio::sync::watch;

/// What a holder is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Held {
    /// This machine is not exclusive yet.
    Waiting,
    /// It is exclusive until this moment at least.
    Lease {
        /// The token.
        term: Term,
        /// Until when.
        until: BootTime,
    },
    /// It is not any more. Nothing follows.
    Lost {
        /// The token of the lease.
        term: Term,
        /// Why, in words.
        reason: String,
    },
}

/// The number of a hold that nobody follows, so that nobody can release it.
const NOTED: u64 = 0;

#[derive(Debug)]
struct Hold {
    number: u64,
    held: watch::Sender<Held>,
    /// The last moment that was told, and its term.
    told: Option<(Term, BootTime)>,
    is_over: bool,
}

/// The holds of this machine's lease.
#[derive(Debug, Default)]
pub(super) struct Holds(Vec<Hold>);

impl Holds {
    /// Begins a hold of this number, which nobody can guess.
    pub(super) fn begin(&mut self, number: u64) -> watch::Receiver<Held> {
        let (held, receiver) = watch::channel(Held::Waiting);
        self.0.push(Hold { number, held, told: None, is_over: false });
        receiver
    }

    /// Notes that somebody was told this moment who follows no lease.
    pub(super) fn note(&mut self, term: Term, until: BootTime) {
        self.0.retain(|hold| hold.number != NOTED || hold.told.is_some_and(|(_, at)| at > until));
        let (held, told) = (watch::Sender::new(Held::Waiting), Some((term, until)));
        self.0.push(Hold { number: NOTED, held, told, is_over: true });
    }

    /// The work of a hold has ended.
    pub(super) fn release(&mut self, number: u64) {
        self.0.retain(|hold| hold.number != number || number == NOTED);
    }

    /// Tells all of them that this machine is exclusive until then.
    pub(super) fn tell(&mut self, term: Term, until: BootTime) {
        for hold in self.0.iter_mut().filter(|hold| !hold.is_over) {
            match hold.told {
                Some((told, _)) if told != term => hold.end(told, "there was another leader"),
                Some((_, told)) if told >= until => {}
                _ => {
                    hold.told = Some((term, until));
                    hold.held.send_replace(Held::Lease { term, until });
                }
            }
        }
    }

    /// Tells all that had a lease that it is over.
    pub(super) fn lose(&mut self, reason: &str) {
        for hold in self.0.iter_mut().filter(|hold| !hold.is_over) {
            if let Some((term, _)) = hold.told {
                hold.end(term, reason);
            }
        }
    }

    /// Forgets those whose time has passed.
    pub(super) fn forget_past(&mut self, now: BootTime) {
        self.0.retain(|hold| hold.may_run(now) || !hold.is_over && !hold.held.is_closed());
    }

    /// Until when work of holders may run; nothing if none does.
    pub(super) fn until(&self, now: BootTime) -> Option<BootTime> {
        let running = self.0.iter().filter(|hold| hold.may_run(now));
        running.filter_map(|hold| Some(hold.told?.1)).max()
    }
}

impl Hold {
    fn end(&mut self, term: Term, reason: &str) {
        self.is_over = true;
        self.held.send_replace(Held::Lost { term, reason: reason.to_owned() });
    }

    /// Whether its work may still run. Its client may be gone, and the work not.
    fn may_run(&self, now: BootTime) -> bool {
        self.told.is_some_and(|(_, until)| until > now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn at(seconds: u64) -> BootTime {
        BootTime::from_epoch(Duration::from_secs(seconds))
    }

    #[test]
    fn a_holder_is_told_each_renewal_and_the_end() {
        let mut holds = Holds::default();
        let mut held = holds.begin(7);
        holds.lose("nothing was told yet");
        assert_eq!(*held.borrow_and_update(), Held::Waiting);
        holds.tell(Term(3), at(10));
        assert_eq!(*held.borrow_and_update(), Held::Lease { term: Term(3), until: at(10) });
        holds.tell(Term(3), at(9));
        assert!(!held.has_changed().unwrap(), "what was told is not taken back");
        holds.lose("no majority");
        let lost = Held::Lost { term: Term(3), reason: "no majority".to_owned() };
        assert_eq!(*held.borrow_and_update(), lost);
        holds.tell(Term(4), at(20));
        assert!(!held.has_changed().unwrap(), "nothing follows the end");
    }

    #[test]
    fn another_term_ends_a_hold() {
        let mut holds = Holds::default();
        let held = holds.begin(7);
        holds.tell(Term(3), at(10));
        holds.tell(Term(5), at(20));
        assert!(matches!(*held.borrow(), Held::Lost { term: Term(3), .. }));
    }

    /// Its client may have been killed, and its work not.
    #[test]
    fn what_was_told_counts_until_it_is_released_or_over() {
        let mut holds = Holds::default();
        drop(holds.begin(7));
        let _kept = holds.begin(8);
        holds.tell(Term(3), at(10));
        holds.lose("handed over");
        holds.release(8);
        holds.forget_past(at(9));
        assert_eq!(holds.until(at(9)), Some(at(10)));
        assert_eq!(holds.until(at(10)), None);
        holds.forget_past(at(10));
        assert!(holds.0.is_empty());
    }

    /// `leader --check --for` was answered: the lease is not given away before that.
    #[test]
    fn what_was_noted_counts_until_it_is_over() {
        let mut holds = Holds::default();
        holds.note(Term(3), at(10));
        holds.note(Term(3), at(9));
        holds.lose("handed over");
        holds.release(NOTED);
        holds.forget_past(at(8));
        assert_eq!(holds.until(at(8)), Some(at(10)));
        holds.note(Term(3), at(12));
        assert_eq!(holds.0.len(), 1, "the later moment is enough");
        holds.forget_past(at(12));
        assert!(holds.0.is_empty());
    }

    #[test]
    fn a_client_that_goes_before_the_lease_is_forgotten() {
        let mut holds = Holds::default();
        drop(holds.begin(7));
        holds.forget_past(at(1));
        assert!(holds.0.is_empty());
    }
}
