//! How a sealed connection begins: Noise's pattern NNpsk0 (the Noise Protocol Framework, revision
//! 34), by the crate `snow`.
//!
//! ```text
//! initiator                                            responder
//!   | -- 0x01, key id (4), Noise message 1 (48) --------> |   psk, e
//!   | <-- 0x01, Noise message 2 (48) -------------------- |   e, ee
//!   | <== records, see stream ==========================> |
//! ```
//!
//! Neither side has a key of its own: who holds the group's key is a member. Two fresh
//! Diffie-Hellman keys make the connection's, so that what was recorded stays secret when the
//! group's key becomes known later. `psk0` has the first message say that its sender holds the key,
//! so a stranger is turned away before anything is reckoned for it. No request is in it, since the
//! first message could be one that was recorded; the records cannot. So the initiator is known for
//! a member when its first record is opened, and not before.
//!
//! A responder that turns somebody away says why in four bytes, an [`Alert`]. It is not sealed, and
//! only for people to read.

use super::SEALED;
use super::datagram::address_bytes;
use super::keyring::{SealingKey, SealingKeys};
use super::refusal::Refusal;
use super::stream::read_record;
use memberd_control::keyring::KeyId;
use snow::{Builder, HandshakeState, TransportState};
use std::fmt;
use std::io;
use std::net::SocketAddr;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

const PATTERN: &str = "Noise_NNpsk0_25519_ChaChaPoly_BLAKE2s";

/// Bytes of either Noise message: a public key and a tag.
const MESSAGE: usize = 48;

/// Bytes of the first message: [`SEALED`], the key's id, and Noise's.
const HELLO: usize = 5 + MESSAGE;

/// What a responder says to one that it turns away. As the length of a frame, which one that speaks
/// in the clear takes it for, it is longer than any.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Alert {
    /// Speak sealed.
    NotSealed,
    /// The key is not in my keyring.
    UnknownKey,
    /// That was not sealed with the key it names, or not for me.
    Forged,
    /// I have no key.
    NoKey,
    /// Sealing does not come into it: the request is of a version that is not mine.
    Version,
}

impl Alert {
    const ALL: [(u8, Alert); 5] = [
        (2, Alert::NotSealed),
        (3, Alert::UnknownKey),
        (4, Alert::Forged),
        (5, Alert::NoKey),
        (6, Alert::Version),
    ];

    /// As bytes.
    pub fn to_bytes(self) -> [u8; 4] {
        let code = Self::ALL.iter().find(|(_, alert)| *alert == self).map_or(0, |(code, _)| *code);
        [code, 0, 0, 0]
    }

    /// The alert that begins with this byte.
    pub fn from_first_byte(byte: u8) -> Option<Self> {
        Self::ALL.iter().find(|(code, _)| *code == byte).map(|(_, alert)| *alert)
    }
}

impl fmt::Display for Alert {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str(match self {
            Alert::NotSealed => {
                "it takes only what is sealed with the group's key: set \
            security.key_file here"
            }
            Alert::UnknownKey => {
                "it does not have the key that is first in this keyring: compare \
            memberctl key list"
            }
            Alert::Forged => {
                "it could not open what this daemon sealed: is this its address as \
            the members know it?"
            }
            Alert::NoKey => "it has no key and speaks in the clear: set security.key_file there",
            Alert::Version => {
                "it speaks another version of the protocol: upgrade the older, one \
            version at a time"
            }
        })
    }
}

impl From<Refusal> for Alert {
    /// What is said to one that is turned away for this.
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Plain => Alert::NotSealed,
            Refusal::Sealed => Alert::NoKey,
            Refusal::UnknownKey(_) => Alert::UnknownKey,
            Refusal::Forged
            | Refusal::FormerLife
            | Refusal::Replayed
            | Refusal::Broken
            | Refusal::Late => Alert::Forged,
        }
    }
}

impl From<Alert> for io::Error {
    fn from(alert: Alert) -> Self {
        io::Error::new(io::ErrorKind::PermissionDenied, alert.to_string())
    }
}

/// Why there is no sealed connection.
#[derive(Debug, thiserror::Error)]
pub enum HandshakeError {
    /// The other side is no member.
    #[error("refused: {0}")]
    Refused(#[from] Refusal),
    /// The connection broke, or the kernel gave no random numbers.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// A connection whose both sides hold the same key.
#[derive(Debug)]
pub struct Session {
    /// What it is sealed with.
    pub noise: TransportState,
    /// The key of the group that it was opened with.
    pub key: KeyId,
    /// What was in the first record of the initiator; empty at the initiator itself.
    pub first: Vec<u8>,
}

/// Begins a connection to the member at `responder`, with the first key.
///
/// # Errors
/// When the other side turns this one away (with its [`Alert`] in words), is no member, or the
/// connection breaks.
pub async fn initiate<S>(
    stream: &mut S,
    keys: &SealingKeys,
    responder: SocketAddr,
) -> io::Result<Session>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let key = keys.first();
    let mut noise = state(Side::Initiator, key, responder)?;
    let mut hello = [0; HELLO];
    let (head, message) = hello.split_at_mut(HELLO - MESSAGE);
    head.copy_from_slice(&head_bytes(key.id));
    noise.write_message(&[], message).map_err(noise_error)?;
    stream.write_all(&hello).await?;
    stream.flush().await?;

    let first = stream.read_u8().await?;
    if first != SEALED {
        return Err(Alert::from_first_byte(first)
            .map_or_else(|| noise_error(snow::Error::Decrypt), io::Error::from));
    }
    let mut message = [0; MESSAGE];
    stream.read_exact(&mut message).await?;
    noise.read_message(&message, &mut []).map_err(noise_error)?;
    Ok(Session {
        noise: noise.into_transport_mode().map_err(noise_error)?,
        key: key.id,
        first: Vec::new(),
    })
}

/// Answers whoever begins a connection to this member, at `own`, if it holds a key; returns when it
/// has said something that nobody could have recorded.
///
/// # Errors
/// When the other side is no member; and when the connection breaks.
pub async fn respond<S>(
    stream: &mut S,
    keys: &SealingKeys,
    own: SocketAddr,
) -> Result<Session, HandshakeError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut session = answer(stream, keys, own).await?;
    session.first =
        read_record(stream, &mut session.noise).await.map_err(|error| match error.kind() {
            io::ErrorKind::InvalidData => Refusal::Forged.into(),
            _ => HandshakeError::Io(error),
        })?;
    Ok(session)
}

/// Answers an initiator whose first message is good, but may be one that was recorded.
pub(super) async fn answer<S>(
    stream: &mut S,
    keys: &SealingKeys,
    own: SocketAddr,
) -> Result<Session, HandshakeError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut hello = [0; HELLO];
    stream.read_exact(&mut hello).await?;
    let (mut noise, key) = take(&hello, keys, own)?;
    let mut answer = [SEALED; 1 + MESSAGE];
    let (_, message) = answer.split_at_mut(1);
    noise.write_message(&[], message).map_err(noise_error)?;
    stream.write_all(&answer).await?;
    stream.flush().await?;
    Ok(Session { noise: noise.into_transport_mode().map_err(noise_error)?, key, first: Vec::new() })
}

/// The first message, as the responder takes it.
fn take(
    hello: &[u8; HELLO],
    keys: &SealingKeys,
    own: SocketAddr,
) -> Result<(HandshakeState, KeyId), HandshakeError> {
    let [SEALED, k0, k1, k2, k3, message @ ..] = hello else { return Err(Refusal::Plain.into()) };
    let id = KeyId([*k0, *k1, *k2, *k3]);
    let key = keys.find(id).ok_or(Refusal::UnknownKey(id))?;
    let mut noise = state(Side::Responder, key, own)?;
    noise.read_message(message, &mut []).map_err(|_| Refusal::Forged)?;
    Ok((noise, id))
}

fn head_bytes(id: KeyId) -> [u8; HELLO - MESSAGE] {
    let [k0, k1, k2, k3] = id.0;
    [SEALED, k0, k1, k2, k3]
}

/// Both sides begin with the same: the key, and a prologue of what was said before and of the
/// responder's address, so that nobody can lead a connection that is meant for one member to
/// another.
fn state(side: Side, key: &SealingKey, responder: SocketAddr) -> io::Result<HandshakeState> {
    let prologue = [&b"memberd 1"[..], &head_bytes(key.id), &address_bytes(responder)].concat();
    let builder = Builder::new(PATTERN.parse().map_err(noise_error)?);
    let builder = builder
        .psk(0, &key.streams)
        .and_then(|builder| builder.prologue(&prologue))
        .map_err(noise_error)?;
    let state = match side {
        Side::Initiator => builder.build_initiator(),
        Side::Responder => builder.build_responder(),
    };
    state.map_err(noise_error)
}

/// Who begins, and who answers.
#[derive(Debug, Clone, Copy)]
enum Side {
    Initiator,
    Responder,
}

fn noise_error(error: snow::Error) -> io::Error {
    match error {
        snow::Error::Decrypt => io::Error::new(
            io::ErrorKind::InvalidData,
            "what came back was not sealed with the group's key",
        ),
        error => io::Error::other(format!("cannot seal the connection: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seal::stream::SealedStream;
    use crate::seal::tests::keys;
    use tokio::io::{DuplexStream, duplex};

    const OWN: &str = "127.0.0.1:8946";

    /// Both ends of what a handshake of these keyrings comes to, the initiator calling this
    /// address.
    async fn shake(
        ours: &str,
        theirs: &str,
        to: &str,
    ) -> (io::Result<SealedStream<DuplexStream>>, Result<Session, HandshakeError>) {
        let (mut near, mut far) = duplex(1_024);
        let (ours, theirs) = (keys(ours), keys(theirs));
        let (to, own) = (to.parse().unwrap(), OWN.parse().unwrap());
        let begin = async {
            let session = initiate(&mut near, &ours, to).await?;
            let mut stream = SealedStream::new(near, session);
            stream.write_all(b"request").await?;
            stream.flush().await?;
            Ok(stream)
        };
        tokio::join!(begin, async {
            let answered = respond(&mut far, &theirs, own).await;
            if let Err(HandshakeError::Refused(refusal)) = answered {
                far.write_all(&Alert::from(refusal).to_bytes()).await.unwrap();
            }
            drop(far);
            answered
        })
    }

    #[tokio::test]
    async fn any_key_of_the_responders_keyring_is_accepted() {
        for (ours, theirs) in [("a", "a"), ("a", "ba"), ("bc", "cb")] {
            let (near, far) = shake(ours, theirs, OWN).await;
            let far = far.unwrap();
            assert!(near.is_ok() && far.first == b"request", "{ours} {theirs}");
            assert_eq!(far.key, keys(ours).first().id);
        }
    }

    #[tokio::test]
    async fn who_has_another_key_or_means_another_member_is_turned_away_and_told_why() {
        let (near, far) = shake("a", "bc", OWN).await;
        assert!(near.err().unwrap().to_string().contains("does not have the key"));
        assert!(matches!(far, Err(HandshakeError::Refused(Refusal::UnknownKey(_)))));

        let (near, far) = shake("a", "a", "127.0.0.2:8946").await;
        assert!(near.err().unwrap().to_string().contains("could not open"));
        assert!(matches!(far, Err(HandshakeError::Refused(Refusal::Forged))));
    }

    /// What an initiator says first.
    async fn hello() -> Vec<u8> {
        let (mut near, mut far) = duplex(1_024);
        let mut bytes = vec![0; HELLO];
        let ours = keys("a");
        tokio::select! {
            _ = initiate(&mut near, &ours, OWN.parse().unwrap()) => panic!("nobody answered"),
            read = far.read_exact(&mut bytes) => read.unwrap(),
        };
        bytes
    }

    /// How a responder takes this hello, and what follows.
    async fn hear(hello: &[u8], then: &[u8]) -> Result<Session, HandshakeError> {
        let (mut near, mut far) = duplex(1_024);
        near.write_all(&[hello, then].concat()).await.unwrap();
        near.shutdown().await.unwrap();
        respond(&mut far, &keys("a"), OWN.parse().unwrap()).await
    }

    #[tokio::test]
    async fn every_flipped_bit_of_the_first_message_is_refused() {
        let hello = hello().await;
        for bit in 0..hello.len() * 8 {
            let mut forged = hello.clone();
            forged[bit / 8] ^= 1 << (bit % 8);
            assert!(
                matches!(hear(&forged, &[]).await, Err(HandshakeError::Refused(_))),
                "bit {bit}"
            );
        }
    }

    #[tokio::test]
    async fn a_recorded_beginning_comes_to_no_request() {
        let hello = hello().await;
        // Who recorded it can begin again, but cannot say anything that is believed.
        for forged in [&[&[0, 20][..], &[7; 20]].concat()[..], &[0, 0], &[0xff; 2]] {
            assert!(
                matches!(hear(&hello, forged).await, Err(HandshakeError::Refused(Refusal::Forged))),
                "{forged:?}"
            );
        }
        for broken in [&[][..], &[0], &[0, 20, 7]] {
            assert!(matches!(hear(&hello, broken).await, Err(HandshakeError::Io(_))), "{broken:?}");
        }
    }

    #[test]
    fn an_alert_is_no_length_of_a_frame_and_nothing_that_is_sealed() {
        for (code, alert) in Alert::ALL {
            assert_eq!(Alert::from_first_byte(alert.to_bytes()[0]), Some(alert));
            assert!(u32::from_be_bytes(alert.to_bytes()) > 16 << 20 && code != SEALED);
        }
    }
}
