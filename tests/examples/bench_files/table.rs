//! Writes the section "Beside HDFS and SeaweedFS" of `tests/BENCHMARKS.md` from the results. It
//! owns no state.

use crate::aims;
use crate::options::Row;
use crate::results::{Results, cell};
use crate::rows::quick;
use crate::system::System;
use memberd_tests::bench::Run;
use memberd_tests::bench::aims::table as table_of_aims;
use memberd_tests::bench::table::{Shown, by_columns};
use memberd_tests::section::Section;

/// The marks around the section.
pub(crate) const SECTION: Section = Section("<!-- written by make bench-files -->\n");

/// How everything is measured, one sentence each.
const METHOD: [&str; 8] = [
    "The systems run in turn on one machine, without each other: five nodes, each with a network \
     namespace, three copies, and a client on the first node; each round starts each system anew.",
    "What each does before it answers a write: memberd has content and names on three disks; HDFS \
     has names on one disk and content in the page cache of three machines; SeaweedFS has content \
     in that of three machines and names in that of one; the rows of fsync count it.",
    "The syncing columns: HDFS with `dfs.datanode.synconclose` and, in its own protocol, `hsync`; \
     SeaweedFS with `fsync=true` in each request; and memberd on disks in memory, where syncing \
     costs nothing.",
    "WebHDFS, of memberd and HDFS alike: one client in Rust, with a kept connection for names and \
     a new one for each content; SeaweedFS's filer: the same client, with a kept connection.",
    "Native: HDFS's own protocol from a warm Java, which measures itself; memberctl: a program \
     that is started for each thing, and its start counts.",
    "Content is noise and is read from the page cache; what was done to warm programs up does not \
     count.",
    "Machine killed: kill -9 of all that runs on the fifth node while a client replaces ten \
     files of 1 KiB, until each block, extent or volume is on three others; memberd has \
     `repair_after = \"0s\"`; HDFS calls a node dead after 20 s instead of 10.5 min, and its \
     clients do after 5 s.",
    "Machine back: all have their defaults.",
];

/// The text of the section; empty if nothing was measured yet.
pub(crate) fn section(results: &Results) -> String {
    if results.telling_runs().is_empty() {
        return String::new();
    }
    let mut text = results.described(&METHOD, is_busy).join("\n") + "\n";
    let moment = |row: Row| quick::ROWS.contains(&row) || row == Row::Syncs;
    let ways = |of: &dyn Fn(System) -> bool| -> Vec<String> {
        let systems = System::ALL.into_iter().filter(|system| of(*system));
        systems.flat_map(|system| system.ways().iter().map(move |way| way.column(system))).collect()
    };
    let as_they_are = ways(&System::is_as_it_is);
    table(results, "As they are (median, worst)", &as_they_are, moment, &mut text);
    let others = ways(&|system| !system.is_as_it_is());
    table(results, "With the other way of syncing (median, worst)", &others, moment, &mut text);
    let systems: Vec<String> =
        System::AS_THEY_ARE.iter().map(|system| system.name().to_owned()).collect();
    let rest = |row: Row| !moment(row);
    table(results, "Crashes and memory (median, worst)", &systems, rest, &mut text);
    let aims = table_of_aims("What should be reached, by medians", &aims::lines(results));
    text + &aims + &results.not_measured()
}

/// Whether the machine had other work when the run began.
fn is_busy(run: &Run) -> bool {
    run.loads_per_core().next().is_some_and(|load| load > 0.75)
}

/// A table of these rows and columns, without columns that have nothing.
fn table(
    results: &Results,
    head: &str,
    columns: &[String],
    has: impl Fn(Row) -> bool,
    text: &mut String,
) {
    let shown = Shown { head, columns, title: |_, what| what.to_owned(), cell };
    *text += &by_columns(results, shown, has);
}
