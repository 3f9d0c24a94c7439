//! Pieces of uploads that came before the word that begins them: [`Early`]. In a chain they come
//! from another member than that word, so they may overtake it. Owns them for a moment.

use crate::ids::ExtentId;
use crate::transfer::Piece;
use memberd_council::BootTime;
use std::collections::BTreeMap;
use std::time::Duration;

/// The most bytes of all, and how long they wait.
const MAX_BYTES: usize = 8 << 20;
const WAIT: Duration = Duration::from_secs(2);

/// Pieces that wait.
#[derive(Debug, Clone, Default)]
pub(super) struct Early {
    uploads: BTreeMap<ExtentId, Waiting>,
    bytes: usize,
}

#[derive(Debug, Clone)]
struct Waiting {
    since: BootTime,
    end: u64,
    pieces: Vec<(u64, Piece)>,
}

impl Early {
    /// Keeps a piece, if it is the first or the next of its upload, and there is room.
    pub(super) fn keep(&mut self, now: BootTime, extent: ExtentId, offset: u64, bytes: &Piece) {
        let end = self.uploads.get(&extent).map_or(0, |waiting| waiting.end);
        if offset != end || bytes.is_empty() || self.bytes + bytes.len() > MAX_BYTES {
            return;
        }
        let new = || Waiting { since: now, end: 0, pieces: Vec::new() };
        let waiting = self.uploads.entry(extent).or_insert_with(new);
        waiting.end += bytes.len() as u64;
        waiting.pieces.push((offset, bytes.clone()));
        self.bytes += bytes.len();
    }

    /// The upload begins, or never will: takes its pieces.
    pub(super) fn take(&mut self, extent: ExtentId) -> Vec<(u64, Piece)> {
        let pieces = self.uploads.remove(&extent).map(|waiting| waiting.pieces);
        let pieces = pieces.unwrap_or_default();
        self.bytes -= pieces.iter().map(|(_, bytes)| bytes.len()).sum::<usize>();
        pieces
    }

    pub(super) fn due(&self) -> Option<BootTime> {
        self.uploads.values().map(|waiting| waiting.since + WAIT).min()
    }

    pub(super) fn forget_old(&mut self, now: BootTime) {
        let is_old = |waiting: &Waiting| now.since(waiting.since) >= WAIT;
        let old = self.uploads.iter().filter(|(_, waiting)| is_old(waiting));
        for extent in old.map(|(extent, _)| *extent).collect::<Vec<_>>() {
            self.take(extent);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> BootTime {
        BootTime::from_epoch(Duration::from_secs(seconds))
    }

    #[test]
    fn early_pieces_wait_in_order_and_not_for_long() {
        let (mut early, piece) = (Early::default(), Piece::from(vec![1; 100]));
        early.keep(at(1), ExtentId(1), 0, &piece);
        early.keep(at(2), ExtentId(1), 200, &piece);
        early.keep(at(2), ExtentId(1), 100, &piece);
        early.keep(at(2), ExtentId(2), 100, &piece);
        assert_eq!(early.due(), Some(at(3)));
        let offsets: Vec<u64> = early.take(ExtentId(1)).iter().map(|(offset, _)| *offset).collect();
        assert_eq!((offsets, early.bytes, early.due()), (vec![0, 100], 0, None));
        early.keep(at(4), ExtentId(3), 0, &piece);
        early.forget_old(at(5));
        assert_eq!(early.bytes, 100);
        early.forget_old(at(6));
        assert_eq!((early.bytes, early.uploads.len()), (0, 0));
    }

    #[test]
    fn early_pieces_have_a_bound() {
        let (mut early, piece) = (Early::default(), Piece::from(vec![1; 1 << 20]));
        (0..20).for_each(|extent| early.keep(at(1), ExtentId(extent), 0, &piece));
        assert_eq!((early.bytes, early.uploads.len()), (MAX_BYTES, 8));
    }
}
