//! Writes the section "Beside Serf" of `tests/BENCHMARKS.md` from the results. It owns no state.

use crate::agent::SERF;
use crate::results::{Record, Results};
use crate::table;
use memberd_tests::section::Section;

/// The marks around the section.
pub(crate) const SECTION: Section = Section("<!-- written by make bench-peers -->\n");

/// The beginnings of the rows that the page shows.
const SHOWN: [&str; 10] = [
    "all start at once",
    "one crash",
    "three crashes at once",
    "four crashes at once",
    "one leaves",
    "at rest, each",
    "25 % lost",
    "one stopped for",
    "split in halves",
    "the introducer back",
];

/// The size of the simulated groups that the page shows.
const SIMULATED: usize = 1_000;

/// The text of the section.
pub(crate) fn section(results: &Results) -> String {
    let of_serf = || results.records.iter().filter(|record| record.of.program == SERF.name);
    let largest_of = |what: &str| {
        of_serf().filter(|record| record.what == what).map(|record| record.of.agents).max()
    };
    let wanted = |record: &Record| {
        SHOWN.iter().any(|begin| record.what.starts_with(begin))
            && largest_of(&record.what) == Some(record.of.agents)
    };
    let worse = table::worse(results);
    let worse =
        if worse.is_empty() { "nothing that was measured".to_owned() } else { worse.join("; ") };
    let parts = [
        (
            "Median, worst. The last cell has memberd's medians by Serf's, of the ring, of SWIM \
            without suspicion and of SWIM. Below 1 memberd is ahead.",
            table::beside_serf(results, wanted)
                .map(|table| format!("{table}\nWorse than Serf with its defaults: {worse}.\n")),
        ),
        ("What SWIM should reach, as ratios to Serf or to the ring:", table::goals(results)),
        (
            "The same in the simulator, beside the ring at SWIM's rate of packets. table.md has \
            more sizes:",
            table::simulated(results, |record| record.of.agents == SIMULATED),
        ),
        (
            "One search over ten machines' logs, until its first and its last line:",
            table::searches(results),
        ),
        ("What each of many on one machine costs:", table::growth(results)),
    ];
    let mut text = format!("{}\n", table::conditions(results).join("\n"));
    for (head, table) in parts {
        if let Some(table) = table {
            text += &format!("\n{head}\n\n{table}");
        }
    }
    text
}
