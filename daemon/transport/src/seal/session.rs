//! The datagram session stands between the UDP socket and the protocol: it opens what came and
//! seals what is sent, or passes both on unchanged where there is no key. Owns the sealing state of
//! one member.

use super::datagram::{Opened, Opener, Recipient, SealError, Sealer};
use super::incarnations::OtherIncarnations;
use super::pending_announces::PendingAnnounces;
use super::refusal::SealRefusal;
use super::{HELLO, SEALED, Seal};
use memberd_membership::Incarnation;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// How many hellos are answered in a second at most: old recordings of them may come in any number.
const MAX_HELLOS_PER_SECOND: u32 = 100;

/// The sealed datagrams of one member.
#[derive(Debug)]
pub struct DatagramSession {
    seal: Seal,
    sealer: Sealer,
    opener: Opener,
    others: OtherIncarnations,
    pending: PendingAnnounces,
    hellos: HelloAllowance,
}

/// What the owner of the socket must do with a datagram that came.
#[derive(Debug, PartialEq, Eq)]
pub enum Incoming<'a> {
    /// Hand this to the protocol, and tell [`DatagramSession::note_sender`] who sent it.
    Datagram(&'a [u8]),
    /// Send this back to the sender.
    Reply(Vec<u8>),
    /// Nothing. A refusal is counted.
    Nothing,
}

impl DatagramSession {
    /// For the member at this address; `last` is the newest incarnation of the processes before
    /// this one.
    pub fn new(seal: Seal, own: SocketAddr, last: Option<Incarnation>) -> Self {
        DatagramSession {
            seal,
            sealer: Sealer::new(own),
            opener: Opener::new(own, last),
            others: OtherIncarnations::default(),
            pending: PendingAnnounces::default(),
            hellos: HelloAllowance::default(),
        }
    }

    /// A new incarnation begins, which is durable on disk: see [`Sealer::begin`].
    pub fn begin(&mut self, incarnation: Incarnation) {
        self.sealer.begin(incarnation);
        self.opener.begin(incarnation);
    }

    /// Opens a datagram, in place.
    pub fn open<'a>(&mut self, from: SocketAddr, bytes: &'a mut [u8]) -> Incoming<'a> {
        let opened = match self.seal.keys() {
            Some(keys) => self.opener.open(&keys, from, bytes),
            None if matches!(bytes.first(), Some(&(SEALED | HELLO))) => Err(SealRefusal::Sealed),
            None => return Incoming::Datagram(bytes),
        };
        match opened {
            Ok(Opened::Datagram(datagram)) => Incoming::Datagram(datagram),
            // The announce goes to the incarnation that answered, if it is of the present own one.
            Ok(Opened::HelloReply(sender)) => match self.pending.take(from) {
                Some(announce) => self.reply(from, sender, &announce),
                None => Incoming::Nothing,
            },
            Ok(Opened::Hello(sender)) if self.hellos.take(Instant::now()) => {
                self.reply(from, sender, &[])
            }
            Ok(Opened::Hello(_)) => Incoming::Nothing,
            Err(refusal) => {
                self.seal.refusals().note(refusal, "datagram", from);
                Incoming::Nothing
            }
        }
    }

    fn reply(
        &mut self,
        to: SocketAddr,
        incarnation: Incarnation,
        datagram: &[u8],
    ) -> Incoming<'static> {
        let Some(keys) = self.seal.keys() else { return Incoming::Nothing };
        // A member without an incarnation cannot seal, and sends nothing.
        let sealed = self.sealer.seal(&keys, to, Recipient::Incarnation(incarnation), datagram);
        sealed.map_or(Incoming::Nothing, |sealed| Incoming::Reply(sealed.to_vec()))
    }

    /// The protocol has taken in a datagram of this incarnation; its list now has `listed` at the
    /// sender's address.
    pub fn note_sender(
        &mut self,
        from: SocketAddr,
        incarnation: Incarnation,
        listed: Option<Incarnation>,
    ) {
        if self.seal.keys().is_some() {
            self.others.note_heard(from, incarnation, listed);
        }
    }

    /// All answers to what was taken in are sealed.
    pub fn flush(&mut self) {
        self.others.flush();
    }

    /// Seals a datagram. Returns the bytes to send instead of it.
    ///
    /// `listed` is the receiver's incarnation in the list. If the datagram is an announce, or no
    /// incarnation is known, the bytes are a hello, and the datagram follows when that is answered.
    ///
    /// # Errors
    /// When no unused nonce is left, or the datagram is not of the present incarnation.
    pub fn seal<'a>(
        &'a mut self,
        to: SocketAddr,
        datagram: &'a [u8],
        is_announce: bool,
        listed: impl FnOnce() -> Option<Incarnation>,
    ) -> Result<&'a [u8], SealError> {
        let Some(keys) = self.seal.keys() else { return Ok(datagram) };
        match self.others.at(to, listed()) {
            Some(known) if !is_announce => {
                self.sealer.seal(&keys, to, Recipient::Incarnation(known), datagram)
            }
            _ => {
                self.pending.push(to, datagram.to_vec());
                self.sealer.seal(&keys, to, Recipient::Anyone, &[])
            }
        }
    }

    /// Logs refusals that are due: see [`Refusals::log_due`](super::refusal::Refusals::log_due).
    pub fn log_refusals(&self) {
        self.seal.refusals().log_due(Instant::now());
    }

    /// Each cause of refusal with its count, those of connections included.
    pub fn refusals(&self) -> impl Iterator<Item = (&'static str, u64)> + use<> {
        self.seal.refusals().named().into_iter()
    }
}

/// How many hellos were answered in the present second.
#[derive(Debug, Default)]
struct HelloAllowance {
    since: Option<Instant>,
    answered: u32,
}

impl HelloAllowance {
    /// Whether one more may be answered.
    fn take(&mut self, now: Instant) -> bool {
        if self.since.is_none_or(|since| now.duration_since(since) >= Duration::from_secs(1)) {
            *self = HelloAllowance { since: Some(now), answered: 0 };
        }
        self.answered += 1;
        self.answered <= MAX_HELLOS_PER_SECOND
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seal::tests::keys;

    fn address(number: u8) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, number], 8_946))
    }

    /// The member of this number, in this incarnation, after that one.
    fn member(number: u8, incarnation: u64, last: Option<u64>) -> DatagramSession {
        let mut session =
            DatagramSession::new(Seal::with(keys("a")).0, address(number), last.map(Incarnation));
        session.begin(Incarnation(incarnation));
        session
    }

    /// What member 1, in incarnation 10, sends to member 2, in incarnation 20, or 2 to 1. The
    /// sender's list has this incarnation of the receiver.
    fn send(session: &mut DatagramSession, to: u8, listed: Option<u64>, content: &[u8]) -> Vec<u8> {
        let datagram = [content, &Incarnation(if to == 2 { 10 } else { 20 }).to_bytes()].concat();
        session
            .seal(address(to), &datagram, content == b"announce", || listed.map(Incarnation))
            .unwrap()
            .to_vec()
    }

    /// What the protocol sees of a datagram, or what is sent back.
    fn receive(session: &mut DatagramSession, from: u8, sealed: &[u8]) -> Result<Vec<u8>, Vec<u8>> {
        match session.open(address(from), &mut sealed.to_vec()) {
            Incoming::Datagram(datagram) => Ok(datagram[..datagram.len() - 6].to_vec()),
            Incoming::Reply(reply) => Err(reply),
            Incoming::Nothing => Err(Vec::new()),
        }
    }

    /// An announce takes three datagrams to whichever incarnation is there, the first two empty.
    #[test]
    fn an_announce_takes_three_datagrams() {
        for listed in [None, Some(3), Some(20)] {
            let (mut one, mut other) = (member(1, 10, None), member(2, 20, None));
            let hello = send(&mut one, 2, listed, b"announce");
            let answer = receive(&mut other, 1, &hello).unwrap_err();
            assert_eq!((hello.len(), answer.len()), (32, 32));
            let announce = receive(&mut one, 2, &answer).unwrap_err();
            assert_eq!(receive(&mut other, 1, &announce).unwrap(), b"announce");
        }
    }

    /// A member without a key counts hellos and datagrams of a member with a key as sealed.
    #[test]
    fn a_member_without_a_key_counts_what_is_sealed() {
        let mut keyed = member(1, 10, None);
        let hello = send(&mut keyed, 2, None, b"news");
        let news = send(&mut keyed, 2, Some(20), b"news");
        let mut plain = DatagramSession::new(Seal::plain(), address(2), None);
        for sealed in [hello, news] {
            assert_eq!(receive(&mut plain, 1, &sealed), Err(Vec::new()));
        }
        assert!(plain.refusals().any(|counted| counted == ("refused_sealed", 2)));
    }

    /// An announce that waits for an answer is not sent in the name of a later incarnation.
    #[test]
    fn a_pending_announce_ends_with_its_incarnation() {
        let (mut one, mut other) = (member(1, 10, None), member(2, 20, None));
        let hello = send(&mut one, 2, None, b"announce");
        let answer = receive(&mut other, 1, &hello).unwrap_err();
        one.begin(Incarnation(11));
        assert_eq!(receive(&mut one, 2, &answer), Err(Vec::new()));
    }

    /// Nothing that was sent to a former process is taken by the next one.
    #[test]
    fn recordings_from_before_a_restart_are_refused() {
        let (mut one, mut other) = (member(1, 10, None), member(2, 20, None));
        let hello = send(&mut one, 2, None, b"announce");
        let answer = receive(&mut other, 1, &hello).unwrap_err();
        let announce = receive(&mut one, 2, &answer).unwrap_err();
        let news = send(&mut one, 2, Some(20), b"news");
        let recorded = [announce, news];
        assert!(
            recorded.iter().all(|bytes| receive(&mut other, 1, bytes).is_ok()),
            "the first time"
        );
        assert!(
            recorded.iter().all(|bytes| receive(&mut other, 1, bytes) == Err(Vec::new())),
            "at once"
        );
        let counted = |session: &DatagramSession| {
            session.refusals().filter(|(_, count)| *count > 0).collect::<Vec<_>>()
        };
        assert_eq!(counted(&other), [("refused_replayed", 2)]);
        // Member 2 answers and then restarts: member 1 sends nothing more to the old one.
        assert_eq!(receive(&mut one, 2, &answer), Err(Vec::new()));
        let (mut restarted, mut without_disk) = (member(2, 30, Some(20)), member(2, 30, None));
        for bytes in &recorded {
            assert_eq!(receive(&mut restarted, 1, bytes), Err(Vec::new()));
            assert_eq!(receive(&mut without_disk, 1, bytes), Err(Vec::new()));
        }
        assert_eq!(counted(&restarted), [("refused_former_life", 2)]);
        assert_eq!(counted(&without_disk), [("refused_forged", 2)]);
        // A recorded hello is answered, to the incarnation that sent it, which waits for nothing.
        let answer = receive(&mut restarted, 1, &hello).unwrap_err();
        assert_eq!(receive(&mut one, 2, &answer), Err(Vec::new()));
        assert_eq!(
            receive(&mut member(1, 11, Some(10)), 2, &answer),
            Err(Vec::new()),
            "nor does a later one take it"
        );
        assert_eq!(receive(&mut restarted, 1, &hello), Err(Vec::new()), "once");
    }

    /// What was sent to a former incarnation of this same process is taken once.
    #[test]
    fn a_former_incarnation_of_this_process_is_remembered() {
        let (mut one, mut other) = (member(1, 10, None), member(2, 20, None));
        let news = [send(&mut one, 2, Some(20), b"news"), send(&mut one, 2, Some(20), b"late")];
        assert_eq!(receive(&mut other, 1, &news[0]).unwrap(), b"news");
        other.begin(Incarnation(21));
        assert_eq!(receive(&mut other, 1, &news[0]), Err(Vec::new()));
        assert_eq!(receive(&mut other, 1, &news[1]).unwrap(), b"late");
        assert_eq!(receive(&mut other, 1, &news[1]), Err(Vec::new()));
    }

    #[test]
    fn a_sender_is_answered_whatever_the_list_has() {
        for listed in [None, Some(5), Some(20), Some(30)] {
            let (mut one, mut other) = (member(1, 10, None), member(2, 20, None));
            let heartbeat = send(&mut other, 1, Some(10), b"heartbeat");
            assert_eq!(receive(&mut one, 2, &heartbeat).unwrap(), b"heartbeat");
            one.note_sender(address(2), Incarnation(20), listed.map(Incarnation));
            let answer = send(&mut one, 2, listed, b"answer");
            assert_eq!(receive(&mut other, 1, &answer).unwrap(), b"answer");
        }
    }

    #[test]
    fn a_hundred_hellos_a_second_are_answered() {
        let (mut allowance, start) = (HelloAllowance::default(), Instant::now());
        let answered =
            |allowance: &mut HelloAllowance, at| (0..1_000).filter(|_| allowance.take(at)).count();
        assert_eq!(answered(&mut allowance, start), 100);
        assert_eq!(answered(&mut allowance, start + Duration::from_millis(999)), 0);
        assert_eq!(answered(&mut allowance, start + Duration::from_secs(1)), 100);
    }
}
