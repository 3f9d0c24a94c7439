//! How names and incarnations are written: as text, and as a number. Owns no state.

/// Of a name.
pub(crate) mod name {
    use memberd_membership::Name;
    use serde::{Deserialize, Deserializer, Serializer, de};

    pub(crate) fn serialize<S: Serializer>(name: &Name, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(name.as_str())
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Name, D::Error> {
        Name::new(&String::deserialize(from)?).map_err(de::Error::custom)
    }
}

/// Of an incarnation.
pub(crate) mod incarnation {
    use memberd_membership::Incarnation;
    use serde::{Deserialize, Deserializer, Serializer};

    #[allow(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
    pub(crate) fn serialize<S: Serializer>(one: &Incarnation, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_u64(one.0)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Incarnation, D::Error> {
        Ok(Incarnation(u64::deserialize(from)?))
    }
}

/// Of values by name.
pub(crate) mod by_name {
    use memberd_membership::Name;
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
    use std::collections::BTreeMap;

    pub(crate) fn serialize<T: Serialize, S: Serializer>(
        values: &BTreeMap<Name, T>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        to.collect_map(values.iter().map(|(name, value)| (name.as_str(), value)))
    }

    pub(crate) fn deserialize<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
        from: D,
    ) -> Result<BTreeMap<Name, T>, D::Error> {
        let values = BTreeMap::<String, T>::deserialize(from)?;
        let named = |(name, value): (String, T)| Ok((Name::new(&name)?, value));
        let named: Result<_, memberd_membership::NameError> =
            values.into_iter().map(named).collect();
        named.map_err(de::Error::custom)
    }
}
