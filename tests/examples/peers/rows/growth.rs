//! Measures the cost of each memberd at rest as its group grows, with all of them on one machine.
//! It owns no state.

use super::rest::{CALM, spend};
use crate::agent::RING;
use crate::group::Group;
use crate::options::Row;
use crate::results::{Measure, Subject};
use crate::stage::formed;
use crate::{Bench, attempt, pass};
use memberd_tests::Network;

pub(crate) fn measure(bench: &mut Bench) {
    for agents in bench.options.growth.clone() {
        attempt(bench, &Subject::new(Row::Growth, agents, &RING), |bench, of| {
            let network = Network::new(1).expect("a network namespace");
            let mut groups = [formed(Group::crowded(&RING, &network, agents))?];
            pass(CALM);
            let spent = spend(&mut groups, bench.options.rest_span());
            let each = |all: &[f64]| all.iter().map(|all| all / agents as f64).collect::<Vec<_>>();
            let mut add = |measure, what: &str, samples: &[f64]| {
                bench.results.add(of, measure, &format!("growth, each: {what}"), samples);
            };
            add(Measure::PerSecond, "packets sent", &each(&spent.packets));
            add(Measure::BytesPerSecond, "bytes sent, IP headers included", &each(&spent.bytes));
            add(Measure::MillisecondsPerSecond, "processor time", &spent.processor);
            add(Measure::PerSecond, "wake-ups", &spent.wake_ups);
            add(Measure::Mebibytes, "memory, proportional (PSS)", &spent.proportional);
            Ok(())
        });
    }
}
