//! Tests of `events`.

use std::io::{BufRead, BufReader};

use memberd_control::message::{
    ChangeKinds, EventsFrom, Follow, MemberStatus, MissedRecord, RefusalKind, Reply, Request,
};
use serde_json::Value;

use crate::fake::{Daemon, answer, ended_in_silence, refusal};
use crate::records::{self, view_events};

fn event(number: usize, status: MemberStatus) -> Reply {
    Reply::Event(records::event(number, status))
}

fn following(from: EventsFrom, kinds: ChangeKinds, until: Option<u64>) -> Request {
    Request::Follow(Follow { from, kinds, until })
}

fn tagged(tags: &[(&str, &str)]) -> Reply {
    Reply::Event(records::tagged(4, tags))
}

#[test]
fn each_change_is_a_line_and_a_lost_daemon_is_status_4() {
    let ended = Daemon::answering(vec![
        event(4, MemberStatus::Alive),
        event(4, MemberStatus::Failed),
        event(5, MemberStatus::Left),
    ])
    .run(&["events"]);
    ended.failed(4, "memberd went away");
    assert_eq!(
        ended.stdout,
        "2025-11-21T01:20:33.123Z  vm4 joined  (vm4@127.0.0.4:8946/1763688033123)\n\
         2025-11-21T01:20:33.123Z  vm4 failed, noticed by vm2, last heard 1.76 s before  \
         (vm4@127.0.0.4:8946/1763688033123)\n\
         2025-11-21T01:20:33.123Z  vm5 left  (vm5@127.0.0.5:8946/1763688033123)\n"
    );
}

#[test]
fn json_is_an_object_a_line_with_a_schema() {
    let ended =
        Daemon::answering(vec![event(4, MemberStatus::Alive), event(4, MemberStatus::Failed)])
            .run(&["events", "--json"]);
    let lines: Vec<Value> =
        ended.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[0]["schema"], 1);
    assert_eq!(lines[0]["status"], "alive");
    assert_eq!(lines[1]["time"], 1_763_688_033_123_u64);
    assert_eq!(lines[1]["member"]["name"], "vm4");
    assert_eq!(lines[1]["member"]["evidence"]["accuser"], "vm2");
}

#[test]
fn a_line_comes_at_once_and_a_closed_reader_ends_it_well() {
    let daemon = Daemon::new(|client| {
        let request = client.greet();
        client.say(&event(4, MemberStatus::Alive));
        // No other change follows: memberctl has to notice the end without one.
        client.until_gone();
        Some(request)
    });
    let mut child = daemon.start(&["events"]);
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    stdout.read_line(&mut line).unwrap();
    assert!(line.contains("vm4 joined"), "{line}");
    drop(stdout);

    ended_in_silence(child);
    daemon.request();
}

#[test]
fn people_get_some_of_the_past_and_programs_what_they_ask() {
    for (line, from) in [
        (&["events"][..], EventsFrom::Last(10)),
        (&["events", "--json"], EventsFrom::Last(0)),
        (&["events", "--exec", "true"], EventsFrom::Last(0)),
        (&["events", "--since", "2025-11-21T01:20:33.123Z"], EventsFrom::Since(1_763_688_033_123)),
        (
            &["events", "--since", "2025-11-21T01:20:33.123Z", "--json"],
            EventsFrom::Since(1_763_688_033_123),
        ),
    ] {
        let daemon = Daemon::refusing(RefusalKind::Failed, "no");
        daemon.run(line).failed(1, "no");
        assert_eq!(daemon.request(), following(from, ChangeKinds::WithViews, None), "{line:?}");
    }
}

#[test]
fn until_ends_the_stream() {
    let (from, to) = ("2025-11-21T01:20:33.123Z", "2025-11-21T01:20:34Z");
    let (since, until) = (EventsFrom::Since(1_763_688_033_123), 1_763_688_034_000);
    for (line, from) in [
        (&["events", "--since", from, "--until", to][..], since),
        (&["events", "--since", from, "--until", to, "--json"], since),
        (&["events", "--until", to], EventsFrom::Last(u64::MAX)),
        (&["events", "--until", to, "--json"], EventsFrom::Last(u64::MAX)),
    ] {
        let daemon = Daemon::answering(vec![event(4, MemberStatus::Alive), Reply::Done]);
        let ended = daemon.run(line);
        assert_eq!(
            (ended.status, ended.stderr.as_str(), ended.stdout.lines().count()),
            (Some(0), "", 1),
            "{ended:?}"
        );
        assert_eq!(
            daemon.request(),
            following(from, ChangeKinds::WithViews, Some(until)),
            "{line:?}"
        );
    }
    let daemon = Daemon::answering(vec![
        event(4, MemberStatus::Alive),
        event(5, MemberStatus::Left),
        Reply::Done,
    ]);
    daemon.run(&["events", "--until", "now", "--exec", "echo $MEMBERD_NAME"]).printed("vm4\nvm5\n");
    let older = || {
        let words = "not a message of this protocol: unknown variant `ChangesUntil`";
        answer(vec![refusal(RefusalKind::Usage, words)])
    };
    Daemon::in_turn(vec![older(), older(), older()])
        .run(&["events", "--until", "now"])
        .failed(6, "this memberd is older than memberctl");
}

#[test]
fn a_change_of_tags_is_never_reported_as_a_join() {
    let replies = || {
        vec![event(4, MemberStatus::Alive), tagged(&[("role", "db"), ("zone", "a")]), tagged(&[])]
    };
    let text = Daemon::answering(replies()).run(&["events"]).stdout;
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(
        lines[1],
        "2025-11-21T01:20:33.123Z  vm4 tagged, now role=db zone=a  \
        (vm4@127.0.0.4:8946/1763688033123)"
    );
    assert_eq!(
        lines[2],
        "2025-11-21T01:20:33.123Z  vm4 tagged, now without tags  (vm4@127.0.0.4:8946/1763688033123)"
    );
    let json = Daemon::answering(replies()).run(&["events", "--json"]).stdout;
    let lines: Vec<Value> = json.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((&lines[0]["event"], &lines[0]["status"]), (&"joined".into(), &"alive".into()));
    assert_eq!(
        (&lines[1]["event"], lines[1].get("status")),
        (&"tagged".into(), None),
        "nothing that says it has joined"
    );
    assert_eq!(lines[1]["member"]["tags"], serde_json::json!({"role": "db", "zone": "a"}));
    assert_eq!(lines[2]["member"].get("tags"), None);
}

#[test]
fn an_older_daemon_is_asked_for_what_it_knows() {
    let refused = || {
        answer(vec![refusal(
            RefusalKind::Usage,
            "not a message of this protocol: unknown variant `Changes`",
        )])
    };
    let known = answer(vec![event(4, MemberStatus::Alive)]);
    let daemon = Daemon::in_turn(vec![refused(), refused(), refused(), known]);
    let ended = daemon.run(&["events", "--since", "2025-11-21T01:20:33.123Z"]);
    ended.failed(4, "memberd went away");
    assert!(ended.stdout.contains("vm4 joined"), "{ended:?}");
    let from = EventsFrom::Since(1_763_688_033_123);
    assert_eq!(daemon.request(), following(from, ChangeKinds::Liveness, None));
    Daemon::in_turn(vec![refused(), refused(), refused(), refused()])
        .run(&["events"])
        .failed(2, "unknown variant");
}

#[test]
fn a_gap_is_reported_where_it_is() {
    let missed = |count| Reply::EventsMissed(MissedRecord { until: 1_763_688_033_123, count });
    let replies = || {
        vec![
            missed(None),
            event(4, MemberStatus::Alive),
            missed(Some(3)),
            event(5, MemberStatus::Left),
        ]
    };
    let text = Daemon::answering(replies()).run(&["events"]).stdout;
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], "2025-11-21T01:20:33.123Z  memberd does not know the changes before this");
    assert_eq!(
        lines[2],
        "2025-11-21T01:20:33.123Z  3 changes before this were missed: they came too fast"
    );
    let json = Daemon::answering(replies()).run(&["events", "--json"]).stdout;
    let lines: Vec<Value> = json.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(
        lines[0],
        serde_json::json!({"schema": 1, "missed": {"until": 1_763_688_033_123_u64, "count": null}})
    );
    assert_eq!(lines[2]["missed"]["count"], 3);
}

/// A daemon that sends these replies and then a refusal, after which `--exec` does not wait for
/// another daemon.
fn telling(mut replies: Vec<Reply>) -> Daemon {
    replies.push(refusal(RefusalKind::Failed, "enough"));
    Daemon::answering(replies)
}

#[test]
fn exec_runs_the_command_for_each_change_with_its_details() {
    let missed = Reply::EventsMissed(MissedRecord { until: 1_763_688_033_123, count: None });
    let command = "echo \"$MEMBERD_EVENT $MEMBERD_NAME $MEMBERD_ADDRESS:$MEMBERD_PORT \
    $MEMBERD_NOTICED_BY $MEMBERD_SILENT_MS\"; cat";
    let ended =
        telling(vec![missed, event(4, MemberStatus::Alive), event(4, MemberStatus::Failed)])
            .run(&["events", "--exec", command]);
    ended.failed(1, "enough");
    let lines: Vec<&str> = ended.stdout.lines().collect();
    assert!(lines[0].starts_with("gap "), "{lines:?}");
    assert_eq!(lines[2], "joined vm4 127.0.0.4:8946  ");
    assert_eq!(lines[4], "failed vm4 127.0.0.4:8946 vm2 1769");
    let json: Value = serde_json::from_str(lines[5]).unwrap();
    assert_eq!(
        (&json["schema"], &json["member"]["name"], &json["status"]),
        (&1.into(), &"vm4".into(), &"failed".into())
    );
}

#[test]
fn exec_finds_the_tags_in_its_environment() {
    let changes = vec![tagged(&[("k8s.io-x", "1"), ("role", "web server")])];
    let command = "echo \"$MEMBERD_EVENT $MEMBERD_NAME [$MEMBERD_TAG_ROLE] [$MEMBERD_TAG_K8S_IO_X] \
    [$MEMBERD_NOTICED_BY]\"";
    let ended = telling(changes).run(&["events", "--exec", command]);
    assert_eq!(ended.stdout, "tagged vm4 [web server] [1] []\n", "{ended:?}");
}

#[test]
fn after_a_command_fails_or_hangs_the_next_one_runs() {
    let command = "case $MEMBERD_NAME in vm4) exit 3;; vm5) sleep 60;; esac; echo $MEMBERD_NAME";
    let changes = [4, 5, 6].map(|number| event(number, MemberStatus::Alive)).to_vec();
    let ended = telling(changes).run(&["events", "--exec-timeout", "1", "--exec", command]);
    assert_eq!((ended.status, ended.stdout.as_str()), (Some(1), "vm6\n"), "{ended:?}");
    assert!(
        ended.stderr.contains("the command for vm4 joined failed: exit status: 3"),
        "{ended:?}"
    );
    assert!(
        ended
            .stderr
            .contains("the command for vm5 joined was killed after 1 s: see --exec-timeout"),
        "{ended:?}"
    );
}

#[test]
fn what_happens_to_the_views_is_among_the_changes() {
    let replies = || {
        let views = view_events().into_iter().map(|event| Reply::ViewEvent(Box::new(event)));
        let mut replies = vec![event(4, MemberStatus::Failed)];
        replies.extend(views);
        replies
    };
    let text = Daemon::answering(replies()).run(&["events"]).stdout;
    let lines: Vec<&str> = text.lines().skip(1).collect();
    let shown = [
        "operation pending: delete vm4, by vm3, view 18",
        "view installed, number 18, term 7, led by vm3; removed vm4; 5 members",
        "operation finished: delete vm4, by vm3, view 18",
        "leadership lost, term 7: no majority of the council answers",
        "view is stale, number 18: vm5, vm6 not reached",
        "view is fresh, number 18, after 4.00 s",
        "leader elected: vm1, term 8",
    ];
    let shown = shown.map(|words| format!("2025-11-21T01:20:34.000Z  {words}"));
    assert_eq!(lines, shown, "{text}");
    let json = Daemon::answering(replies()).run(&["events", "--json"]).stdout;
    let lines: Vec<Value> = json.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(
        lines[2],
        serde_json::json!({
            "schema": 1, "time": 1_763_688_034_000_u64, "event": "view", "change": "installed",
            "number": 18, "term": 7, "leader": "vm3", "members": 5, "added": [],
            "removed": ["vm4"],
        })
    );
    assert_eq!(lines[1]["operations"], serde_json::json!([{"operation": "delete", "name": "vm4"}]));
    assert_eq!((&lines[7]["event"], &lines[7]["change"]), (&"leader".into(), &"elected".into()));
    let command = "echo \"$MEMBERD_EVENT $MEMBERD_CHANGE $MEMBERD_VIEW $MEMBERD_TERM \
    [$MEMBERD_LEADER] [$MEMBERD_REASON] [$MEMBERD_OPERATIONS] [$MEMBERD_NAME]\"";
    let ended = telling(replies()).run(&["events", "--exec", command]);
    let lines: Vec<&str> = ended.stdout.lines().skip(1).collect();
    assert_eq!(lines[0], "view pending 18  [] [] [delete vm4] []");
    assert_eq!(lines[1], "view installed 18 7 [vm3] [] [] []");
    assert_eq!(lines[3], "leader lost 18 7 [] [no-majority] [] []");
    assert_eq!(lines[6], "leader elected 18 8 [vm1] [] [] []");
}
