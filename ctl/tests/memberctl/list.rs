//! `list`.

use memberd_control::message::{MemberRecord, MemberStatus, RefusalKind, Reply, Request};
use serde_json::Value;

use crate::fake::{Daemon, member};

fn listing(members: &[MemberRecord]) -> Daemon {
    // In two parts, as a long list would come.
    let (first, second) = members.split_at(members.len() / 2);
    Daemon::answering(vec![Reply::Members(first.to_vec()), Reply::Members(second.to_vec()), Reply::Done])
}

fn three() -> Vec<MemberRecord> {
    vec![member(1, MemberStatus::Alive), member(2, MemberStatus::Failed), member(103, MemberStatus::Left)]
}

#[test]
fn the_text_is_an_aligned_table_with_the_own_machine_marked() {
    listing(&three()).run(&["list", "--all"]).printed(
        "  NAME   ADDRESS           STATUS  SINCE\n\
         * vm1    127.0.0.1:8946    alive   3 min ago\n  \
           vm2    127.0.0.2:8946    failed  3 min ago, noticed by vm2, last heard 1.76 s before\n  \
           vm103  127.0.0.103:8946  left    3 min ago\n",
    );
}

#[test]
fn an_ipv6_address_has_brackets_in_text_and_none_in_json() {
    let mut own = member(1, MemberStatus::Alive);
    own.address = "2001:db8::1".to_owned();
    let text = listing(&[own.clone()]).run(&["list"]).stdout;
    assert!(text.contains("* vm1   [2001:db8::1]:8946  alive "), "{text}");
    let json: Value = serde_json::from_str(&listing(&[own]).run(&["list", "--json"]).stdout).unwrap();
    assert_eq!(json[0]["address"], "2001:db8::1");
}

#[test]
fn json_is_an_array_of_objects() {
    let ended = listing(&three()).run(&["list", "--all", "--json"]);
    assert_eq!(ended.status, Some(0));
    let json: Value = serde_json::from_str(&ended.stdout).unwrap();
    let members = json.as_array().unwrap();
    assert_eq!(members.len(), 3);
    assert_eq!(members[0]["id"], "vm1@127.0.0.1:8946/1763688033123");
    assert_eq!(members[0]["name"], "vm1");
    assert_eq!(members[0]["address"], "127.0.0.1");
    assert_eq!(members[0]["port"], 8946);
    assert_eq!(members[0]["status"], "alive");
    assert_eq!(members[0]["incarnation"], 1_763_688_033_123_u64);
    assert_eq!(members[0]["this_machine"], true);
    assert!(members[0]["since"].is_u64());
    assert_eq!(members[0].get("evidence"), None);
    assert_eq!(members[1]["status"], "failed");
    assert_eq!(members[1]["evidence"], serde_json::json!({"accuser": "vm2", "silent_for": 1769}));
    assert_eq!(members[2]["status"], "left");
    assert_eq!(members[2]["this_machine"], false);
}

#[test]
fn only_all_asks_for_the_gone() {
    for (line, all) in [(&["list"][..], false), (&["list", "--all"], true)] {
        let daemon = listing(&three());
        daemon.run(line);
        assert_eq!(daemon.request(), Request::List { all });
    }
}

#[test]
fn outside_a_group_json_is_an_empty_array_beside_the_failure() {
    let ended = Daemon::refusing(RefusalKind::NotInGroup, "no").run(&["list", "--json"]);
    ended.failed(1, "not in a group: memberctl join");
    assert_eq!(ended.stdout, "[]\n");
}

#[test]
fn a_hostile_name_cannot_reach_the_terminal() {
    let mut bad = member(2, MemberStatus::Alive);
    bad.name = "vm\u{1b}]0;x\u{7}".to_owned();
    let text = listing(&[bad]).run(&["list"]).stdout;
    assert!(text.contains("  vm?]0;x?  127.0.0.2:8946"), "{text}");
}
