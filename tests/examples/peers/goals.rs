//! Compares the results with the figures that the detector SWIM should reach, with suspicion and
//! without. It owns no state.

use crate::agent::{Program, RING, SERF, SWIM, SWIM_WITHOUT_SUSPICION};
use crate::results::{Record, Results, find};
use std::collections::BTreeSet;

/// A figure of SWIM that should not be larger.
struct Goal {
    what: &'static str,
    /// The program whose figure is 1. Without one the figure is a count.
    to: Option<Program>,
    most: f64,
}

const fn to_serf(what: &'static str, most: f64) -> Goal {
    Goal { what, to: Some(&SERF), most }
}

const fn to_ring(what: &'static str, most: f64) -> Goal {
    Goal { what, to: Some(&RING), most }
}

const fn none(what: &'static str) -> Goal {
    Goal { what, to: None, most: 0.0 }
}

const GOALS: [Goal; 10] = [
    to_serf("at rest, each: packets sent", 0.85),
    to_serf("at rest, each: bytes sent, IP headers included", 0.45),
    to_serf("at rest under a key, each: bytes sent, IP headers included", 0.5),
    to_serf("at rest, each: processor time", 0.35),
    to_serf("four crashes at once: first list", 0.6),
    to_serf("four crashes at once: every list", 0.6),
    none("25 % lost for 120 s: live agents reported failed"),
    none("one stopped for 3 s: reported failed"),
    to_ring("at rest, each: packets sent", 0.25),
    to_ring("at rest, each: bytes sent, IP headers included", 0.27),
];

/// A figure that was measured.
pub(crate) struct Outcome<'a> {
    goal: &'static Goal,
    pub(crate) of: Program,
    pub(crate) agents: usize,
    pub(crate) most: f64,
    pub(crate) measured: f64,
    /// The runs that it comes from.
    pub(crate) runs: Vec<&'a str>,
}

impl Outcome<'_> {
    /// Names the figure.
    pub(crate) fn what(&self) -> String {
        match self.goal.to {
            Some(program) => format!("{}, to {}", self.goal.what, program.title),
            None => self.goal.what.to_owned(),
        }
    }

    /// Formats a figure.
    pub(crate) fn show(&self, figure: f64) -> String {
        if self.goal.to.is_some() { format!("{figure:.2}") } else { format!("{figure:.0}") }
    }

    /// Whether the figure was reached, and by how much.
    pub(crate) fn verdict(&self) -> String {
        let distance = self.show((self.most - self.measured).abs());
        if self.measured <= self.most {
            format!("reached by {distance}")
        } else {
            format!("missed by {distance}")
        }
    }
}

/// The outcomes of all goals for which both sides were measured.
pub(crate) fn outcomes(results: &Results) -> Vec<Outcome<'_>> {
    let both: [Program; 2] = [&SWIM, &SWIM_WITHOUT_SUSPICION];
    let pairs = GOALS.iter().flat_map(|goal| both.map(|of| (goal, of)));
    pairs.flat_map(|(goal, of)| of_goal(results, goal, of)).collect()
}

fn of_goal<'a>(results: &'a Results, goal: &'static Goal, of: Program) -> Vec<Outcome<'a>> {
    let of_swim = results.records.iter().filter(|record| {
        record.of.row.is_beside_serf() && record.what == goal.what && record.of.program == of.name
    });
    let sizes: BTreeSet<usize> = of_swim.map(|record| record.of.agents).collect();
    let outcome = |agents: usize| {
        let find = |program: Program| find(results, goal.what, agents, program.name);
        let own = find(of)?;
        let other = match goal.to {
            Some(program) => Some(find(program)?),
            None => None,
        };
        let measured = own.typical() / other.map_or(1.0, Record::typical);
        let runs = [Some(own), other].into_iter().flatten();
        let runs = runs.map(|record| record.run.as_str()).collect();
        Some(Outcome { goal, of, agents, most: goal.most, measured, runs })
    };
    sizes.into_iter().filter_map(outcome).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::Row;
    use crate::results::{Measure, Subject};
    use memberd_tests::bench::Run;

    /// A ratio needs both sides, and a count needs one.
    #[test]
    fn goals_are_reached_or_missed_by_how_much() {
        let mut results = Results::default();
        let (began, conditions) = ("now".to_owned(), Vec::new());
        results.runs.push(Run { began, load: None, conditions });
        let mut add = |row, program, measure, what, sample| {
            results.add(&Subject::new(row, 10_usize, program), measure, what, &[sample]);
        };
        let packets = "at rest, each: packets sent";
        add(Row::Rest, &SWIM, Measure::PerSecond, packets, 1.6);
        add(Row::Rest, &SERF, Measure::PerSecond, packets, 2.0);
        let bytes = "at rest, each: bytes sent, IP headers included";
        add(Row::Rest, &SWIM, Measure::BytesPerSecond, bytes, 100.0);
        add(Row::Rest, &SERF, Measure::BytesPerSecond, bytes, 200.0);
        let failed = "25 % lost for 120 s: live agents reported failed";
        add(Row::Loss, &SWIM, Measure::Total, failed, 2.0);
        let outcomes: Vec<String> = outcomes(&results)
            .iter()
            .map(|outcome| format!("{}: {}", outcome.what(), outcome.verdict()))
            .collect();
        assert_eq!(
            outcomes,
            [
                "at rest, each: packets sent, to Serf: reached by 0.05",
                "at rest, each: bytes sent, IP headers included, to Serf: missed by 0.05",
                "25 % lost for 120 s: live agents reported failed: missed by 2",
            ]
        );
    }
}
