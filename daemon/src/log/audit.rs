//! The audit trail: who searched what. It owns the switch of the settings, and what each asker has
//! logged lately.
//!
//! An asker has a line a second, and 100 at once. So a flood of searches does not fill the disk,
//! and does not keep the searches of others out of the trail.

use super::record::{LogField, Record};
use super::writer::Writer;
use crate::lock::lock;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// The time that each line takes of an asker's rate.
const EACH: Duration = Duration::from_secs(1);

/// How far an asker's lines may be ahead of that rate.
const AHEAD: Duration = Duration::from_secs(100);

/// The most askers that have a rate of their own. Further ones share one.
const MOST_ASKERS: usize = 64;

/// Takes the lines of searches. Clones share the state.
#[derive(Debug, Clone, Default)]
pub struct AuditTrail {
    /// Where the lines go; nowhere in tests.
    writer: Option<Arc<Writer>>,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    is_on: AtomicBool,
    rates: Mutex<Rates>,
}

/// One line of the trail.
#[derive(Debug)]
pub struct AuditLine<'l> {
    /// What happened, for people.
    pub message: &'static str,
    /// The fields that every form of the line has.
    pub shown: &'l [LogField],
    /// The fields that no line has which members may search.
    pub hidden: &'l [LogField],
}

impl AuditTrail {
    /// A trail that is switched off.
    pub(super) fn new(writer: Arc<Writer>) -> Self {
        AuditTrail { writer: Some(writer), shared: Arc::default() }
    }

    /// Switches it on or off.
    pub fn switch(&self, on: bool) {
        self.shared.is_on.store(on, Ordering::Relaxed);
    }

    /// Whether searches are logged.
    pub fn is_on(&self) -> bool {
        self.shared.is_on.load(Ordering::Relaxed)
    }

    /// Logs a line for this asker, unless the asker has logged too many. It never waits.
    pub fn write(&self, asker: &str, line: &AuditLine) {
        let Some(writer) = self.writer.as_ref().filter(|_| self.is_on()) else { return };
        let left_out = match lock(&self.shared.rates).enter(asker, Instant::now()) {
            Turn::Write { left_out: 0 } => None,
            Turn::Write { left_out } => Some(("memberd_left_out", left_out.to_string())),
            Turn::First => {
                let fields = [("memberd_asker", asker.to_owned())];
                let message = "searches are left out here, since one asker has too many";
                return writer.write(Record::of_search(message, &fields, &[]));
            }
            Turn::LeftOut => return,
        };
        let shown: Vec<LogField> = line.shown.iter().cloned().chain(left_out).collect();
        writer.write(Record::of_search(line.message, &shown, line.hidden));
    }
}

/// What becomes of a line.
#[derive(Debug, PartialEq, Eq)]
enum Turn {
    /// It is written, and says how many lines before it were not.
    Write { left_out: u64 },
    /// It is the first that is left out, which is said in its place.
    First,
    /// It is left out.
    LeftOut,
}

/// The rates of askers.
#[derive(Debug, Default)]
struct Rates {
    askers: BTreeMap<String, Rate>,
    others: Rate,
}

/// When the lines so far are paid for (a leaky bucket as a meter), and how many were left out.
#[derive(Debug, Default)]
struct Rate {
    paid_at: Option<Instant>,
    left_out: u64,
}

impl Rate {
    fn enter(&mut self, now: Instant) -> Turn {
        let from = self.paid_at.map_or(now, |paid_at| paid_at.max(now));
        if from.duration_since(now) >= AHEAD {
            self.left_out = self.left_out.saturating_add(1);
            return if self.left_out == 1 { Turn::First } else { Turn::LeftOut };
        }
        self.paid_at = Some(from + EACH);
        Turn::Write { left_out: std::mem::take(&mut self.left_out) }
    }

    /// Whether nothing would change if it was forgotten.
    fn is_idle(&self, now: Instant) -> bool {
        self.left_out == 0 && self.paid_at.is_none_or(|paid_at| paid_at <= now)
    }
}

impl Rates {
    fn enter(&mut self, asker: &str, now: Instant) -> Turn {
        if let Some(rate) = self.askers.get_mut(asker) {
            return rate.enter(now);
        }
        if self.askers.len() == MOST_ASKERS {
            self.askers.retain(|_, rate| !rate.is_idle(now));
        }
        if self.askers.len() == MOST_ASKERS {
            return self.others.enter(now);
        }
        self.askers.entry(asker.to_owned()).or_default().enter(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WRITTEN: Turn = Turn::Write { left_out: 0 };

    #[test]
    fn a_flood_of_one_asker_is_bounded_and_counted() {
        let (mut rates, begin) = (Rates::default(), Instant::now());
        for _ in 0..100 {
            assert_eq!(rates.enter("mallory", begin), WRITTEN);
        }
        assert_eq!(rates.enter("mallory", begin), Turn::First);
        for _ in 0..999 {
            assert_eq!(rates.enter("mallory", begin), Turn::LeftOut);
        }
        assert_eq!(rates.enter("alice", begin), WRITTEN, "others have rates of their own");
        let later = begin + EACH;
        assert_eq!(rates.enter("mallory", later), Turn::Write { left_out: 1_000 });
        assert_eq!(rates.enter("mallory", later), Turn::First);
        assert_eq!(rates.enter("mallory", begin + 3 * AHEAD), Turn::Write { left_out: 1 });
    }

    /// A bad member may say that others asked, as many as it likes.
    #[test]
    fn askers_without_number_share_one_rate() {
        let (mut rates, begin) = (Rates::default(), Instant::now());
        let mut written = 0;
        for number in 0..10_000 {
            written += usize::from(rates.enter(&number.to_string(), begin) == WRITTEN);
        }
        assert_eq!((written, rates.askers.len()), (MOST_ASKERS + 100, MOST_ASKERS));
        let later = begin + 2 * AHEAD;
        assert_eq!(rates.enter("new", later), WRITTEN);
        assert_eq!(rates.askers.len(), 1, "idle ones are forgotten");
    }

    #[test]
    fn a_trail_that_is_off_writes_nothing() {
        let trail = AuditTrail::default();
        assert!(!trail.is_on());
        trail.switch(true);
        assert!(trail.clone().is_on());
        trail.write("a", &AuditLine { message: "x", shown: &[], hidden: &[] });
        assert!(lock(&trail.shared.rates).askers.is_empty(), "without a log, nothing is counted");
    }
}
