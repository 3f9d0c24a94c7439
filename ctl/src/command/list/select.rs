//! Which members are listed, and in what order.

use std::cmp::{Ordering, Reverse};

use clap::{ValueEnum, ValueHint};
use memberd_control::message::{MemberRecord, MemberStatus};
use memberd_control::tags::TagFilter;

use crate::connection::Daemon;
use crate::exit::Failure;
use crate::glob;

/// The members that are wanted.
#[derive(Debug, Default, clap::Args)]
pub(super) struct Selection {
    /// Also show the members that failed or left
    #[arg(long)]
    all: bool,

    /// Only those of this standing, or of these, with commas between
    #[arg(long, value_enum, value_delimiter = ',', value_name = "STATUS", conflicts_with = "all")]
    status: Vec<Standing>,

    /// Only those whose name matches, or is one of several: 'web*', 'vm[1-3]'
    #[arg(long, value_delimiter = ',', value_name = "GLOB", value_hint = ValueHint::Hostname)]
    name: Vec<String>,

    /// Only those with this tag, or with KEY whatever its value; of several, with all
    #[arg(long, value_name = "KEY[=VALUE]")]
    tag: Vec<TagFilter>,

    /// In which order; the alive always come first
    #[arg(long, value_enum, default_value_t, value_name = "KEY")]
    sort: Key,
}

/// What a member is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Standing {
    /// Up
    Alive,
    /// Declared failed
    Failed,
    /// Left by its own word
    Left,
}

/// What the list is ordered by.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum Key {
    /// By name: vm2 comes before vm10
    #[default]
    Name,
    /// By address, then port
    Address,
    /// By when the standing last changed, the newest last
    Since,
    /// By when the member joined, the newest last
    Incarnation,
}

impl Standing {
    fn is(self, status: MemberStatus) -> bool {
        match self {
            Standing::Alive => status == MemberStatus::Alive,
            Standing::Failed => status == MemberStatus::Failed,
            Standing::Left => status == MemberStatus::Left,
        }
    }
}

impl Selection {
    /// The alive, or everyone.
    pub(super) fn of(all: bool) -> Selection {
        Selection { all, ..Selection::default() }
    }

    /// Fetches those that are wanted, in order.
    pub(super) fn fetch(&self, daemon: &Daemon) -> Result<Vec<MemberRecord>, Failure> {
        let gone_wanted = self.status.iter().any(|standing| *standing != Standing::Alive);
        let mut members = super::members(daemon, self.all || gone_wanted)?;
        members.retain(|member| self.wants(member));
        members.sort_by(|one, other| {
            alive_first(one)
                .cmp(&alive_first(other))
                .then_with(|| self.sort.compare(one, other))
                .then_with(|| by_name(one, other))
        });
        Ok(members)
    }

    /// That nobody is as wanted, in words.
    pub(super) fn nobody(&self) -> &'static str {
        match self.all || !self.status.is_empty() {
            true => "no member matches",
            false => "no member that is up matches: memberctl list --all shows the others too",
        }
    }

    fn wants(&self, member: &MemberRecord) -> bool {
        let standing = self.status.is_empty() || self.status.iter().any(|standing| standing.is(member.status));
        let name = self.name.is_empty() || self.name.iter().any(|wanted| glob::matches(wanted, &member.name));
        standing && name && self.tag.iter().all(|tag| tag.matches(&member.tags))
    }
}

impl Key {
    fn compare(self, one: &MemberRecord, other: &MemberRecord) -> Ordering {
        match self {
            Key::Name => Ordering::Equal,
            Key::Address => place(one).cmp(&place(other)),
            Key::Since => one.since.cmp(&other.since),
            Key::Incarnation => one.incarnation.cmp(&other.incarnation),
        }
    }
}

fn alive_first(member: &MemberRecord) -> Reverse<bool> {
    Reverse(member.status == MemberStatus::Alive)
}

/// The address as a number, so that 192.0.2.9 comes before 192.0.2.10.
fn place(member: &MemberRecord) -> (Option<std::net::IpAddr>, u16) {
    (member.address.parse().ok(), member.port)
}

fn by_name(one: &MemberRecord, other: &MemberRecord) -> Ordering {
    natural(&one.name, &other.name)
}

/// Compares names as people count: runs of digits by their value, `vm2` before `vm10`; leading zeros decide last.
pub(crate) fn natural(one: &str, other: &str) -> Ordering {
    let (mut left, mut right) = (one, other);
    while !left.is_empty() && !right.is_empty() {
        let ((left_run, left_rest), (right_run, right_rest)) = (run(left), run(right));
        let order = match (number(left_run), number(right_run)) {
            (Some(left), Some(right)) => left.len().cmp(&right.len()).then_with(|| left.cmp(right)),
            _ => left_run.cmp(right_run),
        };
        if order.is_ne() {
            return order;
        }
        (left, right) = (left_rest, right_rest);
    }
    left.len().cmp(&right.len()).then_with(|| one.cmp(other))
}

/// The first run of digits or of other characters, and the rest.
fn run(text: &str) -> (&str, &str) {
    let digits = text.starts_with(|first: char| first.is_ascii_digit());
    let end = text.find(|character: char| character.is_ascii_digit() != digits).unwrap_or(text.len());
    text.split_at(end)
}

/// A run of digits without its leading zeros.
fn number(run: &str) -> Option<&str> {
    run.starts_with(|first: char| first.is_ascii_digit()).then(|| run.trim_start_matches('0'))
}

#[cfg(test)]
mod tests {
    use super::natural;

    #[test]
    fn numbers_in_names_are_ordered_by_their_value() {
        let ordered = ["1", "9a", "010", "db", "db-2", "db-10", "vm", "vm01", "vm1", "vm2", "vm10", "vm10b2", "vm10b11", "wm"];
        let mut shuffled = ordered;
        shuffled.reverse();
        shuffled.sort_by(|one, other| natural(one, other));
        assert_eq!(shuffled, ordered);
        let longer = ["x99999999999999999999999998", "x99999999999999999999999999"];
        assert!(natural(longer[0], longer[1]).is_lt());
    }
}
