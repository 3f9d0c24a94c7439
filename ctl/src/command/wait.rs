//! `memberctl wait NAME...`, `--members N` and `--tag TAG`: waits until the list is so, for scripts
//! and rollouts.

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;
use std::thread::sleep;
use std::time::{Duration, Instant};

use clap::{ArgGroup, ValueHint};
use memberd_control::message::{MemberRecord, MemberStatus};
use memberd_control::name_globs::{NameGlob, NameGlobs};
use memberd_control::tags::TagFilter;

use crate::arguments::{self, Standing};
use crate::connection::Daemon;
use crate::exit::{Exit, Failure};
use crate::format;
use crate::members;

/// How long to wait unless the user chose a time.
const DEFAULT_LIMIT: Duration = Duration::from_secs(60);

/// The largest number of members to wait for.
const MOST: u64 = 1_000_000;

/// The pause between two fetches of the list.
const PAUSE: Duration = Duration::from_millis(100);

/// How long one fetch may take: never less, and never more.
const FETCH: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(10));

/// Waits until the list has the given members.
#[derive(Debug, Default, clap::Args)]
#[command(
    group(ArgGroup::new("what").required(true).multiple(true)
        .args(["names", "members", "at_least", "name", "tag"])),
    group(ArgGroup::new("chosen").multiple(true).args(["names", "name", "tag"])),
    after_help = "wait also waits for a daemon that does not run yet, or is in no group yet. With \
    --timeout it waits for so long, and without for 60s. Exit status 124 if the time has passed, \
    and 2 for a name that no member can have.

A range of numbers and braces name every member that has to be there: 'vm[08-12]' is vm08, vm09, \
vm10, vm11 and vm12. With *, ?, or a set of characters, at least one member has to be there, and \
those that left are not waited for. See memberctl list --help.

With --tag, only members with that tag count. Without a name or a number, all of them are waited \
for, and there has to be one.

Examples:
  memberctl wait --members 3 --timeout 30s      until exactly three are up
  memberctl wait --at-least 2 --tag role=web    until two or more of that role are up
  memberctl wait vm4 --status failed            until this machine knows that
  memberctl wait 'vm[1-3]'                      until all three are up"
)]
pub(crate) struct Wait {
    /// Wait for the members of these names, as with --name
    #[arg(value_name = "NAME", value_hint = ValueHint::Hostname)]
    names: Vec<Names>,

    /// Wait until exactly this many members are up
    #[arg(long, value_name = "N", value_parser = arguments::number(0..=MOST))]
    #[arg(conflicts_with = "at_least")]
    members: Option<u64>,

    /// Wait until this many members are up, or more
    #[arg(long, value_name = "N", value_parser = arguments::number(0..=MOST))]
    at_least: Option<u64>,

    /// Wait until this member, or all that match, have the status of --status; without --status,
    /// until they are up
    #[arg(long, value_name = "GLOB", value_hint = ValueHint::Hostname)]
    name: Option<Names>,

    /// Only members with this tag, or with any value of KEY; with several options, with all of them
    #[arg(long, value_name = "KEY[=VALUE]")]
    tag: Vec<TagFilter>,

    /// The status to wait for
    #[arg(long, value_enum, requires = "chosen")]
    status: Option<Standing>,
}

impl Wait {
    /// Fetches the list again and again. It does not wait if that can never succeed, for example
    /// without permission.
    pub(super) fn run(&self, daemon: &Daemon) -> Result<(), Failure> {
        let limit = daemon.timeout.unwrap_or(DEFAULT_LIMIT);
        let end = Instant::now() + limit;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let timeout = Some(left.clamp(FETCH.0, FETCH.1));
            let missing = match members::fetch(&Daemon { timeout, ..daemon.clone() }, true) {
                Ok(members) => self.missing(&members),
                Err(Failure::NotInGroup) => Some("not in a group".to_owned()),
                Err(Failure::Stated { exit: Exit::Unreachable | Exit::TimedOut, message }) => {
                    Some(message)
                }
                Err(failure) => return Err(failure),
            };
            let Some(missing) = missing else { return Ok(()) };
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                let limit = format::duration(u64::try_from(limit.as_millis()).unwrap_or(u64::MAX));
                return Err(Failure::new(Exit::TimedOut, format!("after {limit}: {missing}")));
            }
            sleep(PAUSE.min(left));
        }
    }

    /// Describes what is still missing; none if nothing is.
    fn missing(&self, members: &[MemberRecord]) -> Option<String> {
        let tagged = |member: &&MemberRecord| self.tag.iter().all(|tag| tag.matches(&member.tags));
        let members: Vec<&MemberRecord> = members.iter().filter(tagged).collect();
        self.number(&members).or_else(|| self.members_missing(&members))
    }

    /// Says that another number of members is up than wanted.
    fn number(&self, members: &[&MemberRecord]) -> Option<String> {
        let alive =
            members.iter().filter(|member| member.status == MemberStatus::Alive).count() as u64;
        let wanted = match (self.members, self.at_least) {
            (Some(wanted), _) if wanted != alive => wanted.to_string(),
            (_, Some(wanted)) if wanted > alive => format!("at least {wanted}"),
            _ => return None,
        };
        let verb = if alive == 1 { "is" } else { "are" };
        let such = if self.tag.is_empty() { "" } else { " with such tags" };
        Some(format!("{}{such} {verb} up, not {wanted}", format::count(alive, "member")))
    }

    /// Says which of the chosen members is missing, or has another status than wanted.
    fn members_missing(&self, members: &[&MemberRecord]) -> Option<String> {
        let wanted = self.status.map_or(MemberStatus::Alive, Standing::status);
        let see = match self.tag.is_empty() {
            true => "see memberctl list --all",
            false => "see memberctl list --all --tags",
        };
        let counted = self.members.or(self.at_least).is_some();
        let mut names = self.names.iter().chain(&self.name).flat_map(|Names(names)| names);
        let is_named = self.name.is_some() || !self.names.is_empty();
        if !is_named && (self.tag.is_empty() || counted && self.status.is_none()) {
            return None;
        }
        if !is_named {
            let nobody = || format!("no member has such tags: {see}");
            return all_differ(members.iter().copied(), wanted, nobody);
        }
        let such = if self.tag.is_empty() { "such a name" } else { "such a name and tags" };
        names.find_map(|named| match named {
            Named::All(names) => {
                let there = members.iter().copied();
                let newest = newest(there.filter(|member| names.contains(&member.name)));
                let with = if self.tag.is_empty() { "" } else { " with such tags" };
                names.iter().find_map(|name| match newest.get(name.as_str()) {
                    None => Some(format!("{name} is not in the list{with}: {see}")),
                    Some(member) => differs(member, wanted),
                })
            }
            Named::Matching(glob) => {
                let there = members.iter().copied();
                let nobody = || format!("{}: no member has {such}: {see}", glob.written());
                all_differ(there.filter(|member| glob.matches(&member.name)), wanted, nobody)
            }
        })
    }
}

/// Says which of these members has another status than wanted, or that there is nobody. Those that
/// left are not waited for.
fn all_differ<'m>(
    members: impl Iterator<Item = &'m MemberRecord>,
    wanted: MemberStatus,
    nobody: impl FnOnce() -> String,
) -> Option<String> {
    let mut newest = newest(members);
    newest.retain(|_, member| member.status != MemberStatus::Left || wanted == MemberStatus::Left);
    match newest.is_empty() {
        true => Some(nobody()),
        false => newest.values().find_map(|member| differs(member, wanted)),
    }
}

/// The members that are waited for.
#[derive(Debug, Clone)]
struct Names(Vec<Named>);

#[derive(Debug, Clone)]
enum Named {
    /// Members of all these names.
    All(BTreeSet<String>),
    /// All members that match, of which there is at least one.
    Matching(NameGlob),
}

impl FromStr for Names {
    type Err = String;

    /// Reads `GLOB[,GLOB]...`. A name that no member can have is an error, since waiting for it is
    /// in vain.
    fn from_str(text: &str) -> Result<Names, String> {
        let globs: NameGlobs = text.parse().map_err(|error| format!("{error}"))?;
        let named = globs.iter().map(|glob| {
            if !glob.is_possible() {
                return Err(format!(
                    "{}: no member can have such a name: up to 64 letters, digits, '.', '_', '-'",
                    glob.written()
                ));
            }
            Ok(match glob.spelled().map_err(|error| error.to_string())? {
                Some(names) => Named::All(names.into_iter().collect()),
                None => Named::Matching(glob.clone()),
            })
        });
        named.collect::<Result<_, _>>().map(Names)
    }
}

/// The newest incarnation of each member.
fn newest<'m>(
    members: impl Iterator<Item = &'m MemberRecord>,
) -> BTreeMap<&'m str, &'m MemberRecord> {
    let mut newest: BTreeMap<&str, &MemberRecord> = BTreeMap::new();
    for member in members {
        let known = newest.entry(&member.name).or_insert(member);
        if member.incarnation > known.incarnation {
            *known = member;
        }
    }
    newest
}

/// A text that says that the member has another status than this.
fn differs(member: &MemberRecord, wanted: MemberStatus) -> Option<String> {
    let MemberRecord { name, status, .. } = member;
    (*status != wanted).then(|| format!("{name} is {}, not {}", status.as_str(), wanted.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(name: &str, incarnation: u64, status: MemberStatus) -> MemberRecord {
        MemberRecord {
            id: format!("{name}@192.0.2.1:8946/{incarnation}"),
            name: name.to_owned(),
            address: "192.0.2.1".to_owned(),
            port: 8946,
            status,
            incarnation,
            this_machine: false,
            since: 0,
            evidence: None,
            suspected_by: None,
            tags: memberd_control::tags::Tags::new(),
        }
    }

    fn wait(members: Option<u64>, name: Option<&str>, status: Option<MemberStatus>) -> Wait {
        let status = status.map(|status| match status {
            MemberStatus::Alive => Standing::Alive,
            MemberStatus::Failed => Standing::Failed,
            MemberStatus::Left => Standing::Left,
        });
        Wait { members, name: name.map(|name| name.parse().unwrap()), status, ..Wait::default() }
    }

    #[test]
    fn counts_the_members_that_are_up() {
        let list = [member("vm1", 1, MemberStatus::Alive), member("vm2", 1, MemberStatus::Failed)];
        assert_eq!(wait(Some(1), None, None).missing(&list), None);
        assert_eq!(
            wait(Some(2), None, None).missing(&list).as_deref(),
            Some("1 member is up, not 2")
        );
        assert_eq!(
            wait(Some(0), None, None).missing(&list).as_deref(),
            Some("1 member is up, not 0")
        );
    }

    #[test]
    fn the_newest_incarnation_of_a_member_counts() {
        let list = [member("vm1", 1, MemberStatus::Failed), member("vm1", 2, MemberStatus::Alive)];
        assert_eq!(wait(None, Some("vm1"), None).missing(&list), None);
        let missing = wait(None, Some("vm1"), Some(MemberStatus::Failed)).missing(&list);
        assert_eq!(missing.as_deref(), Some("vm1 is alive, not failed"));
        assert_eq!(
            wait(None, Some("vm2"), None).missing(&list).as_deref(),
            Some("vm2 is not in the list: see memberctl list --all")
        );
    }

    /// A range says which members have to be there, so one that never joined is missed.
    #[test]
    fn every_member_of_a_range_is_waited_for() {
        let alive = MemberStatus::Alive;
        let mut list = vec![member("vm08", 1, alive), member("vm10", 1, alive)];
        let missing = |list: &[MemberRecord]| wait(None, Some("vm[08-10]"), None).missing(list);
        let not_there = "vm09 is not in the list: see memberctl list --all";
        assert_eq!(missing(&list).as_deref(), Some(not_there));
        list.push(member("vm09", 1, MemberStatus::Failed));
        assert_eq!(missing(&list).as_deref(), Some("vm09 is failed, not alive"));
        list.push(member("vm09", 2, alive));
        assert_eq!(missing(&list), None);
        assert_eq!(wait(None, Some("vm{08..10},db1"), None).missing(&list).unwrap()[..3], *"db1");
    }

    #[test]
    fn with_a_star_all_that_are_there_are_waited_for() {
        let alive = MemberStatus::Alive;
        let mut list = vec![member("vm1", 1, MemberStatus::Left)];
        let missing = |list: &[MemberRecord]| wait(None, Some("vm*"), None).missing(list);
        let nobody = "vm*: no member has such a name: see memberctl list --all";
        assert_eq!(missing(&list).as_deref(), Some(nobody));
        list.push(member("vm2", 1, alive));
        assert_eq!(missing(&list), None);
        assert_eq!(
            wait(None, Some("vm?"), Some(MemberStatus::Left)).missing(&list).as_deref(),
            Some("vm2 is alive, not left")
        );
        assert!("vm[1-10001]".parse::<Names>().is_err());
        assert!("vm[1-35-7]".parse::<Names>().is_err());
    }

    #[test]
    fn names_without_an_option_are_waited_for_as_well() {
        let list = [member("vm1", 1, MemberStatus::Alive), member("vm2", 1, MemberStatus::Failed)];
        let missing = |names: &[&str], name| {
            let names = names.iter().map(|name| name.parse().unwrap()).collect();
            Wait { names, ..wait(None, name, None) }.missing(&list)
        };
        assert_eq!(missing(&["vm1"], None), None);
        let failed = Some("vm2 is failed, not alive".to_owned());
        assert_eq!(missing(&["vm1", "vm[1-2]"], None), failed);
        assert_eq!(missing(&["vm1"], Some("vm2")), failed);
    }

    #[test]
    fn more_members_than_at_least_are_enough() {
        let list = [member("vm1", 1, MemberStatus::Alive), member("vm2", 1, MemberStatus::Alive)];
        let missing =
            |at_least| Wait { at_least: Some(at_least), ..Wait::default() }.missing(&list);
        assert_eq!((missing(1), missing(2)), (None, None));
        assert_eq!(missing(3).as_deref(), Some("2 members are up, not at least 3"));
    }

    #[test]
    fn a_tag_narrows_names_and_numbers() {
        let alive = MemberStatus::Alive;
        let mut list = [member("vm1", 1, alive), member("vm2", 1, MemberStatus::Failed)];
        list.iter_mut().for_each(|member| {
            member.tags.insert("role".to_owned(), "web".to_owned());
        });
        list.iter_mut().take(1).for_each(|member| {
            member.tags.insert("zone".to_owned(), "a".to_owned());
        });
        let missing = |tag: &str, name: Option<&str>, at_least| {
            let tag = vec![tag.parse().unwrap()];
            let waiting = Wait { at_least, tag, ..wait(None, name, None) };
            waiting.missing(&list).unwrap_or_default()
        };
        assert_eq!(missing("role=web", None, None), "vm2 is failed, not alive");
        assert_eq!(missing("role=web", None, Some(1)), "", "only the number counts");
        assert_eq!(
            missing("role=web", None, Some(2)),
            "1 member with such tags is up, not at least 2"
        );
        assert_eq!(missing("zone", None, None), "");
        let see = "see memberctl list --all --tags";
        assert_eq!(missing("role=db", None, None), format!("no member has such tags: {see}"));
        assert_eq!(
            missing("zone", Some("vm2"), None),
            format!("vm2 is not in the list with such tags: {see}")
        );
        assert_eq!(
            missing("role=db", Some("vm*"), None),
            format!("vm*: no member has such a name and tags: {see}")
        );
    }

    #[test]
    fn a_name_that_no_member_can_have_is_not_waited_for() {
        for name in ["vm 1", "vm/*", "-vm", "vm1:8946", &"x".repeat(65), "vm1,vm[1-3]@x"] {
            let error = name.parse::<Names>().unwrap_err();
            assert!(error.contains("no member can have such a name"), "{name}: {error}");
        }
    }
}
