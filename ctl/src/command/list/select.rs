//! Chooses the members that are listed, and their order.

use std::cmp::{Ordering, Reverse};

use clap::{ValueEnum, ValueHint};
use memberd_control::message::{MemberRecord, MemberStatus};
use memberd_control::name_globs::NameGlobs;
use memberd_control::tags::TagFilter;

use crate::arguments::Standing;
use crate::connection::Daemon;
use crate::exit::Failure;
use crate::members::{self, natural};

/// The options that choose and order members.
#[derive(Debug, Default, clap::Args)]
pub(super) struct Selection {
    /// Only members of these names, as with --name
    #[arg(value_name = "NAME", value_hint = ValueHint::Hostname)]
    names: Vec<NameGlobs>,

    /// Also show the members that failed or left
    #[arg(long, short = 'a')]
    all: bool,

    /// Only members of this status, or of several, separated by commas
    #[arg(long, value_enum, value_delimiter = ',', value_name = "STATUS", conflicts_with = "all")]
    status: Vec<Standing>,

    /// Only members whose name matches this glob, or one of several: 'web*', 'vm[01-12]'
    #[arg(long, value_name = "GLOB", value_hint = ValueHint::Hostname)]
    name: Vec<NameGlobs>,

    /// Only members with this tag, or with any value of KEY; with several options, with all of them
    #[arg(long, value_name = "KEY[=VALUE]")]
    tag: Vec<TagFilter>,

    /// The order of the list; alive members always come first
    #[arg(long, value_enum, default_value_t, value_name = "KEY")]
    sort: Key,
}

/// A list, divided.
#[derive(Debug)]
pub(super) struct Selected {
    /// The members that match, in order.
    pub(super) members: Vec<MemberRecord>,
    /// The others among those that were fetched.
    others: Vec<MemberRecord>,
}

/// What the list is ordered by.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum Key {
    /// By name: vm2 comes before vm10
    #[default]
    Name,
    /// By address, then port
    Address,
    /// By when the status last changed, the newest last
    Since,
    /// By when the member joined, the newest last
    Incarnation,
}

impl Selection {
    /// The alive members, or all.
    pub(super) fn of(all: bool) -> Selection {
        Selection { all, ..Selection::default() }
    }

    /// Fetches the list, with the failed and left members if `whole`, and divides it.
    pub(super) fn fetch(&self, daemon: &Daemon, whole: bool) -> Result<Selected, Failure> {
        // An error message may have to say whether a failed or left member would match.
        let narrowed = self.globs().next().is_some() || !self.tag.is_empty();
        let gone_wanted = self.status.iter().any(|standing| *standing != Standing::Alive);
        let all = members::fetch(daemon, self.all || gone_wanted || narrowed || whole)?;
        let (mut members, others): (Vec<_>, Vec<_>) =
            all.into_iter().partition(|member| self.wants(member));
        members.sort_by(|one, other| {
            alive_first(one)
                .cmp(&alive_first(other))
                .then_with(|| self.sort.compare(one, other))
                .then_with(|| by_name(one, other))
        });
        Ok(Selected { members, others })
    }

    /// A sentence that says why no member matches.
    pub(super) fn nobody(&self, Selected { others, .. }: &Selected) -> String {
        let names = || others.iter().map(|member| member.name.as_str());
        let unmatched = |globs: &NameGlobs| globs.first_unmatched(names()).map(str::to_owned);
        let option = self.name.iter().find_map(unmatched).map(|glob| format!("--name {glob}"));
        if let Some(glob) = option.or_else(|| self.names.iter().find_map(unmatched)) {
            return format!("{glob}: no member has such a name: see memberctl list --all");
        }
        let tagged = |member: &MemberRecord| self.tag.iter().all(|tag| tag.matches(&member.tags));
        if !self.tag.is_empty() && !others.iter().any(tagged) {
            return "--tag: no member has such tags: see memberctl list --all --tags".to_owned();
        }
        match self.all || !self.status.is_empty() {
            true => "no member matches".to_owned(),
            false => {
                "no member that is up matches: memberctl list --all shows the others too".to_owned()
            }
        }
    }

    /// A sentence that says how many members `--all` would add.
    pub(super) fn not_shown(&self, Selected { others, .. }: &Selected) -> Option<String> {
        let gone = |standing: Standing| {
            let count = others
                .iter()
                .filter(|member| standing.is(member.status) && self.describes(member))
                .count();
            (count > 0).then(|| format!("{count} {}", standing.status().as_str()))
        };
        let gone: Vec<String> =
            [Standing::Failed, Standing::Left].into_iter().filter_map(gone).collect();
        (self.status.is_empty() && !gone.is_empty())
            .then(|| format!("not shown: {} (memberctl list --all)", gone.join(", ")))
    }

    /// The globs over names, however they were given.
    fn globs(&self) -> impl Iterator<Item = &NameGlobs> {
        self.names.iter().chain(&self.name)
    }

    fn wants(&self, member: &MemberRecord) -> bool {
        let standing = match self.status.as_slice() {
            [] => self.all || member.status == MemberStatus::Alive,
            standings => standings.iter().any(|standing| standing.is(member.status)),
        };
        standing && self.describes(member)
    }

    /// Whether its name and its tags match.
    fn describes(&self, member: &MemberRecord) -> bool {
        let mut globs = self.globs().peekable();
        let name = globs.peek().is_none() || globs.any(|globs| globs.matches(&member.name));
        name && self.tag.iter().all(|tag| tag.matches(&member.tags))
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
