//! Reads the times in the lines of blocks, for the index of a segment that is sealed.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use memberd_copies::store::{Span, SpanReader};
use memberd_copies::stream::StreamHead;

use crate::time::{Times, Zone};

/// Reads the times of lines as a search in a window of time reads them.
#[derive(Debug, Default)]
pub struct LineSpans {
    segment: Option<Segment>,
}

#[derive(Debug)]
struct Segment {
    zone: String,
    rules: Zone,
    /// Whether a line names a zone itself, whose rules are not those of `zone`.
    names_zone: bool,
    modified: i64,
    /// Whether the next byte continues a line of the block before.
    within_line: bool,
    same_until: i64,
}

impl SpanReader for LineSpans {
    fn begin(&mut self, head: &StreamHead) {
        // Reading the rules of a zone takes longer than a segment's head.
        let known = self.segment.take().filter(|segment| segment.zone == head.zone);
        let rules = match known {
            Some(segment) => segment.rules,
            None => Zone::of_machine(&head.zone).unwrap_or_else(Zone::local),
        };
        self.segment = Some(Segment {
            zone: head.zone.clone(),
            rules,
            names_zone: false,
            modified: head.modified_ms,
            within_line: false,
            same_until: i64::MAX,
        });
    }

    fn span(&mut self, text: &[u8]) -> Span {
        let nothing = Span { times: None, first_dated: false, unread: false };
        self.segment.as_mut().map_or(nothing, |segment| segment.span(text))
    }

    fn same_until(&self) -> i64 {
        self.segment.as_ref().map_or(i64::MIN, |segment| segment.same_until)
    }

    fn rules(&self) -> u64 {
        let named = |segment: &&Segment| !segment.names_zone;
        self.segment.as_ref().filter(named).map_or(0, |segment| rules(&segment.zone))
    }
}

/// A number for the rules by which times of a machine in this zone are read: those of the zone, and
/// those of this program. 0 if the zone is not known here, since then another one stands for it.
pub(super) fn rules(zone: &str) -> u64 {
    let Some(of_zone) = Zone::rules_of_machine(zone) else { return 0 };
    let mut hasher = DefaultHasher::new();
    (env!("CARGO_PKG_VERSION"), of_zone).hash(&mut hasher);
    hasher.finish().max(1)
}

impl Segment {
    fn span(&mut self, text: &[u8]) -> Span {
        let mut times = Times::new(&self.rules, self.modified);
        let mut span = Span { times: None, first_dated: false, unread: false };
        let mut rest = text;
        let mut is_first = true;
        while !rest.is_empty() {
            let end = memchr::memchr(b'\n', rest);
            let line = end.map_or(rest, |end| rest.get(..end).unwrap_or_default());
            if !std::mem::replace(&mut self.within_line, end.is_none()) {
                let time = times.of(line.get(..Times::REACH).unwrap_or(line));
                span.first_dated |= is_first && time.is_some();
                span.times = match (span.times, time) {
                    (Some((earliest, latest)), Some(time)) => {
                        Some((earliest.min(time), latest.max(time)))
                    }
                    (known, time) => known.or(time.map(|time| (time, time))),
                };
            }
            is_first = false;
            rest = end.and_then(|end| rest.get(end + 1..)).unwrap_or_default();
        }
        span.unread = times.unread().is_some();
        self.names_zone |= times.names_zone();
        self.same_until = self.same_until.min(times.same_until());
        span
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use memberd_copies::stream::{Fingerprint, StreamId};

    fn head(zone: &str) -> StreamHead {
        StreamHead {
            id: StreamId { device: 1, inode: 2, begun_ms: 3 },
            fingerprint: Fingerprint::of(b""),
            path: "/var/log/a".into(),
            origin: "/var/log/a".into(),
            listed: true,
            offered: true,
            // 2026-11-21 01:20:33 UTC.
            modified_ms: 1_795_224_033_000,
            zone: zone.to_owned(),
            lost_bytes: 0,
            continues: None,
        }
    }

    #[test]
    fn spans_are_the_times_of_the_lines_themselves() {
        let mut spans = LineSpans::default();
        spans.begin(&head(""));
        let all = spans.span(b"  of before\nNov 21 01:20:33 b\nNov 21 01:20:31 a\n  of a\n");
        let second = 1_795_224_033_000;
        assert_eq!(all.times, Some((second - 2000, second)));
        assert!(!all.first_dated && !all.unread);
        assert!(spans.same_until() > second && spans.same_until() < i64::MAX);
        assert_eq!(spans.span(b"no time\n").times, None);
        let first = spans.span(b"Nov 21 01:20:30 c\nno\n");
        assert_eq!((first.times, first.first_dated), (Some((second - 3000, second - 3000)), true));
    }

    /// After an update of the time zone database, or where the zone is not in it, times are read
    /// anew.
    #[test]
    fn times_hold_only_with_the_rules_by_which_they_were_read() {
        let mut spans = LineSpans::default();
        assert_eq!(spans.rules(), 0);
        for (zone, is_known) in [("", true), ("Europe/Berlin", true), ("No/Where", false)] {
            spans.begin(&head(zone));
            spans.span(b"Nov 21 01:20:33 b\n");
            assert_eq!(spans.rules() != 0, is_known, "{zone}");
            assert_eq!(spans.rules(), rules(zone));
        }
        assert_ne!(rules(""), rules("Europe/Berlin"));
        // The rules of its zone are not those of the file's.
        spans.begin(&head(""));
        spans.span(b"[21-Nov-2026 01:20:33 Europe/Berlin] PHP Notice:  x\n");
        assert_eq!(spans.rules(), 0);
    }

    /// The rest of a line is no line of its own.
    #[test]
    fn a_line_goes_on_in_the_next_block() {
        let mut spans = LineSpans::default();
        spans.begin(&head(""));
        assert!(spans.span(b"2026-11-21T01:20:33Z x").first_dated);
        let rest = spans.span(b"2026-11-21T01:20:34Z y\n2026-11-21T01:20:35Z z\n");
        assert_eq!(
            (rest.times, rest.first_dated),
            (Some((1_795_224_035_000, 1_795_224_035_000)), false)
        );
    }
}
