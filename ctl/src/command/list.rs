//! `memberctl list [--all] [--json]`.

use std::time::Duration;

use memberd_control::message::{MemberRecord, MemberStatus, Reply, Request};

use crate::connection::{Connection, Daemon, Patience, out_of_place};
use crate::exit::{Exit, Failure};
use crate::json;
use crate::output::{self, Output, Style};
use crate::words;

/// How long the daemon may take for its list.
const PATIENCE: Patience = Patience::For(Duration::from_secs(10));

/// More members than this are no group but a mistake.
const MEMBERS_CAP: usize = 1_000_000;

/// Shows the list.
#[derive(Debug, clap::Args)]
pub(crate) struct List {
    /// Also show the members that failed or left
    #[arg(long)]
    pub(super) all: bool,

    /// Print an array of JSON objects
    #[arg(long)]
    pub(super) json: bool,
}

impl List {
    /// Prints the list; nothing of it when it did not come whole.
    pub(super) fn run(&self, daemon: &Daemon) -> Result<(), Failure> {
        let members = match members(daemon, self.all) {
            Err(Failure::NotInGroup) if self.json => {
                Output::new().line("[]")?;
                return Err(Failure::NotInGroup);
            }
            members => members?,
        };
        let mut output = Output::new();
        if self.json { array(&mut output, &members) } else { table(&mut output, &members) }
    }
}

/// Fetches the whole list.
pub(super) fn members(daemon: &Daemon, all: bool) -> Result<Vec<MemberRecord>, Failure> {
    let mut connection = Connection::ask(daemon, &Request::List { all }, PATIENCE)?;
    let mut members = Vec::new();
    loop {
        match connection.reply()? {
            Reply::Members(part) if members.len() + part.len() <= MEMBERS_CAP => {
                members.extend(part);
            }
            Reply::Members(_) => {
                let message = format!("memberd lists more than {MEMBERS_CAP} members: restart it");
                return Err(Failure::new(Exit::Failed, message));
            }
            Reply::Done => return Ok(members),
            _ => return Err(out_of_place()),
        }
    }
}

/// An array with a member on each line.
fn array(output: &mut Output, members: &[MemberRecord]) -> Result<(), Failure> {
    let members =
        members.iter().map(|member| output::json(&json::Member::from(member))).collect::<Result<Vec<String>, Failure>>()?;
    match members.as_slice() {
        [] => output.line("[]"),
        members => output.line(&format!("[\n  {}\n]", members.join(",\n  "))),
    }
}

/// The members as an aligned table.
fn table(output: &mut Output, members: &[MemberRecord]) -> Result<(), Failure> {
    let now = words::now();
    let rows: Vec<(&MemberRecord, [String; 2])> =
        members.iter().map(|member| (member, [words::printable(&member.name), address(member)])).collect();
    let width = |column: &dyn Fn(&[String; 2]) -> &str, title: &str| {
        let widest = rows.iter().map(|(_, row)| column(row).chars().count()).max();
        widest.unwrap_or(0).max(title.len())
    };
    let name_width = width(&|[name, _]| name, "NAME");
    let address_width = width(&|[_, address]| address, "ADDRESS");

    let titles = format!("  {:name_width$}  {:address_width$}  STATUS  SINCE", "NAME", "ADDRESS");
    output.line(&output.styled(Style::Bold, &titles))?;
    for (member, [name, address]) in &rows {
        let own = if member.this_machine { '*' } else { ' ' };
        let (word, style) = standing(member.status);
        let status = output.styled(style, &format!("{word:6}"));
        let since = since(member, now);
        output.bytes(format!("{own} {name:name_width$}  {address:address_width$}  {status}  {since}\n").as_bytes())?;
    }
    output.flush()
}

/// When the member came to its standing, and for a failed one on what evidence.
fn since(member: &MemberRecord, now: u64) -> String {
    let ago = words::ago(member.since, now);
    match &member.evidence {
        Some(evidence) => format!("{ago}, {}", words::evidence(evidence)),
        None => ago,
    }
}

/// `address:port`, an IPv6 address in brackets.
fn address(member: &MemberRecord) -> String {
    let host = words::printable(&member.address);
    match host.contains(':') {
        true => format!("[{host}]:{}", member.port),
        false => format!("{host}:{}", member.port),
    }
}

fn standing(status: MemberStatus) -> (&'static str, Style) {
    match status {
        MemberStatus::Alive => ("alive", Style::Green),
        MemberStatus::Failed => ("failed", Style::Red),
        MemberStatus::Left => ("left", Style::Dim),
    }
}
