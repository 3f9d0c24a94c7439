//! Forms parallel groups of one program when they are needed, and again after a failure. A
//! [`Stage`] owns these groups.

use crate::agent::Program;
use crate::group::{Group, InVain, until_whole};
use memberd_tests::Network;
use std::time::Duration;

/// How long lists must be whole before a row begins.
const QUIET: Duration = Duration::from_secs(2);

/// The groups of one program and size.
pub(crate) struct Stage<'a> {
    networks: &'a [Network],
    program: Program,
    groups: Vec<Group<'a>>,
}

impl<'a> Stage<'a> {
    /// A stage on which nothing runs yet.
    pub(crate) fn new(networks: &'a [Network], program: Program) -> Self {
        Stage { networks, program, groups: Vec::new() }
    }

    pub(crate) fn program(&self) -> Program {
        self.program
    }

    /// How many groups there are.
    pub(crate) fn side_by_side(&self) -> usize {
        self.networks.len()
    }

    /// Returns the groups, whole. It forms them one after the other, because many at once would
    /// overload the machine.
    pub(crate) fn groups(&mut self) -> Result<&mut [Group<'a>], InVain> {
        if self.groups.is_empty() {
            for network in self.networks {
                network.heal();
                self.groups.push(formed(Group::new(self.program, network))?);
            }
        }
        until_whole(&mut self.groups, QUIET)?;
        self.groups.iter_mut().for_each(|group| drop(group.false_failures()));
        Ok(&mut self.groups)
    }

    /// Ends all groups.
    pub(crate) fn clear(&mut self) {
        self.groups.clear();
    }
}

/// Starts a group, and waits until it is whole.
pub(crate) fn formed(mut group: Group) -> Result<Group, InVain> {
    group.start_all();
    until_whole(std::slice::from_mut(&mut group), Duration::ZERO)?;
    Ok(group)
}
