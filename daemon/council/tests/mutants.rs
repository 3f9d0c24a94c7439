//! Each rule on which safety rests, switched off: the checker finds that. A checker that finds
//! nothing in a broken protocol would prove nothing of a whole one.

#![cfg(test)]
#![allow(clippy::cast_possible_truncation, reason = "a test's numbers are small")]

mod world;

use memberd_council::Mutant;
use world::schedules::{Bias, Plan};

/// Runs seeds with a rule switched off until an invariant breaks, which must be one of these.
fn is_found(mutant: Mutant, biases: &[Bias], most: u64, invariants: &[u8]) {
    for seed in 0..most {
        let bias = biases[seed as usize % biases.len()];
        let plan = Plan { mutant: Some(mutant), shares: false, ..Plan::of(seed).with(bias) };
        let world = plan.run();
        if let Some(violation) = &world.violation
            && invariants.contains(&violation.invariant)
        {
            println!("{mutant:?}: found by seed {seed}, {bias:?}: {violation}");
            return;
        }
    }
    panic!("{mutant:?}: not found by {most} seeds");
}

#[test]
fn views_that_raise_no_promise_are_found() {
    let biases = [Bias::IsolateLeader, Bias::Squeeze, Bias::RestartVoters];
    is_found(Mutant::InstallKeepsPromise, &biases, 300, &[2, 9]);
}

#[test]
fn accepted_operations_that_are_forgotten_are_found() {
    is_found(Mutant::NoAdoption, &[Bias::Growth, Bias::IsolateLeader], 300, &[1]);
}

#[test]
fn a_promise_by_whom_is_ahead_is_found() {
    is_found(Mutant::PromiseWhileBehind, &[Bias::Squeeze, Bias::Seats], 3_000, &[1, 2, 3]);
}

#[test]
fn a_file_that_falls_back_is_found() {
    is_found(Mutant::FileRolledBack, &[Bias::Disks, Bias::RestartVoters], 100, &[4]);
}

/// Without the check of the file itself there are two views of one number.
#[test]
fn what_a_file_that_falls_back_leads_to_is_found() {
    is_found(Mutant::FileRolledBack, &[Bias::Growth], 600, &[1]);
}

#[test]
fn a_restarted_voter_without_its_lease_is_found() {
    is_found(Mutant::RestartForgetsLease, &[Bias::Squeeze, Bias::RestartVoters], 300, &[5]);
}

#[test]
fn a_view_without_a_lease_promise_is_found() {
    is_found(Mutant::InstallStartsNoLease, &[Bias::Growth], 600, &[5]);
}

#[test]
fn an_answer_before_its_write_is_found() {
    is_found(Mutant::AnswerBeforeWrite, &[Bias::Uniform], 100, &[4]);
}
