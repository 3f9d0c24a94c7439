//! Who decides on the view after a view, and when: [`Quorum`]. It owns no state.

use crate::view::{View, ViewNumber, Voter};
use memberd_membership::Name;
use std::collections::BTreeSet;

/// The rule by which the council of one view decides: a majority of its voter ids. View 1 needs all
/// founders, by name, since their voter ids become known only then.
#[derive(Debug, Clone, Copy)]
pub struct Quorum<'a> {
    council: &'a [Voter],
    founding: bool,
}

impl View {
    /// Who decides on the view after this one.
    pub fn quorum(&self) -> Quorum<'_> {
        let founding = self.number == ViewNumber(0);
        Quorum { council: &self.council, founding }
    }
}

impl<'a> Quorum<'a> {
    /// The seat of this voter, if it has one. Nobody else is ever counted.
    pub fn seat(&self, voter: &Voter) -> Option<usize> {
        self.council
            .iter()
            .position(|seat| seat.name == voter.name && (self.founding || seat.id == voter.id))
    }

    /// How many seats must agree.
    pub fn needed(&self) -> usize {
        if self.founding { self.council.len() } else { self.council.len() / 2 + 1 }
    }

    /// Whether these voters are enough. Each seat counts once, whoever else is among them.
    pub fn is_reached<'v>(&self, voters: impl IntoIterator<Item = &'v Voter>) -> bool {
        let seats: BTreeSet<usize> =
            voters.into_iter().filter_map(|voter| self.seat(voter)).collect();
        !self.council.is_empty() && seats.len() >= self.needed()
    }

    /// The names of the seats that none of these voters has.
    pub fn missing<'v>(&self, voters: impl IntoIterator<Item = &'v Voter>) -> Vec<Name> {
        let seats: BTreeSet<usize> =
            voters.into_iter().filter_map(|voter| self.seat(voter)).collect();
        let absent = |(seat, _): &(usize, &Voter)| !seats.contains(seat);
        self.council.iter().enumerate().filter(absent).map(|(_, seat)| seat.name.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::VoterId;

    fn voter(index: u8, id: u128) -> Voter {
        Voter { name: Name::new(&format!("vm{index}")).unwrap(), id: VoterId(id) }
    }

    #[test]
    fn the_first_view_needs_all_founders_by_name() {
        let names: Vec<Name> = [1, 2, 3].map(|index| voter(index, 0).name).to_vec();
        let view = View::genesis(&names);
        assert!(!view.quorum().is_reached(&[voter(1, 7), voter(2, 8)]));
        assert!(!view.quorum().is_reached(&[voter(1, 7), voter(2, 8), voter(1, 9)]));
        assert!(view.quorum().is_reached(&[voter(1, 7), voter(2, 8), voter(3, 9)]));
    }

    #[test]
    fn others_need_a_majority_of_voter_ids_each_once() {
        let mut view = View::genesis(&[]);
        view.number = ViewNumber(1);
        view.council = vec![voter(1, 1), voter(2, 2), voter(3, 3), voter(4, 4)];
        let quorum = view.quorum();
        assert!(!quorum.is_reached(&[voter(1, 1), voter(2, 2), voter(3, 9), voter(5, 5)]));
        assert!(!quorum.is_reached(&[voter(1, 1), voter(1, 1), voter(2, 2)]));
        assert!(quorum.is_reached(&[voter(1, 1), voter(4, 4), voter(2, 2)]));
        assert_eq!(quorum.missing(&[voter(1, 1), voter(2, 9)]).len(), 3);
    }
}
