//! Lists of texts that are bounded while they are decoded, for `#[serde(deserialize_with)]`. An
//! empty text is one byte of CBOR, and 24 bytes in a list.

use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, SeqAccess, Visitor};
use std::fmt;
use std::marker::PhantomData;

/// At most `MOST` elements. More are an error.
pub(crate) fn at_most<'de, D, T, const MOST: usize>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    let list = deserializer.deserialize_seq(List::<T, MOST>(PhantomData))?;
    match list.len() {
        length if length > MOST => {
            Err(D::Error::custom(format_args!("a list of more than {MOST} elements")))
        }
        _ => Ok(list),
    }
}

/// At most `MOST` elements, and one more that shows that there were more. The owner of the list
/// refuses it in its own words.
pub(crate) fn cut_after<'de, D, T, const MOST: usize>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    deserializer.deserialize_seq(List::<T, MOST>(PhantomData))
}

/// Takes `MOST` elements and one more, and passes over the others.
struct List<T, const MOST: usize>(PhantomData<T>);

impl<'de, T: Deserialize<'de>, const MOST: usize> Visitor<'de> for List<T, MOST> {
    type Value = Vec<T>;

    fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Vec<T>, A::Error> {
        let mut list = Vec::new();
        while list.len() <= MOST
            && let Some(element) = elements.next_element()?
        {
            list.push(element);
        }
        if list.len() > MOST {
            while elements.next_element::<IgnoredAny>()?.is_some() {}
        }
        Ok(list)
    }
}
