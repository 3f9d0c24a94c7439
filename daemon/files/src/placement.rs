//! Where the copies of a new extent go: by rank over the agreed view, zones apart. Owns no state.
//!
//! The rank is rendezvous hashing (Thaler and Ravishankar, 1998). A place is chosen once and then
//! recorded, so a join moves nothing.

use crate::ids::ExtentId;
use crate::view::FilesView;
use memberd_membership::Name;
use std::cmp::Reverse;
use std::collections::BTreeSet;

/// What a member knows of others beside the view. It can be wrong, which costs time and no bytes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Hints {
    /// They have failed, by the list of the ring.
    pub failed: BTreeSet<Name>,
    /// They were slow in the last minutes: chosen only if there are not enough others.
    pub slow: BTreeSet<Name>,
    /// Their space is used to 85 % or more.
    pub full: BTreeSet<Name>,
    /// Their storage has failed: what they had counts as lost.
    pub dead: BTreeSet<Name>,
    /// The space of the whole group is used to 85 %: only what has one copy left is repaired.
    pub is_crowded: bool,
}

/// The members of a view in the order in which an extent prefers them.
#[must_use]
pub fn rank(view: &FilesView, extent: ExtentId) -> Vec<Name> {
    let mut ranked: Vec<_> =
        view.members.keys().map(|name| (Reverse(score(extent, name)), name)).collect();
    ranked.sort_unstable();
    ranked.into_iter().map(|(_, name)| name.clone()).collect()
}

/// Chooses up to `wanted` members for an extent, besides those that `keep` it already. None of
/// `without` is chosen. Each is in a zone of its own, as far as there are zones enough; a member
/// without a zone shares none.
#[must_use]
pub fn choose(
    view: &FilesView,
    extent: ExtentId,
    wanted: usize,
    hints: &Hints,
    keep: &[Name],
    without: &BTreeSet<Name>,
) -> Vec<Name> {
    let able = |name: &Name| {
        !keep.contains(name)
            && !without.contains(name)
            && !hints.failed.contains(name)
            && !hints.full.contains(name)
            && !hints.dead.contains(name)
    };
    let ranked: Vec<Name> = rank(view, extent).into_iter().filter(able).collect();
    let mut chosen: Vec<Name> = Vec::new();
    let mut zones: BTreeSet<&str> = keep.iter().filter_map(|name| zone(view, name)).collect();
    for (slow, apart) in [(false, true), (false, false), (true, true), (true, false)] {
        for name in &ranked {
            if chosen.len() == wanted {
                return chosen;
            }
            let own = zone(view, name);
            let shared = own.is_some_and(|own| zones.contains(own));
            if chosen.contains(name) || hints.slow.contains(name) != slow || (apart && shared) {
                continue;
            }
            zones.extend(own);
            chosen.push(name.clone());
        }
    }
    chosen
}

fn zone<'a>(view: &'a FilesView, name: &Name) -> Option<&'a str> {
    view.members.get(name)?.zone.as_deref()
}

fn score(extent: ExtentId, name: &Name) -> u64 {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&extent.0.to_be_bytes()).update(name.as_str().as_bytes());
    let mut score = [0; 8];
    hasher.finalize_xof().fill(&mut score);
    u64::from_be_bytes(score)
}

#[cfg(test)]
mod tests;
