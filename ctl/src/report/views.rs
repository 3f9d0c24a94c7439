//! What is shown of the agreed view in short.

use memberd_control::message::ViewSummary;

use crate::format;

/// `18 of term 7, led by vm3; 1 pending; 5 members`, or since when it is stale.
pub(crate) fn line(view: &ViewSummary) -> String {
    if view.number == 0 && view.stale_ms.is_none() {
        return "none yet: the first one needs all of initial_council".to_owned();
    }
    format!("{}; {}", short(view), format::count(view.members, "member"))
}

/// The same in fewer words: `18 of term 7, led by vm3; 1 pending`.
pub(crate) fn short(view: &ViewSummary) -> String {
    let pending = match view.pending {
        0 => String::new(),
        count => format!("; {count} pending"),
    };
    format!("{} of term {}, {}{pending}", view.number, view.term, leader(view))
}

/// Who leads, or for how long nobody could be asked.
fn leader(view: &ViewSummary) -> String {
    match (view.stale_ms, &view.leader) {
        (Some(ms), _) => format!("stale for {}", format::duration(ms)),
        (None, Some(name)) if view.exclusive => format!("led by {}", format::printable(name)),
        (None, Some(name)) => format!("led by {}, not exclusive yet", format::printable(name)),
        (None, None) => "without a leader".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_who_leads_or_for_how_long_it_is_stale() {
        let view = ViewSummary {
            number: 18,
            term: 7,
            leader: Some("vm3".to_owned()),
            exclusive: true,
            members: 5,
            ..ViewSummary::default()
        };
        assert_eq!(line(&view), "18 of term 7, led by vm3; 5 members");
        let elected = ViewSummary { exclusive: false, pending: 1, ..view.clone() };
        assert_eq!(
            line(&elected),
            "18 of term 7, led by vm3, not exclusive yet; 1 pending; 5 members"
        );
        let stale = ViewSummary { stale_ms: Some(42_000), leader: None, ..view };
        assert_eq!(line(&stale), "18 of term 7, stale for 42 s; 5 members");
        assert_eq!(short(&stale), "18 of term 7, stale for 42 s");
        assert!(line(&ViewSummary::default()).starts_with("none yet"));
    }
}
