//! Ends the process at a chosen step of a change, so that a test can show that its successor
//! finishes it. Without the variable of the environment, nothing is counted.

use memberd_council::{Body, Event, Output};
use std::process;
use std::thread;
use std::time::Duration;

/// Ends the process before this step of the leader, counted from 1, of the first proposal that
/// deletes a member. Only tests set it.
const VARIABLE: &str = "MEMBERD_TEST_ABORT_AT_STEP";

/// How long what was sent may take to leave the process.
const GOING_OUT: Duration = Duration::from_millis(100);

/// The steps of the change so far.
#[derive(Debug, Default)]
pub(super) struct Steps {
    /// Before which step the process ends.
    at: Option<u64>,
    /// How many steps there were, once the change has begun.
    taken: Option<u64>,
}

impl Steps {
    pub(super) fn from_environment() -> Self {
        let at = std::env::var(VARIABLE).ok().and_then(|text| text.parse().ok());
        Steps { at, taken: None }
    }

    /// Counts a step. From the chosen one on nothing more is carried out, and the process ends when
    /// what was sent before has gone out.
    pub(super) fn is_over(&mut self, output: &Output) -> bool {
        let Some(at) = self.at else { return false };
        let begins = matches!(output, Output::Event(Event::OperationPending { operations, .. })
            if operations.iter().any(|one| matches!(one, memberd_council::Operation::Delete(_))));
        let is_step = match output {
            Output::Write { .. } => true,
            Output::Send { message, .. } => {
                matches!(message.body, Body::Req { .. } | Body::NewView(_))
            }
            Output::Event(Event::ViewInstalled { .. }) => true,
            Output::Event(_) | Output::Gossip(_) => begins,
        };
        if begins && self.taken.is_none() {
            self.taken = Some(0);
        }
        if let Some(taken) = self.taken.as_mut().filter(|_| is_step) {
            *taken += 1;
            if *taken == at {
                thread::spawn(|| {
                    thread::sleep(GOING_OUT);
                    process::abort();
                });
            }
        }
        self.taken >= Some(at)
    }
}
