//! What was measured, as it is kept beside this source. Times are in milliseconds.

use serde::{Deserialize, Serialize};
use std::fs;
use std::path::{Path, PathBuf};

/// All of it.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Results {
    /// How it was measured, in a line.
    pub(crate) conditions: String,
    pub(crate) cores: usize,
    /// One log.
    pub(crate) one: Vec<Row>,
    /// Ten logs, of ten members.
    pub(crate) ten: Vec<Row>,
    pub(crate) gain: Vec<Gain>,
    pub(crate) processor: Vec<Processor>,
    pub(crate) others: Others,
}

/// How long it took each: medians.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Row {
    pub(crate) what: String,
    pub(crate) counts: bool,
    pub(crate) grep: f64,
    pub(crate) rg: f64,
    pub(crate) engine_one_thread: f64,
    pub(crate) engine: f64,
    /// Of one log only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) memberctl_one_thread: Option<f64>,
    pub(crate) memberctl: f64,
}

/// What more threads gain on one log.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Gain {
    pub(crate) what: String,
    pub(crate) rg: f64,
    pub(crate) one_thread: f64,
    pub(crate) all_threads: f64,
    /// How many cores they were on, on average.
    pub(crate) cores: f64,
}

/// Processor time of a search of ten members: means.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Processor {
    pub(crate) what: String,
    pub(crate) rg: f64,
    /// All ten members, searching and sending.
    pub(crate) searching: f64,
    /// What the member that asks takes more than the others.
    pub(crate) asking: f64,
    pub(crate) memberctl: f64,
}

/// Single figures.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Others {
    /// A rare pattern over ten members that have little to read.
    pub(crate) little: f64,
    /// Until the first of 30 % of the lines of ten members.
    pub(crate) first_line: f64,
    /// The most memory that memberd had, in MiB, before and with ten greps at once, and memberctl.
    pub(crate) memberd_mib: u64,
    pub(crate) memberd_ten_greps_mib: u64,
    pub(crate) memberctl_mib: Option<u64>,
}

fn path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/bench_grep/results.json")
}

impl Results {
    /// What is kept.
    pub(crate) fn read() -> Results {
        let text = fs::read_to_string(path()).expect("the results");
        serde_json::from_str(&text).expect("results")
    }

    /// Keeps these.
    pub(crate) fn write(&self) {
        let text = serde_json::to_string_pretty(self).expect("JSON");
        fs::write(path(), text + "\n").expect("room for the results");
    }
}
