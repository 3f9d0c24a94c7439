//! `memberctl wait --members N` and `memberctl wait --name GLOB --status STATUS`: waits until the
//! list is so, for scripts and rollouts.

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;
use std::thread::sleep;
use std::time::{Duration, Instant};

use clap::{ArgGroup, ValueHint};
use memberd_control::message::{MemberRecord, MemberStatus};
use memberd_control::name_globs::{NameGlob, NameGlobError, NameGlobs};

use crate::arguments;
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

/// Waits until the list has the given members.
#[derive(Debug, clap::Args)]
#[command(
    group(ArgGroup::new("what").required(true).multiple(true).args(["members", "name"])),
    after_help = "wait also waits for a daemon that does not run yet, or is in no group yet. Exit \
    status 124 if the time has passed.

A range of numbers and braces name every member that has to be there: 'vm[08-12]' is vm08, vm09, \
vm10, vm11 and vm12. With *, ?, or a set of characters, at least one member has to be there, and \
those that left are not waited for. See memberctl list --help.

Examples:
  memberctl wait --members 3 --timeout 30s      until exactly three are up
  memberctl wait --name vm4 --status failed     until this machine knows that
  memberctl wait --name 'vm[1-3]'               until all three are up"
)]
pub(crate) struct Wait {
    /// Wait until exactly this many members are up
    #[arg(long, value_name = "N", value_parser = arguments::number(0..=MOST))]
    members: Option<u64>,

    /// Wait until this member, or all that match, have the status of --status; without --status,
    /// until they are up
    #[arg(long, value_hint = ValueHint::Hostname)]
    name: Option<Names>,

    /// The status to wait for: alive, failed or left
    #[arg(long, requires = "name", value_parser = status)]
    status: Option<MemberStatus>,

    /// How long to wait: seconds, or a number with a unit, such as 500ms or 2m [default: 60s]
    #[arg(id = "limit", long = "timeout", value_name = "TIME", value_parser = arguments::duration)]
    limit: Option<Duration>,
}

impl Wait {
    /// Fetches the list again and again. It does not wait if that can never succeed, for example
    /// without permission.
    pub(super) fn run(&self, daemon: &Daemon) -> Result<(), Failure> {
        // A --timeout before the command has the same meaning here.
        let limit = self.limit.or(daemon.timeout).unwrap_or(DEFAULT_LIMIT);
        let end = Instant::now() + limit;
        loop {
            let missing = match members::fetch(daemon, true) {
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
        let alive =
            members.iter().filter(|member| member.status == MemberStatus::Alive).count() as u64;
        if let Some(wanted) = self.members.filter(|wanted| *wanted != alive) {
            let verb = if alive == 1 { "is" } else { "are" };
            return Some(format!("{} {verb} up, not {wanted}", format::count(alive, "member")));
        }
        let wanted = self.status.unwrap_or(MemberStatus::Alive);
        self.name.iter().flat_map(|Names(names)| names).find_map(|named| match named {
            Named::All(names) => {
                let newest = newest(members.iter().filter(|member| names.contains(&member.name)));
                names.iter().find_map(|name| match newest.get(name.as_str()) {
                    None => Some(format!("{name} is not in the list: see memberctl list --all")),
                    Some(member) => differs(member, wanted),
                })
            }
            Named::Matching(glob) => {
                let mut newest = newest(members.iter().filter(|member| glob.matches(&member.name)));
                newest.retain(|_, member| {
                    member.status != MemberStatus::Left || wanted == MemberStatus::Left
                });
                match newest.is_empty() {
                    true => Some(format!(
                        "{}: no member has such a name: see memberctl list --all",
                        glob.written()
                    )),
                    false => newest.values().find_map(|member| differs(member, wanted)),
                }
            }
        })
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
    type Err = NameGlobError;

    /// Reads `GLOB[,GLOB]...`.
    fn from_str(text: &str) -> Result<Names, NameGlobError> {
        let globs: NameGlobs = text.parse()?;
        let named = globs.iter().map(|glob| {
            Ok(match glob.spelled()? {
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

fn status(text: &str) -> Result<MemberStatus, String> {
    let named = MemberStatus::ALL.into_iter().find(|status| status.as_str() == text);
    named.ok_or_else(|| "alive, failed or left".to_owned())
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
            tags: memberd_control::tags::Tags::new(),
        }
    }

    fn wait(members: Option<u64>, name: Option<&str>, status: Option<MemberStatus>) -> Wait {
        Wait { members, name: name.map(|name| name.parse().unwrap()), status, limit: None }
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
}
