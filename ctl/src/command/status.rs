//! `memberctl status [--json]`: prints the state of the local daemon.

use memberd_control::message::StatusReport;

use crate::connection::Daemon;
use crate::exit::Failure;
use crate::format;
use crate::json;
use crate::output::{ColorChoice, Output, Style};
use crate::report::{self, neighbours};

/// The counters that are printed: for each title a list of labels and counters' names.
const COUNTERS: [(&str, &[(&str, &str)]); 3] = [
    (
        "heartbeats",
        &[
            ("sent", "heartbeats_sent"),
            ("received", "heartbeats_received"),
            ("lost", "heartbeats_lost"),
        ],
    ),
    (
        "datagrams",
        &[
            ("sent", "datagrams_sent"),
            ("received", "datagrams_received"),
            ("refused", "datagrams_refused"),
            ("not taken by the kernel", "datagrams_unsent"),
        ],
    ),
    (
        "noticed",
        &[
            ("heartbeats missing", "probe_rounds"),
            ("members suspected", "suspicions"),
            ("own refutations", "refutations"),
            ("members declared failed", "accusations"),
            ("lists that differed", "repairs"),
            ("own stalls", "stalls"),
            ("log lines lost", "log_lines_lost"),
        ],
    ),
];

/// Stands for a pattern that the daemon does not send on the read-only socket.
const HIDDEN: &str = "pattern hidden (shown to root and group memberd),";

/// What stands below the help.
const DETAILS: &str = "\
The table has a line for each neighbour. LAST SENT is when it sent its newest heartbeat. LOST is \
how many of its heartbeats were lost in the last minute or two; with the detector swim, how many \
pings to it had no answer, which counts the way there and back. DELAY is the smallest recent delay \
of its datagrams. CLOCK is the difference of its wall clock from ours. LIST says whether its list \
is the same as ours. A neighbour that is suspected also names who suspects it; it is alive.

The patterns of running greps are shown only to root and group memberd. For others they are \
hidden, and null in JSON.";

/// Shows the state of the daemon.
#[derive(Debug, clap::Args)]
#[command(after_help = DETAILS)]
pub(crate) struct Status {
    /// Print a JSON object
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    color: ColorChoice,
}

impl Status {
    /// Prints the report. A daemon that is in no group is a success too.
    pub(super) fn run(&self, daemon: &Daemon) -> Result<(), Failure> {
        let report = report::fetch(daemon)?;
        let mut output = Output::with(self.color);
        if self.json {
            output.object(&json::Status::from(&report))
        } else {
            output.text(&text(&output, &report))
        }
    }
}

fn text(output: &Output, report: &StatusReport) -> String {
    let mut text = output.styled(Style::Bold, &report::headline(report)) + "\n";
    let mut section = |title: &str, lines: Vec<String>| {
        for (index, line) in lines.into_iter().enumerate() {
            let title = if index == 0 { title } else { "" };
            text += &format!("  {title:10}  {line}\n");
        }
    };
    section("address", vec![format::printable(&report.address)]);
    section(
        "memberd",
        vec![format!(
            "{}, up for {}",
            format::printable(&report.version),
            format::duration(report.uptime)
        )],
    );
    if !report.tags.is_empty() {
        section("tags", vec![format::tags(&report.tags)]);
    }
    if let [first, others @ ..] = report.keys.as_slice() {
        let accepted = others.iter().map(|id| format!(", {} accepted", format::printable(id)));
        section(
            "keys",
            vec![format!("{} seals{}", format::printable(first), accepted.collect::<String>())],
        );
    }
    section("list", vec![list(report)]);
    section("view", report.view.iter().map(report::views::line).collect());
    section("neighbours", neighbours::table(&report.neighbours));
    for (title, counters) in COUNTERS {
        section(title, vec![counted(report, counters)]);
    }
    section("greps", greps(report));
    for warning in &report.warnings {
        text += &format!(
            "{}: {}\n",
            output.styled(Style::Yellow, "warning"),
            format::printable(warning)
        );
    }
    text
}

/// `9 alive (1 suspected), 1 failed, 0 left; digest 00ff, as all 4 neighbours have it`.
fn list(report: &StatusReport) -> String {
    let digest = format::printable(&report.digest);
    let suspected = match report.suspected {
        0 => String::new(),
        count => format!(" ({count} suspected)"),
    };
    let counts = format!(
        "{} alive{suspected}, {} failed, {} left; digest {digest}",
        report.alive, report.failed, report.left
    );
    let agreeing = report.neighbours.iter().filter(|neighbour| neighbour.agrees).count();
    match report.neighbours.len() {
        0 => counts,
        1 if agreeing == 1 => format!("{counts}, as the one neighbour has it"),
        all if agreeing == all => format!("{counts}, as all {all} neighbours have it"),
        all => format!("{counts}, as {agreeing} of {all} neighbours have it"),
    }
}

/// `sent 12, received 34`: the counters of this list that the daemon has.
fn counted(report: &StatusReport, counters: &[(&str, &str)]) -> String {
    let value =
        |key: &str| report.counters.iter().find(|(name, _)| name == key).map(|(_, count)| *count);
    let counts: Vec<String> = counters
        .iter()
        .filter_map(|(label, key)| Some(format!("{label} {}", value(key)?)))
        .collect();
    if counts.is_empty() { "not counted by this memberd".to_owned() } else { counts.join(", ") }
}

/// The greps that this machine's users have started, and the searches that run here.
fn greps(report: &StatusReport) -> Vec<String> {
    let greps = report.greps.iter();
    let mut lines: Vec<String> = greps
        .map(|grep| {
            let pattern = grep.pattern.as_ref();
            let pattern = pattern
                .map_or(HIDDEN.to_owned(), |pattern| format!("'{}'", format::printable(pattern)));
            format!("{pattern} for {} so far", format::duration(grep.running_for))
        })
        .collect();
    if report.searches > 0 {
        let verb = if report.searches == 1 { "runs" } else { "run" };
        lines.push(format!(
            "{} of this machine's logs {verb} here",
            format::searches(report.searches)
        ));
    }
    lines
}
