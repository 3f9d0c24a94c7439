//! `memberctl file stat`: shows all about files and directories.

use clap::ValueHint;
use memberd_control::message::{FileKind, FileReply, FileRequest, FileStat, FileStatRequest};

use super::progress::{Progress, Unit};
use super::{ask, json, path, table};
use crate::connection::{Daemon, unexpected_reply};
use crate::exit::Failure;
use crate::format;
use crate::output::{Output, Style};

/// Shows all about files.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The hash is blake3 of the content, as b3sum prints it. If the file has several extents, all of it \
is read for that.

--json prints an object a line. Of a file it has schema, path, type, length, blake3, copies, \
wanted and members; of a directory schema, path, type, length (of all files below it), files and \
directories.")]
pub(crate) struct Stat {
    /// The files and directories
    #[arg(value_parser = path::parse, value_hint = ValueHint::Other, required = true)]
    paths: Vec<String>,

    /// Print a JSON object
    #[arg(long)]
    json: bool,
}

impl Stat {
    /// Shows them.
    pub(super) fn run(&self, daemon: &Daemon) -> Result<(), Failure> {
        let mut progress = Progress::without_output(Unit::Bytes);
        let mut output = Output::new();
        ask::each(&self.paths, |path| {
            let stat = fetch(daemon, path, &mut progress)?;
            match self.json {
                true => output.object(&json::Stat::from(&stat))?,
                false => {
                    let text = text(&output, &stat);
                    output.text(&text)?;
                }
            }
            ask::warn_if_old(stat.is_newest);
            Ok(())
        })
    }
}

fn fetch(daemon: &Daemon, path: &str, progress: &mut Progress) -> Result<FileStat, Failure> {
    let request = FileStatRequest { path: path.to_owned(), hash: true };
    let mut connection = ask::ask(daemon, FileRequest::Stat(request))?;
    match ask::answer_after(&mut connection, progress)? {
        Some(FileReply::Stat(stat)) => Ok(*stat),
        _ => Err(unexpected_reply()),
    }
}

fn text(output: &Output, stat: &FileStat) -> String {
    let mut text = output.styled(Style::Bold, &format::printable(&stat.path)) + "\n";
    let mut row = |title: &str, words: &str| {
        text += &format!("  {title:9}  {}\n", format::printable(words));
    };
    row("type", table::kind(stat.kind));
    row("length", &table::bytes(stat.length));
    row("modified", &format::timestamp(stat.modified));
    if stat.kind == FileKind::Directory {
        row("files", &table::grouped(stat.files));
        row("below", &table::counted(stat.directories, "directory", "directories"));
        return text;
    }
    if let Some(copies) = &stat.copies {
        row("copies", &table::copies(copies));
    }
    match stat.extents {
        0 => row("extents", "none, its bytes lie in the catalog of the share"),
        extents => row("extents", &table::grouped(extents)),
    }
    if let Some(blake3) = &stat.blake3 {
        row("blake3", blake3);
    }
    if stat.token > 0 {
        row("token", &stat.token.to_string());
    }
    text
}
