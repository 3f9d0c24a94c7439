//! Writes the section "Beside etcd and ZooKeeper" of `tests/BENCHMARKS.md` from the results. It
//! owns no state.

use crate::results::{Measure, Record, Results, cell, find};
use crate::system::System;
use memberd_tests::bench::Run;
use memberd_tests::bench::aims::word;
use memberd_tests::section::Section;

/// The marks around the section.
pub(crate) const SECTION: Section = Section("<!-- written by make bench-agreement -->\n");

/// How everything is measured, one sentence each.
const METHOD: [&str; 6] = [
    "The systems run in turn on one machine, without each other; each server has a network \
    namespace.",
    "A server names its leader in its log, read from a pipe: memberd when it installs the view \
    (`leader elected`), etcd `elected leader`, ZooKeeper when it serves again (`broadcast`).",
    "memberd has its defaults and founders that are all servers, etcd its defaults but in the \
    column \"fastest\", ZooKeeper the settings of its example.",
    "The kernel closes the connections of a killed process, which ZooKeeper and memberd take for \
    its end; that of a machine without power closes none. The time begins just before kill(2), or \
    before the cable is cut.",
    "A lock: memberd's leadership until the next is exclusive; etcd's lock through its gateway; \
    ZooKeeper's recipe with ephemeral nodes.",
    "At rest: 10 s after the last change, all that goes over the server's cable; then fsync and \
    the like are counted for as long, by strace.",
];

/// The row of the aims.
const NAMED: &str = "leader killed: every survivor names it";
const SYNCS: &str = "at rest, each: fsync and the like, of all";

/// How much of etcd's median memberd's may be.
const SHARE: f64 = 0.6;

/// When the last survivor names the next leader at the latest, in seconds.
const LATEST: f64 = 2.0;

/// The text of the section; empty if nothing was measured yet.
pub(crate) fn section(results: &Results) -> String {
    if results.runs.is_empty() {
        return String::new();
    }
    let mut text = results.described(&METHOD, is_busy).join("\n") + "\n";
    let busy = results.telling_runs().into_iter().any(is_busy);
    let busy = if busy { "on a busy machine; " } else { "" };
    text += &format!(
        "\nMedian, worst ({busy}the ratio is memberd's median by etcd's, so below 1 memberd is \
         ahead):\n\n{}",
        table(results)
    );
    let aims = aims(results);
    if !aims.is_empty() {
        text += &format!("\n{}\n", aims.join("\n"));
    }
    text + &results.not_measured()
}

/// Whether the machine had much other work. Of the servers alone, the load is rarely that high.
fn is_busy(run: &Run) -> bool {
    run.loads_per_core().any(|load| load > 1.5)
}

fn table(results: &Results) -> String {
    let runs = results.telling_runs();
    let mut text = String::from("| | servers |");
    for system in System::ALL {
        text += &format!(" {} |", system.name());
    }
    let run = if runs.len() > 1 { " run |" } else { "" };
    text += &format!(" ratio |{run}\n|{}\n", "---|".repeat(7 + usize::from(runs.len() > 1)));
    for (what, servers) in lines(results) {
        text += &format!("| {what} | {servers} |");
        let records = System::ALL.map(|system| find(results, what, servers, system));
        for record in records {
            let cell = record.map_or_else(String::new, |record| format!(" {}", cell(record)));
            text += &format!("{cell} |");
        }
        text += &match ratio(results, what, servers) {
            Some(ratio) => format!(" {ratio:.2} |"),
            None => " |".to_owned(),
        };
        if runs.len() > 1 {
            let is_of = |began: &str| records.iter().flatten().any(|record| record.run == began);
            let numbered = runs.iter().enumerate().filter(|(_, run)| is_of(&run.began));
            let numbers: Vec<String> = numbered.map(|(index, _)| (index + 1).to_string()).collect();
            text += &format!(" {} |", numbers.join(", "));
        }
        text.push('\n');
    }
    text
}

/// The rows and sizes of the table. The sizes of one row stand together.
fn lines(results: &Results) -> Vec<(&str, usize)> {
    let mut things: Vec<&Record> = Vec::new();
    for record in &results.records {
        if !things.iter().any(|thing| thing.what == record.what) {
            things.push(record);
        }
    }
    things.sort_by_key(|record| record.of.row);
    let mut lines = Vec::new();
    for thing in things {
        let of = results.records.iter().filter(|record| record.what == thing.what);
        let mut sizes: Vec<usize> = of.map(|record| record.of.servers).collect();
        sizes.sort_unstable();
        sizes.dedup();
        lines.extend(sizes.into_iter().map(|servers| (thing.what.as_str(), servers)));
    }
    lines
}

/// memberd's median by that of etcd with its defaults.
fn ratio(results: &Results, what: &str, servers: usize) -> Option<f64> {
    let own = find(results, what, servers, System::Memberd)?;
    let other = find(results, what, servers, System::Etcd)?;
    let ratio = own.typical() / other.typical();
    (own.measure != Measure::Total && ratio.is_finite()).then_some(ratio)
}

/// What was aimed at, and whether it was reached.
fn aims(results: &Results) -> Vec<String> {
    let mut aims = Vec::new();
    for (_, servers) in lines(results).into_iter().filter(|(what, _)| *what == NAMED) {
        if let Some(ratio) = ratio(results, NAMED, servers) {
            aims.push(format!(
                "- {servers} servers, at most {SHARE} of etcd's median: {ratio:.2}, {}",
                word(ratio <= SHARE)
            ));
        }
        if let Some(own) = find(results, NAMED, servers, System::Memberd) {
            aims.push(format!(
                "- {servers} servers, the next leader is named by all within {LATEST:.1} s: {} at \
                 worst, {}",
                own.measure.show(own.worst()),
                word(own.worst() <= LATEST)
            ));
        }
        if let Some(own) = find(results, SYNCS, servers, System::Memberd) {
            let syncs = own.typical();
            aims.push(format!(
                "- {servers} servers, no fsync at rest: {syncs:.0}, {}",
                word(syncs == 0.0)
            ));
        }
    }
    aims
}
