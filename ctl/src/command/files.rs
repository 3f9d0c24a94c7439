//! `memberctl files [GLOB...]`: lists the files of each member that a grep can search.

use std::process::ExitCode;
use std::time::Duration;

use clap::ValueHint;
use memberd_control::files::{FileListing, FileRecord, FilesRequest, JournalRecord};
use memberd_control::grep::GrepOutcome;
use memberd_control::message::{Reply, Request};
use serde::Serialize;

use super::asked_members::AskedMembers;
use super::grep::notices;
use crate::connection::{Connection, Daemon, ReplyTimeout, unexpected_reply};
use crate::exit::{Failure, print_message};
use crate::format;
use crate::members::natural;
use crate::output::{Output, Style};

/// How long the daemon may take for the next listing. Members have 12 s.
const REPLY_TIMEOUT: ReplyTimeout = ReplyTimeout::For(Duration::from_secs(60));

/// What stands below the help.
const DETAILS: &str = "\
A GLOB is the FILE of memberctl grep. Rotated files are listed with the file that they were \
rotated away from: memberctl grep --rotated searches them too. FROM and TO are the first and the \
last time of a file's lines, where lines near its beginning and its end have one. Those of \
compressed files are not looked for, and - means that they are not known. What cannot be searched \
is listed with the reason.

At most 1,000 files of each member are listed, and the times of those within 64 MiB and 4 s.

--json prints one object with schema and members. Each member has files, and journal if it may be \
searched: with first and last, in milliseconds since 1970. A file has path and is_error, and if \
they are known, size, modified, compression, rotated_from, first, last, format (of its times) and \
problem. A member that did not answer has lost, and one that has failed has failed_at.

Exit status, as of grep: 0 a file is listed, 1 none is, 2 a file cannot be read or another error \
occurred, 3 a member did not answer, and no error occurred.

Examples:
  memberctl files --on vm1                  all files of one member
  memberctl files --on 'vm[1-3]' '*.log'    which logs some members offer";

/// Lists what can be searched.
#[derive(Debug, clap::Args)]
#[command(after_help = DETAILS)]
pub(crate) struct Files {
    /// Only files that match one of these globs, as the FILE of grep
    #[arg(value_name = "GLOB", value_hint = ValueHint::Other)]
    globs: Vec<String>,

    #[command(flatten)]
    members: AskedMembers,

    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// grep's exit statuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Status {
    Listed = 0,
    Nothing = 1,
    Trouble = 2,
    Lost = 3,
}

/// What the members have answered.
#[derive(Debug, Default)]
struct Answers {
    listed: Vec<(String, FileListing)>,
    others: Vec<(String, GrepOutcome)>,
}

impl Files {
    /// Lists, prints on standard error what failed, and returns grep's exit status.
    pub(super) fn run(&self, daemon: &Daemon) -> ExitCode {
        let status = self.list(daemon).unwrap_or_else(|failure| {
            failure.report();
            match failure {
                Failure::OutputClosed => Status::Listed,
                Failure::NotInGroup | Failure::Reported | Failure::Stated { .. } => Status::Trouble,
            }
        });
        ExitCode::from(status as u8)
    }

    fn list(&self, daemon: &Daemon) -> Result<Status, Failure> {
        let request = FilesRequest {
            members: self.members.asked(|option, error| {
                Failure::usage(format!("{option}: {error}: try memberctl files --help"))
            })?,
            globs: self.globs.clone(),
            ..FilesRequest::default()
        };
        let answers = ask(daemon, request)?;
        let mut output = Output::new();
        if self.json {
            output.object(&answers.object())?;
        } else if answers.rows().next().is_some() {
            output.text(&answers.table(&output))?;
        }
        let messages = answers.messages(&self.globs);
        messages.iter().for_each(|message| print_message(message));
        Ok(answers.status(&self.globs))
    }
}

fn ask(daemon: &Daemon, request: FilesRequest) -> Result<Answers, Failure> {
    let mut connection = Connection::ask(daemon, &Request::Files(request), REPLY_TIMEOUT)?;
    let mut answers = Answers::default();
    loop {
        match connection.reply_while_read()? {
            Reply::Files { member, listing } => answers.listed.push((member, *listing)),
            Reply::GrepMember { member, outcome } => answers.others.push((member, outcome)),
            Reply::Done => break,
            _ => return Err(unexpected_reply()),
        }
    }
    answers.listed.sort_by(|(one, _), (other, _)| natural(one, other));
    answers.others.sort_by(|(one, _), (other, _)| natural(one, other));
    Ok(answers)
}

/// A line of the table.
struct Row<'a> {
    member: &'a str,
    size: Option<u64>,
    first: Option<i64>,
    last: Option<i64>,
    file: String,
    is_problem: bool,
}

/// The object of `--json`. Users rely on its shape.
#[derive(Serialize)]
struct Object<'a> {
    members: Vec<Member<'a>>,
}

#[derive(Serialize)]
struct Member<'a> {
    member: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    files: Option<Vec<File<'a>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    journal: Option<JournalRecord>,
    /// Whether there are more files than are listed.
    #[serde(skip_serializing_if = "Option::is_none")]
    cut: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lost: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    failed_at: Option<u64>,
}

#[derive(Serialize)]
struct File<'a> {
    path: &'a str,
    is_error: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    modified: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    compression: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rotated_from: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    first: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    format: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<&'a str>,
}

impl<'a> From<&'a FileRecord> for File<'a> {
    fn from(file: &'a FileRecord) -> File<'a> {
        File {
            path: &file.path,
            is_error: file.is_error,
            size: file.size,
            modified: file.modified,
            compression: file.compression.as_deref(),
            rotated_from: file.rotated_from.as_deref(),
            first: file.first,
            last: file.last,
            format: file.format.as_deref(),
            problem: file.problem.as_deref(),
        }
    }
}

impl Answers {
    fn object(&self) -> Object<'_> {
        let none = |member| Member {
            member,
            files: None,
            journal: None,
            cut: None,
            lost: None,
            failed_at: None,
        };
        let listed = self.listed.iter().map(|(member, listing)| Member {
            files: Some(listing.files.iter().map(File::from).collect()),
            journal: listing.journal,
            cut: Some(listing.cut),
            ..none(member)
        });
        let others = self.others.iter().map(|(member, outcome)| match outcome {
            GrepOutcome::Lost(why) | GrepOutcome::Dropped(why) => {
                Member { lost: Some(why), ..none(member) }
            }
            GrepOutcome::NotAsked { failed, .. } => {
                Member { failed_at: Some(*failed), ..none(member) }
            }
            GrepOutcome::Searched(_) => none(member),
        });
        let mut members: Vec<Member<'_>> = listed.chain(others).collect();
        members.sort_by(|one, other| natural(one.member, other.member));
        Object { members }
    }

    fn rows(&self) -> impl Iterator<Item = Row<'_>> {
        self.listed.iter().flat_map(|(member, listing)| {
            let files = listing.files.iter().map(move |file| Row {
                member,
                size: file.size,
                first: file.first,
                last: file.last,
                file: words(file),
                is_problem: file.problem.is_some(),
            });
            let journal = listing.journal.map(|JournalRecord { first, last }| Row {
                member,
                size: None,
                first,
                last,
                file: "journal".to_owned(),
                is_problem: false,
            });
            files.chain(journal)
        })
    }

    fn table(&self, output: &Output) -> String {
        let unknown = || "-".to_owned();
        let time = |time: Option<i64>| {
            let time = time.and_then(|time| u64::try_from(time).ok());
            time.map_or_else(unknown, format::timestamp)
        };
        let width = |title: &str, cells: &mut dyn Iterator<Item = usize>| {
            cells.max().unwrap_or(0).max(title.len())
        };
        let name = |row: &Row<'_>| format::printable(row.member);
        let size = |row: &Row<'_>| row.size.map_or_else(unknown, format::size);
        let names = width("MEMBER", &mut self.rows().map(|row| name(&row).chars().count()));
        let sizes = width("SIZE", &mut self.rows().map(|row| size(&row).chars().count()));
        let title =
            format!("{:names$}  {:>sizes$}  {:24}  {:24}  FILE", "MEMBER", "SIZE", "FROM", "TO");
        let mut text = output.styled(Style::Bold, &title) + "\n";
        for row in self.rows() {
            let (from, to) = (time(row.first), time(row.last));
            let style = if row.is_problem { Style::Red } else { Style::Dim };
            let file = format::printable(&row.file);
            let file = if row.is_problem { output.styled(style, &file) } else { file };
            text += &format!(
                "{:names$}  {:>sizes$}  {from:24}  {to:24}  {file}\n",
                name(&row),
                size(&row)
            );
        }
        text
    }

    /// The globs that no member's files match.
    fn nowhere<'g>(&self, globs: &'g [String]) -> Vec<&'g String> {
        if self.listed.is_empty() || self.is_lost() {
            return Vec::new();
        }
        let is_unmatched = |glob: &&String| {
            self.listed.iter().all(|(_, listing)| listing.unmatched.contains(glob))
        };
        globs.iter().filter(is_unmatched).collect()
    }

    fn messages(&self, globs: &[String]) -> Vec<String> {
        let cut = self.listed.iter().filter(|(_, listing)| listing.cut).map(|(member, _)| {
            format!("{member}: more files match: the first of them are listed; name fewer")
        });
        let nowhere = self.nowhere(globs).into_iter().map(|glob| {
            format!("{glob}: no member offers such a file: see [logs] files in the settings")
        });
        let failed = notices::failed(&self.others, format::now());
        failed.into_iter().chain(cut).chain(nowhere).chain(notices::lost(&self.others)).collect()
    }

    fn is_lost(&self) -> bool {
        let is_lost = |outcome: &GrepOutcome| !matches!(outcome, GrepOutcome::NotAsked { .. });
        self.others.iter().any(|(_, outcome)| is_lost(outcome))
    }

    /// The exit status, as grep has it.
    fn status(&self, globs: &[String]) -> Status {
        let mut files = self.listed.iter().flat_map(|(_, listing)| &listing.files);
        let is_listed = self.rows().any(|row| !row.is_problem);
        let is_nobody = self.listed.is_empty() && !self.others.is_empty();
        match is_listed {
            _ if files.any(|file| file.is_error) || !self.nowhere(globs).is_empty() => {
                Status::Trouble
            }
            _ if self.is_lost() || is_nobody => Status::Lost,
            true => Status::Listed,
            false => Status::Nothing,
        }
    }
}

/// A file and what is known of it beside its size and times.
fn words(file: &FileRecord) -> String {
    if let Some(problem) = &file.problem {
        return format!("{}: {problem}", file.path);
    }
    let rotated = file.rotated_from.as_ref().map(|from| format!("rotated from {from}"));
    let notes: Vec<String> =
        [file.compression.clone(), rotated, file.format.clone()].into_iter().flatten().collect();
    match notes.is_empty() {
        true => file.path.clone(),
        false => format!("{} ({})", file.path, notes.join("; ")),
    }
}
