//! Describes a run, and finds the programs that it needs. It owns no state.

use crate::options::Options;
use crate::spark::Spark;
use crate::system::System;
use memberd_tests::bench::{Run, machine};
use memberd_tests::binaries;
use std::path::PathBuf;

/// The programs that are needed, and the Debian packages that contain them.
const NEEDED: [(&str, &str, &[System]); 3] = [
    ("java", "default-jre-headless", &[System::Spark43, System::Spark35]),
    ("mawk", "mawk", &[System::Mawk]),
    ("python3", "python3", &[System::Spark43, System::Spark35, System::Duckdb]),
];

/// Where the package of DuckDB is, as `bench_streams/fetch` puts it there.
pub(crate) fn duckdb() -> PathBuf {
    machine::peers().join("duckdb-2.0.1")
}

/// The program of angle-grinder, as `bench_streams/fetch` puts it there.
pub(crate) fn agrind() -> PathBuf {
    machine::peers().join("agrind-0.19.5/bin/agrind")
}

/// The number of processors that each program gets.
pub(crate) fn cores() -> String {
    machine::cores().to_string()
}

/// Checks that the chosen programs can be measured. The error says what to do.
pub(crate) fn missing_tools(options: &Options) -> Result<(), String> {
    let wants = |systems: &[System]| systems.iter().any(|system| options.has(*system));
    let needed = NEEDED.iter().filter(|(_, _, systems)| wants(systems));
    machine::need(needed.map(|(program, package, _)| (program, *package)))?;
    for system in &options.systems {
        if let Err(why) = is_fetched(*system) {
            return Err(format!(
                "{} is not there: run tests/examples/bench_streams/fetch, or choose others with \
                 --systems: {why}",
                system.name()
            ));
        }
    }
    Ok(())
}

fn is_fetched(system: System) -> Result<(), String> {
    let there = match system {
        System::Memberd | System::Mawk => true,
        System::Spark43 | System::Spark35 => {
            return system.spark().map_or(Ok(()), |name| Spark::find(name).map(drop));
        }
        System::Duckdb => duckdb().is_dir(),
        System::Agrind => agrind().is_file(),
    };
    if there { Ok(()) } else { Err("it was not fetched".to_owned()) }
}

/// Describes the run that begins now: its machine, its programs and its options.
pub(crate) fn run(options: &Options) -> Run {
    let mut conditions = vec![machine::memberd()];
    let versions = [
        (System::Spark43, format!("Spark 4.3.0 (PyPI) on {}", machine::java())),
        (System::Spark35, "Spark 3.5.9 (PyPI)".to_owned()),
        (System::Mawk, format!("mawk {}", machine::package("mawk"))),
        (System::Duckdb, "DuckDB 2.0.1 (PyPI)".to_owned()),
        (System::Agrind, machine::version(agrind())),
    ];
    let told = versions.into_iter().filter(|(system, _)| options.has(*system));
    conditions.extend(told.map(|(_, version)| version));
    conditions.extend([
        binaries::given().map_or_else(machine::build, |_| "programs built before".to_owned()),
        machine::cores_and_kernel(),
        format!("ten logs of {} MB", options.log_bytes() / 1_000_000),
        format!("{} rounds of each question, {} of each kill", options.rounds, options.kills),
        format!("{} lines timed in each round", options.marks),
        format!(
            "at rest: for {} s, after {} s",
            options.rest_span().as_secs(),
            options.calm_span().as_secs()
        ),
    ]);
    Run::begin(conditions).with_load()
}
