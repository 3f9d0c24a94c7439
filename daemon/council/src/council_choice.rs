//! Who has a seat in the next council: [`Choice`]. It owns no state.

use crate::settings::Settings;
use crate::view::Voter;
use memberd_membership::{Incarnation, Name};
use std::collections::BTreeMap;

/// Failures alone never shrink a council below this many seats.
const FEWEST_SEATS: usize = 3;

/// How the holder of a seat is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Holder {
    /// It is a member.
    Up,
    /// It has failed, or its voter id is burnt.
    Failed,
    /// It leaves by plan, or does not want to vote any more.
    Leaving,
}

/// One that could have a seat.
#[derive(Debug, Clone)]
pub(crate) struct Applicant {
    pub(crate) voter: Voter,
    pub(crate) zone: Option<String>,
    pub(crate) incarnation: Incarnation,
}

/// What the choice depends on.
#[derive(Debug)]
pub(crate) struct Choice<'a> {
    pub(crate) settings: &'a Settings,
    /// The seats, each with how its holder is and its zone.
    pub(crate) council: Vec<(&'a Voter, Holder, Option<&'a str>)>,
    /// Members without a seat that have said that they are there and vote.
    pub(crate) applicants: Vec<Applicant>,
}

impl Choice<'_> {
    /// The next council; nothing if it is the same. Who is up keeps the seat. Gaps are filled from
    /// the zone with the fewest seats, and there with the longest alive.
    pub(crate) fn council(&self) -> Option<Vec<Voter>> {
        let up = |(_, holder, _): &&(&Voter, Holder, Option<&str>)| *holder == Holder::Up;
        let mut seats: Vec<Voter> =
            self.council.iter().filter(up).map(|(voter, ..)| (*voter).clone()).collect();
        let mut zones: BTreeMap<Option<&str>, usize> = BTreeMap::new();
        for (_, _, zone) in self.council.iter().filter(up) {
            *zones.entry(*zone).or_default() += 1;
        }
        let full = self.settings.council.clamp(Settings::MIN_COUNCIL, Settings::MAX_COUNCIL);
        let mut applicants: Vec<&Applicant> = self.applicants.iter().collect();
        while seats.len() < full {
            let rank = |applicant: &&Applicant| {
                let taken = zones.get(&applicant.zone.as_deref()).copied().unwrap_or(0);
                (taken, applicant.incarnation, applicant.voter.name.clone())
            };
            let Some(best) = applicants.iter().copied().min_by_key(rank) else { break };
            applicants.retain(|applicant| applicant.voter.name != best.voter.name);
            *zones.entry(best.zone.as_deref()).or_default() += 1;
            seats.push(best.voter.clone());
        }
        self.keep_failed(&mut seats);
        let before: Vec<&Voter> = self.council.iter().map(|(voter, ..)| *voter).collect();
        let same = before.len() == seats.len() && seats.iter().all(|seat| before.contains(&seat));
        if same || seats.is_empty() { None } else { Some(seats) }
    }

    /// Keeps seats of failed holders up to the fewest. If somebody leaves by plan, only as long as
    /// those that are up are a majority: a seat that nobody fills must not stop the rest.
    fn keep_failed(&self, seats: &mut Vec<Voter>) {
        let fewest = FEWEST_SEATS.min(self.council.len());
        let up = seats.len();
        let leaves = self.council.iter().any(|(_, holder, _)| *holder == Holder::Leaving);
        for (voter, holder, _) in &self.council {
            let taken = |name: &Name| seats.iter().any(|seat| seat.name == *name);
            let failed = seats.len() - up;
            let majority = !leaves || 2 * up > up + failed + 1;
            if *holder == Holder::Failed && seats.len() < fewest && majority && !taken(&voter.name)
            {
                seats.push((*voter).clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::VoterId;

    fn voter(index: u8) -> Voter {
        let name = Name::new(&format!("vm{index}")).unwrap();
        Voter { name, id: VoterId(u128::from(index)) }
    }

    fn applicant(index: u8, zone: &str) -> Applicant {
        let incarnation = Incarnation(u64::from(index));
        Applicant { voter: voter(index), zone: Some(zone.to_owned()), incarnation }
    }

    fn choose(holders: &[(u8, Holder, &str)], applicants: Vec<Applicant>) -> Option<Vec<u8>> {
        let settings = Settings { council: 5, ..Settings::default() };
        let voters: Vec<Voter> = holders.iter().map(|(index, ..)| voter(*index)).collect();
        let seat = |(voter, (_, holder, zone)): (_, &(u8, Holder, &'static str))| {
            (voter, *holder, Some(*zone))
        };
        let holders: Vec<(u8, Holder, &'static str)> = holders
            .iter()
            .map(|(index, holder, zone)| (*index, *holder, if *zone == "a" { "a" } else { "b" }))
            .collect();
        let council = voters.iter().zip(&holders).map(seat).collect();
        let chosen = Choice { settings: &settings, council, applicants }.council()?;
        Some(chosen.iter().map(|voter| u8::try_from(voter.id.0).unwrap()).collect())
    }

    use Holder::{Failed, Leaving, Up};

    #[test]
    fn gaps_go_to_the_zone_with_fewest_seats_then_to_the_oldest() {
        let holders = [(1, Up, "a"), (2, Up, "a"), (3, Failed, "b"), (4, Up, "b"), (5, Up, "a")];
        let applicants = vec![applicant(6, "a"), applicant(8, "b"), applicant(7, "b")];
        assert_eq!(choose(&holders, applicants), Some(vec![1, 2, 4, 5, 7]));
    }

    #[test]
    fn failures_shrink_a_council_to_three_and_no_further() {
        let four = [(1, Up, "a"), (2, Up, "a"), (3, Up, "a"), (4, Failed, "a")];
        assert_eq!(choose(&four, Vec::new()), Some(vec![1, 2, 3]));
        let three = [(1, Up, "a"), (2, Up, "a"), (3, Failed, "a")];
        assert_eq!(choose(&three, Vec::new()), None);
    }

    /// The seat that nobody fills would be half of the council.
    #[test]
    fn leaves_shrink_a_council_to_one() {
        let two = [(1, Up, "a"), (2, Leaving, "a")];
        assert_eq!(choose(&two, Vec::new()), Some(vec![1]));
        let three = [(1, Up, "a"), (2, Leaving, "a"), (3, Failed, "a")];
        assert_eq!(choose(&three, Vec::new()), Some(vec![1]));
    }
}
