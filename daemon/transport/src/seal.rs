//! Sealing: only those who hold one of the group's keys can read what members send, and only what
//! they send is believed.
//!
//! A [`DatagramSession`](session::DatagramSession) seals and opens datagrams ([`datagram`]) between
//! the UDP socket and the protocol. A datagram is sealed for one incarnation of its receiver
//! ([`incarnations`]), which takes it once ([`replay`]). Connections begin with a [`handshake`] and
//! go on as a [`stream`] of [`record`]s. [`refusal`] counts what is turned away. The bytes on the
//! wire, and why a nonce is never used twice, are in `daemon/membership/PROTOCOL.md`; what sealing
//! protects from is in `SECURITY.md` beside it.

mod address;
pub(crate) mod alert;
pub(crate) mod datagram;
pub(crate) mod handshake;
pub(crate) mod incarnations;
pub(crate) mod keyring;
pub(crate) mod pending_announces;
pub(crate) mod record;
pub(crate) mod refusal;
pub(crate) mod replay;
pub(crate) mod session;
pub(crate) mod stream;

use keyring::SealingKeys;
use memberd_control::keyring::KeyId;
use refusal::Refusals;
use std::sync::Arc;
use tokio::sync::watch;

/// The version of sealing, and the first byte of what is sealed. In the clear a datagram begins
/// with 0x80 to 0x9f, and a connection with 0.
pub const SEALED: u8 = 1;

/// The first byte of a datagram that says hello to whichever incarnation is at an address.
pub const HELLO: u8 = 2;

/// Whether and with which keys this daemon seals, and what it has refused. Cheap to clone: clones
/// share the keys and the counts.
#[derive(Debug, Clone)]
pub struct Seal {
    keys: Option<watch::Receiver<Arc<SealingKeys>>>,
    refusals: Arc<Refusals>,
}

impl Seal {
    /// Seals nothing: members talk in the clear.
    pub fn plain() -> Self {
        Seal { keys: None, refusals: Arc::default() }
    }

    /// Seals with these keys; the sender replaces them.
    pub fn with(keys: SealingKeys) -> (Self, watch::Sender<Arc<SealingKeys>>) {
        let (sender, receiver) = watch::channel(Arc::new(keys));
        (Seal { keys: Some(receiver), refusals: Arc::default() }, sender)
    }

    /// The present keys; none when members talk in the clear.
    pub fn keys(&self) -> Option<Arc<SealingKeys>> {
        self.keys.as_ref().map(|keys| Arc::clone(&keys.borrow()))
    }

    /// Resolves once this key has been removed from the keyring; it may never resolve.
    pub fn withdrawn(&self, key: KeyId) -> impl Future<Output = ()> + Send + use<> {
        let keys = self.keys.clone();
        async move {
            let ended = match keys {
                Some(mut keys) => keys.wait_for(|keys| keys.find(key).is_none()).await.is_err(),
                None => true,
            };
            // The daemon ends, and its keyring with it.
            if ended {
                std::future::pending::<()>().await;
            }
        }
    }

    /// Counts of what was turned away.
    pub fn refusals(&self) -> &Refusals {
        &self.refusals
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::keyring::SealingKeys;
    use memberd_control::keyring::Keyring;

    /// A keyring with one key for each hexadecimal digit: the digit repeated.
    pub(crate) fn keys(digits: &str) -> SealingKeys {
        let lines: Vec<String> = digits
            .chars()
            .map(|digit| format!("memberd-key:{}\n", digit.to_string().repeat(64)))
            .collect();
        SealingKeys::new(&Keyring::parse(&lines.concat()).unwrap()).unwrap()
    }
}
