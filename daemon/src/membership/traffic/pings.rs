//! Counts the pings of the detector `swim` that nobody answered. It owns these counters.
//!
//! Answers do not name their ping. So of the pings to one member one is waited for at a time, until
//! its answer comes or has had the time. As with heartbeats, what a member misses counts once it is
//! heard again: the silence of a crashed member is no loss.

use super::Tally;
use memberd_membership::Instant;
use std::time::Duration;

/// How much longer than the last answers the next one may take, before the ping or its answer
/// counts as lost. Pings to a member are at least 250 ms apart, so over ways of up to 75 ms each
/// is counted.
const SLACK: Duration = Duration::from_millis(100);

/// The pings to one member.
#[derive(Debug, Default)]
pub(super) struct Pings {
    /// When the ping was sent that is waited for.
    awaited: Option<Instant>,
    /// How many before it had no answer since the last one.
    unanswered: u64,
    /// When the last answer came.
    answered: Option<Instant>,
    /// How long after their pings the last answer and the one before came.
    took: Option<[Duration; 2]>,
}

impl Pings {
    /// A ping is sent.
    pub(super) fn sent(&mut self, now: Instant) {
        match (self.awaited, self.took) {
            (None, _) => self.awaited = Some(now),
            (Some(sent), Some([one, other])) if now.since(sent) >= one.min(other) + SLACK => {
                self.unanswered += 1;
                self.awaited = Some(now);
            }
            (Some(_), _) => {}
        }
    }

    /// The member answers. Returns the pings since its last answer; none after a silence that is
    /// too long for a live member.
    pub(super) fn answered(&mut self, now: Instant, longest_silence: Duration) -> Tally {
        let Some(sent) = self.awaited.take() else { return Tally::default() };
        let lost = std::mem::take(&mut self.unanswered);
        let took = now.since(sent);
        self.took = Some([took, self.took.map_or(took, |[last, _]| last)]);
        match self.answered.replace(now) {
            Some(before) if now.since(before) <= longest_silence => {
                Tally { expected: lost + 1, lost }
            }
            _ => Tally::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONGEST: Duration = Duration::from_secs(13);

    fn at(milliseconds: u64) -> Instant {
        Instant::from_epoch(Duration::from_millis(milliseconds))
    }

    /// One member pings another as SWIM does: each 2.5 s, and each 250 ms once it has not heard it
    /// for 2.75 s. The ping and the answer are lost each if `is_lost` says so.
    fn ping_for(seconds: u64, latency: u64, mut is_lost: impl FnMut() -> bool) -> Tally {
        let (mut pings, mut tally) = (Pings::default(), Tally::default());
        let (mut heard, mut again, mut answers) = (0, 0, Vec::new());
        for now in 0..seconds * 1_000 {
            while answers.first().is_some_and(|(arrives, _)| *arrives == now) {
                let (_, sent) = answers.remove(0);
                heard = sent;
                tally.add(pings.answered(at(now), LONGEST));
            }
            let is_missing = now > heard + 2_750 + latency && now >= again;
            if now % 2_500 == 0 || is_missing {
                pings.sent(at(now));
                if is_missing {
                    again = now + 250;
                }
                if !is_lost() && !is_lost() {
                    answers.push((now + 2 * latency, now + latency));
                }
            }
        }
        tally
    }

    #[test]
    fn without_loss_none_is_lost_whatever_the_latency() {
        for latency in [1, 50, 400, 1_200] {
            let tally = ping_for(300, latency, || false);
            assert_eq!(tally.lost, 0, "{latency} ms");
            assert!((117..=119).contains(&tally.expected), "{latency} ms: {tally:?}");
        }
    }

    /// Ten of a hundred are lost there, and of the other ninety nine on the way back.
    #[test]
    fn ten_percent_each_way_are_nineteen_of_a_hundred_pings() {
        for latency in [1, 20, 50] {
            let mut drawn = 1_u64;
            let tally = ping_for(20_000, latency, || {
                // Knuth's linear congruential generator.
                drawn = drawn.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                (drawn >> 33).is_multiple_of(10)
            });
            let permille = tally.permille().unwrap();
            println!("{latency} ms: {permille} of a thousand");
            assert!((180..=200).contains(&permille), "{latency} ms: {permille}");
        }
    }

    /// What is lost before the first answer, and in the silence of a crash, does not count.
    #[test]
    fn only_pings_between_two_answers_count() {
        let mut pings = Pings::default();
        let mut tally = Tally::default();
        [0, 250, 500].iter().for_each(|sent| pings.sent(at(*sent)));
        tally.add(pings.answered(at(501), LONGEST));
        tally.add(pings.answered(at(502), LONGEST));
        assert_eq!(tally.permille(), None);
        pings.sent(at(1_000));
        tally.add(pings.answered(at(1_001), LONGEST));
        assert_eq!((tally.lost, tally.expected), (0, 1));
        [2_500, 5_000, 5_250].iter().for_each(|sent| pings.sent(at(*sent)));
        tally.add(pings.answered(at(5_251), LONGEST));
        assert_eq!((tally.lost, tally.expected), (2, 4));
        [7_500, 10_000].iter().for_each(|sent| pings.sent(at(*sent)));
        tally.add(pings.answered(at(30_000), LONGEST));
        assert_eq!((tally.lost, tally.expected), (2, 4));
    }
}
