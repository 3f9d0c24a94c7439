//! What a source sends: sums of ranges, and what needs none: new files, ends, gaps, watermarks.

use super::{File, Source};
use crate::ids::{FileKey, Now, Partition};
use crate::message::{Delta, Frame, MAX_DELTAS, MAX_PARTS, MAX_TOLD, Message, bytes_of_parts};
use crate::output::{FoldRange, Folded, Output};
use crate::placement::partition_of;
use crate::record::GapReason;
use crate::settings::Mutant;
use crate::source::route::{Place, Route};
use crate::watermark::{of_quiet, of_range};
use std::collections::VecDeque;

impl Source {
    /// Whether the sums of a range do not fit into a delta. Then less of the file is read next, and
    /// later more again.
    pub(super) fn is_too_large(&mut self, range: &FoldRange, folded: &Folded) -> bool {
        let Some(file) = self.files.get_mut(&range.file) else { return false };
        let most = self.settings.delta_bytes;
        let bytes = folded.parts.values().map(|parts| bytes_of_parts(parts)).max().unwrap_or(0);
        let is_large = bytes > most || folded.parts.values().any(|parts| parts.len() > MAX_PARTS);
        let length = folded.to.saturating_sub(range.from);
        // Less than one line cannot be read.
        if !is_large || folded.to > range.to {
            file.range_bytes = file.range_bytes.saturating_mul(2);
            return false;
        }
        file.range_bytes = (length / 2).max(1);
        true
    }

    /// Makes a delta of the sums of a range for each partition that still waits for just that.
    pub(super) fn queue(&mut self, range: &FoldRange, folded: &Folded) {
        let (Some(file), Some(looked_ms)) = (self.files.get(&range.file), self.looked_ms) else {
            return;
        };
        let lateness_ms = self.job.spec.lateness_ms;
        let cap_ms = file.written_after_ms(folded.to).unwrap_or(looked_ms);
        let watermark = of_range(&self.settings, folded.newest, cap_ms, lateness_ms);
        // Of the lines in no group one partition is told, whichever it is.
        let told = partition_of(&range.file.0.to_le_bytes(), self.job.spec.partitions);
        for partition in &range.partitions {
            let Some(route) = self.routes.get_mut(usize::from(partition.0)) else { continue };
            let place = route.places.get(&range.file);
            let waits = place.is_some_and(|place| place.sent == range.from && !place.is_finished);
            if !route.is_heard || !waits || folded.to <= range.from {
                continue;
            }
            route.queued.push(Delta {
                file: range.file,
                start: file.start.unwrap_or(file.seen.first),
                from: range.from,
                to: folded.to,
                watermark,
                is_finished: file.seen.is_finished && folded.to >= file.seen.end,
                gap: None,
                uncounted: if *partition == told { folded.uncounted } else { 0 },
                parts: folded.parts.get(partition).cloned().unwrap_or_default(),
            });
        }
    }

    /// Makes deltas of what needs no sums.
    pub(super) fn queue_without_sums(&mut self, now: Now, speaks: bool) {
        let Some(looked_ms) = self.looked_ms else { return };
        let lateness_ms = self.job.spec.lateness_ms;
        let quiet = of_quiet(looked_ms, lateness_ms);
        for route in self.routes.iter_mut().filter(|route| route.is_heard) {
            for (key, file) in &self.files {
                let Some(start) = file.start else { continue };
                let is_quiet = file.quiet_since_ms + self.settings.quiet_ms <= now.boot_ms;
                let watermark = if is_quiet { quiet } else { i64::MIN };
                let delta = match route.places.get(key) {
                    None => {
                        // All in it was written since, or is late.
                        let since = file.since_ms.map(|since_ms| of_quiet(since_ms, lateness_ms));
                        announce(route, *key, (start, since.unwrap_or(i64::MIN)))
                    }
                    Some(place) if place.is_finished => continue,
                    Some(place) => without_sums(route, *key, file, *place, (watermark, speaks)),
                };
                route.queued.extend(delta);
            }
        }
    }

    /// Sends what is queued. Who `speaks` also tells each partition that nothing is queued for how
    /// far event time is.
    pub(super) fn send_queued(&mut self, now: Now, speaks: bool, out: &mut VecDeque<Output>) {
        for part in 0..self.routes.len() {
            let deltas = std::mem::take(&mut self.routes[part].queued);
            let speaks = speaks && self.routes[part].is_heard;
            if deltas.is_empty() && !speaks {
                continue;
            }
            for delta in &deltas {
                self.routes[part].sent(delta, now.boot_ms);
            }
            let mut frame = Vec::new();
            let mut bytes = 0;
            for delta in deltas {
                bytes += delta.bytes();
                let is_full = bytes > self.settings.frame_bytes || frame.len() == MAX_DELTAS;
                if is_full && !frame.is_empty() {
                    bytes = delta.bytes();
                    self.send(part, std::mem::take(&mut frame), Vec::new(), out);
                }
                frame.push(delta);
            }
            let gone = if speaks { self.gone(part) } else { Vec::new() };
            self.send(part, frame, gone, out);
        }
    }

    /// The files that are not here any more, and that no partition has to hear more of.
    fn gone(&self, part: usize) -> Vec<FileKey> {
        let is_over = |key: &FileKey| {
            self.routes.iter().all(|route| {
                let place = route.places.get(key);
                route.is_heard && place.is_none_or(|place| place.is_finished)
            })
        };
        let known = self.routes[part].places.keys();
        let gone = known.filter(|key| !self.files.contains_key(key) && !self.former.contains(key));
        gone.filter(|key| is_over(key)).take(MAX_TOLD).copied().collect()
    }

    fn send(
        &self,
        part: usize,
        deltas: Vec<Delta>,
        gone: Vec<FileKey>,
        out: &mut VecDeque<Output>,
    ) {
        let route = &self.routes[part];
        let Some(owner) = &route.owner else { return };
        let frame = Frame {
            job: self.job_id,
            partition: Partition(u16::try_from(part).unwrap_or(u16::MAX)),
            epoch: route.epoch,
            presence: self.presence(route),
            deltas,
            dropped_at: Some(route.dropped_at),
            gone,
        };
        out.push_back(Output::Send(owner.clone(), Message::Frame(frame)));
    }

    /// No line of a file that this partition does not know is older than this, unless it is late.
    /// None while there is such a file of which nobody knows how long it has been there.
    fn presence(&self, route: &Route) -> Option<i64> {
        let mut least = self.looked_ms?;
        let known =
            |key: &FileKey| route.places.get(key).is_some_and(|place| place.durable.is_some());
        for (_, file) in self.files.iter().filter(|(key, _)| !known(key)) {
            if !self.settings.is(Mutant::NoAnnouncing) {
                least = least.min(file.since_ms?);
            }
        }
        Some(least.saturating_sub(self.job.spec.lateness_ms))
    }
}

/// A file that the partition does not know.
fn announce(route: &mut Route, key: FileKey, (start, watermark): (u64, i64)) -> Option<Delta> {
    route.places.insert(key, Place::new(start));
    Some(empty(key, start, start, watermark))
}

/// What there is to say of a file that needs no sums.
fn without_sums(
    route: &Route,
    key: FileKey,
    file: &File,
    place: Place,
    (watermark, speaks): (i64, bool),
) -> Option<Delta> {
    let nothing = empty(key, place.start, place.sent, watermark);
    let seen = &file.seen;
    if place.sent < seen.lost_below {
        let is_finished = seen.is_finished && seen.lost_below >= seen.end;
        let gap = Some(GapReason::Deleted);
        return Some(Delta { to: seen.lost_below, is_finished, gap, ..nothing });
    }
    if place.sent < seen.end || route.is_under_way(key) {
        return None;
    }
    if seen.is_finished {
        // It was gone when this process came: what followed the cursor is not known.
        let gap = file.is_unseen.then_some(GapReason::Deleted);
        return Some(Delta { is_finished: true, gap, ..nothing });
    }
    (speaks && watermark > i64::MIN).then_some(nothing)
}

fn empty(file: FileKey, start: u64, at: u64, watermark: i64) -> Delta {
    Delta {
        file,
        start,
        from: at,
        to: at,
        watermark,
        is_finished: false,
        gap: None,
        uncounted: 0,
        parts: Vec::new(),
    }
}
