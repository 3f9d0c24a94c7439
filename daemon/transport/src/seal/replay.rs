//! Owns what was heard: a sliding window for each incarnation of each sender, as in IPsec (RFC
//! 6479), so that no datagram is taken twice.

use std::collections::HashMap;
use std::net::SocketAddr;

/// Numbers in one word of a window.
const WORD: u64 = 64;

/// Words of a window.
const WORDS: usize = 16;

/// How many numbers behind the newest the window reaches; older ones are refused.
pub(super) const REACH: u64 = (WORDS as u64 - 1) * WORD;

/// How many incarnations are remembered: more than a list holds. Only what was sealed with the
/// group's key is remembered at all.
pub(super) const MAX_INCARNATIONS: usize = 32_768;

/// The numbers heard of one incarnation. Numbers before the first that was heard count as heard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Window {
    first: u64,
    newest: u64,
    /// A bit for each number. Its higher bits, modulo the count of words, choose the word.
    heard: [u64; WORDS],
}

impl Window {
    /// A window in which this number was heard.
    pub(super) fn beginning_with(first: u64) -> Self {
        Window { first, newest: first, heard: [0; WORDS] }
    }

    /// Notes a number; false if it was heard before, or is too old to know.
    pub(super) fn take(&mut self, number: u64) -> bool {
        if number <= self.first || self.newest.saturating_sub(number) >= REACH {
            return false;
        }
        if number > self.newest {
            let (from, to) = (self.newest / WORD + 1, number / WORD);
            // Clears each word at most once.
            for index in from.max(to.saturating_sub(WORDS as u64 - 1))..=to {
                *self.word(index) = 0;
            }
            self.newest = number;
        }
        let bit = 1 << (number % WORD);
        let word = self.word(number / WORD);
        let new = *word & bit == 0;
        *word |= bit;
        new
    }

    fn word(&mut self, index: u64) -> &mut u64 {
        // The index is less than the count of words, which fits.
        &mut self.heard[usize::try_from(index % WORDS as u64).unwrap_or_default()]
    }
}

/// The windows of all senders.
#[derive(Debug)]
pub(super) struct Heard {
    senders: HashMap<(SocketAddr, u64), Sender>,
    /// How many incarnations are remembered at most.
    limit: usize,
    taken: u64,
}

/// One incarnation at one address.
#[derive(Debug)]
struct Sender {
    window: Window,
    /// The ordinal of its last datagram among all: the longest silent sender makes room.
    last: u64,
}

impl Default for Heard {
    fn default() -> Self {
        Heard::with_limit(MAX_INCARNATIONS)
    }
}

impl Heard {
    /// Remembers at most this many incarnations.
    pub(super) fn with_limit(limit: usize) -> Self {
        Heard { senders: HashMap::new(), limit, taken: 0 }
    }

    /// Notes the number of a datagram of a sender's incarnation; false if it was heard before, or
    /// is too old to know.
    pub(super) fn take(&mut self, from: SocketAddr, incarnation: u64, number: u64) -> bool {
        self.taken += 1;
        let last = self.taken;
        if let Some(sender) = self.senders.get_mut(&(from, incarnation)) {
            sender.last = last;
            return sender.window.take(number);
        }
        if self.senders.len() >= self.limit {
            let silent =
                self.senders.iter().min_by_key(|(_, sender)| sender.last).map(|(key, _)| *key);
            silent.and_then(|key| self.senders.remove(&key));
        }
        self.senders
            .insert((from, incarnation), Sender { window: Window::beginning_with(number), last });
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        #[test]
        fn a_number_is_taken_once_and_only_within_reach(
            first in 0_u64..5_000,
            steps in proptest::collection::vec((any::<bool>(), 0_u64..1_300), 1..400),
        ) {
            let mut window = Window::beginning_with(first);
            let (mut heard, mut newest) = (BTreeSet::from([first]), first);
            for (back, step) in steps {
                let number = if back { newest.saturating_sub(step) } else { newest + step };
                let expected = number > first
                    && newest.saturating_sub(number) < REACH
                    && !heard.contains(&number);
                prop_assert_eq!(window.take(number), expected, "{} after {}", number, newest);
                if expected {
                    heard.insert(number);
                    newest = newest.max(number);
                }
            }
        }
    }

    #[test]
    fn numbers_may_be_far_apart_and_up_to_the_largest() {
        let mut window = Window::beginning_with(0);
        assert!(
            window.take(1 << 40)
                && !window.take(1 << 40)
                && window.take((1 << 40) - 1)
                && !window.take(1)
        );
        assert!(
            window.take(u64::MAX)
                && !window.take(u64::MAX)
                && window.take(u64::MAX - 1)
                && !window.take((1 << 40) + 1)
        );
    }

    /// Each incarnation of each sender has its own window; the longest silent makes room.
    #[test]
    fn incarnations_are_separate_and_the_longest_silent_goes() {
        let [one, other] = ["127.0.0.1:1", "127.0.0.1:2"].map(|address| address.parse().unwrap());
        let mut heard = Heard::with_limit(2);
        assert!(heard.take(one, 1, 7) && heard.take(other, 1, 7));
        assert!(!heard.take(one, 1, 7) && !heard.take(one, 1, 6) && !heard.take(other, 1, 7));
        assert!(
            heard.take(one, 1, 8) && heard.take(one, 2, 7),
            "a new incarnation has its own numbers"
        );
        assert_eq!(heard.senders.len(), 2);
        assert!(!heard.take(one, 1, 8) && !heard.take(one, 2, 7));
        assert!(heard.take(other, 1, 7), "it was the longest silent");
    }
}
