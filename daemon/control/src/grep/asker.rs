//! Who asks for a search: a member, and one of its users.

use serde::{Deserialize, Deserializer, Serialize};
use std::borrow::Cow;

/// The longest name that is decoded, in characters. The rest of a longer one is dropped.
const MAX_NAME: usize = 64;

/// Who asks, as the asking member says. Any holder of the group's key can say anything.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GrepAsker {
    /// The name of the asking member.
    #[serde(deserialize_with = "name")]
    pub member: String,
    /// The user's name there. Absent if the member knows none for the number.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "some_name")]
    pub user: Option<String>,
    /// The user's number there (`SO_PEERCRED` of unix(7)).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<u32>,
}

fn name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let name = Cow::<str>::deserialize(deserializer)?;
    Ok(name.chars().take(MAX_NAME).collect())
}

fn some_name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    name(deserializer).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_name_is_cut() {
        let user = Some("\u{e9}".repeat(MAX_NAME + 1));
        let asker = GrepAsker { member: "x".repeat(1_000), user, uid: Some(1) };
        let mut bytes = Vec::new();
        ciborium::into_writer(&asker, &mut bytes).unwrap();
        let read: GrepAsker = ciborium::from_reader(bytes.as_slice()).unwrap();
        assert_eq!(read.member, "x".repeat(MAX_NAME));
        assert_eq!(read.user.unwrap(), "\u{e9}".repeat(MAX_NAME));
    }
}
