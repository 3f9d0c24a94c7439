//! Chooses the members of a grep by `--on`, `--not-on` and `--tag`. It owns the compiled globs.

use crate::membership::{Liveness, Member};
use memberd_control::grep::GrepMembers;
use memberd_control::name_globs::{NameGlobError, NameGlobs};
use memberd_control::name_order::natural;
use memberd_control::tags::TagFilter;
use memberd_membership::{Identity, Name};
use std::collections::BTreeSet;

/// The most globs of either kind.
const MAX_GLOBS: usize = 1_000;

/// The longest glob, in bytes. No member's name is as long.
const MAX_GLOB_BYTES: usize = 256;

/// Decides by their names and tags which members a grep is for.
#[derive(Debug)]
pub struct MemberChoice {
    /// None means all.
    on: Option<NameGlobs>,
    not_on: NameGlobs,
    tags: Vec<TagFilter>,
    /// The tags without which the asker may not search a member.
    limit: Vec<TagFilter>,
    /// The names of which members that left are wanted, too.
    left: BTreeSet<String>,
}

/// The members of the list that a grep asks, in the order of their names: `vm2` before `vm10`.
#[derive(Debug, PartialEq, Eq)]
pub struct Chosen {
    /// Those that are up.
    pub up: Vec<Identity>,
    /// Those that failed. Members that left are not missed, unless they were wanted by name.
    pub failed: Vec<Missed>,
    /// All members that are up, which may keep the logs of those that failed. Empty if none did.
    pub may_keep: Vec<Identity>,
}

/// A chosen member that is not there. Times are in milliseconds since the Unix epoch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missed {
    /// Its name.
    pub name: Name,
    /// When it failed, or left.
    pub since: u64,
    /// When it was last heard.
    pub heard: u64,
    /// Whether it left.
    pub left: bool,
}

impl Missed {
    /// A member that is not up, as it is in the list.
    pub(super) fn new(member: &Member) -> Missed {
        let silent_ms = match &member.liveness {
            Liveness::Failed(Some(evidence)) => evidence.silent_ms,
            Liveness::Failed(None) | Liveness::Left | Liveness::Alive => 0,
        };
        Missed {
            name: member.identity.name.clone(),
            since: member.since.0,
            heard: member.since.0.saturating_sub(silent_ms),
            left: member.liveness == Liveness::Left,
        }
    }
}

impl MemberChoice {
    /// Compiles the globs.
    ///
    /// # Errors
    /// When there are too many, or one is invalid. The error is one line.
    pub fn new(members: &GrepMembers) -> Result<Self, String> {
        if members.tags.len() > MAX_GLOBS {
            return Err(format!("--tag: more than {MAX_GLOBS} tags: give fewer"));
        }
        let on = globs("--on", &members.on)?;
        let not_on = globs("--not-on", &members.not_on)?;
        Ok(MemberChoice {
            on: (!members.on.is_empty()).then_some(on),
            not_on,
            tags: members.tags.clone(),
            limit: Vec::new(),
            left: BTreeSet::new(),
        })
    }

    /// Chooses members that left, too, if one of these names is theirs.
    #[must_use]
    pub fn with_left(self, names: &[String]) -> Self {
        MemberChoice { left: names.iter().cloned().collect(), ..self }
    }

    /// The members of the list that have not left, and those that are wanted all the same.
    fn there<'l>(&self, list: &'l [Member]) -> impl Iterator<Item = &'l Member> {
        list.iter()
            .filter(|member| member.liveness != Liveness::Left || self.left.contains(name(member)))
    }

    /// Limits it to members that have all these tags, too.
    #[must_use]
    pub fn limited_to(self, tags: &[TagFilter]) -> Self {
        MemberChoice { limit: tags.to_vec(), ..self }
    }

    /// What of the choice is only for members beyond the limit: one line.
    pub fn beyond_limit(&self, list: &[Member]) -> Option<String> {
        if self.limit.is_empty() {
            return None;
        }
        let within = || self.there(list).filter(|member| self.is_allowed(member));
        let missed = match &self.on {
            _ if within().next().is_none() => "no such member is there".to_owned(),
            None => return None,
            // A glob that matches nobody at all has a message of its own.
            Some(on) if on.first_unmatched(self.there(list).map(name)).is_some() => return None,
            Some(on) => format!("--on {} is not for them", on.first_unmatched(within().map(name))?),
        };
        let tags: Vec<String> = self.limit.iter().map(ToString::to_string).collect();
        Some(format!("this socket searches only members tagged {}: {missed}", tags.join(" ")))
    }

    fn is_allowed(&self, member: &Member) -> bool {
        has_tags(member, &self.limit)
    }

    /// Whether the grep asks this member.
    pub fn includes(&self, member: &Member) -> bool {
        let name = name(member);
        let named =
            self.on.as_ref().is_none_or(|on| on.matches(name)) && !self.not_on.matches(name);
        named && self.is_allowed(member) && has_tags(member, &self.tags)
    }

    /// Chooses from the list.
    ///
    /// # Errors
    /// When a glob of `--on` matches no member, up or failed, or when `--not-on` leaves none: one
    /// line.
    pub fn choose_members(&self, list: &[Member]) -> Result<Chosen, String> {
        let names = self.there(list).map(name);
        if let Some(glob) = self.on.as_ref().and_then(|on| on.first_unmatched(names)) {
            return Err(format!(
                "--on {glob}: no member has such a name: see memberctl list --all"
            ));
        }
        let mut wanted: Vec<&Member> =
            self.there(list).filter(|member| self.includes(member)).collect();
        if wanted.is_empty() && !self.tags.is_empty() {
            return Err(
                "--tag: no member to ask has such tags: see memberctl list --tags".to_owned()
            );
        }
        if wanted.is_empty() {
            return Err("--not-on leaves no member to ask: see memberctl list".to_owned());
        }
        wanted.sort_by(|one, other| natural(name(one), name(other)));
        let missed = wanted.iter().filter(|member| member.liveness != Liveness::Alive);
        let failed: Vec<Missed> = missed.map(|member| Missed::new(member)).collect();
        let may_keep = if failed.is_empty() { Vec::new() } else { alive(list.iter()).collect() };
        Ok(Chosen { up: alive(wanted.into_iter()).collect(), failed, may_keep })
    }
}

/// Those of these members that are up.
fn alive<'m>(members: impl Iterator<Item = &'m Member>) -> impl Iterator<Item = Identity> {
    let alive = members.filter(|member| member.liveness == Liveness::Alive);
    alive.map(|member| member.identity.clone())
}

fn name(member: &Member) -> &str {
    member.identity.name.as_str()
}

/// Whether the member's tags are as all these filters want them.
fn has_tags(member: &Member, filters: &[TagFilter]) -> bool {
    filters.iter().all(|TagFilter { key, value: wanted }| {
        let value = member.tags.get(key);
        value.is_some_and(|value| wanted.as_ref().is_none_or(|wanted| wanted == value.as_str()))
    })
}

fn globs(option: &str, globs: &[String]) -> Result<NameGlobs, String> {
    if globs.len() > MAX_GLOBS {
        return Err(format!("{option}: more than {MAX_GLOBS} globs: give fewer"));
    }
    if globs.iter().any(|glob| glob.len() > MAX_GLOB_BYTES) {
        return Err(format!("{option}: a glob is longer than {MAX_GLOB_BYTES} bytes"));
    }
    NameGlobs::new(globs.to_vec()).map_err(|error| match error {
        NameGlobError::Syntax { .. } => format!("{option} {error}"),
        NameGlobError::Empty | NameGlobError::TooMany { .. } => format!("{option}: {error}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use memberd_membership::{Incarnation, Name, TagKey, TagValue, Tags, VersionedTags, WallTime};

    fn list() -> Vec<Member> {
        let member = |name: &str, liveness| Member {
            identity: Identity {
                name: Name::new(name).unwrap(),
                address: ([127, 0, 0, 1], 8946).into(),
                incarnation: Incarnation(1),
            },
            liveness,
            since: WallTime(7),
            suspected_by: None,
            tags: VersionedTags::default(),
            this_machine: false,
        };
        vec![
            member("db1", Liveness::Alive),
            member("web1", Liveness::Alive),
            member("web2", Liveness::Failed(None)),
            member("web3", Liveness::Left),
        ]
    }

    fn choose(on: &[&str], not_on: &[&str]) -> Result<(Vec<String>, Vec<String>), String> {
        let owned = |globs: &[&str]| globs.iter().map(|glob| (*glob).to_owned()).collect();
        let chosen = MemberChoice::new(&GrepMembers {
            on: owned(on),
            not_on: owned(not_on),
            tags: Vec::new(),
        })?
        .choose_members(&list())?;
        let up = chosen.up.iter().map(|member| member.name.to_string()).collect();
        Ok((up, chosen.failed.into_iter().map(|missed| missed.name.to_string()).collect()))
    }

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    /// Members that left are not missed.
    #[test]
    fn members_are_chosen_by_name() {
        for (on, not_on, up, failed) in [
            (&[][..], &[][..], &["db1", "web1"][..], &["web2"][..]),
            (&["web*"], &[], &["web1"], &["web2"]),
            (&["db?", "web1"], &[], &["db1", "web1"], &[]),
            (&["{db,web}1"], &["db*"], &["web1"], &[]),
            (&[], &["web[2-9]"], &["db1", "web1"], &[]),
            (&["web2"], &[], &[], &["web2"]),
            (&[], &["no-such"], &["db1", "web1"], &["web2"]),
        ] {
            assert_eq!(choose(on, not_on), Ok((names(up), names(failed))), "{on:?} {not_on:?}");
        }
    }

    #[test]
    fn chosen_members_have_all_the_tags() {
        let mut list = list();
        for (member, zone) in list.iter_mut().zip(["a", "b", "b"]) {
            let role = &member.identity.name.as_str()[..2];
            let tags = [("role", role), ("zone", zone)]
                .map(|(key, value)| (TagKey::new(key).unwrap(), TagValue::new(value).unwrap()));
            member.tags = VersionedTags::first(Tags::new(tags).unwrap());
        }
        let choose = |tags: &[&str]| {
            let tags = tags.iter().map(|tag| tag.parse().unwrap()).collect();
            let chosen = MemberChoice::new(&GrepMembers { tags, ..GrepMembers::default() })?
                .choose_members(&list)?;
            Ok::<_, String>((
                chosen.up.iter().map(|member| member.name.to_string()).collect::<Vec<_>>(),
                chosen.failed.len(),
            ))
        };
        assert_eq!(choose(&["zone=b"]), Ok((names(&["web1"]), 1)));
        assert_eq!(choose(&["zone", "role=db"]), Ok((names(&["db1"]), 0)));
        let nobody = "--tag: no member to ask has such tags: see memberctl list --tags";
        assert_eq!(choose(&["zone=b", "role=db"]), Err(nobody.to_owned()));
    }

    /// What is only for others is refused, and the rest is narrowed.
    #[test]
    fn members_beyond_the_limit_are_not_chosen() {
        let mut list = list();
        for (member, role) in list.iter_mut().zip(["db", "web", "web", "web"]) {
            let tag = (TagKey::new("role").unwrap(), TagValue::new(role).unwrap());
            member.tags = VersionedTags::first(Tags::new([tag]).unwrap());
        }
        let choose = |on: &[&str], limit: &str| {
            let on = on.iter().map(|glob| (*glob).to_owned()).collect();
            let members = GrepMembers { on, ..GrepMembers::default() };
            let choice = MemberChoice::new(&members)?.limited_to(&[limit.parse().unwrap()]);
            if let Some(words) = choice.beyond_limit(&list) {
                return Err(words);
            }
            let chosen = choice.choose_members(&list)?;
            Ok(chosen.up.iter().map(|member| member.name.to_string()).collect::<Vec<_>>())
        };
        let said = "this socket searches only members tagged";
        assert_eq!(choose(&[], "role=web"), Ok(names(&["web1"])));
        assert_eq!(choose(&["*1"], "role=web"), Ok(names(&["web1"])));
        assert_eq!(
            choose(&["web1", "db*"], "role=web"),
            Err(format!("{said} role=web: --on db* is not for them"))
        );
        assert_eq!(choose(&[], "zone"), Err(format!("{said} zone: no such member is there")));
        assert!(choose(&["vm9"], "role=web").unwrap_err().starts_with("--on vm9: no member"));
    }

    #[test]
    fn members_are_asked_in_the_order_of_their_names() {
        let mut list = list();
        for (member, name) in list.iter_mut().zip(["vm10", "vm9", "vm2"]) {
            member.identity.name = Name::new(name).unwrap();
            member.liveness = Liveness::Alive;
        }
        let choice = MemberChoice::new(&GrepMembers::default()).unwrap();
        let up = choice.choose_members(&list).unwrap().up;
        let order: Vec<String> = up.iter().map(|member| member.name.to_string()).collect();
        assert_eq!(order, names(&["vm2", "vm9", "vm10"]));
    }

    /// Globs find no members that left.
    #[test]
    fn members_that_left_are_chosen_by_name_alone() {
        let on = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let choose = |names: &[&str]| {
            let members = GrepMembers { on: on(names), ..GrepMembers::default() };
            let choice = MemberChoice::new(&members)?.with_left(&members.on);
            Ok::<_, String>(choice.choose_members(&list())?.failed)
        };
        let [missed] = choose(&["web3", "db1"]).unwrap().try_into().unwrap();
        assert!(missed.left && missed.name.as_str() == "web3");
        let [missed] = choose(&["web*"]).unwrap().try_into().unwrap();
        assert!(!missed.left && missed.name.as_str() == "web2");
        assert!(choose(&["web[3-9]"]).unwrap_err().starts_with("--on web[3-9]: no member"));
    }

    /// Whoever is up may keep the logs of those that are missed, also if it is not asked itself.
    #[test]
    fn all_members_that_are_up_may_keep_logs() {
        let choose = |on: &str| {
            let members = GrepMembers { on: vec![on.to_owned()], ..GrepMembers::default() };
            MemberChoice::new(&members).unwrap().choose_members(&list()).unwrap()
        };
        let may_keep = choose("web2").may_keep;
        let names: Vec<&str> = may_keep.iter().map(|member| member.name.as_str()).collect();
        assert_eq!(names, ["db1", "web1"]);
        assert!(choose("web1").may_keep.is_empty());
    }

    /// What a monitor says of a failure tells when the member was last heard.
    #[test]
    fn a_failed_member_was_heard_before() {
        let mut list = list();
        let evidence = memberd_membership::FailureEvidence {
            detected_by: Name::new("db1").unwrap(),
            silent_ms: 5,
        };
        list[2].liveness = Liveness::Failed(Some(evidence));
        let missed = Missed::new(&list[2]);
        assert_eq!((missed.since, missed.heard, missed.left), (7, 2, false));
    }

    #[test]
    fn a_glob_that_matches_nobody_is_named() {
        assert_eq!(
            choose(&["db1", "vm*"], &[]),
            Err("--on vm*: no member has such a name: see memberctl list --all".to_owned())
        );
        assert_eq!(
            choose(&["web3"], &[]),
            Err("--on web3: no member has such a name: see memberctl list --all".to_owned())
        );
        assert_eq!(
            choose(&[], &["*"]),
            Err("--not-on leaves no member to ask: see memberctl list".to_owned())
        );
        assert!(choose(&["[a"], &[]).unwrap_err().starts_with("--on [a: "));
        assert!(choose(&[], &[&"x".repeat(1_000)]).unwrap_err().starts_with("--not-on: "));
    }
}
