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
    let sizes: Vec<usize> =
        results.records.iter().filter(|record| record.program == "Serf").map(|record| record.agents).collect();
    let largest = sizes.iter().max().copied().unwrap_or_default();
    let largest_of = |what: &str| {
        let with = results.records.iter().filter(|record| record.program == "Serf" && record.what == what);
        with.map(|record| record.agents).max().unwrap_or(largest)
    };
    let wanted =
        |record: &Record| SHOWN.iter().any(|begin| record.what.starts_with(begin)) && (record.agents == largest_of(&record.what));
    let worse = table::worse(results);
    let worse = if worse.is_empty() { "nothing that was measured".to_owned() } else { worse.join("; ") };
    format!(
        "{BEGIN}{}\n\nMedian, worst; the ratio is Serf's median by memberd's, so above 1 memberd is ahead.\n\n{}\n\
         Worse than Serf with its defaults: {worse}.\n\n\
         One search over ten machines' logs, until its first and its last line:\n\n{}\n\
         What each of many on one machine costs:\n\n{}{END}",
        results.conditions.join("\n"),
        table::beside_serf(results, wanted),
        table::searches(results),
        table::growth(results),
    )
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
