//! The edge between the UDP socket and the protocol: what comes in is opened, what goes out is
//! sealed, or neither where there is no key.

use super::datagram::{CannotSeal, Opened, Opener, Sealer};
use super::lives::{For, Others};
use super::refusal::Refusal;
use super::{GREETING, SEALED, Seal};
use memberd_membership::Incarnation;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// How many greetings are answered in a second at most: what was recorded in former days may come
/// in any number.
const ANSWERS: u32 = 100;

/// The datagrams of one member.
#[derive(Debug)]
pub struct Edge {
    seal: Seal,
    sealer: Sealer,
    opener: Opener,
    others: Others,
    answers: Allowance,
}

/// What is to be done about a datagram that came.
#[derive(Debug, PartialEq, Eq)]
pub enum Incoming<'a> {
    /// The protocol is to see it, and [`Edge::heard`] to be told who said it.
    Said(&'a [u8]),
    /// This is to be sent back.
    Reply(Vec<u8>),
    /// Nothing. What was turned away is counted.
    Nothing,
}

impl Edge {
    /// For the member at this address; `last` is the newest incarnation of the processes before
    /// this one.
    pub fn new(seal: Seal, own: SocketAddr, last: Option<Incarnation>) -> Self {
        Edge {
            seal,
            sealer: Sealer::new(own),
            opener: Opener::new(own, last),
            others: Others::default(),
            answers: Allowance::default(),
        }
    }

    /// A new life begins, whose incarnation is on disk: see [`Sealer::begin`].
    pub fn begin(&mut self, incarnation: Incarnation) {
        self.sealer.begin(incarnation);
        self.opener.begin(incarnation);
    }

    /// Takes in a datagram.
    pub fn incoming<'a>(&mut self, from: SocketAddr, bytes: &'a mut [u8]) -> Incoming<'a> {
        let opened = match self.seal.keys() {
            Some(keys) => self.opener.open(&keys, from, bytes),
            None if matches!(bytes.first(), Some(&(SEALED | GREETING))) => Err(Refusal::Sealed),
            None => return Incoming::Said(bytes),
        };
        match opened {
            Ok(Opened::Said(datagram)) => Incoming::Said(datagram),
            // Whoever was greeted answers: what was to be said to it can be, if that was in the
            // present life.
            Ok(Opened::Answer(sender)) => match self.others.answered(from) {
                Some(waiting) => self.reply(from, sender, &waiting),
                None => Incoming::Nothing,
            },
            Ok(Opened::Greeting(sender)) if self.answers.take(Instant::now()) => {
                self.reply(from, sender, &[])
            }
            Ok(Opened::Greeting(_)) => Incoming::Nothing,
            Err(refusal) => {
                self.seal.refusals().note(refusal, "datagram", from);
                Incoming::Nothing
            }
        }
    }

    fn reply(&mut self, to: SocketAddr, life: Incarnation, bytes: &[u8]) -> Incoming<'static> {
        let Some(keys) = self.seal.keys() else { return Incoming::Nothing };
        // One that has no life yet says nothing.
        let sealed = self.sealer.seal(&keys, to, For::Life(life), bytes);
        sealed.map_or(Incoming::Nothing, |sealed| Incoming::Reply(sealed.to_vec()))
    }

    /// A datagram of this sender's life was taken in; its list has that life at the sender's
    /// address now.
    pub fn heard(&mut self, from: SocketAddr, life: Incarnation, listed: Option<Incarnation>) {
        if self.seal.keys().is_some() {
            self.others.heard(from, life, listed);
        }
    }

    /// All that follows from what was taken in has gone out.
    pub fn all_is_said(&mut self) {
        self.others.all_is_said();
    }

    /// What is to be sent in the place of what is to be said. `listed` is the receiver's life in
    /// the list. At whom this member `knocks`, and where it knows of no life, it first sends a
    /// greeting, and the bytes when that is answered.
    ///
    /// # Errors
    /// When there is no nonce that was never used.
    pub fn outgoing<'a>(
        &'a mut self,
        to: SocketAddr,
        said: &'a [u8],
        knocks: bool,
        listed: impl FnOnce() -> Option<Incarnation>,
    ) -> Result<&'a [u8], CannotSeal> {
        let Some(keys) = self.seal.keys() else { return Ok(said) };
        match self.others.life(to, listed()) {
            Some(life) if !knocks => self.sealer.seal(&keys, to, For::Life(life), said),
            _ => {
                self.others.wait(to, said.to_vec());
                self.sealer.seal(&keys, to, For::Anyone, &[])
            }
        }
    }

    /// To be called now and then: see [`super::refusal::Refusals::tell_rest`].
    pub fn tell_rest(&self) {
        self.seal.refusals().tell_rest(Instant::now());
    }

    /// What was turned away, on connections too: each cause with its count.
    pub fn refusals(&self) -> impl Iterator<Item = (&'static str, u64)> + use<> {
        self.seal.refusals().named().into_iter()
    }
}

/// How many answers may still be given in this second.
#[derive(Debug, Default)]
struct Allowance {
    since: Option<Instant>,
    given: u32,
}

impl Allowance {
    fn take(&mut self, now: Instant) -> bool {
        if self.since.is_none_or(|since| now.duration_since(since) >= Duration::from_secs(1)) {
            *self = Allowance { since: Some(now), given: 0 };
        }
        self.given += 1;
        self.given <= ANSWERS
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seal::tests::keys;

    fn address(number: u8) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, number], 8_946))
    }

    /// The member of this number, in this life, after that one.
    fn member(number: u8, life: u64, last: Option<u64>) -> Edge {
        let mut edge = Edge::new(Seal::with(keys("a")).0, address(number), last.map(Incarnation));
        edge.begin(Incarnation(life));
        edge
    }

    /// What one, in life 10, says to the other, in life 20, or the other to the one. The speaker
    /// knows this life from its list.
    fn say(edge: &mut Edge, to: u8, listed: Option<u64>, words: &[u8]) -> Vec<u8> {
        let datagram = [words, &Incarnation(if to == 2 { 10 } else { 20 }).to_bytes()].concat();
        edge.outgoing(address(to), &datagram, words == b"knock", || listed.map(Incarnation))
            .unwrap()
            .to_vec()
    }

    /// What the protocol sees of it, or what is sent back.
    fn take(edge: &mut Edge, from: u8, sealed: &[u8]) -> Result<Vec<u8>, Vec<u8>> {
        match edge.incoming(address(from), &mut sealed.to_vec()) {
            Incoming::Said(datagram) => Ok(datagram[..datagram.len() - 6].to_vec()),
            Incoming::Reply(reply) => Err(reply),
            Incoming::Nothing => Err(Vec::new()),
        }
    }

    #[test]
    fn a_knock_reaches_whoever_lives_there_in_three_datagrams_and_the_first_two_say_nothing() {
        for listed in [None, Some(3), Some(20)] {
            let (mut one, mut other) = (member(1, 10, None), member(2, 20, None));
            let greeting = say(&mut one, 2, listed, b"knock");
            let answer = take(&mut other, 1, &greeting).unwrap_err();
            assert_eq!((greeting.len(), answer.len()), (32, 32));
            let knock = take(&mut one, 2, &answer).unwrap_err();
            assert_eq!(take(&mut other, 1, &knock).unwrap(), b"knock");
        }
    }

    #[test]
    fn whatever_a_keyed_member_says_first_one_without_a_key_counts_as_sealed() {
        let mut keyed = member(1, 10, None);
        let greeting = say(&mut keyed, 2, None, b"news");
        let news = say(&mut keyed, 2, Some(20), b"news");
        let mut plain = Edge::new(Seal::plain(), address(2), None);
        for sealed in [greeting, news] {
            assert_eq!(take(&mut plain, 1, &sealed), Err(Vec::new()));
        }
        assert!(plain.refusals().any(|counted| counted == ("refused_sealed", 2)));
    }

    #[test]
    fn what_waits_for_an_answer_is_not_said_in_the_name_of_a_later_life() {
        let (mut one, mut other) = (member(1, 10, None), member(2, 20, None));
        let greeting = say(&mut one, 2, None, b"knock");
        let answer = take(&mut other, 1, &greeting).unwrap_err();
        one.begin(Incarnation(11));
        assert_eq!(take(&mut one, 2, &answer), Err(Vec::new()));
    }

    #[test]
    fn nothing_that_was_said_to_a_former_process_is_taken_by_the_next() {
        let (mut one, mut other) = (member(1, 10, None), member(2, 20, None));
        let greeting = say(&mut one, 2, None, b"knock");
        let answer = take(&mut other, 1, &greeting).unwrap_err();
        let knock = take(&mut one, 2, &answer).unwrap_err();
        let news = say(&mut one, 2, Some(20), b"news");
        let recorded = [knock, news];
        assert!(recorded.iter().all(|words| take(&mut other, 1, words).is_ok()), "the first time");
        assert!(
            recorded.iter().all(|words| take(&mut other, 1, words) == Err(Vec::new())),
            "at once"
        );
        let counted =
            |edge: &Edge| edge.refusals().filter(|(_, count)| *count > 0).collect::<Vec<_>>();
        assert_eq!(counted(&other), [("refused_replayed", 2)]);
        // What answers and then restarts: the knocker says nothing more for that.
        assert_eq!(take(&mut one, 2, &answer), Err(Vec::new()));
        let (mut restarted, mut without_disk) = (member(2, 30, Some(20)), member(2, 30, None));
        for words in &recorded {
            assert_eq!(take(&mut restarted, 1, words), Err(Vec::new()));
            assert_eq!(take(&mut without_disk, 1, words), Err(Vec::new()));
        }
        assert_eq!(counted(&restarted), [("refused_former_life", 2)]);
        assert_eq!(counted(&without_disk), [("refused_forged", 2)]);
        // A recorded greeting is answered, to the life that sent it, which waits for nothing.
        let answer = take(&mut restarted, 1, &greeting).unwrap_err();
        assert_eq!(take(&mut one, 2, &answer), Err(Vec::new()));
        assert_eq!(
            take(&mut member(1, 11, Some(10)), 2, &answer),
            Err(Vec::new()),
            "nor does a later one take it"
        );
        assert_eq!(take(&mut restarted, 1, &greeting), Err(Vec::new()), "once");
    }

    #[test]
    fn what_was_said_to_a_former_life_of_this_process_is_taken_once() {
        let (mut one, mut other) = (member(1, 10, None), member(2, 20, None));
        let news = [say(&mut one, 2, Some(20), b"news"), say(&mut one, 2, Some(20), b"late")];
        assert_eq!(take(&mut other, 1, &news[0]).unwrap(), b"news");
        other.begin(Incarnation(21));
        assert_eq!(take(&mut other, 1, &news[0]), Err(Vec::new()));
        assert_eq!(take(&mut other, 1, &news[1]).unwrap(), b"late");
        assert_eq!(take(&mut other, 1, &news[1]), Err(Vec::new()));
    }

    #[test]
    fn who_was_heard_is_answered_whatever_the_list_has() {
        for listed in [None, Some(5), Some(20), Some(30)] {
            let (mut one, mut other) = (member(1, 10, None), member(2, 20, None));
            let heartbeat = say(&mut other, 1, Some(10), b"heartbeat");
            assert_eq!(take(&mut one, 2, &heartbeat).unwrap(), b"heartbeat");
            one.heard(address(2), Incarnation(20), listed.map(Incarnation));
            let answer = say(&mut one, 2, listed, b"answer");
            assert_eq!(take(&mut other, 1, &answer).unwrap(), b"answer");
        }
    }

    #[test]
    fn of_many_greetings_a_hundred_a_second_are_answered() {
        let (mut allowance, start) = (Allowance::default(), Instant::now());
        let answered =
            |allowance: &mut Allowance, at| (0..1_000).filter(|_| allowance.take(at)).count();
        assert_eq!(answered(&mut allowance, start), 100);
        assert_eq!(answered(&mut allowance, start + Duration::from_millis(999)), 0);
        assert_eq!(answered(&mut allowance, start + Duration::from_secs(1)), 100);
    }
}
