//! The README's section "Beside Serf", made of the results.

use crate::results::{Record, Results};
use crate::table;
use std::fs;
use std::path::Path;

/// The lines between which the section stands.
const BEGIN: &str = "<!-- written by make bench-peers -->\n";
const END: &str = "<!-- until here -->\n";

/// What the README shows of all rows: how they begin.
const SHOWN: [&str; 9] = [
    "all start at once",
    "one crash",
    "four crashes at once",
    "one leaves",
    "at rest, each",
    "25 % lost",
    "one stopped for 10 s: if",
    "split in halves",
    "the introducer back",
];

/// The whole section, with its marks.
pub(crate) fn section(results: &Results) -> String {
    let of_serf = || results.records.iter().filter(|record| record.of.program == "Serf");
    let largest_of = |what: &str| of_serf().filter(|record| record.what == what).map(|record| record.of.agents).max();
    let wanted = |record: &Record| {
        SHOWN.iter().any(|begin| record.what.starts_with(begin)) && largest_of(&record.what) == Some(record.of.agents)
    };
    let worse = table::worse(results);
    let worse = if worse.is_empty() { "nothing that was measured".to_owned() } else { worse.join("; ") };
    let parts = [
        (
            "Median, worst; the ratio is Serf's median by memberd's, so above 1 memberd is ahead.",
            table::beside_serf(results, wanted).map(|table| format!("{table}\nWorse than Serf with its defaults: {worse}.\n")),
        ),
        ("One search over ten machines' logs, until its first and its last line:", table::searches(results)),
        ("What each of many on one machine costs:", table::growth(results)),
    ];
    let mut text = format!("{BEGIN}{}\n", table::conditions(results).join("\n"));
    for (head, table) in parts {
        if let Some(table) = table {
            text += &format!("\n{head}\n\n{table}");
        }
    }
    text + END
}

/// Writes the section anew where it stands.
///
/// # Panics
/// When the README has no such section.
pub(crate) fn update(readme: &Path, results: &Results) {
    let text = fs::read_to_string(readme).expect("the README");
    let (before, rest) = text.split_once(BEGIN).expect("the section's begin");
    let (_, after) = rest.split_once(END).expect("the section's end");
    fs::write(readme, format!("{before}{}{after}", section(results))).expect("the README can be written");
}
