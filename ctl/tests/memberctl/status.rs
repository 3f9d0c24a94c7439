//! `status`.

use memberd_control::message::{NeighbourRecord, Reply, StatusReport};
use serde_json::{Value, json};

use crate::fake::Daemon;

fn reporting(change: impl FnOnce(&mut StatusReport)) -> Daemon {
    let neighbour = |name: &str, heartbeat_age, clock_offset, agrees| NeighbourRecord {
        name: name.to_owned(),
        heartbeat_age,
        clock_offset,
        agrees,
    };
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
        digest: "00ff".to_owned(),
        neighbours: vec![neighbour("vm2", Some(310), Some(-2), true), neighbour("vm3", None, None, false)],
        counters: vec![("datagrams_sent".to_owned(), 7)],
        warnings: vec!["the clock of vm2 is 3 s behind: set it".to_owned()],
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
           list        3 alive, 1 failed, 0 left; digest 00ff\n  \
           heartbeats  vm2, last sent 310 ms ago, clock 2 ms behind, same list\n              \
                       vm3, not heard yet, clock unknown, another list\n  \
           counters    datagrams_sent 7\n\
         warning: the clock of vm2 is 3 s behind: set it\n",
    );
}

#[test]
fn outside_a_group_it_says_so_and_is_done() {
    let daemon = reporting(|report| {
        report.phase = "out".to_owned();
        report.id = None;
    });
    let ended = daemon.run(&["status"]);
    assert_eq!(ended.status, Some(0));
    assert!(ended.stdout.starts_with("vm1 is not in a group: memberctl join\n"), "{ended:?}");
}

#[test]
fn json_is_one_object_with_a_schema() {
    let ended = reporting(|_| {}).run(&["status", "--json"]);
    assert_eq!((ended.status, ended.stdout.lines().count()), (Some(0), 1));
    let json: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(json["schema"], 1);
    assert_eq!(json["phase"], "member");
    assert_eq!(json["alive"], 3);
    assert_eq!(json["counters"], json!({"datagrams_sent": 7}));
    assert_eq!(json["neighbours"][1], json!({"name": "vm3", "heartbeat_age": null, "clock_offset": null, "agrees": false}));
    assert_eq!(json["warnings"][0], "the clock of vm2 is 3 s behind: set it");
}
