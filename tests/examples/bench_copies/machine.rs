//! Describes a run, and finds the programs that it needs. It owns no state.

use crate::options::{Options, Row};
use memberd_tests::bench::{Run, machine};

/// The programs that are needed, and the Debian packages that contain them.
const NEEDED: [(&str, &str, &[Row]); 8] = [
    ("setpriv", "util-linux", &[]),
    ("ip", "iproute2", SHIPPING),
    ("nft", "nftables", SHIPPING),
    ("nsenter", "util-linux", SHIPPING),
    ("gzip", "gzip", SEARCHING),
    ("rg", "ripgrep", SEARCHING),
    ("zstd", "zstd", SEARCHING),
    ("zstdgrep", "zstd", SEARCHING),
];

pub(crate) const SHIPPING: &[Row] = &[Row::Rest, Row::One, Row::All];
pub(crate) const SEARCHING: &[Row] = &[Row::Size, Row::Search];

/// Checks that the chosen rows can be measured. The error says what to install.
pub(crate) fn missing_tools(options: &Options) -> Result<(), String> {
    if options.run.wants_any(SHIPPING) {
        machine::need_root()?;
    }
    let wants = |rows: &[Row]| rows.is_empty() || options.run.wants_any(rows);
    let needed = NEEDED.into_iter().filter(|(_, _, rows)| wants(rows));
    machine::need(needed.map(|(program, package, _)| (program, package)))
}

/// Describes the run that begins now: its machine, its programs and its options.
pub(crate) fn run(options: &Options) -> Run {
    let mut conditions = vec![machine::memberd(), machine::build()];
    if let Some(baseline) = &options.baseline {
        conditions.push(format!("older build {}", machine::version(baseline.join("memberd"))));
    }
    if options.run.wants(Row::Search) {
        conditions.push(machine::version("rg"));
        conditions.push(format!("zstd {}", machine::package("zstd")));
        conditions.push(format!("grep {}", machine::package("grep")));
        let rounds = options.rounds;
        conditions.push(format!("{rounds} rounds of each search, by all programs in turn"));
    }
    if options.run.wants(Row::Rest) {
        conditions.push(format!("at rest: for {} s", options.rest_span().as_secs()));
    }
    if options.run.wants(Row::One) || options.run.wants(Row::All) {
        conditions.push(format!("each log {} MB", options.log_bytes() / 1_000_000));
    }
    conditions.push(machine::cores_and_kernel());
    Run::begin(conditions)
}
