//! Files that only grow are lists, and a list tells its order by itself (Kingsbury and Alvaro,
//! VLDB 2020): each read is a beginning of the last one, and what was over before something began
//! is before it.

use super::content;
use std::collections::BTreeMap;
use std::time::Duration;

/// What somebody did to one list.
#[derive(Debug, Clone)]
pub enum Action {
    /// A record, under a condition on the length, with a token.
    Append { number: u64, only: Option<u64>, token: u64 },
    /// Appends with smaller tokens fail from now on.
    Fence { token: u64 },
    /// All of it.
    Read,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// It happened, and left the file with this many bytes.
    Length(u64),
    /// It was refused, for this reason. It did not happen and never will.
    Fenced,
    LengthIs(u64),
    /// It did not happen.
    Not,
    /// The records, in their order.
    Records(Vec<u64>),
}

/// One call. Without an end it may have happened, or not, or may happen still.
#[derive(Debug, Clone)]
pub struct Call {
    pub action: Action,
    pub since: Duration,
    pub until: Option<(Duration, Heard)>,
}

/// Looks at all calls to one list, whose bytes in the end are these.
pub fn check(calls: &[Call], bytes: &[u8]) -> Result<(), String> {
    let found = content::records(bytes).map_err(|at| format!("no record at byte {at}"))?;
    let mut places: BTreeMap<u64, (usize, u64, u64)> = BTreeMap::new();
    for (rank, one) in found.iter().enumerate() {
        let begin = one.begin as u64;
        if places.insert(one.number, (rank, begin, begin + one.length as u64)).is_some() {
            return Err(format!("append {} is there twice", one.number));
        }
    }
    let order: Vec<u64> = found.iter().map(|one| one.number).collect();
    check_known(calls, &places)?;
    for call in calls {
        check_call(call, &places, &order)?;
    }
    check_fences(calls, &places)?;
    check_time(calls, &places)
}

type Places = BTreeMap<u64, (usize, u64, u64)>;

/// Nobody appended what nobody asked for.
fn check_known(calls: &[Call], places: &Places) -> Result<(), String> {
    let asked = |number: u64| {
        calls
            .iter()
            .any(|call| matches!(call.action, Action::Append { number: own, .. } if own == number))
    };
    match places.keys().find(|number| !asked(**number)) {
        Some(number) => Err(format!("append {number} was never asked for here")),
        None => Ok(()),
    }
}

fn check_call(call: &Call, places: &Places, order: &[u64]) -> Result<(), String> {
    let heard = call.until.as_ref().map(|(_, heard)| heard);
    match (&call.action, heard) {
        (Action::Append { number, only, .. }, Some(Heard::Length(length))) => {
            let Some((_, begin, end)) = places.get(number) else {
                return Err(format!("append {number} was acknowledged and is lost"));
            };
            if end != length {
                return Err(format!("append {number} ends at {end} and was said to at {length}"));
            }
            match only {
                Some(only) if only != begin => {
                    Err(format!("append {number} is at {begin} and was to be at {only} only"))
                }
                _ => Ok(()),
            }
        }
        (Action::Append { number, .. }, Some(heard)) if places.contains_key(number) => {
            Err(format!("append {number} is there, and was answered {heard:?}"))
        }
        (Action::Append { number, only: Some(only), .. }, None) => match places.get(number) {
            Some((_, begin, _)) if begin != only => {
                Err(format!("append {number} is at {begin} and was to be at {only} only"))
            }
            _ => Ok(()),
        },
        (Action::Read, Some(Heard::Records(seen))) if !order.starts_with(seen) => {
            let at = order.iter().zip(seen).take_while(|(one, other)| one == other).count();
            Err(format!(
                "a read from {:?} saw {:?} as record {at} of {}, and it is {:?} of {}",
                call.since,
                seen.get(at),
                seen.len(),
                order.get(at),
                order.len()
            ))
        }
        _ => Ok(()),
    }
}

/// What is behind the place of a fence bears its token or a larger one.
fn check_fences(calls: &[Call], places: &Places) -> Result<(), String> {
    for fence in calls {
        let (Action::Fence { token: least }, Some((_, Heard::Length(length)))) =
            (&fence.action, &fence.until)
        else {
            continue;
        };
        for call in calls {
            let Action::Append { number, token, .. } = &call.action else { continue };
            if token < least && places.get(number).is_some_and(|(_, begin, _)| begin >= length) {
                return Err(format!(
                    "append {number} with token {token} follows the fence {least} at {length}"
                ));
            }
        }
    }
    let fenced = |call: &&Call| matches!(call.until, Some((_, Heard::Fenced)));
    for call in calls.iter().filter(fenced) {
        let (Action::Append { token, .. } | Action::Fence { token }) = &call.action else {
            continue;
        };
        let until = call.until.as_ref().map_or(Duration::MAX, |(at, _)| *at);
        let may = calls.iter().any(|other| {
            matches!(other.action, Action::Fence { token: least } if least > *token)
                && other.since <= until
        });
        if !may {
            return Err(format!("a call with token {token} was fenced, and nobody had fenced"));
        }
    }
    Ok(())
}

/// The order in time: how many records each call found, at least and at most.
fn check_time(calls: &[Call], places: &Places) -> Result<(), String> {
    // Moments at which at least so many records were there for certain.
    let mut certain: Vec<(Duration, usize, String)> = Vec::new();
    for call in calls {
        match (&call.action, &call.until) {
            (Action::Append { number, .. }, Some((at, Heard::Length(_)))) => {
                let rank = places.get(number).map_or(0, |(rank, _, _)| rank + 1);
                certain.push((*at, rank, format!("append {number}")));
            }
            (Action::Read, Some((at, Heard::Records(seen)))) => {
                certain.push((*at, seen.len(), format!("a read from {:?}", call.since)));
            }
            _ => {}
        }
    }
    certain.sort_by_key(|(at, ..)| *at);
    let mut most = 0;
    let mut raised: Vec<(Duration, usize, &String)> = Vec::new();
    for (at, rank, who) in &certain {
        if *rank > most {
            most = *rank;
            raised.push((*at, most, who));
        }
    }
    let least_at = |since: Duration| {
        let at = raised.partition_point(|(at, ..)| *at < since);
        at.checked_sub(1).map(|at| (raised[at].1, raised[at].2, raised[at].0))
    };
    for call in calls {
        let Some((least, who, when)) = least_at(call.since) else { continue };
        match (&call.action, &call.until) {
            (Action::Append { number, .. }, _) => {
                let rank = places.get(number).map(|(rank, ..)| *rank);
                if let Some(rank) = rank.filter(|rank| *rank < least) {
                    let since = call.since;
                    return Err(format!(
                        "append {number} began at {since:?} and is record {rank}, though {who} \
                         had ended with {least} at {when:?}"
                    ));
                }
            }
            (Action::Read, Some((_, Heard::Records(seen)))) if seen.len() < least => {
                let since = call.since;
                return Err(format!(
                    "a read that began at {since:?} saw {} records, though {who} had ended with \
                     {least} at {when:?}",
                    seen.len()
                ));
            }
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::content::record;
    use super::*;

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn call(since: u64, action: Action, until: Option<(u64, Heard)>) -> Call {
        let until = until.map(|(when, heard)| (at(when), heard));
        Call { action, since: at(since), until }
    }

    fn append(number: u64, only: Option<u64>, token: u64) -> Action {
        Action::Append { number, only, token }
    }

    #[test]
    fn an_order_that_can_be_is_let_through() {
        let bytes = [record(1, 20), record(2, 20)].concat();
        let calls = [
            call(1, append(1, None, 0), Some((3, Heard::Length(20)))),
            call(2, append(2, Some(20), 0), None),
            call(4, Action::Read, Some((5, Heard::Records(vec![1])))),
            call(6, Action::Read, Some((7, Heard::Records(vec![1, 2])))),
            call(6, append(3, Some(0), 0), Some((7, Heard::LengthIs(40)))),
        ];
        assert_eq!(check(&calls, &bytes), Ok(()));
    }

    #[test]
    fn what_cannot_be_is_found() {
        let bytes = [record(1, 20), record(2, 20)].concat();
        let one = |second: Call| {
            let asked = [call(1, append(1, None, 0), None), call(1, append(2, None, 0), None)];
            check(&[&asked[..], &[second]].concat(), &bytes).unwrap_err()
        };
        let lost = one(call(1, append(3, None, 0), Some((2, Heard::Length(60)))));
        assert!(lost.contains("is lost"), "{lost}");
        let prefix = one(call(1, Action::Read, Some((2, Heard::Records(vec![2])))));
        assert!(prefix.contains("as record 0"), "{prefix}");
        let fenced = one(call(1, append(3, None, 1), Some((2, Heard::Fenced))));
        assert!(fenced.contains("nobody had fenced"), "{fenced}");
        let late = one(call(1, Action::Fence { token: 1 }, Some((2, Heard::Length(20)))));
        assert!(late.contains("follows the fence"), "{late}");
    }

    #[test]
    fn the_order_in_time_counts() {
        let bytes = [record(1, 20), record(2, 20)].concat();
        let calls = [
            call(5, append(1, None, 0), None),
            call(1, append(2, None, 0), Some((3, Heard::Length(40)))),
        ];
        assert!(check(&calls, &bytes).unwrap_err().contains("append 1 began at"));
        let calls = [
            call(1, append(1, None, 0), Some((2, Heard::Length(20)))),
            call(1, append(2, None, 0), Some((3, Heard::Length(40)))),
            call(4, Action::Read, Some((5, Heard::Records(vec![1])))),
        ];
        assert!(check(&calls, &bytes).unwrap_err().contains("saw 1 records"));
    }
}
