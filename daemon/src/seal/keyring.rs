//! What is derived from the group's keys: for each key a secret for datagrams and one for connections, so that none serves two ends.

use memberd_control::keyring::{GroupKey, KEY_LENGTH, KeyId, Keyring};
use std::fmt;
use zeroize::Zeroizing;

/// The secrets of one group key, wiped when dropped.
pub struct SealingKey {
    /// What the key is called in public.
    pub id: KeyId,
    /// From this the key of each life of each sender of datagrams is derived.
    pub(super) datagrams: Zeroizing<[u8; KEY_LENGTH]>,
    /// The pre-shared key of connections.
    pub(super) streams: Zeroizing<[u8; KEY_LENGTH]>,
}

impl From<&GroupKey> for SealingKey {
    fn from(key: &GroupKey) -> Self {
        SealingKey { id: key.id(), datagrams: key.derive("memberd datagrams 1"), streams: key.derive("memberd streams 1") }
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
