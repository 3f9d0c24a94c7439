//! `--format table`: aligned columns for people.

use memberd_control::message::{MemberRecord, MemberStatus};

use super::socket_address;
use crate::format;
use crate::output::{Output, Style};

/// The fewest columns for tags, on a terminal of any width.
const LEAST_TAGS: usize = 12;

/// The titles, and a line for each member with its tags or its time. This machine is marked.
pub(super) fn render(members: &[MemberRecord], tags: bool, output: &Output) -> String {
    let now = format::now();
    let names: Vec<String> = members.iter().map(|member| format::printable(&member.name)).collect();
    let addresses: Vec<String> =
        members.iter().map(|member| socket_address(&member.address, member.port)).collect();
    let name_width = width("NAME", &names);
    let address_width = width("ADDRESS", &addresses);

    let titles = format!(
        "  {:name_width$}  {:address_width$}  STATUS  {}",
        "NAME",
        "ADDRESS",
        if tags { "TAGS" } else { "SINCE" }
    );
    let room = output
        .columns()
        .map(|columns| columns.saturating_sub(titles.len() - "TAGS".len()).max(LEAST_TAGS));
    let mut text = output.styled(Style::Bold, &titles) + "\n";
    for ((member, name), address) in members.iter().zip(&names).zip(&addresses) {
        let own = if member.this_machine { '*' } else { ' ' };
        let status = output.styled(style(member), &format!("{:6}", member.status.as_str()));
        let last = match (tags, room) {
            (true, Some(room)) => format::tags_within(room, &member.tags),
            (true, None) => format::tags(&member.tags),
            (false, _) => since(member, now),
        };
        let line = format!("{own} {name:name_width$}  {address:address_width$}  {status}  {last}");
        text += line.trim_end();
        text.push('\n');
    }
    text
}

fn width(title: &str, column: &[String]) -> usize {
    column.iter().map(|cell| cell.chars().count()).max().unwrap_or(0).max(title.len())
}

/// When the member's status changed. Of a failed member it has the evidence, and of a suspected one
/// who suspects it.
fn since(member: &MemberRecord, now: u64) -> String {
    let ago = format::ago(member.since, now);
    match (&member.evidence, &member.suspected_by) {
        (Some(evidence), _) => format!("{ago}, {}", format::evidence(evidence)),
        (None, Some(by)) => format!("{ago}, {}", format::suspicion(by)),
        (None, None) => ago,
    }
}

fn style(member: &MemberRecord) -> Style {
    match member.status {
        MemberStatus::Alive if member.suspected_by.is_some() => Style::Yellow,
        MemberStatus::Alive => Style::Green,
        MemberStatus::Failed => Style::Red,
        MemberStatus::Left => Style::Dim,
    }
}
