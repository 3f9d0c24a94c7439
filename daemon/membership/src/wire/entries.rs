//! Decodes the updates of a list piece by piece, and stops where no list goes on. It owns no state.

use crate::list::{MAX_ENTRIES, Update};
use serde::Deserializer;
use serde::de::{Error as _, SeqAccess, Visitor};
use std::fmt;

/// For how many updates memory is taken before any has come.
const RESERVED: usize = 1_024;

/// The updates of a list. No list has more than [`MAX_ENTRIES`], so more are malformed, and are not
/// read.
pub(super) fn bounded<'de, D: Deserializer<'de>>(list: D) -> Result<Vec<Update>, D::Error> {
    struct Entries;
    impl<'de> Visitor<'de> for Entries {
        type Value = Vec<Update>;
        fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
            write!(formatter, "up to {MAX_ENTRIES} updates")
        }
        fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<Vec<Update>, A::Error> {
            let announced = entries.size_hint().unwrap_or(0);
            let mut list = Vec::with_capacity(announced.min(RESERVED));
            if announced > MAX_ENTRIES {
                return Err(A::Error::custom("no list has so many entries"));
            }
            while let Some(update) = entries.next_element()? {
                if list.len() >= MAX_ENTRIES {
                    return Err(A::Error::custom("no list has so many entries"));
                }
                list.push(update);
            }
            Ok(list)
        }
    }
    list.deserialize_seq(Entries)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::update;
    use crate::wire::{CallReply, CallRequest, DecodeError, decode_versioned, encode_versioned};

    /// Also one that does not say its length beforehand, and one that goes on behind the last entry
    /// that is read.
    #[test]
    fn a_list_longer_than_any_is_not_read() {
        for (count, fits) in [(MAX_ENTRIES, true), (MAX_ENTRIES + 1, false)] {
            let list = vec![update(1); count];
            let exchange = CallRequest::Exchange { sender: update(2), list: list.clone() };
            let bytes = encode_versioned(&exchange);
            assert_eq!(decode_versioned::<CallRequest>(&bytes).is_ok(), fits);
            let welcome = CallReply::Welcome { list: list.clone(), last: 0, forgotten: Vec::new() };
            for reply in [CallReply::List(list), welcome] {
                assert_eq!(decode_versioned::<CallReply>(&encode_versioned(&reply)).is_ok(), fits);
            }
        }
        let mut endless = encode_versioned(&CallReply::List(vec![update(1); MAX_ENTRIES + 1]));
        let length = [0x99, 0x4e, 0x21];
        let at = endless.windows(3).position(|bytes| bytes == length).unwrap();
        endless.splice(at..at + 3, [0x9f]);
        let refused = decode_versioned::<CallReply>(&endless);
        assert_eq!(refused, Err(DecodeError::Malformed));
    }
}
