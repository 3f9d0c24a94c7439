//! Measures networks that lose 10, 25 and 40 % of all UDP and TCP packets: false failures, the
//! detection times of real crashes, and the cost. It owns no state.

use crate::group::{Group, InVain, until};
use crate::options::Row;
use crate::results::{Measure, Subject};
use crate::stage::formed;
use crate::{Bench, attempt, pass};
use memberd_tests::Network;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// The percentages of lost packets. Each has a group of its own, and the groups run in parallel.
pub(crate) const LOSSES: [u8; 3] = [10, 25, 40];

/// How many agents crash in each group, one after the other.
const CRASHES: usize = 10;

/// The moments of the crashes, as fractions of the span. The last one leaves time to notice it.
fn parts() -> impl Iterator<Item = f64> {
    (0..CRASHES).map(|turn| (turn as f64 + 0.5) / (CRASHES as f64 + 2.0))
}

pub(crate) fn measure(bench: &mut Bench) {
    let agents = bench.options.loss_agents;
    let networks: Vec<Network> =
        LOSSES.iter().map(|_| Network::new(agents).expect("network namespaces")).collect();
    let programs = bench.options.programs.clone();
    for program in programs.into_iter().filter(|program| program.rows.contains(&Row::Loss)) {
        attempt(bench, &Subject::new(Row::Loss, agents, program), |bench, of| {
            networks.iter().for_each(Network::heal);
            let groups: Result<Vec<Group>, InVain> =
                networks.iter().map(|network| formed(Group::new(program, network))).collect();
            disturb(bench, of, &networks, groups?);
            Ok(())
        });
    }
}

/// Loses packets, crashes some agents, and records the reported failures.
fn disturb(bench: &mut Bench, of: &Subject, networks: &[Network], mut groups: Vec<Group>) {
    let (span, start) = (bench.options.loss_span(), Instant::now());
    let before: Vec<_> = networks.iter().map(Network::sent).collect();
    for (network, percent) in networks.iter().zip(LOSSES) {
        network.lose(percent);
    }
    let mut crashes: Vec<Crash> = Vec::new();
    for (turn, part) in parts().enumerate() {
        pass(span.mul_f64(part).saturating_sub(start.elapsed()));
        for (index, group) in groups.iter_mut().enumerate() {
            group.look();
            let victim = group.any_others(turn * 3 + index)[turn];
            crashes.push((index, group.kill(victim), victim));
        }
    }
    pass(span.saturating_sub(start.elapsed()));
    let sent = rates(networks, &before, start.elapsed());
    let wrong: Vec<_> = groups.iter_mut().map(Group::false_failures).collect();
    // The results count an agent that has not noticed by then as one that never did.
    let _ = until(&mut groups, |group, lists| {
        crashes.iter().all(|(index, _, victim)| *index != group || lists.all_noticed(*victim))
    });
    for (index, percent) in LOSSES.into_iter().enumerate() {
        let what = format!("{percent} % lost for {} s", Duration::as_secs(&span));
        let failed: BTreeSet<usize> = wrong[index].iter().map(|wrong| wrong.subject).collect();
        let lists: BTreeSet<(usize, usize)> =
            wrong[index].iter().map(|wrong| (wrong.observer, wrong.subject)).collect();
        bench.results.add(
            of,
            Measure::Total,
            &format!("{what}: live agents reported failed"),
            &[failed.len() as f64],
        );
        bench.results.add(
            of,
            Measure::Total,
            &format!("{what}: wrong entries in lists"),
            &[lists.len() as f64],
        );
        let of_this = crashes.iter().filter(|(group, ..)| *group == index);
        let times: Vec<(f64, f64)> =
            of_this.map(|(_, at, victim)| groups[index].noticed(*victim, *at)).collect();
        let (first, every): (Vec<f64>, Vec<f64>) = times.into_iter().unzip();
        bench.results.add(
            of,
            Measure::Seconds,
            &format!("{what}: real crashes, first list"),
            &first,
        );
        bench.results.add(
            of,
            Measure::Seconds,
            &format!("{what}: real crashes, every list"),
            &every,
        );
    }
    networks.iter().for_each(Network::heal);
    add_cost(bench, of, &sent, &crashes);
}

/// A crash: the group, the moment and the agent.
type Crash = (usize, Instant, usize);

/// Records what each agent sent that did not crash.
fn add_cost(bench: &mut Bench, of: &Subject, sent: &[Vec<(f64, f64)>], crashes: &[Crash]) {
    let span = bench.options.loss_span();
    for (index, percent) in LOSSES.into_iter().enumerate() {
        let crashed =
            |number| crashes.iter().any(|(group, _, victim)| (*group, *victim) == (index, number));
        let living = (1..).zip(&sent[index]).filter(|(number, _)| !crashed(*number));
        let (packets, bytes): (Vec<f64>, Vec<f64>) = living.map(|(_, sent)| *sent).unzip();
        let what = format!("{percent} % lost for {} s, each", Duration::as_secs(&span));
        bench.results.add(of, Measure::PerSecond, &format!("{what}: packets sent"), &packets);
        bench.results.add(
            of,
            Measure::BytesPerSecond,
            &format!("{what}: bytes sent, IP headers included"),
            &bytes,
        );
    }
}

/// The packets and bytes that each machine of each network has sent in a second since `before`.
fn rates(networks: &[Network], before: &[Vec<(u64, u64)>], span: Duration) -> Vec<Vec<(f64, f64)>> {
    let rate = |before: u64, after: u64| after.saturating_sub(before) as f64 / span.as_secs_f64();
    let of_network = |(network, before): (&Network, &Vec<(u64, u64)>)| {
        let pairs = before.iter().zip(network.sent());
        pairs.map(|(before, after)| (rate(before.1, after.1), rate(before.0, after.0))).collect()
    };
    networks.iter().zip(before).map(of_network).collect()
}
