//! Shares of replicated files in a view, and who keeps the catalog of each. It owns no state.

use crate::view::View;
use crate::wire::forms;
use memberd_membership::{Identity, Name};
use serde::{Deserialize, Serialize};
use std::fmt;

/// The name of a share: 1 to [`ShareName::MAX_BYTES`] of `A-Z a-z 0-9 . _ -`, not `.` nor `..`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ShareName(String);

/// A text is no name of a share.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no name of a share: it has 1 to 64 letters, digits and . _ -")]
pub struct ShareNameError(String);

/// A share of replicated files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Share {
    /// Its name.
    pub name: ShareName,
    /// The view that has added it. Another share of the same name has another one.
    pub added: Epoch,
    /// The view that has changed who its keepers are last.
    pub changed: Epoch,
    /// How many keepers it wants.
    pub wanted: KeeperCount,
    /// Who keeps its catalog, the oldest first; at most [`KeeperCount::MOST`]. While none of those
    /// that are whole is a member, the share is closed.
    #[serde(deserialize_with = "forms::bounded::<_, _, { KeeperCount::MOST }>")]
    pub keepers: Vec<Keeper>,
}

/// How many keepers a share has, if the view has as many members: 1 to [`KeeperCount::MOST`]. All
/// but one of them may be lost at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub struct KeeperCount(u8);

/// So many keepers no share has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a share has 1 to {most} keepers, and not {0}", most = KeeperCount::MOST)]
pub struct KeeperCountError(u8);

/// A member that keeps the catalog of a share.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Keeper {
    /// The member. It is the same in another incarnation, since it has its disk.
    pub name: Name,
    /// The view that has made it one.
    pub since: Epoch,
    /// Whether it is known to have all of the catalog: the first keepers have, and others once a
    /// view says so; none that is known to have lost its disk.
    pub whole: bool,
}

/// The number of a view in an order that holds across recoveries. What was lost with a majority may
/// have known of larger numbers than that with which a recovery goes on.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub struct Epoch(pub u64);

/// What the shares of a view may change in.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum ShareChange {
    /// There is a share of this name from now on. It changes nothing if there is one, or if there
    /// are [`View::MAX_SHARES`].
    Add {
        /// Its name.
        name: ShareName,
        /// How many keepers it gets.
        keepers: KeeperCount,
    },
    /// This very share is none any more.
    Remove {
        /// Its name.
        name: ShareName,
        /// Its [`Share::added`]: a later share of the same name stays.
        added: Epoch,
    },
    /// This keeper has all of the catalog, and has it durably.
    Fill {
        /// The share.
        name: ShareName,
        /// The keeper.
        keeper: Name,
        /// Its [`Keeper::since`]: one that was replaced and came back is another one.
        since: Epoch,
    },
    /// This keeper has not all of the catalog any more: it lost its disk, or that has failed.
    Lose {
        /// The share.
        name: ShareName,
        /// The keeper.
        keeper: Name,
        /// Its [`Keeper::since`].
        since: Epoch,
    },
}

/// Why the shares do not change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ShareError {
    /// A view has no more.
    #[error("there are {} shares already, and there can be no more", View::MAX_SHARES)]
    Full,
    /// Too many changes of this machine wait already.
    #[error("too many changes of shares wait already")]
    TooMany,
    /// This machine is no member of the newest view yet.
    #[error("this machine is in no view yet")]
    NotInView,
}

impl ShareName {
    /// The most bytes of a name.
    pub const MAX_BYTES: usize = 64;

    /// Parses a name.
    ///
    /// # Errors
    /// When it is none.
    pub fn new(name: &str) -> Result<ShareName, ShareNameError> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        let fits = (1..=Self::MAX_BYTES).contains(&name.len()) && name != "." && name != "..";
        if fits && name.bytes().all(plain) {
            Ok(ShareName(name.to_owned()))
        } else {
            Err(ShareNameError(name.to_owned()))
        }
    }

    /// It as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl KeeperCount {
    /// The most keepers of a share.
    pub const MOST: usize = 5;

    /// Of shares whose files have three copies.
    pub const THREE: KeeperCount = KeeperCount(3);

    /// The most: its names survive four crashes at once.
    pub const FIVE: KeeperCount = KeeperCount(5);

    /// As a number.
    pub fn get(self) -> usize {
        usize::from(self.0)
    }
}

impl TryFrom<u8> for KeeperCount {
    type Error = KeeperCountError;

    fn try_from(count: u8) -> Result<KeeperCount, KeeperCountError> {
        let fits = (1..=Self::MOST).contains(&usize::from(count));
        if fits { Ok(KeeperCount(count)) } else { Err(KeeperCountError(count)) }
    }
}

impl From<KeeperCount> for u8 {
    fn from(count: KeeperCount) -> u8 {
        count.0
    }
}

impl Share {
    fn keeper(&self, name: &Name, since: Epoch) -> Option<&Keeper> {
        self.keepers.iter().find(|keeper| keeper.name == *name && keeper.since == since)
    }
}

impl Epoch {
    /// The bits of the number of a view. 2^40 views at four a second are 8,700 years.
    const BITS: u32 = 40;
}

impl ShareChange {
    /// The name of the share.
    pub fn name(&self) -> &ShareName {
        match self {
            ShareChange::Add { name, .. }
            | ShareChange::Remove { name, .. }
            | ShareChange::Fill { name, .. }
            | ShareChange::Lose { name, .. } => name,
        }
    }

    /// What has come of it by this view; nothing as long as it can still be done.
    pub(crate) fn outcome(&self, view: &View) -> Option<Result<Option<Share>, ShareError>> {
        let share = view.share(self.name());
        match self {
            ShareChange::Add { .. } => match share {
                Some(share) => Some(Ok(Some(share.clone()))),
                None => (view.shares.len() >= View::MAX_SHARES).then_some(Err(ShareError::Full)),
            },
            ShareChange::Remove { added, .. } => {
                share.is_none_or(|share| share.added != *added).then_some(Ok(None))
            }
            ShareChange::Fill { keeper, since, .. } => {
                let keeper = share.and_then(|share| share.keeper(keeper, *since));
                keeper.is_none_or(|keeper| keeper.whole).then(|| Ok(share.cloned()))
            }
            ShareChange::Lose { keeper, since, .. } => {
                let keeper = share.and_then(|share| share.keeper(keeper, *since));
                keeper.is_none_or(|keeper| !keeper.whole).then(|| Ok(share.cloned()))
            }
        }
    }
}

impl View {
    /// The most shares.
    pub const MAX_SHARES: usize = 64;

    /// The shares and their keepers, in the order of the names.
    pub fn shares(&self) -> impl Iterator<Item = (&ShareName, &[Keeper])> {
        self.shares.iter().map(|share| (&share.name, share.keepers.as_slice()))
    }

    /// Its number in an order that holds across recoveries.
    pub fn epoch(&self) -> Epoch {
        let recoveries = u64::from(self.lineage.recoveries).min((1 << (64 - Epoch::BITS)) - 1);
        Epoch(recoveries << Epoch::BITS | self.number.0.min((1 << Epoch::BITS) - 1))
    }

    /// The share of this name.
    pub fn share(&self, name: &ShareName) -> Option<&Share> {
        let at = self.shares.binary_search_by(|share| share.name.cmp(name)).ok()?;
        self.shares.get(at)
    }

    pub(crate) fn change_share(&mut self, change: &ShareChange) {
        match change {
            ShareChange::Add { name, keepers } => {
                let place = self.shares.binary_search_by(|share| share.name.cmp(name));
                if let Err(at) = place
                    && self.shares.len() < View::MAX_SHARES
                {
                    let (name, epoch) = (name.clone(), self.epoch());
                    let (wanted, keepers) = (*keepers, Vec::new());
                    let share = Share { name, added: epoch, changed: epoch, wanted, keepers };
                    self.shares.insert(at, share);
                }
            }
            ShareChange::Remove { name, added } => {
                self.shares.retain(|share| share.name != *name || share.added != *added);
            }
            ShareChange::Fill { name, keeper, since } => {
                self.set_whole(name, (keeper, *since), true);
            }
            ShareChange::Lose { name, keeper, since } => {
                self.set_whole(name, (keeper, *since), false);
            }
        }
    }

    fn set_whole(&mut self, share: &ShareName, keeper: (&Name, Epoch), whole: bool) {
        let shares = self.shares.iter_mut().filter(|one| one.name == *share);
        for one in shares.flat_map(|share| &mut share.keepers) {
            if (&one.name, one.since) == keeper {
                one.whole = whole;
            }
        }
    }

    /// Fills the gaps that the changes of this view have made. THE RULE that keepers are replaced
    /// only while one that is whole is a member: so one that knows the catalog is always recorded.
    pub(crate) fn fill_keepers(&mut self) {
        let (members, epoch) = (&self.members, self.epoch());
        let is_member =
            |name: &Name| members.binary_search_by(|member| member.name.cmp(name)).is_ok();
        for share in &mut self.shares {
            let mut whole = share.keepers.iter().filter(|keeper| keeper.whole);
            if share.keepers.is_empty() || whole.any(|keeper| is_member(&keeper.name)) {
                let before = share.keepers.clone();
                share.keepers.retain(|keeper| is_member(&keeper.name));
                share.fill(members, epoch);
                if share.keepers != before {
                    share.changed = epoch;
                }
            }
        }
    }

    /// The keepers of all shares that another view has in another way.
    pub(crate) fn keepers_unlike<'a>(&'a self, other: &'a View) -> impl Iterator<Item = &'a Name> {
        let changed = |share: &&Share| other.share(&share.name) != Some(share);
        let keepers = self.shares.iter().filter(changed).flat_map(|share| &share.keepers);
        keepers.map(|keeper| &keeper.name)
    }
}

impl Share {
    /// Takes the members of the highest rank. A rank depends on the two names alone (rendezvous
    /// hashing), so that other members who come or go change nothing.
    fn fill(&mut self, members: &[Identity], epoch: Epoch) {
        let before = self.keepers.len();
        let missing = self.wanted.get().saturating_sub(before);
        if missing == 0 {
            return;
        }
        let mut hasher = blake3::Hasher::new_derive_key("memberd share keepers 1");
        hasher.update(self.name.as_str().as_bytes());
        // No name has a zero byte.
        hasher.update(&[0]);
        let rank = |name: &Name| {
            let hash = hasher.clone().update(name.as_str().as_bytes()).finalize();
            (*hash.as_bytes(), name.clone())
        };
        let is_other = |name: &&Name| self.keepers.iter().all(|keeper| keeper.name != **name);
        let others = members.iter().map(|member| &member.name).filter(is_other);
        let mut ranked: Vec<([u8; 32], Name)> = others.map(rank).collect();
        ranked.sort_unstable_by(|one, other| other.cmp(one));
        // With nobody before them there is nothing that they could lack.
        let whole = before == 0;
        let keeper = |(_, name)| Keeper { name, since: epoch, whole };
        self.keepers.extend(ranked.into_iter().take(missing).map(keeper));
    }
}

impl TryFrom<String> for ShareName {
    type Error = ShareNameError;

    fn try_from(name: String) -> Result<ShareName, ShareNameError> {
        ShareName::new(&name)
    }
}

impl From<ShareName> for String {
    fn from(name: ShareName) -> String {
        name.0
    }
}

impl fmt::Display for ShareName {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl fmt::Debug for ShareName {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests;
