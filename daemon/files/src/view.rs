//! The agreed view, as files need it. It decides who may be in a set and who keeps a catalog.

use crate::ids::Epoch;
use crate::path::ShareName;
use memberd_membership::Name;
use std::collections::BTreeMap;

/// One agreed view. Each member gets them in the same order, some of them late or left out.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FilesView {
    /// Its number.
    pub epoch: Epoch,
    /// Who is a member.
    pub members: BTreeMap<Name, MemberOfView>,
    /// Who keeps the catalog of each share.
    pub shares: BTreeMap<ShareName, ShareKeepers>,
}

/// A member of the view.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MemberOfView {
    /// Its zone, as its settings say.
    pub zone: Option<String>,
}

/// The keepers of a share: up to three, sticky. The first that is no newcomer is the primary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShareKeepers {
    /// Them, the oldest first.
    pub keepers: Vec<Name>,
}
