//! Tells what went wrong on members, one line for each reason and not for each member. It owns the
//! messages about files that several members have sent.

use std::collections::{BTreeMap, HashMap};

use memberd_control::grep::{GrepCopy, GrepOutcome};

use super::totals::Copies;
use crate::format;
use crate::ranges;

/// The most different messages about files that are remembered.
const MOST_MESSAGES: usize = 1_000;

/// The most members of one message that are remembered.
const MOST_MEMBERS: usize = 10_000;

/// How long the names in one line may be, in bytes.
const NAMES_BYTES: usize = 400;

/// Of how many failures the times are reported one by one.
const MOST_TIMES: usize = 4;

/// Messages about files. The first member with a message is reported at once, and the others with
/// the same one at the end.
#[derive(Debug, Default)]
pub(super) struct Messages {
    later: BTreeMap<String, Vec<String>>,
}

impl Messages {
    /// Takes a message, and returns it if it is to be reported at once.
    pub(super) fn take(&mut self, member: String, text: String) -> Option<String> {
        match self.later.get_mut(&text) {
            Some(members) if members.len() < MOST_MEMBERS => {
                members.push(member);
                None
            }
            Some(_) => Some(format!("{member}:{text}")),
            None => {
                let message = format!("{member}:{text}");
                if self.later.len() < MOST_MESSAGES {
                    self.later.insert(text, Vec::new());
                }
                Some(message)
            }
        }
    }

    /// The messages that remain to be reported.
    pub(super) fn end(&self) -> Vec<String> {
        let later = self.later.iter().filter(|(_, members)| !members.is_empty());
        later.map(|(text, members)| format!("{}:{text}", names(members.iter()))).collect()
    }
}

/// The line about the members that are known to have failed, if there are any. `now` is in
/// milliseconds since the Unix epoch.
pub(in crate::command) fn failed(members: &[(String, GrepOutcome)], now: u64) -> Option<String> {
    let failed: Vec<(&String, u64)> = members
        .iter()
        .filter_map(|(name, outcome)| match outcome {
            GrepOutcome::NotAsked { failed, left: false } => Some((name, *failed)),
            _ => None,
        })
        .collect();
    if let [(name, at)] = failed.as_slice() {
        return Some(format!("{name} failed {}: its logs are not searched", format::ago(*at, now)));
    }
    let last = failed.iter().map(|(_, at)| *at).max()?;
    let mut by_time: Vec<(u64, String, Vec<&String>)> = Vec::new();
    for (name, at) in &failed {
        // Times that read the same are one.
        let ago = format::ago(*at, now);
        let has_place = by_time.len() <= MOST_TIMES;
        let same = by_time.iter().position(|(_, known, _)| *known == ago);
        match same.and_then(|same| by_time.get_mut(same)) {
            Some((_, _, names)) => names.push(name),
            None if has_place => by_time.push((*at, ago, vec![name])),
            None => {}
        }
    }
    by_time.sort_by_key(|(at, ..)| std::cmp::Reverse(*at));
    let many = format!("{} failed", format::count(failed.len() as u64, "member"));
    if by_time.len() > MOST_TIMES {
        let names = names(failed.iter().map(|(name, _)| *name));
        let ago = format::ago(last, now);
        return Some(format!("{many}, the last one {ago}, and are not searched: {names}"));
    }
    let each: Vec<String> = by_time
        .into_iter()
        .map(|(_, ago, members)| format!("{} ({ago})", names(members.into_iter())))
        .collect();
    Some(format!("{many} and are not searched: {}", each.join(", ")))
}

/// The lines about members that left, and whose logs nobody keeps.
pub(super) fn left(members: &[(String, GrepOutcome)], now: u64) -> Vec<String> {
    let line = |(name, outcome): &(String, GrepOutcome)| match outcome {
        GrepOutcome::NotAsked { failed: at, left: true } => {
            Some(format!("{name} left {}: nobody keeps its logs", format::ago(*at, now)))
        }
        _ => None,
    };
    members.iter().filter_map(line).collect()
}

/// The lines about members that are gone, and whose logs are searched as others keep them.
pub(super) fn copies(copies: &Copies, now: u64) -> Vec<String> {
    if copies.len() <= MOST_TIMES {
        return copies.iter().map(|(member, kept)| copy(member, kept, now)).collect();
    }
    let until = |copies: &[&GrepCopy]| {
        let behind: Option<Vec<u64>> = copies.iter().map(|copy| copy.behind_ms).collect();
        behind.and_then(|behind| behind.into_iter().max())
    };
    let all: Vec<&GrepCopy> = copies.values().collect();
    let dropped = copies.values().map(|copy| copy.dropped_bytes).fold(0, u64::saturating_add);
    let lost = copies.values().map(|copy| copy.lost_bytes).fold(0, u64::saturating_add);
    let members = format::count(copies.len() as u64, "member");
    let behind = match until(&all) {
        None => "for which it is not known how far they go".to_owned(),
        Some(0) => "until they were last heard".to_owned(),
        Some(ms) => format!("until {} before they were last heard at most", seconds(ms)),
    };
    vec![format!(
        "{members} are gone: their logs as others keep them, {behind}{}: {}",
        without(dropped, lost),
        names(copies.keys())
    )]
}

/// The line about a member that is gone, and whose logs are searched as another one keeps them.
pub(super) fn copy(member: &str, copy: &GrepCopy, now: u64) -> String {
    let GrepCopy { keeper, since, left, behind_ms, dropped_bytes, lost_bytes } = copy;
    let (how, then) = if *left { ("left", "it left") } else { ("failed", "it was last heard") };
    let until = match behind_ms {
        None => "and nobody knows how far they go".to_owned(),
        Some(0) => format!("until {then}"),
        Some(ms) => format!("until {} before {then}", seconds(*ms)),
    };
    let without = without(*dropped_bytes, *lost_bytes);
    format!(
        "{member} {how} {}: its logs as {keeper} keeps them, {until}{without}",
        format::ago(*since, now)
    )
}

/// What copies lack.
fn without(dropped_bytes: u64, lost_bytes: u64) -> String {
    let mut words = String::new();
    if dropped_bytes > 0 {
        words += &format!("; the oldest {} are not kept", format::size(dropped_bytes));
    }
    if lost_bytes > 0 {
        words += &format!("; {} were never kept", format::size(lost_bytes));
    }
    words
}

/// A time in tenths of a second while it is short.
fn seconds(milliseconds: u64) -> String {
    match milliseconds {
        0..10_000 => format!("{}.{} s", milliseconds / 1_000, milliseconds % 1_000 / 100),
        _ => format::duration(milliseconds),
    }
}

/// A line for each reason why members did not answer, or why their answers were dropped.
pub(in crate::command) fn lost(members: &[(String, GrepOutcome)]) -> Vec<String> {
    let mut reasons: Vec<&GrepOutcome> = Vec::new();
    let mut by_reason: HashMap<Reason<'_>, Vec<&String>> = HashMap::new();
    for (name, outcome) in members {
        let Some(reason) = reason(outcome) else { continue };
        let names = by_reason.entry(reason).or_default();
        if names.is_empty() {
            reasons.push(outcome);
        }
        names.push(name);
    }
    let line = |outcome: &&GrepOutcome| lost_line(outcome, by_reason.get(&reason(outcome)?)?);
    reasons.iter().filter_map(line).collect()
}

/// A reason, and whether an answer was dropped for it.
type Reason<'o> = (bool, &'o str);

fn reason(outcome: &GrepOutcome) -> Option<Reason<'_>> {
    match outcome {
        GrepOutcome::Lost(why) => Some((false, why)),
        GrepOutcome::Dropped(fault) => Some((true, fault)),
        GrepOutcome::Searched(_) | GrepOutcome::NotAsked { .. } => None,
    }
}

/// The line about members that have this outcome, unless it is a good one.
pub(super) fn lost_line(outcome: &GrepOutcome, members: &[&String]) -> Option<String> {
    let names = names(members.iter().copied());
    match reason(outcome)? {
        (true, fault) => Some(format!("{names} {fault}: the rest of its answer is dropped")),
        (false, why) if members.len() == 1 => Some(format!("{names}: did not answer: {why}")),
        (false, why) => {
            let many = format::count(members.len() as u64, "member");
            Some(format!("{many} did not answer: {why}: {names}"))
        }
    }
}

fn names<'n>(names: impl Iterator<Item = &'n String>) -> String {
    let names: Vec<&str> = names.map(String::as_str).collect();
    ranges::text(&names, NAMES_BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_000_000_000;

    fn failed_at(members: &[(&str, u64)]) -> Option<String> {
        let outcome = |ago: u64| GrepOutcome::NotAsked { failed: NOW - 1_000 * ago, left: false };
        let members: Vec<_> =
            members.iter().map(|(name, ago)| ((*name).to_owned(), outcome(*ago))).collect();
        failed(&members, NOW)
    }

    #[test]
    fn failed_members_are_told_in_one_line() {
        assert_eq!(failed_at(&[]), None);
        assert_eq!(
            failed_at(&[("vm4", 2_040)]).unwrap(),
            "vm4 failed 34 min ago: its logs are not searched"
        );
        assert_eq!(
            failed_at(&[("vm4", 2_040), ("vm6", 7_201), ("vm5", 7_200)]).unwrap(),
            "3 members failed and are not searched: vm4 (34 min ago), vm[5-6] (2 h ago)"
        );
        let many: Vec<(String, u64)> =
            (0..5_000).map(|number| (format!("g{number}"), 240 + number)).collect();
        let many: Vec<(&str, u64)> = many.iter().map(|(name, ago)| (name.as_str(), *ago)).collect();
        assert_eq!(
            failed_at(&many).unwrap(),
            "5000 members failed, the last one 4 min ago, and are not searched: g[0-4999]"
        );
    }

    #[test]
    fn copies_are_told_with_their_keepers_and_their_ends() {
        let kept = |behind_ms| GrepCopy {
            keeper: "vm6".to_owned(),
            since: NOW - 185_000,
            left: false,
            behind_ms,
            dropped_bytes: 0,
            lost_bytes: 0,
        };
        let head = "vm4 failed 3 min ago: its logs as vm6 keeps them, ";
        for (behind_ms, words) in [
            (Some(0), "until it was last heard"),
            (Some(870), "until 0.8 s before it was last heard"),
            (Some(200_000), "until 3 min before it was last heard"),
            (None, "and nobody knows how far they go"),
        ] {
            assert_eq!(copy("vm4", &kept(behind_ms), NOW), format!("{head}{words}"));
        }
        let gaps = GrepCopy { left: true, dropped_bytes: 1_200, lost_bytes: 7, ..kept(Some(0)) };
        assert_eq!(
            copy("vm4", &gaps, NOW),
            "vm4 left 3 min ago: its logs as vm6 keeps them, until it left; the oldest 1.2 kB are \
            not kept; 7 B were never kept"
        );
        let many: Copies = (0..9).map(|at| (format!("vm{at}"), kept(Some(100 * at)))).collect();
        assert_eq!(
            copies(&many, NOW),
            ["9 members are gone: their logs as others keep them, until 0.8 s before they were \
              last heard at most: vm[0-8]"]
        );
        assert_eq!(copies(&Copies::from([("vm4".to_owned(), kept(Some(0)))]), NOW).len(), 1);
    }

    #[test]
    fn lost_members_are_told_by_reason() {
        let lost_for = |name: &str, why: &str| (name.to_owned(), GrepOutcome::Lost(why.to_owned()));
        let members = [
            lost_for("vm3", "no answer in time"),
            lost_for("vm1", "too old"),
            lost_for("vm4", "no answer in time"),
            ("vm9".to_owned(), GrepOutcome::NotAsked { failed: NOW, left: false }),
        ];
        assert_eq!(
            lost(&members),
            [
                "2 members did not answer: no answer in time: vm[3-4]",
                "vm1: did not answer: too old",
            ]
        );
    }

    #[test]
    fn equal_messages_of_members_are_told_twice_at_most() {
        let mut messages = Messages::default();
        let denied = "/var/log/btmp: Permission denied";
        let mut reported = Vec::new();
        for number in 1..=1_000 {
            reported.extend(messages.take(format!("vm{number}"), denied.to_owned()));
        }
        reported.extend(messages.take("vm1".to_owned(), "/x: Is a directory".to_owned()));
        assert_eq!(reported, [format!("vm1:{denied}"), "vm1:/x: Is a directory".to_owned()]);
        assert_eq!(messages.end(), [format!("vm[2-1000]:{denied}")]);
    }
}
