//! Describes the machine and finds the programs on it. It owns no state.

use crate::options::{Options, Row};
use crate::results::Run;
use memberd_tests::bench::machine::{commit, cores_and_kernel, first_line, load, now, package};
use memberd_tests::binaries;
use std::env;
use std::process::Command;

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

const SHIPPING: &[Row] = &[Row::Rest, Row::One, Row::All];
const SEARCHING: &[Row] = &[Row::Size, Row::Search];

/// Checks that the chosen rows can be measured. The error says what to install.
pub(crate) fn missing_tools(options: &Options) -> Result<(), String> {
    let wants = |rows: &[Row]| rows.is_empty() || rows.iter().any(|row| options.wants(*row));
    if wants(SHIPPING) && !nix::unistd::geteuid().is_root() {
        return Err("network namespaces need root".to_owned());
    }
    let path = env::var_os("PATH").unwrap_or_default();
    let is_there = |program: &str| env::split_paths(&path).any(|at| at.join(program).is_file());
    let mut missing: Vec<&str> = NEEDED
        .iter()
        .filter(|(program, _, rows)| wants(rows) && !is_there(program))
        .map(|(_, package, _)| *package)
        .collect();
    missing.dedup();
    if missing.is_empty() { Ok(()) } else { Err(format!("apt-get install {}", missing.join(" "))) }
}

/// Describes the run that begins now: its machine, its programs and its options.
pub(crate) fn run(options: &Options) -> Run {
    let version = |program: &std::path::Path| first_line(Command::new(program).arg("--version"));
    let mut conditions = vec![
        format!("{} ({})", version(&binaries::memberd()), commit()),
        if cfg!(debug_assertions) { "a build without optimization" } else { "a release build" }
            .to_owned(),
    ];
    if let Some(baseline) = &options.baseline {
        conditions.push(format!("older build {}", version(&baseline.join("memberd"))));
    }
    if options.wants(Row::Search) {
        conditions.push(version("rg".as_ref()));
        conditions.push(format!("zstd {}", package("zstd")));
        conditions.push(format!("grep {}", package("grep")));
        let rounds = options.rounds;
        conditions.push(format!("{rounds} rounds of each search, by all programs in turn"));
    }
    if options.wants(Row::Rest) {
        conditions.push(format!("at rest: for {} s", options.rest_span().as_secs()));
    }
    if options.wants(Row::One) || options.wants(Row::All) {
        conditions.push(format!("each log {} MB", options.log_bytes() / 1_000_000));
    }
    conditions.push(cores_and_kernel());
    conditions.push(format!("load before {}", load()));
    Run { began: now(), conditions }
}
