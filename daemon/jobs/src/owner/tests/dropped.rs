//! Tests of an owner: files that are gone, and whose cursors are dropped.

use super::*;

const GONE: FileKey = FileKey(9);

/// What a frame without deltas is: the window of 0 to 100 ms is given up a second after its end.
fn later(frame: &mut Frame) {
    (frame.deltas, frame.presence) = (Vec::new(), Some(1_100));
}

impl Pair {
    /// A file was counted to its end, and is gone.
    fn count_and_lose(&mut self) {
        self.send(GONE, (0, 10), b"ab", |frame| frame.deltas[0].is_finished = true);
        self.tick(50);
        self.answer();
        let gone = |frame: &mut Frame| (frame.deltas, frame.gone) = (Vec::new(), vec![GONE]);
        self.send(GONE, (10, 10), b"", gone);
        self.tick(50);
        self.answer();
    }
}

/// A file is gone: its cursor is dropped once its windows are given up. What was said of it before
/// may come later than that, and does not count once more.
#[test]
fn a_dropped_file_does_not_count_again() {
    let mut pair = Pair::new(1_000);
    pair.count_and_lose();
    assert!(pair.owner.state().cursors.values().all(|cursor| cursor.is_gone));
    assert_eq!(pair.owner.state().cursors.len(), 1, "its window can change still");
    pair.send(GONE, (0, 0), b"", later);
    pair.tick(50);
    pair.answer();
    assert!(pair.owner.state().cursors.is_empty());
    let dropped_at = pair.owner.state().dropped_at;
    pair.told();
    pair.frame((0, 10), b"ab");
    assert_eq!(pair.told(), [(CursorsKind::Rewind, None, None)]);
    // A file that is not known to the source's newest answer is taken.
    let knows = |frame: &mut Frame| frame.dropped_at = Some(dropped_at);
    pair.send(FileKey(10), (0, 10), b"c", knows);
    pair.tick(50);
    pair.answer();
    let state = pair.owner.state();
    assert_eq!(state.cursors.keys().map(|file| file.key).collect::<Vec<_>>(), [FileKey(10)]);
    assert_eq!(state.late, 1, "the window of the new file is over, and of no other");
    let read = State::read(&*pair.owner.sums, pair.owner.times(), &pair.log).unwrap();
    assert_eq!((read.dropped_at, read.cursors), (dropped_at, state.cursors.clone()));
}

/// While the record that drops cursors is on its way, its number is not told. A source that does
/// not know it need not wait with other files, nor ask again and again.
#[test]
fn new_files_are_taken_while_a_cursor_is_dropped() {
    let mut pair = Pair::new(1_000);
    pair.count_and_lose();
    pair.send(GONE, (0, 0), b"", later);
    pair.tick(50);
    pair.told();
    pair.frame_of(FileKey(10), (0, 10), b"c");
    assert_eq!(pair.told(), [], "it is taken");
    pair.frame((0, 10), b"ab");
    assert_eq!(pair.told(), [(CursorsKind::Rewind, Some(10), None)], "this one may be of before");
    pair.answer();
    pair.tick(50);
    pair.answer();
    let cursors = &pair.owner.state().cursors;
    assert_eq!(cursors.keys().map(|file| file.key).collect::<Vec<_>>(), [FileKey(10)]);
}
