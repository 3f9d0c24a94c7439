//! Where a follow stands in the files of one member. It owns the positions.

use crate::lock::lock;
use crate::time::wall;
use memberd_control::grep::{GrepFollow, GrepPosition, MAX_POSITIONS};
use std::sync::{Arc, Mutex};

/// The positions of a member's files, as far as their lines went to the client. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(super) struct Stand(Arc<Mutex<Option<GrepFollow>>>);

impl Stand {
    /// Whether the member has told any. Older ones do not.
    pub(super) fn is_known(&self) -> bool {
        lock(&self.0).is_some()
    }

    /// From where the member, or a copy of its files, goes on.
    pub(super) fn follow(&self) -> GrepFollow {
        lock(&self.0).clone().unwrap_or_default()
    }

    /// These hold now. The files that were heard of first are forgotten first.
    pub(super) fn note(&self, positions: Vec<GrepPosition>) {
        let mut follow = lock(&self.0);
        let first = || GrepFollow { again: true, since_ms: wall().0, positions: Vec::new() };
        let known = &mut follow.get_or_insert_with(first).positions;
        for position in positions {
            known.retain(|other| !other.is_of_same_file(&position));
            known.push(position);
        }
        known.drain(..known.len().saturating_sub(MAX_POSITIONS));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stand_has_the_last_position_of_each_file() {
        let at =
            |inode, offset| GrepPosition { device: 1, inode, offset, head: None, before: None };
        let stand = Stand::default();
        assert_eq!((stand.is_known(), stand.follow()), (false, GrepFollow::default()));
        stand.note(Vec::new());
        assert!(stand.is_known(), "it has no files, which is known");
        stand.note(vec![at(1, 5), at(2, 7)]);
        stand.note(vec![at(1, 9)]);
        let positions = vec![at(2, 7), at(1, 9)];
        assert_eq!((stand.follow().again, stand.follow().positions), (true, positions));
        assert!(stand.follow().since_ms > 0);
        stand.note((0..MAX_POSITIONS as u64).map(|inode| at(10 + inode, 0)).collect());
        assert_eq!(stand.follow().positions.len(), MAX_POSITIONS);
    }
}
