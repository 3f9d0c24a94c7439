//! Encodes when members ended: what the updates of version 1 cannot say. It travels as an element
//! of its own behind the updates, which members of version 1 skip. It owns no state.

use crate::list::{MAX_ENTRIES, Update};
use crate::time::WallTime;
use serde::de::{Error as _, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

/// A message that may carry updates about members that are gone.
pub trait CarriesUpdates {
    /// Those updates, and others in their places.
    fn updates(&self) -> &[Update];

    /// The same, to add to them what is encoded behind them.
    fn updates_mut(&mut self) -> &mut [Update];
}

/// The known ends: the number of each update among those of the message, and the time.
#[derive(Debug, Default)]
pub(super) struct Ends(Vec<(usize, WallTime)>);

impl Ends {
    pub(super) fn of(updates: &[Update]) -> Self {
        let known = updates.iter().enumerate();
        Ends(known.filter_map(|(number, update)| Some((number, update.ended?))).collect())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes the next element, if there is one, and adds its times to the updates before it.
    pub(super) fn take<'de, A: SeqAccess<'de>>(
        elements: &mut A,
        updates: &mut [Update],
    ) -> Result<(), A::Error> {
        let Ends(ends) = elements.next_element()?.unwrap_or_default();
        for (number, time) in ends {
            let update = updates.get_mut(number);
            update.ok_or_else(|| A::Error::custom("an end is of no update"))?.ended = Some(time);
        }
        Ok(())
    }
}

impl Serialize for Ends {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(number, time)| (number, time.0)))
    }
}

impl<'de> Deserialize<'de> for Ends {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Map;
        impl<'de> Visitor<'de> for Map {
            type Value = Ends;
            fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
                formatter.write_str("the ends of members")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Ends, A::Error> {
                let mut ends: Vec<(usize, WallTime)> = Vec::new();
                while let Some((number, time)) = map.next_entry::<usize, u64>()? {
                    if ends.last().is_some_and(|(last, _)| *last >= number) {
                        return Err(A::Error::custom("ends are in the order of the updates"));
                    }
                    if ends.len() >= MAX_ENTRIES {
                        return Err(A::Error::custom("no list has so many entries"));
                    }
                    ends.push((number, WallTime(time)));
                }
                Ok(Ends(ends))
            }
        }
        deserializer.deserialize_map(Map)
    }
}
