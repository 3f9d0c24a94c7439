//! The results, which are stored beside this source. Times are in milliseconds.

use serde::{Deserialize, Serialize};
use std::fs;
use std::path::{Path, PathBuf};

/// All results.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Results {
    /// The conditions of the measurement, in one line.
    pub(crate) conditions: String,
    pub(crate) cores: usize,
    /// Searches of one log.
    pub(crate) one: Vec<Row>,
    /// Searches of ten logs, one on each of ten members.
    pub(crate) ten: Vec<Row>,
    /// Searches for lists, on one thread.
    #[serde(default)]
    pub(crate) lists: Vec<ListRow>,
    /// The conditions of these, which can be measured by themselves.
    #[serde(default)]
    pub(crate) list_conditions: String,
    /// Searches of a window of time, on one thread.
    #[serde(default)]
    pub(crate) windows: Vec<WindowRow>,
    pub(crate) gain: Vec<Gain>,
    pub(crate) processor: Vec<Processor>,
    pub(crate) others: Others,
}

/// The median time of each program.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Row {
    pub(crate) what: String,
    pub(crate) counts: bool,
    pub(crate) grep: f64,
    pub(crate) rg: f64,
    pub(crate) engine_one_thread: f64,
    pub(crate) engine: f64,
    /// Only measured for one log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) memberctl_one_thread: Option<f64>,
    pub(crate) memberctl: f64,
}

/// The median time of each program for a list.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct ListRow {
    pub(crate) what: String,
    pub(crate) grep: f64,
    pub(crate) rg: f64,
    pub(crate) memberctl: f64,
}

/// The median time of a search of a window.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct WindowRow {
    pub(crate) what: String,
    /// The same search of all lines.
    pub(crate) without: f64,
    /// Of a file that no search of a window has read.
    pub(crate) first: f64,
    pub(crate) later: f64,
}

/// What more threads gain on one log.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Gain {
    pub(crate) what: String,
    pub(crate) rg: f64,
    pub(crate) one_thread: f64,
    pub(crate) all_threads: f64,
    /// How many cores the threads used on average.
    pub(crate) cores: f64,
}

/// The mean processor time of a search of ten members.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Processor {
    pub(crate) what: String,
    pub(crate) rg: f64,
    /// Searching and sending, on all ten members.
    pub(crate) searching: f64,
    /// The extra time of the member that asks.
    pub(crate) asking: f64,
    pub(crate) memberctl: f64,
}

/// The other figures.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Others {
    /// The time to find a rare pattern on ten members that have little to read.
    pub(crate) little: f64,
    /// The time until the first line, when 30 % of the lines of ten members match.
    pub(crate) first_line: f64,
    /// The most memory of memberd before ten concurrent greps and with them, and of memberctl, in
    /// MiB.
    pub(crate) memberd_mib: u64,
    pub(crate) memberd_ten_greps_mib: u64,
    pub(crate) memberctl_mib: Option<u64>,
}

fn path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/bench_grep/results.json")
}

impl Results {
    /// Reads the stored results.
    pub(crate) fn read() -> Results {
        let text = fs::read_to_string(path()).expect("the results");
        serde_json::from_str(&text).expect("results")
    }

    /// Stores these results.
    pub(crate) fn write(&self) {
        let text = serde_json::to_string_pretty(self).expect("JSON");
        fs::write(path(), text + "\n").expect("room for the results");
    }
}
