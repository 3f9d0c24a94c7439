//! Runs the same fleet in the simulator, as a command. It owns the simulator's report.

use super::table;
use memberd_tests::binaries;
use memberd_tests::trials::rest::Rest;
use serde_json::Value;
use std::process::Command;

/// How long a datagram travels in the simulator, in milliseconds. Zero is close to a bridge on this
/// machine.
const DELAY: &str = "0";

/// A simulation that has not run yet.
pub(crate) struct Plan {
    command: Command,
}

/// A simulation that has run, with its report.
pub(crate) struct Simulation {
    report: Value,
}

impl Simulation {
    /// Plans a simulation of this many members.
    pub(crate) fn of(members: u8) -> Plan {
        let mut command = Command::new(binaries::simulate());
        command.args(["--json", "--delay", DELAY, "--members", &members.to_string()]);
        Plan { command }
    }

    /// The median and the worst of some times.
    pub(crate) fn times(&self, key: &str) -> String {
        let [median, worst] = ["median", "max"].map(|which| number(&self.report[key][which]));
        table::seconds(median, worst)
    }

    /// A count of events.
    pub(crate) fn count(&self, key: &str) -> String {
        self.report[key].to_string()
    }

    /// Datagrams and bytes a second at rest.
    pub(crate) fn cost(&self) -> String {
        let [datagrams, bytes] = ["idle_datagrams_per_second", "idle_bytes_per_second"]
            .map(|key| number(&self.report[key]));
        table::cost(&Rest { datagrams, bytes, ..Rest::default() })
    }
}

impl Plan {
    /// Adds an option that is a number.
    pub(crate) fn number(mut self, option: &str, value: usize) -> Self {
        self.command.arg(format!("--{option}")).arg(value.to_string());
        self
    }

    /// Adds an option that is a fraction, from a percentage.
    pub(crate) fn percent(mut self, option: &str, value: u8) -> Self {
        self.command.arg(format!("--{option}")).arg((f64::from(value) / 100.0).to_string());
        self
    }

    /// Runs the simulation.
    pub(crate) fn run(mut self) -> Simulation {
        let output = self.command.output().expect("the simulator runs");
        let report = serde_json::from_slice(&output.stdout);
        let errors = String::from_utf8_lossy(&output.stderr);
        Simulation {
            report: report.unwrap_or_else(|error| {
                panic!("{:?} gave no report ({error}): {errors}", self.command)
            }),
        }
    }
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is not a number"))
}
