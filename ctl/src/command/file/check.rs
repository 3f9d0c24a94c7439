//! `memberctl file check`: looks for files with fewer copies than they want.

use memberd_control::message::{FileLacking, FileReply, FileRequest, FilesChecked};

use super::progress::{Progress, Unit};
use super::{ask, json, table};
use crate::connection::{Daemon, unexpected_reply};
use crate::exit::{Exit, Failure};
use crate::format;
use crate::output::Output;

/// The most files that are taken from a daemon.
const LACKING_CAP: usize = 10_000_000;

/// Looks at all files.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Exit status: 0 all files have their copies, 1 one lacks some, or a share cannot be asked.

A copy counts while its member is in the agreed view and up. Lost copies are made again by \
themselves: at once if one is left, and after [files] repair_after if there are two. The bytes are \
not read: see memberctl file merge.

--json prints one object with schema, shares, files, bytes and lacking. Each of these has path, \
copies, wanted and members, or path and problem.")]
pub(crate) struct Check {
    /// Look at this share only
    #[arg(value_name = "SHARE", value_hint = clap::ValueHint::Other)]
    share: Option<String>,

    /// Print a JSON object
    #[arg(long)]
    json: bool,
}

impl Check {
    /// Looks at them.
    pub(super) fn run(&self, daemon: &Daemon) -> Result<(), Failure> {
        let mut progress = Progress::without_output(Unit::Files);
        let share = self.share.as_ref().map(|share| share.trim_matches('/').to_owned());
        let mut connection = ask::ask(daemon, FileRequest::Check { share })?;
        let mut lacking: Vec<FileLacking> = Vec::new();
        let checked = loop {
            match ask::answer_after(&mut connection, &mut progress)? {
                Some(FileReply::Lacking(part)) if lacking.len() + part.len() <= LACKING_CAP => {
                    lacking.extend(part);
                }
                Some(FileReply::Checked(checked)) => break checked,
                _ => return Err(unexpected_reply()),
            }
        };
        let mut output = Output::new();
        match self.json {
            true => output.object(&json::Checked::of(&checked, &lacking))?,
            false => output.text(&text(&checked, &lacking))?,
        }
        outcome(&checked, &lacking)
    }
}

fn text(checked: &FilesChecked, lacking: &[FileLacking]) -> String {
    let mut text: String = lacking.iter().map(|lacking| line(lacking) + "\n").collect();
    let FilesChecked { shares, files, bytes, .. } = *checked;
    text += &format!(
        "{}, {}, {}\n",
        table::counted(shares, "share", "shares"),
        table::counted(files, "file", "files"),
        table::bytes(bytes)
    );
    text
}

/// `/apps/web.tar: 2 of 3 copies, on vm2, vm5`
fn line(lacking: &FileLacking) -> String {
    let FileLacking { path, copies, problem } = lacking;
    let copies = copies.as_ref().map(table::copies);
    let words = problem.clone().or(copies).unwrap_or_default();
    format::printable(&format!("{path}: {words}"))
}

fn outcome(checked: &FilesChecked, lacking: &[FileLacking]) -> Result<(), Failure> {
    let (unknown, few): (Vec<_>, Vec<_>) = lacking.iter().partition(|one| one.copies.is_none());
    let words = match (few.len(), unknown.len()) {
        (0, 0) if checked.lacking == 0 => return Ok(()),
        (0, 0) => "copies are missing: try again".to_owned(),
        (0, _) => {
            "not all could be asked: see memberctl view, and start the machines that keep them"
                .to_owned()
        }
        (few, _) => format!(
            "{} fewer copies than wanted: they are made again by themselves; see memberctl file \
            status, and start the machines that are down",
            match few {
                1 => "1 file has".to_owned(),
                few => format!("{few} files have"),
            }
        ),
    };
    Err(Failure::new(Exit::Failed, words))
}
