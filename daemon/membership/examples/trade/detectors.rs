//! Measures the detectors in simulated fleets: a column for each detector with its settings, and
//! functions for the rows. It owns the simulated worlds.

use crate::Options;
use crate::world::measure::{Measured, Plan, measure};
use crate::world::{Network, World, ms};
use memberd_membership::{Detection, GroupSettings, Settings, SwimSettings};
use serde_json::json;
use std::collections::BTreeSet;
use std::io::Write;
use std::panic::resume_unwind;
use std::thread;
use std::time::Duration;

/// A detector with its settings.
struct Column {
    name: &'static str,
    settings: Settings,
}

/// The detectors with their defaults, and the ring at SWIM's rate of packets. Its two timeouts are
/// those of SWIM without suspicion and with it.
fn columns() -> [Column; 5] {
    let column = |name, group| Column { name, settings: Settings { group, ..Settings::default() } };
    let swim = SwimSettings { suspicion_timeout: Duration::ZERO, ..SwimSettings::default() };
    let without = GroupSettings { detection: Detection::Swim(swim), ..GroupSettings::swim() };
    let slow = |timeout| GroupSettings {
        failure_timeout: ms(timeout),
        detection: Detection::Ring { heartbeat_interval: ms(2_400) },
        ..GroupSettings::default()
    };
    [
        column("ring", GroupSettings::default()),
        column("SWIM without suspicion", without),
        column("SWIM", GroupSettings::swim()),
        column("ring of 2.4 s, timeout 4 s", slow(4_000)),
        column("ring of 2.4 s, timeout 6.5 s", slow(6_500)),
    ]
}

/// One column at one size, and the effort to spend on it.
struct Case<'a> {
    settings: Settings,
    members: usize,
    options: &'a Options,
}

/// A row of one column: what was measured, the name of its unit, and the samples.
struct Figure {
    what: String,
    measure: &'static str,
    samples: Vec<f64>,
}

/// Measures some rows.
type Rows = fn(&Case) -> Vec<Figure>;

const ROWS: [Rows; 5] = [crashes, crashes_behind_latency, crashes_under_loss, at_rest, stops];

/// Fractions of lost datagrams while nobody crashes, and while members do.
const LOSSES: [f64; 5] = [0.0, 0.03, 0.1, 0.25, 0.4];
const LOSSES_OF_CRASHES: [f64; 3] = [0.1, 0.25, 0.4];

/// How many members are stopped, one after another or far from each other.
const STOPPED: usize = 10;

/// Measures all rows of all columns, side by side, and prints each figure as one line.
pub(crate) fn compare(options: &Options, out: &mut impl Write) -> std::io::Result<()> {
    let columns = columns();
    let measured: Vec<Vec<Figure>> = thread::scope(|scope| {
        let start = |column: &Column| {
            let case =
                Case { settings: column.settings.clone(), members: options.members, options };
            scope.spawn(move || ROWS.iter().flat_map(|rows| rows(&case)).collect())
        };
        let running: Vec<_> = columns.iter().map(start).collect();
        running
            .into_iter()
            .map(|thread| thread.join().unwrap_or_else(|panic| resume_unwind(panic)))
            .collect()
    });
    for (column, figures) in columns.iter().zip(measured) {
        for Figure { what, measure, samples } in figures {
            let line = json!({
                "column": column.name, "members": options.members, "what": what,
                "measure": measure, "samples": samples,
            });
            writeln!(out, "{line}")?;
        }
    }
    Ok(())
}

impl Case<'_> {
    fn plan(&self, crash: usize, loss: f64) -> Plan {
        let network = Network { loss, ..Network::default() };
        Plan { crash, network, ..Plan::new(self.members, self.settings.clone()) }
    }

    /// Measures crashes in every round. Every second round takes neighbours on the ring.
    fn rounds(&self, plan: &Plan) -> Measured {
        let mut measured = Measured::default();
        for round in 0..self.options.rounds {
            let neighbours = round % 2 == 1;
            measured.add(measure(&Plan { neighbours, seed: round + 1, ..plan.clone() }));
        }
        measured
    }
}

fn figure(what: &str, measure: &'static str, samples: Vec<f64>) -> Figure {
    Figure { what: what.to_owned(), measure, samples }
}

fn total(what: &str, count: f64) -> Figure {
    figure(what, "Total", vec![count])
}

/// The times until crashes are in lists. Those that are not in every list have no time.
fn times(what: &str, measured: Measured) -> Vec<Figure> {
    let missed = std::iter::repeat_n(f64::NAN, measured.missed);
    [("first list", measured.first), ("every list", measured.every)]
        .into_iter()
        .map(|(list, times)| {
            let samples = times.into_iter().chain(missed.clone()).collect();
            figure(&format!("{what}: {list}"), "Seconds", samples)
        })
        .collect()
}

fn crashes(case: &Case) -> Vec<Figure> {
    let mut figures = Vec::new();
    for (count, what) in
        [(1, "one crash"), (3, "three crashes at once"), (4, "four crashes at once")]
    {
        let measured = case.rounds(&case.plan(count, 0.0));
        let busiest = measured.busiest as f64;
        figures.extend(times(what, measured));
        figures.push(figure(
            &format!("{what}: packets of the busiest agent in its busiest second"),
            "PerSecond",
            vec![busiest],
        ));
    }
    figures
}

fn crashes_behind_latency(case: &Case) -> Vec<Figure> {
    let mut figures = Vec::new();
    for (delay, what) in [(50, "50 ms"), (500, "500 ms"), (3_000, "3 s")] {
        let plan = Plan { delay_at_crash: Some(ms(delay)), ..case.plan(3, 0.0) };
        let what = format!("three crashes at once, with them a latency of {what}");
        let measured = case.rounds(&plan);
        let falsely = measured.false_failures as f64;
        figures.extend(times(&what, measured));
        figures.push(total(&format!("{what}: live agents reported failed"), falsely));
    }
    figures
}

fn crashes_under_loss(case: &Case) -> Vec<Figure> {
    let mut figures = Vec::new();
    for loss in LOSSES_OF_CRASHES {
        let what = format!("{:.0} % lost: four crashes at once", loss * 100.0);
        figures.extend(times(&what, case.rounds(&case.plan(4, loss))));
    }
    figures
}

/// The cost while nobody crashes, and what is reported wrongly.
fn at_rest(case: &Case) -> Vec<Figure> {
    let mut figures = Vec::new();
    for loss in LOSSES {
        let idle = Duration::from_secs(case.options.idle);
        let measured = measure(&Plan { idle, ..case.plan(0, loss) });
        let what = match loss {
            0.0 => "at rest, each".to_owned(),
            _ => format!("{:.0} % lost", loss * 100.0),
        };
        let mut add = |name: &str, measure, value| {
            figures.push(figure(&format!("{what}: {name}"), measure, vec![value]));
        };
        add("packets sent", "PerSecond", measured.datagrams_a_second());
        add("bytes sent, IP headers included", "BytesPerSecond", measured.bytes_a_second());
        let mut add_hourly = |name: &str, count: f64| {
            add(name, "PerHour", count / measured.member_hours);
        };
        add_hourly("live agents reported failed, each", measured.false_failures as f64);
        if case.suspects() {
            add_hourly("suspicions raised, each", measured.suspicions as f64);
            add_hourly("suspicions refuted, each", measured.refutations as f64);
        }
    }
    figures
}

impl Case<'_> {
    /// Whether the detector suspects before it fails.
    fn suspects(&self) -> bool {
        self.settings.group.patience() > self.settings.group.failure_timeout
    }
}

/// Stops members: in small fleets one after another, in others all at once, far from each other.
fn stops(case: &Case) -> Vec<Figure> {
    let mut figures = Vec::new();
    let at_once = (case.members / STOPPED).clamp(1, STOPPED);
    for seconds in [1, 3, 8] {
        let mut world = World::formed(case.members, 1, case.settings.clone());
        let (mut reported, mut others) = (Vec::new(), 0);
        for turn in 0..STOPPED / at_once {
            let (ring, start) = (world.ring(0), world.now);
            let stopped: Vec<usize> = (0..at_once)
                .map(|i| ring[(turn + i * case.members / at_once) % case.members])
                .collect();
            for member in &stopped {
                world.run_for(ms(237));
                world.stop_for(*member, Duration::from_secs(seconds));
            }
            world.run_for(Duration::from_secs(seconds + 10));
            let failed: BTreeSet<_> =
                world.failures_since(start).into_iter().map(|(.., name)| name).collect();
            let named: BTreeSet<_> = stopped.iter().map(|i| crate::world::name(*i)).collect();
            reported.extend(named.iter().map(|name| f64::from(u8::from(failed.contains(name)))));
            others += failed.difference(&named).count();
        }
        let what = format!("one stopped for {seconds} s");
        figures.push(figure(&format!("{what}: reported failed"), "Share", reported));
        figures.push(total(&format!("{what}: reports that others failed"), others as f64));
    }
    figures
}
