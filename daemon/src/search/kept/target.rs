//! Whose logs are searched, and who is asked for them. These values own nothing but names.

use crate::search::member_choice::Missed;
use memberd_control::name_order::natural;
use memberd_membership::{Identity, Name};
use std::cmp::Ordering;

/// One member's part of a grep.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// A member that is up, for its own logs.
    Member(Identity),
    /// A member that is gone.
    Kept(KeptLogs),
}

/// The logs of a member that is gone, as others keep them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptLogs {
    /// Whose logs they are.
    pub missed: Missed,
    /// Who keeps them. The copy that goes farthest comes first, and the others are asked only if
    /// that cannot be reached.
    pub keepers: Vec<Keeper>,
}

/// A member that keeps another one's logs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keeper {
    /// The member.
    pub member: Identity,
    /// How far its copy goes, for the client.
    pub copy: memberd_control::grep::GrepCopy,
}

impl Target {
    /// Whose logs are searched.
    pub fn name(&self) -> &Name {
        match self {
            Target::Member(member) => &member.name,
            Target::Kept(logs) => &logs.missed.name,
        }
    }

    /// The order in which the parts of a grep are printed: `vm2` before `vm10`.
    pub(in crate::search) fn order(one: &Target, other: &Target) -> Ordering {
        natural(one.name().as_str(), other.name().as_str())
    }
}
