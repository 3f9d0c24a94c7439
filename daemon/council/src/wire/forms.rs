//! The forms of values that have none of their own: names, identities and bytes. It owns no state.

use crate::view::{Lineage, Term, ViewHash, ViewNumber, VoterId};
use memberd_membership::{Identity, Incarnation, Name};
use serde::de::{Error, SeqAccess, Visitor};
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

/// A name as text. Reading it, membership's own rules hold.
pub(crate) mod name {
    use super::{Deserialize, Deserializer, Name, Serialize, Serializer};

    pub(crate) fn serialize<S: Serializer>(name: &Name, serializer: S) -> Result<S::Ok, S::Error> {
        name.as_str().serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Name, D::Error> {
        Name::deserialize(deserializer)
    }
}

/// A name as text, or none.
pub(crate) mod optional_name {
    use super::{Deserialize, Deserializer, Name, Serialize, Serializer};

    // Its signature is serde's.
    #[allow(clippy::ref_option)]
    pub(crate) fn serialize<S: Serializer>(
        name: &Option<Name>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        name.as_ref().map(Name::as_str).serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Name>, D::Error> {
        Option::<Name>::deserialize(deserializer)
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

/// Reads a list of at most `N` elements.
pub(crate) fn bounded<'de, T: Deserialize<'de>, D: Deserializer<'de>, const N: usize>(
    deserializer: D,
) -> Result<Vec<T>, D::Error> {
    struct AtMost<T, const N: usize>(std::marker::PhantomData<T>);
    impl<'de, T: Deserialize<'de>, const N: usize> Visitor<'de> for AtMost<T, N> {
        type Value = Vec<T>;
        fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
            write!(formatter, "at most {N} elements")
        }
        fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Vec<T>, A::Error> {
            let mut list = Vec::new();
            while let Some(element) = elements.next_element()? {
                if list.len() == N {
                    return Err(A::Error::invalid_length(N + 1, &self));
                }
                list.push(element);
            }
            Ok(list)
        }
    }
    deserializer.deserialize_seq(AtMost::<T, N>(std::marker::PhantomData))
}
