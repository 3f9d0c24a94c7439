//! The forms of values that have none of their own: identities and bytes. It owns no state.

use crate::view::{Lineage, Term, ViewHash, ViewNumber, VoterId};
pub(crate) use memberd_membership::wire::bounded;
use memberd_membership::{Identity, Incarnation, Name};
use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Exactly this number of bytes.
struct Bytes<const N: usize>([u8; N]);

impl<const N: usize> Serialize for Bytes<N> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de, const N: usize> Deserialize<'de> for Bytes<N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Exactly<const N: usize>;
        impl<const N: usize> Visitor<'_> for Exactly<N> {
            type Value = Bytes<N>;
            fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
                write!(formatter, "{N} bytes")
            }
            fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Bytes<N>, E> {
                bytes.try_into().map(Bytes).map_err(|_| E::invalid_length(bytes.len(), &self))
            }
        }
        deserializer.deserialize_bytes(Exactly)
    }
}

impl Serialize for Lineage {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (Bytes(self.founding), self.recoveries, Bytes(self.recovery)).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Lineage {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (Bytes(founding), recoveries, Bytes(recovery)) =
            Deserialize::deserialize(deserializer)?;
        Ok(Lineage { founding, recoveries, recovery })
    }
}

impl Serialize for VoterId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Bytes(self.0.to_be_bytes()).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for VoterId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Bytes(bytes) = Deserialize::deserialize(deserializer)?;
        Ok(VoterId(u128::from_be_bytes(bytes)))
    }
}

impl Serialize for ViewHash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Bytes(self.0).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for ViewHash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Bytes(bytes) = Deserialize::deserialize(deserializer)?;
        Ok(ViewHash(bytes))
    }
}

impl Serialize for Term {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Term {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let term = Term(Deserialize::deserialize(deserializer)?);
        if term <= Term::MAX { Ok(term) } else { Err(D::Error::custom("a term out of bounds")) }
    }
}

impl Serialize for ViewNumber {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for ViewNumber {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = ViewNumber(Deserialize::deserialize(deserializer)?);
        let fits = number <= ViewNumber::MAX;
        if fits { Ok(number) } else { Err(D::Error::custom("a number out of bounds")) }
    }
}

/// An identity as an array of name, address and incarnation.
struct Form(Identity);

struct FormOf<'a>(&'a Identity);

impl Serialize for FormOf<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Identity { name, address, incarnation } = self.0;
        let port = address.port();
        match address.ip() {
            IpAddr::V4(ip) => {
                (name.as_str(), Bytes(ip.octets()), port, incarnation.0).serialize(serializer)
            }
            IpAddr::V6(ip) => {
                (name.as_str(), Bytes(ip.octets()), port, incarnation.0).serialize(serializer)
            }
        }
    }
}

struct Ip(IpAddr);

impl<'de> Deserialize<'de> for Ip {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Octets;
        impl Visitor<'_> for Octets {
            type Value = Ip;
            fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
                formatter.write_str("4 or 16 bytes")
            }
            fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Ip, E> {
                if let Ok(v4) = <[u8; 4]>::try_from(bytes) {
                    Ok(Ip(Ipv4Addr::from(v4).into()))
                } else if let Ok(v6) = <[u8; 16]>::try_from(bytes) {
                    Ok(Ip(Ipv6Addr::from(v6).into()))
                } else {
                    Err(E::invalid_length(bytes.len(), &self))
                }
            }
        }
        deserializer.deserialize_bytes(Octets)
    }
}

impl<'de> Deserialize<'de> for Form {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (name, Ip(ip), port, incarnation): (Name, Ip, u16, u64) =
            Deserialize::deserialize(deserializer)?;
        let address = SocketAddr::new(ip, port);
        Ok(Form(Identity { name, address, incarnation: Incarnation(incarnation) }))
    }
}

/// One identity.
pub(crate) mod identity {
    use super::{Deserialize, Deserializer, Form, FormOf, Identity, Serialize, Serializer};

    pub(crate) fn serialize<S: Serializer>(
        identity: &Identity,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        FormOf(identity).serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Identity, D::Error> {
        Form::deserialize(deserializer).map(|Form(identity)| identity)
    }
}

/// The members of a view.
pub(crate) mod members {
    use super::{Deserializer, Form, FormOf, Identity, Serializer, bounded};
    use crate::view::View;

    pub(crate) fn serialize<S: Serializer>(
        members: &[Identity],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(members.iter().map(FormOf))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<Identity>, D::Error> {
        let forms: Vec<Form> = bounded::<_, _, { View::MAX_MEMBERS }>(deserializer)?;
        Ok(forms.into_iter().map(|Form(identity)| identity).collect())
    }
}
