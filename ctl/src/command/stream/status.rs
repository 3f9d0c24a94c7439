//! `memberctl stream status`: shows all about a job.

use memberd_control::streams::{StreamPartition, StreamSource, StreamState, StreamStatus};
use memberd_streams::time_text;

use super::{ask, json};
use crate::command::file::table;
use crate::connection::Daemon;
use crate::exit::{Failure, print_message};
use crate::format;
use crate::output::{Output, Style};

/// Shows all about a job.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Its lag is what stands in its files and is not counted yet, and since when. The watermark is the \
time up to which all windows are closed; the member that holds it back is named. Late lines came \
after their window was given up. Unparsed ones the query could not read, or they have no time that \
is understood. A gap is a part of a file that was lost before it was counted: a row of the sink \
names it.

--json prints one object with schema, name, id, state, reason, query, sink, sink_owner, rows, \
epoch, partitions, lag_bytes, lag_ms, watermark, held_back_by, held_back_why, late, unparsed, \
gaps, sources and unanswered. Each of partitions has partition, owner, epoch, is_open, \
watermark, late, unparsed, gaps and bytes (the memory of its sums). Each of sources has member, \
state (live, failed or forgotten), lag_bytes and lag_ms. Times are in milliseconds since 1970, \
and null if they are not known. An epoch only grows: it is the token with which an owner writes. \
unanswered has the names of members that did not say how far they are; the figures lack theirs.")]
pub(crate) struct Status {
    /// The job
    #[arg(value_name = "NAME", value_parser = ask::name)]
    name: String,

    /// Print a JSON object
    #[arg(long)]
    json: bool,
}

impl Status {
    /// Shows it.
    pub(super) fn run(&self, daemon: &Daemon) -> Result<(), Failure> {
        let status = ask::status(daemon, &self.name)?;
        let mut output = Output::new();
        if self.json {
            return output.object(&json::Status::from(&status));
        }
        let text = text(&output, &status);
        output.text(&text)?;
        if !status.unanswered.is_empty() {
            let names = status.unanswered.join(", ");
            print_message(&format!("these did not answer, and the figures lack theirs: {names}"));
        }
        Ok(())
    }
}

fn text(output: &Output, status: &StreamStatus) -> String {
    let job = &status.job;
    let style = match job.state {
        StreamState::Running => Style::Green,
        StreamState::Stopped => Style::Red,
        _ => Style::Yellow,
    };
    let state = output.styled(style, job.state.as_str());
    let reason = job.reason.as_ref().map(|reason| format!(": {}", format::printable(reason)));
    let mut text = format!("{} is {state}{}\n", job.name, reason.unwrap_or_default());
    let mut line = |title: &str, words: String| {
        text += &format!("  {title:<10}  {}\n", format::printable(&words));
    };
    line("query", job.query.trim().to_owned());
    line("sink", sink(status));
    line("lag", lag(status.lag_bytes, status.lag_ms));
    line("watermark", watermark(status));
    let StreamStatus { late, unparsed, gaps, epoch, .. } = status;
    line("lines", format!("{late} late, {unparsed} unparsed; {}", format::count(*gaps, "gap")));
    line("epoch", format!("{} of term {}", epoch & u64::from(u32::MAX), epoch >> 32));
    let titles = ["PART", "OWNER", "STATE", "WATERMARK", " LATE", " UNPARSED", " GAPS", "SUMS"];
    let rows: Vec<[String; 8]> = status.partitions.iter().map(partition).collect();
    text += &table::text(output, titles, &rows);
    let rows: Vec<[String; 3]> = status.sources.iter().map(source).collect();
    if !rows.is_empty() {
        text += &table::text(output, ["SOURCE", "STATE", "LAG"], &rows);
    }
    text
}

fn sink(status: &StreamStatus) -> String {
    let rows = table::counted(status.rows, "row", "rows");
    let by = status.sink_owner.as_ref().map(|owner| format!(", written by {owner}"));
    format!("{}, {rows}{}", status.job.sink, by.unwrap_or_default())
}

fn lag(bytes: u64, milliseconds: u64) -> String {
    match bytes {
        0 => "none".to_owned(),
        bytes => format!("{}, {}", format::size(bytes), format::duration(milliseconds)),
    }
}

fn watermark(status: &StreamStatus) -> String {
    let why = status.held_back_why.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
    let by = status.held_back_by.as_ref().map(|member| format!(", held back by {member}{why}"));
    format!("{}{}", moment(status.watermark), by.unwrap_or_default())
}

fn moment(milliseconds: Option<i64>) -> String {
    milliseconds.map_or_else(|| "-".to_owned(), time_text)
}

fn partition(part: &StreamPartition) -> [String; 8] {
    [
        part.partition.to_string(),
        format::printable(part.owner.as_deref().unwrap_or("-")),
        (if part.is_open { "open" } else { "opening" }).to_owned(),
        moment(part.watermark),
        part.late.to_string(),
        part.unparsed.to_string(),
        part.gaps.to_string(),
        format::size(part.bytes),
    ]
}

fn source(source: &StreamSource) -> [String; 3] {
    let StreamSource { member, state, lag_bytes, lag_ms } = source;
    let told = lag_bytes.zip(*lag_ms).map(|(bytes, milliseconds)| lag(bytes, milliseconds));
    [member.clone(), state.clone(), told.unwrap_or_else(|| "-".to_owned())]
        .map(|cell| format::printable(&cell))
}
