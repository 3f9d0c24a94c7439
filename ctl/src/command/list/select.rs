//! Which members are listed, and in what order.

use std::cmp::{Ordering, Reverse};
use std::str::FromStr;

use clap::{ValueEnum, ValueHint};
use memberd_control::message::{MemberRecord, MemberStatus};
use memberd_control::tags::TagFilter;

use crate::connection::Daemon;
use crate::exit::Failure;
use crate::glob;
use crate::members::{self, natural};

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
    #[arg(long, value_name = "GLOB", value_hint = ValueHint::Hostname)]
    name: Vec<Globs>,

    /// Only those with this tag, or with KEY whatever its value; of several, with all
    #[arg(long, value_name = "KEY[=VALUE]")]
    tag: Vec<TagFilter>,

    /// In which order; the alive always come first
    #[arg(long, value_enum, default_value_t, value_name = "KEY")]
    sort: Key,
}

/// Names, or globs over them.
#[derive(Debug, Clone)]
struct Globs(Vec<String>);

impl FromStr for Globs {
    type Err = String;

    fn from_str(text: &str) -> Result<Globs, String> {
        let globs = glob::cut(text);
        match globs.iter().any(String::is_empty) {
            true => Err("an empty name is nobody's: write GLOB[,GLOB]...".to_owned()),
            false => Ok(Globs(globs)),
        }
    }
}

/// A list, parted.
#[derive(Debug)]
pub(super) struct Chosen {
    /// Those that are wanted, in order.
    pub(super) members: Vec<MemberRecord>,
    /// The others, as far as they were asked for.
    others: Vec<MemberRecord>,
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
        self.status() == status
    }

    fn status(self) -> MemberStatus {
        match self {
            Standing::Alive => MemberStatus::Alive,
            Standing::Failed => MemberStatus::Failed,
            Standing::Left => MemberStatus::Left,
        }
    }
}

impl Selection {
    /// The alive, or everyone.
    pub(super) fn of(all: bool) -> Selection {
        Selection { all, ..Selection::default() }
    }

    /// Fetches the list, all of it if `whole`, and parts it.
    pub(super) fn fetch(&self, daemon: &Daemon, whole: bool) -> Result<Chosen, Failure> {
        // The gone as well where it may have to be said who is not there.
        let narrowed = !self.name.is_empty() || !self.tag.is_empty();
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
        Ok(Chosen { members, others })
    }

    /// That nobody is as wanted, in words.
    pub(super) fn nobody(&self, Chosen { others, .. }: &Chosen) -> String {
        let unknown =
            |glob: &&String| !others.iter().any(|member| glob::matches(glob, &member.name));
        if let Some(glob) = self.globs().find(unknown) {
            return format!("--name {glob}: no member has such a name: see memberctl list --all");
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

    /// How many would be shown with `--all`, in words.
    pub(super) fn not_shown(&self, Chosen { others, .. }: &Chosen) -> Option<String> {
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

    fn globs(&self) -> impl Iterator<Item = &String> {
        self.name.iter().flat_map(|Globs(globs)| globs)
    }

    fn wants(&self, member: &MemberRecord) -> bool {
        let standing = match self.status.as_slice() {
            [] => self.all || member.status == MemberStatus::Alive,
            standings => standings.iter().any(|standing| standing.is(member.status)),
        };
        standing && self.describes(member)
    }

    /// Whether its name and its tags are as wanted.
    fn describes(&self, member: &MemberRecord) -> bool {
        let name =
            self.name.is_empty() || self.globs().any(|wanted| glob::matches(wanted, &member.name));
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
