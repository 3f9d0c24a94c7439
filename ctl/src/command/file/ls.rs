//! `memberctl file ls`: lists a directory, or the shares.

use clap::ValueHint;
use memberd_control::message::{FileEntry, FileKind, FileList, FileReply, FileRequest};

use super::{ask, json, path, table};
use crate::connection::{Daemon, unexpected_reply};
use crate::exit::{Failure, print_message};
use crate::format;
use crate::output::Output;

/// The most entries that are taken from a daemon. A directory has 100,000 at most.
const ENTRIES_CAP: usize = 200_000;

/// Lists a directory.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Without a path the shares are listed. A directory's name ends with a slash.

With -l a file's copies are those of the part that has the fewest, of so many that it wants. A \
copy counts while its member is in the agreed view and up. MEMBERS have copies.

--json prints one object with schema, path and entries. Each has name, type, length (of a \
directory: its entries), modified (milliseconds since 1970), and with -l, if it is a file, copies, \
wanted and members.")]
pub(crate) struct Ls {
    /// The directory, or a file
    #[arg(value_parser = path::parse, value_hint = ValueHint::Other, default_value = "/")]
    path: String,

    /// Show sizes, times, copies and members
    #[arg(short, long)]
    long: bool,

    /// Print a JSON object
    #[arg(long)]
    json: bool,
}

impl Ls {
    /// Lists it.
    pub(super) fn run(&self, daemon: &Daemon) -> Result<(), Failure> {
        let request = FileList { path: self.path.clone(), copies: self.long };
        let mut connection = ask::ask(daemon, FileRequest::List(request))?;
        let mut entries: Vec<FileEntry> = Vec::new();
        let is_newest = loop {
            match ask::answer_while_read(&mut connection)? {
                Some(FileReply::Entries(part)) if entries.len() + part.len() <= ENTRIES_CAP => {
                    entries.extend(part);
                }
                Some(FileReply::Progress(_)) => {}
                Some(FileReply::Listed { is_newest }) => break is_newest,
                _ => return Err(unexpected_reply()),
            }
        };
        let mut output = Output::new();
        match (self.json, self.long) {
            (true, _) => output.object(&json::Listing::of(&self.path, &entries))?,
            (false, true) if entries.is_empty() => {}
            (false, true) => output.text(&long(&output, &entries))?,
            (false, false) => output.text(&short(&entries))?,
        }
        ask::warn_if_old(is_newest);
        told(&entries)
    }
}

/// Says which entries have a problem.
fn told(entries: &[FileEntry]) -> Result<(), Failure> {
    let mut problems = entries.iter().filter_map(|entry| entry.problem.as_deref()).peekable();
    if problems.peek().is_none() {
        return Ok(());
    }
    problems.for_each(print_message);
    Err(Failure::Reported)
}

/// A name, with a slash behind that of a directory.
fn name(entry: &FileEntry) -> String {
    let slash = if entry.kind == FileKind::Directory { "/" } else { "" };
    format::printable(&entry.name) + slash
}

fn short(entries: &[FileEntry]) -> String {
    entries.iter().map(|entry| name(entry) + "\n").collect()
}

fn long(output: &Output, entries: &[FileEntry]) -> String {
    let none = || "-".to_owned();
    let rows: Vec<[String; 5]> = entries
        .iter()
        .map(|entry| {
            let copies = entry.copies.as_ref();
            let size = match entry.kind {
                FileKind::File => format::size(entry.length),
                FileKind::Directory => none(),
            };
            let members = copies.map(|copies| format::printable(&copies.members.join(",")));
            [
                copies.map_or_else(none, |copies| format!("{}/{}", copies.copies, copies.wanted)),
                size,
                format::timestamp(entry.modified),
                members.filter(|members| !members.is_empty()).unwrap_or_else(none),
                name(entry),
            ]
        })
        .collect();
    table::text(output, ["COPIES", " SIZE", "MODIFIED", "MEMBERS", "NAME"], &rows)
}
