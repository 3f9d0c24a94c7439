//! Sealing: what goes over the network is readable to, and believed from, only those who hold one
//! of the group's keys.
//!
//! Bytes are sealed and opened at the [`edge`] between socket and protocol: datagrams by
//! [`datagram`], for one life of their receiver ([`lives`]), which takes each once ([`replay`]);
//! connections by [`handshake`] and [`stream`]. [`refusal`] counts what is turned away. What it all
//! looks like on the wire, and why a nonce is never used twice, is in
//! `daemon/membership/PROTOCOL.md`; what it protects from, in `SECURITY.md` beside that.

pub mod datagram;
pub mod edge;
pub mod handshake;
pub mod keyring;
pub mod lives;
pub mod refusal;
pub mod replay;
pub mod stream;

use keyring::SealingKeys;
use memberd_control::keyring::KeyId;
use refusal::Refusals;
use std::sync::Arc;
use tokio::sync::watch;

/// The version of sealing, and the first byte of what is sealed. In the clear a datagram begins
/// with 0x80 to 0x9f, and a connection with 0.
pub const SEALED: u8 = 1;

/// The first byte of a datagram that greets whoever lives at an address.
pub const GREETING: u8 = 2;

/// How this daemon speaks to other members; cheap to clone.
#[derive(Debug, Clone)]
pub struct Seal {
    keys: Option<watch::Receiver<Arc<SealingKeys>>>,
    refusals: Arc<Refusals>,
}

impl Seal {
    /// In the clear.
    pub fn plain() -> Self {
        Seal { keys: None, refusals: Arc::default() }
    }

    /// Sealed, with keys that can be replaced through the sender.
    pub fn with(keys: SealingKeys) -> (Self, watch::Sender<Arc<SealingKeys>>) {
        let (sender, receiver) = watch::channel(Arc::new(keys));
        (Seal { keys: Some(receiver), refusals: Arc::default() }, sender)
    }

    /// The keys as they are now; none when it speaks in the clear.
    pub fn keys(&self) -> Option<Arc<SealingKeys>> {
        self.keys.as_ref().map(|keys| Arc::clone(&keys.borrow()))
    }

    /// Returns when this key is no longer in the keyring, be it never.
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

    /// What was turned away.
    pub fn refusals(&self) -> &Refusals {
        &self.refusals
    }
}

#[cfg(test)]
mod tests {
    use super::keyring::SealingKeys;
    use memberd_control::keyring::Keyring;

    /// A keyring of keys that are one hexadecimal digit throughout each.
    pub(super) fn keys(digits: &str) -> SealingKeys {
        let lines: Vec<String> = digits
            .chars()
            .map(|digit| format!("memberd-key:{}\n", digit.to_string().repeat(64)))
            .collect();
        SealingKeys::new(&Keyring::parse(&lines.concat()).unwrap()).unwrap()
    }
}
