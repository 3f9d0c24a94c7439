//! `memberctl file status`: shows the state of this machine's part in the files.

use memberd_control::message::{FileReply, FileRequest, FilesReport, ShareReport};

use super::{ask, json, table};
use crate::connection::{Daemon, unexpected_reply};
use crate::exit::Failure;
use crate::format;
use crate::output::{Output, Style};

/// Shows the state.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
--json prints one object with schema, used and space (bytes), room (plenty, crowded or full), \
failed (null, or what is wrong with the storage), extents, repairs, waiting, operations and \
shares. Each share has name, keepers, role (empty if this machine does not keep it) and applied.")]
pub(crate) struct Status {
    /// Print a JSON object
    #[arg(long)]
    json: bool,
}

impl Status {
    /// Shows it.
    pub(super) fn run(&self, daemon: &Daemon) -> Result<(), Failure> {
        let Some(FileReply::Status(report)) =
            ask::answer(&mut ask::ask(daemon, FileRequest::Status)?)?
        else {
            return Err(unexpected_reply());
        };
        let mut output = Output::new();
        match self.json {
            true => output.object(&json::Report::from(&*report)),
            false => {
                let text = text(&output, &report);
                output.text(&text)
            }
        }
    }
}

fn text(output: &Output, report: &FilesReport) -> String {
    let mut text = match &report.failed {
        None => format!(
            "{} of {} used, {}\n",
            format::size(report.used),
            format::size(report.space),
            table::counted(report.extents, "extent", "extents")
        ),
        Some(failed) => {
            let words = format!("the storage failed: {}", format::printable(failed));
            output.styled(Style::Red, &words) + "\n"
        }
    };
    match report.room.as_str() {
        "crowded" => text += "crowded: no new copies come here\n",
        "full" => text += "full: nothing can be written here; remove files, or set more space\n",
        _ => {}
    }
    text += &format!(
        "{} running, {} waiting; {} of clients under way\n",
        table::counted(report.repairs, "repair", "repairs"),
        report.waiting,
        table::counted(report.operations, "request", "requests"),
    );
    if !report.shares.is_empty() {
        let rows: Vec<[String; 3]> = report.shares.iter().map(row).collect();
        text += &table::text(output, ["SHARE", "HERE", "KEEPERS"], &rows);
    }
    text
}

fn row(share: &ShareReport) -> [String; 3] {
    let here = if share.role.is_empty() { "-" } else { share.role.as_str() };
    [format!("/{}", share.name), here.to_owned(), share.keepers.join(",")]
        .map(|cell| format::printable(&cell))
}
