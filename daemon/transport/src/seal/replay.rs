//! What was heard already: a sliding window for each life of each sender, as IPsec has it (RFC
//! 6479), so that nothing is taken twice.

use std::collections::HashMap;
use std::net::SocketAddr;

/// Numbers that one word of a window tells apart.
const WORD: u64 = 64;

/// Words of a window.
const WORDS: usize = 16;

/// How many numbers behind the newest are still told apart; what is older is refused.
pub const REACH: u64 = (WORDS as u64 - 1) * WORD;

/// How many lives are remembered. More than a list holds; only what was sealed with the group's key
/// is remembered at all.
pub const MOST_LIVES: usize = 32_768;

/// The numbers heard of one life. What was sent before the first that was heard counts as heard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    first: u64,
    newest: u64,
    /// A bit for each number; which word it is in is told by its higher bits, modulo the count of
    /// words.
    heard: [u64; WORDS],
}

impl Window {
    /// A window in which this number is heard.
    pub fn beginning_with(first: u64) -> Self {
        Window { first, newest: first, heard: [0; WORDS] }
    }

    /// Takes a number in; false if it was heard already, or is too old to tell.
    pub fn take(&mut self, number: u64) -> bool {
        if number <= self.first || self.newest.saturating_sub(number) >= REACH {
            return false;
        }
        if number > self.newest {
            let (from, to) = (self.newest / WORD + 1, number / WORD);
            // At most once around.
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
        // Less than the count of words, which fits.
        &mut self.heard[usize::try_from(index % WORDS as u64).unwrap_or_default()]
    }
}

/// The windows of all senders.
#[derive(Debug)]
pub struct Heard {
    lives: HashMap<(SocketAddr, u64), Life>,
    /// How many lives are remembered at most.
    most: usize,
    taken: u64,
}

#[derive(Debug)]
struct Life {
    window: Window,
    /// Which datagram of all was its last: the one that is silent for the longest makes room.
    last: u64,
}

impl Default for Heard {
    fn default() -> Self {
        Heard::of_at_most(MOST_LIVES)
    }
}

impl Heard {
    /// Remembers at most so many lives.
    pub fn of_at_most(most: usize) -> Self {
        Heard { lives: HashMap::new(), most, taken: 0 }
    }

    /// Takes in the number of a datagram of a sender's incarnation; false if it was heard already,
    /// or is too old to tell.
    pub fn take(&mut self, from: SocketAddr, incarnation: u64, number: u64) -> bool {
        self.taken += 1;
        let last = self.taken;
        if let Some(life) = self.lives.get_mut(&(from, incarnation)) {
            life.last = last;
            return life.window.take(number);
        }
        if self.lives.len() >= self.most {
            let silent = self.lives.iter().min_by_key(|(_, life)| life.last).map(|(key, _)| *key);
            silent.and_then(|key| self.lives.remove(&key));
        }
        self.lives
            .insert((from, incarnation), Life { window: Window::beginning_with(number), last });
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
                let expected = number > first && newest.saturating_sub(number) < REACH && !heard.contains(&number);
                prop_assert_eq!(window.take(number), expected, "{} after {}", number, newest);
                if expected {
                    heard.insert(number);
                    newest = newest.max(number);
                }
            }
        }
    }

    #[test]
    fn numbers_may_come_far_apart_and_up_to_the_last_there_is() {
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

    #[test]
    fn each_life_of_each_sender_is_told_apart_and_the_longest_silent_makes_room() {
        let [one, other] = ["127.0.0.1:1", "127.0.0.1:2"].map(|address| address.parse().unwrap());
        let mut heard = Heard::of_at_most(2);
        assert!(heard.take(one, 1, 7) && heard.take(other, 1, 7));
        assert!(!heard.take(one, 1, 7) && !heard.take(one, 1, 6) && !heard.take(other, 1, 7));
        assert!(
            heard.take(one, 1, 8) && heard.take(one, 2, 7),
            "a new life has numbers of its own"
        );
        assert_eq!(heard.lives.len(), 2);
        assert!(!heard.take(one, 1, 8) && !heard.take(one, 2, 7));
        assert!(heard.take(other, 1, 7), "it was the longest silent");
    }
}
