//! Tests of a source: cursors that were dropped, and messages that were under way for long.

use super::*;

/// A file that partitions knew, and that is not here any more.
const GONE: FileKey = FileKey(3);

impl Pair {
    fn hear(&mut self, kind: CursorsKind, dropped_at: u64, file: FileKey, at: Option<u64>) {
        let (is_finished, is_gone) = (false, false);
        let told = ToldCursor { file, start: 0, durable: at, next: at, is_finished, is_gone };
        let (job, partition, epoch) = (JOB, Partition(0), EPOCH);
        let (after, has_more, files) = (None, false, vec![told]);
        let cursors = Cursors { job, partition, epoch, kind, after, has_more, dropped_at, files };
        let from = Name::new("vm1").unwrap();
        self.source.handle_cursors(self.now, &from, &cursors, &mut self.out);
    }

    /// What the partition has made durable of a file. None: nothing of it is known.
    fn durable(&self, file: FileKey) -> Option<u64> {
        self.source.routes[0].places.get(&file)?.durable
    }
}

/// Else the source would take it for a file that went uncounted, tell of a gap, and bring the
/// cursor back.
#[test]
fn what_was_said_before_a_drop_brings_no_cursor_back() {
    let mut pair = Pair::new();
    pair.greet();
    pair.look(0);
    assert_eq!(pair.durable(GONE), Some(0));
    pair.hear(CursorsKind::Acknowledged, 5, GONE, None);
    assert_eq!(pair.durable(GONE), None);
    pair.source.files.remove(&GONE);
    for dropped_at in [4, 5] {
        pair.hear(CursorsKind::Acknowledged, dropped_at, GONE, Some(64));
        assert_eq!(pair.durable(GONE), None, "the drop was {dropped_at}");
        assert!(!pair.source.files.contains_key(&GONE));
    }
}

/// Else the source would not know any more that a partition has a cursor, and the cursor would stay
/// for ever.
#[test]
fn what_is_durable_is_forgotten_only_with_a_drop() {
    let mut pair = Pair::new();
    pair.greet();
    pair.look(0);
    pair.hear(CursorsKind::Rewind, 0, FILE, None);
    assert_eq!(pair.durable(FILE), Some(0), "this was said before it was known");
    pair.hear(CursorsKind::Rewind, 1, FILE, None);
    assert_eq!(pair.durable(FILE), None);
}
