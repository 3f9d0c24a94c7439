//! Says why this member is not in its group yet, and which introducers have no address. It owns no
//! state.

use super::JoinFailure;
use crate::resolve::Resolved;
use memberd_membership::{JoinError, Others};

/// What helps an introducer without an address.
const REMEDY: &str = "correct [group] introducers, /etc/hosts or the name server";

/// The warning of a daemon that has founded a group without introducers, and is alone in it.
pub(super) const ALONE: &str = "founded a new group and is alone in it; no introducers are set: to \
join another, set [group] introducers, or memberctl leave, then memberctl join HOST:PORT";

/// The warning of a daemon that tries to join. It has the reason of the newest attempt.
pub(super) fn not_in_group_yet(failure: Option<&JoinFailure>, introducers: &Resolved) -> String {
    let failure = failure.filter(|failure| !is_of_nobody_asked(failure)).map(ToString::to_string);
    let mut reasons: Vec<String> =
        failure.into_iter().chain(without_address(introducers)).collect();
    if introducers.introducers.others() == Others::Pending {
        reasons.push("the addresses of introducers are being looked up".to_owned());
    }
    if reasons.is_empty() {
        reasons.push("no introducer has answered yet".to_owned());
    }
    format!("not in the group yet; trying to join: {}", reasons.join("; "))
}

/// Without an address nobody was asked. Then the failure says no more than the lookup does.
fn is_of_nobody_asked(failure: &JoinFailure) -> bool {
    match failure {
        JoinFailure::Refused(JoinError::NobodyAnswered(asked)) => asked.is_empty(),
        JoinFailure::Refused(_) | JoinFailure::Busy | JoinFailure::Superseded(_) => false,
    }
}

/// The warning about introducers whose lookup failed, if any.
pub(super) fn without_address(introducers: &Resolved) -> Option<String> {
    let problems = &introducers.problems;
    (!problems.is_empty()).then(|| format!("{}: {REMEDY}", problems.join("; ")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use memberd_membership::{CallError, Introducers, JoinRefusal};

    fn resolved(others: Others, problems: &[&str]) -> Resolved {
        Resolved {
            introducers: Introducers::new(Vec::new(), others),
            problems: problems.iter().map(|problem| (*problem).to_owned()).collect(),
            own: Vec::new(),
        }
    }

    fn words(failure: Option<JoinError>, introducers: &Resolved) -> String {
        let failure = failure.map(JoinFailure::from);
        let words = not_in_group_yet(failure.as_ref(), introducers);
        words.strip_prefix("not in the group yet; trying to join: ").unwrap().to_owned()
    }

    #[test]
    fn a_refusal_is_given_with_what_to_do() {
        let known = resolved(Others::None, &[]);
        let refusal = JoinRefusal::NameTaken {
            newcomer: "vm1@127.0.0.2:1/2".to_owned(),
            holder: "vm1@127.0.0.1:1/1".to_owned(),
        };
        let introducer = ([127, 0, 0, 1], 1).into();
        assert_eq!(
            words(Some(JoinError::Refused { introducer, refusal }), &known),
            "127.0.0.1:1 refused: the name of vm1@127.0.0.2:1/2 is taken by the live member \
            vm1@127.0.0.1:1/1: give each machine its own [node] name"
        );
        assert!(words(Some(JoinError::ClockBehind { introducer }), &known).ends_with("set it"));
        let superseded = JoinFailure::Superseded("vm1@127.0.0.1:1/1".to_owned());
        assert!(not_in_group_yet(Some(&superseded), &known).contains("the name is taken by"));
        assert_eq!(words(None, &known), "no introducer has answered yet");
    }

    #[test]
    fn introducers_without_an_address_are_named_once() {
        let none = JoinError::NobodyAnswered(Vec::new());
        let unresolved = resolved(Others::Unresolved, &["introducer a:1: no such name"]);
        let expected = format!("introducer a:1: no such name: {REMEDY}");
        assert_eq!(words(None, &unresolved), expected);
        assert_eq!(words(Some(none.clone()), &unresolved), expected);
        assert_eq!(without_address(&unresolved), Some(expected.clone()));
        let down = CallError::Unreachable("refused".to_owned());
        let down = JoinError::NobodyAnswered(vec![(([127, 0, 0, 1], 1).into(), down)]);
        assert_eq!(words(Some(down.clone()), &unresolved), format!("{down}; {expected}"));
        let pending = resolved(Others::Pending, &[]);
        assert!(words(Some(none), &pending).ends_with("are being looked up"));
        assert_eq!(without_address(&pending), None);
    }
}
