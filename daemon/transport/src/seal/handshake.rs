//! The handshake of a sealed connection: pattern NNpsk0 of the Noise Protocol Framework (revision
//! 34), by the crate `snow`. Owns nothing: what it agrees on is the [`Session`].
//!
//! ```text
//! initiator                                            responder
//!   | -- 0x01, key id (4), Noise message 1 (48) --------> |   psk, e
//!   | <-- 0x01, Noise message 2 (48) -------------------- |   e, ee
//!   | <== records, see record.rs =======================> |
//! ```
//!
//! Neither side has a key of its own: whoever holds the group's key is a member. The connection's
//! key is made of two fresh Diffie-Hellman keys. So a recording stays secret even when the group's
//! key becomes known later. With `psk0` the first message proves that its sender holds the key; a
//! stranger is turned away before anything is computed for it. The first message may be a
//! recording, so it has no request in it; records cannot be one. So the initiator is known to be a
//! member when its first record opens, and not before.
//!
//! A responder that turns a caller away sends an [`Alert`], which is not sealed.

use super::SEALED;
use super::address::address_bytes;
use super::alert::Alert;
use super::keyring::{SealingKey, SealingKeys};
use super::record::read_record;
use super::refusal::SealRefusal;
use memberd_control::keyring::KeyId;
use snow::{Builder, HandshakeState, TransportState};
use std::io;
use std::net::SocketAddr;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

const PATTERN: &str = "Noise_NNpsk0_25519_ChaChaPoly_BLAKE2s";

/// Bytes of either Noise message: a public key and a tag.
const MESSAGE: usize = 48;

/// Bytes before the first Noise message: [`SEALED`], and the key's id.
const HEAD: usize = 5;

/// Bytes of all that the initiator sends first.
const FIRST_MESSAGE: usize = HEAD + MESSAGE;

/// Why there is no sealed connection.
#[derive(Debug, thiserror::Error)]
pub enum HandshakeError {
    /// The other side is not a member.
    #[error("refused: {0}")]
    Refused(#[from] SealRefusal),
    /// The connection broke, or the kernel gave no random numbers.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// A connection whose both sides hold the same key.
#[derive(Debug)]
pub struct Session {
    /// The cipher of its records.
    pub noise: TransportState,
    /// The group's key that both sides used.
    pub key: KeyId,
    /// The content of the initiator's first record; empty at the initiator itself.
    pub first_record: Vec<u8>,
}

/// Begins a connection to the member at `responder`, with the first key of the keyring.
///
/// # Errors
/// When the other side turns this one away (the error is its [`Alert`]) or is not a member, and
/// when the connection breaks.
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
    let mut first_message = [0; FIRST_MESSAGE];
    let (head, message) = first_message.split_at_mut(HEAD);
    head.copy_from_slice(&head_bytes(key.id));
    noise.write_message(&[], message).map_err(noise_error)?;
    stream.write_all(&first_message).await?;
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
        first_record: Vec::new(),
    })
}

/// Answers whoever begins a connection to this member, whose address is `own`. Returns when the
/// other side's first record, which cannot be a recording, was opened.
///
/// # Errors
/// When the other side is not a member, and when the connection breaks.
pub async fn respond<S>(
    stream: &mut S,
    keys: &SealingKeys,
    own: SocketAddr,
) -> Result<Session, HandshakeError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut session = answer(stream, keys, own).await?;
    session.first_record =
        read_record(stream, &mut session.noise).await.map_err(|error| match error.kind() {
            io::ErrorKind::InvalidData => SealRefusal::Forged.into(),
            _ => HandshakeError::Io(error),
        })?;
    Ok(session)
}

/// Answers an initiator whose first message is right, but may be a recording.
pub(super) async fn answer<S>(
    stream: &mut S,
    keys: &SealingKeys,
    own: SocketAddr,
) -> Result<Session, HandshakeError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut first_message = [0; FIRST_MESSAGE];
    stream.read_exact(&mut first_message).await?;
    let (mut noise, key) = read_first_message(&first_message, keys, own)?;
    let mut answer = [SEALED; 1 + MESSAGE];
    let (_, message) = answer.split_at_mut(1);
    noise.write_message(&[], message).map_err(noise_error)?;
    stream.write_all(&answer).await?;
    stream.flush().await?;
    Ok(Session {
        noise: noise.into_transport_mode().map_err(noise_error)?,
        key,
        first_record: Vec::new(),
    })
}

/// Reads the first message at the responder.
fn read_first_message(
    first_message: &[u8; FIRST_MESSAGE],
    keys: &SealingKeys,
    own: SocketAddr,
) -> Result<(HandshakeState, KeyId), HandshakeError> {
    let [SEALED, k0, k1, k2, k3, message @ ..] = first_message else {
        return Err(SealRefusal::Plain.into());
    };
    let id = KeyId([*k0, *k1, *k2, *k3]);
    let key = keys.find(id).ok_or(SealRefusal::UnknownKey(id))?;
    let mut noise = state(Side::Responder, key, own)?;
    noise.read_message(message, &mut []).map_err(|_| SealRefusal::Forged)?;
    Ok((noise, id))
}

fn head_bytes(id: KeyId) -> [u8; HEAD] {
    let [k0, k1, k2, k3] = id.0;
    [SEALED, k0, k1, k2, k3]
}

/// Both sides begin with the same key and prologue. The prologue has the bytes sent before and the
/// responder's address, so that nobody can lead a connection to another member.
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

/// The side that begins, and the side that answers.
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

    /// Both ends of a handshake with these keyrings; the initiator calls this address.
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
            assert!(near.is_ok() && far.first_record == b"request", "{ours} {theirs}");
            assert_eq!(far.key, keys(ours).first().id);
        }
    }

    /// A caller with another key, or who means another member, is turned away and learns why.
    #[tokio::test]
    async fn a_wrong_key_or_address_is_refused_with_the_reason() {
        let (near, far) = shake("a", "bc", OWN).await;
        assert!(near.err().unwrap().to_string().contains("does not have the key"));
        assert!(matches!(far, Err(HandshakeError::Refused(SealRefusal::UnknownKey(_)))));

        let (near, far) = shake("a", "a", "127.0.0.2:8946").await;
        assert!(near.err().unwrap().to_string().contains("could not open"));
        assert!(matches!(far, Err(HandshakeError::Refused(SealRefusal::Forged))));
    }

    /// An initiator's first message.
    async fn first_message() -> Vec<u8> {
        let (mut near, mut far) = duplex(1_024);
        let mut bytes = vec![0; FIRST_MESSAGE];
        let ours = keys("a");
        tokio::select! {
            _ = initiate(&mut near, &ours, OWN.parse().unwrap()) => panic!("nobody answered"),
            read = far.read_exact(&mut bytes) => read.unwrap(),
        };
        bytes
    }

    /// What a responder makes of this first message, and of what follows.
    async fn answer_to(first: &[u8], then: &[u8]) -> Result<Session, HandshakeError> {
        let (mut near, mut far) = duplex(1_024);
        near.write_all(&[first, then].concat()).await.unwrap();
        near.shutdown().await.unwrap();
        respond(&mut far, &keys("a"), OWN.parse().unwrap()).await
    }

    #[tokio::test]
    async fn every_flipped_bit_of_the_first_message_is_refused() {
        let first = first_message().await;
        for bit in 0..first.len() * 8 {
            let mut forged = first.clone();
            forged[bit / 8] ^= 1 << (bit % 8);
            assert!(
                matches!(answer_to(&forged, &[]).await, Err(HandshakeError::Refused(_))),
                "bit {bit}"
            );
        }
    }

    #[tokio::test]
    async fn a_recorded_first_message_leads_to_no_request() {
        let first = first_message().await;
        // Whoever recorded it can begin again, but cannot seal a record.
        for forged in [&[&[0, 20][..], &[7; 20]].concat()[..], &[0, 0], &[0xff; 2]] {
            assert!(
                matches!(
                    answer_to(&first, forged).await,
                    Err(HandshakeError::Refused(SealRefusal::Forged))
                ),
                "{forged:?}"
            );
        }
        for broken in [&[][..], &[0], &[0, 20, 7]] {
            assert!(
                matches!(answer_to(&first, broken).await, Err(HandshakeError::Io(_))),
                "{broken:?}"
            );
        }
    }
}
