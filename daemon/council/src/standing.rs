//! What the ring says of a member: [`Standing`]. It is a plain value.

use memberd_membership::Identity;

/// What the ring says of a member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// The member, in its newest incarnation.
    pub identity: Identity,
    /// Whether it is up.
    pub state: StandingState,
    /// Its tag `zone`.
    pub zone: Option<String>,
    /// Whether a monitor suspects it.
    pub suspected: bool,
}

/// Whether a member is up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StandingState {
    /// It is up.
    Alive,
    /// It was declared failed.
    Failed,
    /// It has left.
    Left,
}
