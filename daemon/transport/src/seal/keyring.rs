//! Owns the secrets that are derived from the group's keys: one for datagrams and one for
//! connections, so that no secret serves two purposes.

use memberd_control::keyring::{GroupKey, KeyId, Keyring, Secret};
use std::fmt;

/// The secrets of one group key, wiped when dropped.
pub struct SealingKey {
    /// The key's public name.
    pub id: KeyId,
    /// The key of each incarnation of each sender of datagrams is derived from this.
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
    /// Derives them. Returns none for a keyring without keys, which `Keyring` rules out.
    pub fn new(keyring: &Keyring) -> Option<Self> {
        let mut keys = keyring.keys().iter().map(SealingKey::from);
        Some(SealingKeys { first: keys.next()?, others: keys.collect() })
    }

    /// The key that seals.
    pub fn first(&self) -> &SealingKey {
        &self.first
    }

    /// The key with this name, if it is in the keyring.
    pub fn find(&self, id: KeyId) -> Option<&SealingKey> {
        self.all().find(|key| key.id == id)
    }

    /// All keys, the one that seals first.
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

    /// Compiles only for types that are wiped when dropped.
    fn is_wiped<T: ZeroizeOnDrop>(_: &T) {}

    /// All secrets derived from a key are wiped when dropped, and so is the cipher that uses them.
    #[test]
    fn derived_secrets_are_wiped_when_dropped() {
        let keys = crate::seal::tests::keys("a");
        is_wiped(&*keys.first().datagrams);
        is_wiped(&*keys.first().streams);
        let cipher: Option<ChaCha20Poly1305> = None;
        cipher.iter().for_each(is_wiped);
    }
}
