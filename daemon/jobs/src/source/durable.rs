//! What is durable of the files of a source: for people, and for the host. Owns no state.

use super::route::Route;
use super::{Acknowledged, Source};
use crate::ids::{FileKey, Now, Partition};
use crate::status::Lag;

impl Source {
    /// How far the files are. None before all is known.
    pub(crate) fn lag(&self, now: Now) -> Option<Lag> {
        self.looked_ms.filter(|_| self.all_heard)?;
        let mut lag = Lag::default();
        for (key, file) in &self.files {
            let durable = self.released(*key).max(file.seen.lost_below);
            if durable >= file.seen.end {
                continue;
            }
            lag.bytes += file.seen.end - durable;
            let since_ms = file.written_after_ms(durable).unwrap_or(now.wall_ms);
            let ms = now.wall_ms.saturating_sub(since_ms);
            lag.ms = lag.ms.max(u64::try_from(ms).unwrap_or(0));
        }
        Some(lag)
    }

    /// For each partition: its epoch, and by file what it has acknowledged.
    pub(crate) fn acknowledged(&self) -> Acknowledged {
        let of_route = |(part, route): (u16, &Route)| {
            let places = route.places.iter();
            let places = places.filter_map(|(key, place)| Some((*key, place.durable?)));
            (Partition(part), route.epoch, places.collect())
        };
        (0..).zip(&self.routes).map(of_route).collect()
    }

    /// Bytes of a file that no partition will ask for again. The host may let them go.
    pub(crate) fn released(&self, key: FileKey) -> u64 {
        let of_route = |route: &Route| route.places.get(&key).and_then(|place| place.durable);
        let least = self.routes.iter().map(|route| of_route(route).unwrap_or(0)).min();
        let known = self.files.get(&key).map_or(0, |file| file.released);
        least.unwrap_or(0).max(known)
    }
}
