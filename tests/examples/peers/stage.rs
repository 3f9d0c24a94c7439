//! Whole groups of one program side by side, formed when they are needed, and anew after something
//! went wrong.

use crate::agent::Program;
use crate::group::{Group, InVain, until_whole};
use memberd_tests::Network;
use std::time::Duration;

/// How long lists are whole before anything is done to a group.
const QUIET: Duration = Duration::from_secs(2);

/// The groups of one program and size.
pub(crate) struct Stage<'a> {
    networks: &'a [Network],
    program: Program,
    groups: Vec<Group<'a>>,
}

impl<'a> Stage<'a> {
    /// Nothing runs yet.
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

    /// The groups, whole. They are formed one after the other, since many at once would want more
    /// than the machine has.
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

    /// Ends them all.
    pub(crate) fn clear(&mut self) {
        self.groups.clear();
    }
}

/// A group, started and whole.
pub(crate) fn formed(mut group: Group) -> Result<Group, InVain> {
    group.start_all();
    until_whole(std::slice::from_mut(&mut group), Duration::ZERO)?;
    Ok(group)
}
