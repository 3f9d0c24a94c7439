//! Tests of `status`.

use memberd_control::message::{NeighbourRecord, Reply, RunningGrep, StatusReport};
use serde_json::{Value, json};

use crate::fake::Daemon;

fn neighbour(name: &str) -> NeighbourRecord {
    NeighbourRecord {
        name: name.to_owned(),
        heartbeat_age: Some(310),
        clock_offset: Some(-2),
        agrees: true,
        watched: true,
        watches: true,
        smallest_delay: Some(1),
        lost_permille: Some(12),
        suspected_by: None,
    }
}

fn reporting(change: impl FnOnce(&mut StatusReport)) -> Daemon {
    let unheard = NeighbourRecord {
        heartbeat_age: None,
        clock_offset: None,
        agrees: false,
        smallest_delay: None,
        lost_permille: None,
        ..neighbour("vm3")
    };
    let counters = [
        ("datagrams_received", 6),
        ("datagrams_refused", 0),
        ("datagrams_sent", 7),
        ("heartbeats_sent", 5),
        ("stalls", 1),
    ];
    let mut report = StatusReport {
        version: "0.1.0".to_owned(),
        phase: "member".to_owned(),
        name: "vm1".to_owned(),
        address: "127.0.0.1:8946".to_owned(),
        id: Some("vm1@127.0.0.1:8946/1763688033123".to_owned()),
        uptime: 200_000,
        alive: 3,
        failed: 1,
        left: 0,
        suspected: 0,
        digest: "00ff".to_owned(),
        neighbours: vec![neighbour("vm10"), neighbour("vm2"), unheard],
        counters: counters.map(|(name, count)| (name.to_owned(), count)).to_vec(),
        warnings: vec!["the clock of vm2 is 3 s behind: set it".to_owned()],
        greps: vec![RunningGrep { pattern: Some("dead\u{1b}lock".to_owned()), running_for: 2_500 }],
        searches: 1,
        tags: memberd_control::tags::Tags::new(),
        keys: Vec::new(),
        view: None,
    };
    change(&mut report);
    Daemon::answering(vec![Reply::Status(Box::new(report))])
}

#[test]
fn the_text_tells_all_and_ends_with_the_warnings() {
    reporting(|_| {}).run(&["status"]).printed(
        "vm1 is a member, vm1@127.0.0.1:8946/1763688033123\n  \
           address     127.0.0.1:8946\n  \
           memberd     0.1.0, up for 3 min\n  \
           list        3 alive, 1 failed, 0 left; digest 00ff, as 2 of 3 neighbours have it\n  \
           neighbours  NAME  LAST SENT   LOST   DELAY  CLOCK        LIST\n              \
                       vm2   310 ms ago  1.2 %  1 ms   2 ms behind  same\n              \
                       vm3   never       -      -      -            differs\n              \
                       vm10  310 ms ago  1.2 %  1 ms   2 ms behind  same\n  \
           heartbeats  sent 5\n  \
           datagrams   sent 7, received 6, refused 0\n  \
           noticed     own stalls 1\n  \
           greps       'dead?lock' for 2.50 s so far\n              \
                       1 search of this machine's logs runs here\n\
         warning: the clock of vm2 is 3 s behind: set it\n",
    );
}

#[test]
fn it_says_that_all_neighbours_agree() {
    let ended = reporting(|report| report.neighbours.truncate(2)).run(&["status"]);
    assert!(ended.stdout.contains("digest 00ff, as all 2 neighbours have it\n"), "{ended:?}");
}

#[test]
fn a_suspected_neighbour_is_alive_and_marked() {
    let reporting = || {
        reporting(|report| {
            report.suspected = 1;
            report.neighbours[1].suspected_by = Some("vm10".to_owned());
        })
    };
    let text = reporting().run(&["status"]).stdout;
    assert!(text.contains("  3 alive (1 suspected), 1 failed, 0 left; digest 00ff"), "{text}");
    let row = "  vm2   310 ms ago  1.2 %  1 ms   2 ms behind  same, suspected by vm10\n";
    assert!(text.contains(row), "{text}");
    let json = reporting().run(&["status", "--json"]).stdout;
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&json["alive"], &json["suspected"]), (&json!(3), &json!(1)));
    assert_eq!(json["neighbours"][1]["suspected_by"], "vm10");
}

#[test]
fn outside_a_group_it_says_so_and_succeeds() {
    let daemon = reporting(|report| {
        report.phase = "out".to_owned();
        report.id = None;
        report.neighbours.clear();
    });
    let ended = daemon.run(&["status"]);
    assert_eq!(ended.status, Some(0));
    let words = "vm1 is not in a group: memberctl join, or join_on_start = true\n";
    assert!(ended.stdout.starts_with(words), "{ended:?}");
    assert!(!ended.stdout.contains("neighbours"), "{ended:?}");
}

/// A join by hand would fail for the same reason, so it is not what helps.
#[test]
fn who_tries_to_join_by_itself_is_not_told_to_join() {
    let warning = "not in the group yet; trying to join: no introducer has answered yet";
    let daemon = reporting(|report| {
        report.phase = "out".to_owned();
        report.id = None;
        report.warnings = vec![warning.to_owned()];
    });
    let ended = daemon.run(&["status"]);
    let words = "vm1 is not in the group yet, and goes on trying\n";
    assert!(ended.stdout.starts_with(words), "{ended:?}");
    assert!(ended.stdout.ends_with(&format!("warning: {warning}\n")), "{ended:?}");
}

#[test]
fn json_is_one_object_with_a_schema() {
    let ended = reporting(|_| {}).run(&["status", "--json"]);
    assert_eq!((ended.status, ended.stdout.lines().count()), (Some(0), 1));
    let json: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(json["schema"], 1);
    assert_eq!(json["phase"], "member");
    assert_eq!(json["alive"], 3);
    assert_eq!(json["suspected"], 0);
    assert_eq!(json["counters"]["datagrams_sent"], 7);
    let unheard = json!({
        "name": "vm3", "heartbeat_age": null, "clock_offset": null, "agrees": false,
        "watched": true, "watches": true, "smallest_delay": null, "lost_permille": null,
        "suspected_by": null,
    });
    assert_eq!(json["neighbours"][2], unheard);
    assert_eq!(json["warnings"][0], "the clock of vm2 is 3 s behind: set it");
    assert_eq!(json["greps"][0], json!({ "pattern": "dead\u{1b}lock", "running_for": 2_500 }));
}

#[test]
fn a_hidden_pattern_says_who_may_see_it_and_is_null_in_json() {
    let hidden = || reporting(|report| report.greps[0].pattern = None);
    let shown = hidden().run(&["status"]).stdout;
    assert!(
        shown.contains(
            "  greps       pattern hidden (shown to root and group memberd), for 2.50 s so far\n"
        ),
        "{shown}"
    );
    let json: Value = serde_json::from_str(&hidden().run(&["status", "--json"]).stdout).unwrap();
    assert_eq!(json["greps"][0], json!({ "pattern": null, "running_for": 2_500 }));
}
