//! What is derived from the group's keys: for each key a secret for datagrams and one for
//! connections, so that none serves two ends.

use memberd_control::keyring::{GroupKey, KeyId, Keyring, Secret};
use std::fmt;

/// The secrets of one group key, wiped when dropped.
pub struct SealingKey {
    /// What the key is called in public.
    pub id: KeyId,
    /// From this the key of each life of each sender of datagrams is derived.
    pub(super) datagrams: Secret,
    /// The pre-shared key of connections.
    pub(super) streams: Secret,
}

impl From<&GroupKey> for SealingKey {
    fn from(key: &GroupKey) -> Self {
        SealingKey {
            id: key.id(),
            datagrams: key.derive("memberd datagrams 1"),
            streams: key.derive("memberd streams 1"),
        }
    }
}

impl fmt::Debug for SealingKey {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        write!(formatter, "SealingKey({})", self.id)
    }
}

/// The secrets of a keyring: the first key seals, all of them open.
#[derive(Debug)]
pub struct SealingKeys {
    first: SealingKey,
    others: Vec<SealingKey>,
}

impl SealingKeys {
    /// Derives them; none from a keyring without keys, which there is not.
    pub fn new(keyring: &Keyring) -> Option<Self> {
        let mut keys = keyring.keys().iter().map(SealingKey::from);
        Some(SealingKeys { first: keys.next()?, others: keys.collect() })
    }

    /// The one that seals.
    pub fn first(&self) -> &SealingKey {
        &self.first
    }

    /// The one of this name, if it is in the keyring.
    pub fn find(&self, id: KeyId) -> Option<&SealingKey> {
        self.all().find(|key| key.id == id)
    }

    /// All of them, the first one first.
    pub fn all(&self) -> impl Iterator<Item = &SealingKey> {
        std::iter::once(&self.first).chain(&self.others)
    }

    /// Their names in one line, the one that seals first.
    pub fn names(&self) -> String {
        let names: Vec<String> = self.all().map(|key| key.id.to_string()).collect();
        names.join(", ")
    }
}

#[cfg(test)]
mod tests {
    use chacha20poly1305::ChaCha20Poly1305;
    use zeroize::ZeroizeOnDrop;

    /// Holds of types that are wiped when dropped; else this does not compile.
    fn is_wiped<T: ZeroizeOnDrop>(_: &T) {}

    #[test]
    fn what_is_derived_from_a_key_is_wiped_when_dropped_and_so_is_the_cipher_that_uses_it() {
        let keys = super::super::tests::keys("a");
        is_wiped(&*keys.first().datagrams);
        is_wiped(&*keys.first().streams);
        let cipher: Option<ChaCha20Poly1305> = None;
        cipher.iter().for_each(is_wiped);
    }
}
