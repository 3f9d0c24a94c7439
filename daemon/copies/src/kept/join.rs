//! Makes one stream of those of one file that continue each other, so that each line is read once.
//! It owns no state.

use super::{KeptSegment, KeptStream};
use crate::stream::{Joint, StreamId};
use std::collections::BTreeMap;

/// Joins each stream with the one that it continues.
pub(super) fn join(streams: Vec<KeptStream>) -> Vec<KeptStream> {
    let joints = streams.iter().filter_map(|stream| Some((stream.head.id, stream.head.continues?)));
    let mut joints: Vec<(StreamId, Joint)> = joints.collect();
    // The oldest first: the next one may continue what they became.
    joints.sort_by_key(|(id, _)| (id.begun_ms, *id));
    let mut streams: BTreeMap<StreamId, KeptStream> =
        streams.into_iter().map(|stream| (stream.head.id, stream)).collect();
    for (id, Joint { stream, at }) in joints {
        let is_offered = |id: &StreamId| streams.get(id).map(|stream| stream.head.offered);
        // What was withdrawn brings nothing else back, and takes nothing along.
        if id == stream || is_offered(&id) != is_offered(&stream) {
            continue;
        }
        let Some(older) = streams.remove(&stream) else { continue };
        if let Some(newer) = streams.get_mut(&id) {
            newer.continue_from(older, at);
        }
    }
    streams.into_values().collect()
}

impl KeptStream {
    /// Puts an older stream before this one, as far as that is the same text: up to `at`.
    fn continue_from(&mut self, older: KeptStream, at: u64) {
        let has_text = !self.segments.is_empty();
        let end = if has_text { self.begin } else { at.min(older.end) };
        let is_before = |segment: &KeptSegment| segment.begin < end;
        // If the beginning of this one was dropped, so was all that is before.
        if end > at || !older.segments.first().is_some_and(is_before) {
            return;
        }
        let KeptStream { parts, segments, begin, lines_before, .. } = older;
        let (mut all_parts, mut all) = (parts, segments);
        all.retain(is_before);
        if let Some(part) = all.last().and_then(|last| all_parts.get_mut(last.part)) {
            part.is_cut = true;
        }
        let shift = all_parts.len();
        all_parts.append(&mut self.parts);
        let own = self.segments.iter();
        all.extend(own.map(|of| KeptSegment { begin: of.begin, part: of.part + shift }));
        (self.parts, self.segments) = (all_parts, all);
        (self.begin, self.lines_before) = (begin, lines_before);
        self.dropped_bytes = older.dropped_bytes;
        self.disk_bytes += older.disk_bytes;
        self.head.lost_bytes = self.head.lost_bytes.saturating_add(older.head.lost_bytes);
        if !has_text {
            (self.end, self.read_ms) = (end, older.read_ms);
        }
    }
}
