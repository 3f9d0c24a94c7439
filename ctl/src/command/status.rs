//! `memberctl status [--json]`.

use std::time::Duration;

use memberd_control::message::{NeighbourRecord, Reply, Request, StatusReport};

use crate::connection::{Connection, Daemon, Patience, out_of_place};
use crate::exit::Failure;
use crate::json;
use crate::output::{Output, Style};
use crate::words;

/// How long the daemon may take for its report.
const PATIENCE: Patience = Patience::For(Duration::from_secs(10));

/// Shows how the daemon is doing.
#[derive(Debug, clap::Args)]
pub(crate) struct Status {
    /// Print a JSON object
    #[arg(long)]
    json: bool,
}

impl Status {
    /// Prints the report. A daemon outside any group is well too.
    pub(super) fn run(&self, daemon: &Daemon) -> Result<(), Failure> {
        match Connection::ask(daemon, &Request::Status, PATIENCE)?.reply()? {
            Reply::Status(report) if self.json => Output::new().object(&json::Status::from(report.as_ref())),
            Reply::Status(report) => show(&mut Output::new(), &report),
            _ => Err(out_of_place()),
        }
    }
}

fn show(output: &mut Output, report: &StatusReport) -> Result<(), Failure> {
    output.line(&output.styled(Style::Bold, &headline(report)))?;
    output.line(&format!("  address     {}", words::printable(&report.address)))?;
    output.line(&format!("  memberd     {}, up for {}", words::printable(&report.version), words::duration(report.uptime)))?;
    output.line(&format!(
        "  list        {} alive, {} failed, {} left; digest {}",
        report.alive,
        report.failed,
        report.left,
        words::printable(&report.digest)
    ))?;
    section(output, "heartbeats", report.neighbours.iter().map(neighbour))?;
    section(output, "counters", report.counters.iter().map(|(name, count)| format!("{} {count}", words::printable(name))))?;
    for warning in &report.warnings {
        let mark = output.styled(Style::Yellow, "warning");
        output.line(&format!("{mark}: {}", words::printable(warning)))?;
    }
    Ok(())
}

/// What the daemon is to the group.
fn headline(report: &StatusReport) -> String {
    let name = words::printable(&report.name);
    match (report.phase.as_str(), &report.id) {
        ("out", _) => format!("{name} is not in a group: memberctl join"),
        ("member", Some(id)) => format!("{name} is a member, {}", words::printable(id)),
        (phase, _) => format!("{name} is {}", words::printable(phase)),
    }
}

/// Lines under one title, which stands beside the first.
fn section(output: &mut Output, title: &str, lines: impl Iterator<Item = String>) -> Result<(), Failure> {
    for (index, line) in lines.enumerate() {
        let title = if index == 0 { title } else { "" };
        output.line(&format!("  {title:10}  {line}"))?;
    }
    Ok(())
}

/// `vm2, sent 0.31 s ago, clock 2 ms ahead, same list`.
fn neighbour(neighbour: &NeighbourRecord) -> String {
    let name = words::printable(&neighbour.name);
    let sent = match neighbour.heartbeat_age {
        Some(age) => format!("last sent {} ago", words::duration(age)),
        None => "not heard yet".to_owned(),
    };
    let clock = match neighbour.clock_offset {
        None => "clock unknown".to_owned(),
        Some(offset) if offset < 0 => {
            format!("clock {} behind", words::duration(offset.unsigned_abs()))
        }
        Some(offset) => format!("clock {} ahead", words::duration(offset.unsigned_abs())),
    };
    let list = if neighbour.agrees { "same list" } else { "another list" };
    format!("{name}, {sent}, {clock}, {list}")
}
