//! Who a member is: name, address and incarnation, and where it stands on the ring.

use crate::list::tags::VersionedTags;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

/// A machine's name: 1 to 64 letters, digits, `.`, `_` or `-`, not starting with `.` or `-`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(Arc<str>);

/// A name that cannot be one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is not a member name: 1 to 64 letters, digits, '.', '_' or '-', starting with a letter, \
    digit or '_'"
)]
pub struct NameError(String);

impl Name {
    /// The longest name, in bytes.
    pub const MAX_LENGTH: usize = 64;

    /// Checks a name.
    ///
    /// # Errors
    /// When it is empty, too long, or has a character that no host name has.
    pub fn new(name: &str) -> Result<Self, NameError> {
        let character = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        let fits = (1..=Self::MAX_LENGTH).contains(&name.len());
        if fits && name.bytes().all(character) && !name.starts_with(['.', '-']) {
            Ok(Name(name.into()))
        } else {
            Err(NameError(name.chars().take(80).collect()))
        }
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// One stay of a machine in the group: the millisecond timestamp of its join, always larger than
/// its last.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Incarnation(pub u64);

impl Incarnation {
    /// The largest that can be said in a datagram: its milliseconds since 1970 last until the year
    /// 10889.
    pub const MAX: Incarnation = Incarnation((1 << 48) - 1);

    /// As a datagram says it: six bytes, big endian. What is larger than [`Incarnation::MAX`] is
    /// said to be that.
    pub fn to_bytes(self) -> [u8; 6] {
        let [_, _, bytes @ ..] = self.min(Incarnation::MAX).0.to_be_bytes();
        bytes
    }

    /// What those six bytes say.
    pub fn from_bytes(bytes: [u8; 6]) -> Self {
        Incarnation(bytes.iter().fold(0, |incarnation, byte| incarnation << 8 | u64::from(*byte)))
    }
}

impl fmt::Display for Incarnation {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

impl fmt::Debug for Incarnation {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// A member, written `vm3@192.0.2.13:8946/1763688033123`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Identity {
    /// The machine.
    pub name: Name,
    /// Where the others reach it, over UDP and TCP.
    pub address: SocketAddr,
    /// Which of its stays in the group this is.
    pub incarnation: Incarnation,
}

impl fmt::Display for Identity {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        let Identity { name, address, incarnation } = self;
        write!(formatter, "{name}@{address}/{incarnation}")
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

/// Whether a member can have this address: one machine, and a port to which others can send. An
/// IPv4 address within IPv6 (RFC 4291 2.5.5.2) would be a second name for the same machine.
pub(crate) fn can_be_a_members(address: SocketAddr) -> bool {
    let one_machine = match address.ip() {
        IpAddr::V4(ip) => !ip.is_unspecified() && !ip.is_multicast() && !ip.is_broadcast(),
        IpAddr::V6(ip) => {
            !ip.is_unspecified() && !ip.is_multicast() && ip.to_ipv4_mapped().is_none()
        }
    };
    one_machine && address.port() != 0
}

/// A place on the ring: a hash of address and port, so that neighbours on the ring are not
/// neighbours in the rack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position(pub u64);

impl Position {
    /// Where a member with this address stands.
    pub fn of(address: SocketAddr) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key("memberd ring position 1");
        hash_address(&mut hasher, address);
        Position(u64::from_be_bytes(first_bytes(&hasher)))
    }

    /// Where a key stands, as the name of a file or of one of its blocks.
    pub fn of_key(key: &[u8]) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key("memberd ring key 1");
        hasher.update(key);
        Position(u64::from_be_bytes(first_bytes(&hasher)))
    }
}

impl Identity {
    /// A hash of all three parts and of the tags, equal on every machine; sums of it are list
    /// digests.
    pub fn fingerprint(&self, tags: &VersionedTags) -> u32 {
        let mut hasher = blake3::Hasher::new_derive_key("memberd member 1");
        hash_address(&mut hasher, self.address);
        hasher.update(&self.incarnation.0.to_be_bytes());
        hasher.update(self.name.as_str().as_bytes());
        if tags.version() > 0 {
            // No name has a zero byte, and lengths keep the texts separate.
            hasher.update(&[0]);
            hasher.update(&tags.version().to_be_bytes());
            for text in tags.iter().flat_map(|(key, value)| [key.as_str(), value.as_str()]) {
                hasher.update(&[u8::try_from(text.len()).unwrap_or(u8::MAX)]);
                hasher.update(text.as_bytes());
            }
        }
        u32::from_be_bytes(first_bytes(&hasher))
    }
}

fn hash_address(hasher: &mut blake3::Hasher, address: SocketAddr) {
    match address.ip() {
        IpAddr::V4(ip) => hasher.update(&ip.octets()),
        IpAddr::V6(ip) => hasher.update(&ip.octets()),
    };
    hasher.update(&address.port().to_be_bytes());
}

fn first_bytes<const N: usize>(hasher: &blake3::Hasher) -> [u8; N] {
    let mut bytes = [0; N];
    hasher.finalize_xof().fill(&mut bytes);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identity_is_written_as_documented() {
        let identity = Identity {
            name: Name::new("vm3").unwrap(),
            address: "192.0.2.13:8946".parse().unwrap(),
            incarnation: Incarnation(1_763_688_033_123),
        };
        assert_eq!(identity.to_string(), "vm3@192.0.2.13:8946/1763688033123");
    }

    #[test]
    fn an_incarnation_takes_six_bytes_until_the_year_10889() {
        for (incarnation, bytes) in [
            (0, [0; 6]),
            (1_763_688_033_123, [1, 0x9a, 0xa3, 0xff, 0xab, 0x63]),
            ((1 << 48) - 1, [255; 6]),
        ] {
            assert_eq!(Incarnation(incarnation).to_bytes(), bytes);
            assert_eq!(Incarnation::from_bytes(bytes), Incarnation(incarnation));
        }
        assert_eq!(Incarnation(u64::MAX).to_bytes(), Incarnation::MAX.to_bytes(), "not another's");
    }

    #[test]
    fn names_are_host_names() {
        for good in ["vm3", "a", "web-1.example.org", "_x", &"n".repeat(64)] {
            assert!(Name::new(good).is_ok(), "{good}");
        }
        for bad in ["", "-v", ".hidden", "a b", "a/b", "a\n", "ü", &"n".repeat(65)] {
            assert!(Name::new(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_position_of_a_key_never_changes() {
        assert_eq!(Position::of_key(b"shop.log"), Position(5_101_300_812_123_274_658));
        assert_ne!(Position::of_key(b""), Position::of_key(b"a"));
    }

    #[test]
    fn positions_depend_on_address_and_port_only_and_never_change() {
        let position = Position::of("192.0.2.13:8946".parse().unwrap());
        assert_eq!(
            position,
            Position(15_023_522_708_817_662_401),
            "a fleet of mixed versions shares one ring"
        );
    }
}
