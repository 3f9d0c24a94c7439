//! The totals of each member: the last object of `--json`, and the lines of `--stats`.

use memberd_control::grep::{GrepCopy, GrepOutcome, GrepTotals};
use serde::Serialize;
use std::collections::BTreeMap;

use crate::exit::Failure;
use crate::format;
use crate::json;

/// The last object of `--json`. Users rely on its shape. Times are in milliseconds.
#[derive(Serialize)]
struct Totals<'a, E> {
    schema: u32,
    r#type: &'static str,
    asked: u64,
    answered: u64,
    failed: u64,
    #[serde(flatten)]
    sum: Searched,
    /// What a command knows besides.
    #[serde(flatten)]
    more: Option<&'a E>,
    members: Vec<Member<'a>>,
}

/// The totals of one member, or of all. Then the milliseconds are those of the slowest member.
#[derive(Debug, Clone, Copy, Default, Serialize)]
struct Searched {
    files: u64,
    bytes: u64,
    lines: u64,
    errors: u64,
    milliseconds: u64,
}

#[derive(Serialize)]
struct Member<'a> {
    member: &'a str,
    asked: bool,
    answered: bool,
    #[serde(flatten)]
    searched: Searched,
    /// Why it did not answer, or why its answer was dropped. `failed_at` is when it failed, in
    /// milliseconds since the Unix epoch.
    #[serde(skip_serializing_if = "Option::is_none")]
    lost: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    failed_at: Option<u64>,
    /// The copy that was searched: who keeps it, and how long before the member was last heard it
    /// ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    keeper: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    behind_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dropped_bytes: Option<u64>,
}

impl From<&GrepTotals> for Searched {
    fn from(totals: &GrepTotals) -> Searched {
        let GrepTotals { files, bytes, lines, errors, milliseconds, .. } = *totals;
        Searched { files, bytes, lines, errors, milliseconds }
    }
}

/// The last object of `--json`, on one line, with the fields of `more` if there are any.
pub(in crate::command) fn object<E: Serialize>(
    members: &[(String, GrepOutcome)],
    copies: &Copies,
    more: Option<&E>,
) -> Result<String, Failure> {
    let members = all(members, copies);
    let count = |which: fn(&&Member<'_>) -> bool| members.iter().filter(which).map(|_| 1).sum();
    json::text(&Totals {
        schema: 1,
        r#type: "totals",
        asked: count(|member| member.asked),
        answered: count(|member| member.answered),
        failed: count(|member| !member.answered),
        sum: sum(members.iter().map(|member| member.searched)),
        more,
        members,
    })
}

/// The lines of `--stats`.
pub(super) fn lines(members: &[(String, GrepOutcome)], copies: &Copies) -> Vec<String> {
    let members = all(members, copies);
    let answered = || members.iter().filter(|member| member.answered);
    let line = |name: &str, searched: Searched| {
        format!(
            "{name}: {} in {}, {} searched in {}",
            format::count(searched.lines, "line"),
            format::count(searched.files, "file"),
            format::size(searched.bytes),
            format::duration(searched.milliseconds)
        )
    };
    let each = answered().map(|member| match member.keeper {
        Some(keeper) => line(&format!("{} (kept by {keeper})", member.member), member.searched),
        None => line(member.member, member.searched),
    });
    let all = format!(
        "{} of {}",
        answered().count(),
        format::count(members.iter().map(|_| 1).sum(), "member")
    );
    each.chain([line(&all, sum(answered().map(|member| member.searched)))]).collect()
}

/// The copies that were searched, by the names of their members.
pub(in crate::command) type Copies = BTreeMap<String, GrepCopy>;

fn all<'a>(members: &'a [(String, GrepOutcome)], copies: &'a Copies) -> Vec<Member<'a>> {
    let one =
        |(name, outcome): &'a (String, GrepOutcome)| Member::of(name, outcome, copies.get(name));
    let mut members: Vec<Member<'a>> = members.iter().map(one).collect();
    members.sort_by_key(|member| member.member);
    members
}

impl<'a> Member<'a> {
    fn of(name: &'a str, outcome: &'a GrepOutcome, copy: Option<&'a GrepCopy>) -> Self {
        let member = member(name, outcome);
        let Some(copy) = copy else { return member };
        Member {
            failed_at: (!copy.left).then_some(copy.since),
            keeper: Some(&copy.keeper),
            behind_ms: copy.behind_ms,
            dropped_bytes: Some(copy.dropped_bytes),
            ..member
        }
    }
}

fn member<'a>(name: &'a str, outcome: &'a GrepOutcome) -> Member<'a> {
    let none = Member {
        member: name,
        asked: true,
        answered: false,
        searched: Searched::default(),
        lost: None,
        failed_at: None,
        keeper: None,
        behind_ms: None,
        dropped_bytes: None,
    };
    match outcome {
        GrepOutcome::Searched(totals) => Member { answered: true, searched: totals.into(), ..none },
        GrepOutcome::Lost(why) | GrepOutcome::Dropped(why) => Member { lost: Some(why), ..none },
        GrepOutcome::NotAsked { failed, .. } => {
            Member { asked: false, failed_at: Some(*failed), ..none }
        }
    }
}

fn sum(members: impl Iterator<Item = Searched>) -> Searched {
    members.fold(Searched::default(), |sum, member| Searched {
        files: sum.files.saturating_add(member.files),
        bytes: sum.bytes.saturating_add(member.bytes),
        lines: sum.lines.saturating_add(member.lines),
        errors: sum.errors.saturating_add(member.errors),
        milliseconds: sum.milliseconds.max(member.milliseconds),
    })
}
