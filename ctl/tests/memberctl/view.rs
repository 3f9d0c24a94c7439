//! Tests of `view`.

use memberd_control::message::{
    LostRecord, PastViewRecord, PendingRecord, RecoverRequest, RecoveryPlan, RefusalKind, Reply,
    Request, ViewMember, ViewOperation, ViewRecord, ViewRequest,
};

use crate::fake::Daemon;

fn texts(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn member(name: &str) -> ViewMember {
    ViewMember { name: name.to_owned(), id: format!("{name}@192.0.2.1:8946/1763688033123") }
}

fn view() -> ViewRecord {
    ViewRecord {
        number: 18,
        term: 7,
        leader: Some("vm3".to_owned()),
        council: texts(&["vm1", "vm2", "vm3"]),
        pending: vec![PendingRecord { operation: ViewOperation::Delete, name: "vm4".to_owned() }],
        confirmed_ms_ago: Some(1),
        confirmed_by: 2,
        ..ViewRecord::default()
    }
}

/// A view whose members come in two parts.
fn showing(view: ViewRecord) -> Daemon {
    Daemon::answering(vec![
        Reply::ViewMembers(vec![member("vm1"), member("vm2")]),
        Reply::ViewMembers(vec![member("vm3")]),
        Reply::View(Box::new(view)),
    ])
}

#[test]
fn the_text_says_who_agrees_on_what() {
    showing(view()).run(&["view"]).printed(
        "view 18 of term 7, led by vm3\n  \
           confirmed  by 2 of 3, 1 ms ago\n  \
           council    vm1, vm2, vm3\n  \
           members    vm1, vm2, vm3\n  \
           pending    delete vm4\n",
    );
    let ended = showing(view()).run(&["view", "--local"]);
    assert!(
        ended.stdout.contains("  confirmed  1 ms ago, and nobody was asked now\n"),
        "{ended:?}"
    );
}

#[test]
fn a_stale_view_names_who_is_missing() {
    let stale = ViewRecord {
        leader: None,
        pending: Vec::new(),
        stale: true,
        stale_ms: Some(42_000),
        missing: texts(&["vm2", "vm\u{1b}3"]),
        ..view()
    };
    showing(stale).run(&["view"]).printed(
        "view 18 of term 7, without a leader\n  \
           stale      for 42 s: vm2, vm?3 not reached\n  \
           council    vm1, vm2, vm3\n  \
           members    vm1, vm2, vm3\n",
    );
}

#[test]
fn before_the_first_view_it_says_what_is_waited_for() {
    let ended = Daemon::answering(vec![Reply::View(Box::default())]).run(&["view"]);
    let words = "no view yet: the first one needs all of initial_council\n";
    assert!(ended.stdout.starts_with(words), "{ended:?}");
    assert!(ended.stdout.contains("  confirmed  not yet\n"), "{ended:?}");
}

/// Programs read these fields in this form.
#[test]
fn json_has_the_fields_that_never_change() {
    showing(view()).run(&["view", "--json"]).printed(
        "{\"schema\":1,\"number\":18,\"term\":7,\"leader\":\"vm3\",\"members\":[\
         {\"name\":\"vm1\",\"id\":\"vm1@192.0.2.1:8946/1763688033123\"},\
         {\"name\":\"vm2\",\"id\":\"vm2@192.0.2.1:8946/1763688033123\"},\
         {\"name\":\"vm3\",\"id\":\"vm3@192.0.2.1:8946/1763688033123\"}],\
         \"council\":[\"vm1\",\"vm2\",\"vm3\"],\
         \"pending\":[{\"operation\":\"delete\",\"name\":\"vm4\"}],\
         \"confirmed_ms_ago\":1,\"stale\":false}\n",
    );
    let none = ViewRecord { leader: None, confirmed_ms_ago: None, pending: Vec::new(), ..view() };
    let ended = showing(none).run(&["view", "--json"]);
    assert!(ended.stdout.contains("\"leader\":null,"), "{ended:?}");
    assert!(ended.stdout.contains("\"pending\":[],\"confirmed_ms_ago\":null,"), "{ended:?}");
}

#[test]
fn what_is_wanted_is_asked_for() {
    let wanted = ViewRequest::default();
    for (arguments, request) in [
        (&["view"][..], wanted),
        (&["view", "--local"], ViewRequest { local: true, ..wanted }),
        (&["view", "--wait", "19"], ViewRequest { wait: Some(19), ..wanted }),
        (&["view", "--history"], ViewRequest { history: true, ..wanted }),
    ] {
        let daemon = showing(view());
        assert_eq!(daemon.run(arguments).status, Some(0));
        assert_eq!(daemon.request(), Request::View(request));
    }
}

#[test]
fn a_view_that_does_not_come_is_a_timeout() {
    let daemon = Daemon::new(|client| {
        let request = client.greet();
        client.until_gone();
        Some(request)
    });
    let words = "after 50 ms: view 19 is not here yet: see memberctl view\n";
    daemon.run(&["view", "--wait", "19", "--timeout", "50ms"]).failed(124, words);
}

#[test]
fn the_history_has_a_line_for_each_view() {
    let past = |number, added: &[&str], removed: &[&str]| {
        Reply::PastView(PastViewRecord {
            number,
            term: 7,
            leader: Some("vm3".to_owned()),
            time: 1_763_688_033_120,
            added: texts(added),
            removed: texts(removed),
            members: 3,
            council: texts(&["vm3"]),
        })
    };
    let telling = || {
        Daemon::answering(vec![
            Reply::ViewMembers(vec![member("vm1")]),
            past(17, &["vm4", "vm5"], &["vm1"]),
            past(18, &[], &[]),
            Reply::View(Box::new(view())),
        ])
    };
    telling().run(&["view", "--history"]).printed(
        "2025-11-21T01:20:33.120Z  view 17 of term 7, led by vm3: added vm4, vm5; removed vm1; \
         3 members\n\
         2025-11-21T01:20:33.120Z  view 18 of term 7, led by vm3: 3 members\n",
    );
    let ended = telling().run(&["view", "--history", "--json"]);
    let first = "{\"number\":17,\"term\":7,\"leader\":\"vm3\",\"time\":1763688033120,\
        \"added\":[\"vm4\",\"vm5\"],\"removed\":[\"vm1\"],\"members\":3,\"council\":[\"vm3\"]}\n";
    assert!(ended.stdout.starts_with(first), "{ended:?}");
}

fn plan() -> Reply {
    let lost = |name: &str, heard_ms_ago| LostRecord { name: name.to_owned(), heard_ms_ago };
    Reply::RecoveryPlan(RecoveryPlan {
        number: 18,
        term: 1_048_583,
        reached: texts(&["vm1", "vm2"]),
        lost: vec![lost("vm3", Some(90_000)), lost("vm4", None)],
        wait_ms: 6_000,
    })
}

const PLAN: &str = "go on from view 18 in term 1048583, with the council vm1, vm2\n\
    give up:\n  vm3, last heard 1 min ago\n  vm4, not heard since this memberd started\n";

#[test]
fn a_recovery_shows_its_plan_before_it_begins() {
    let daemon = Daemon::answering(vec![
        plan(),
        Reply::ViewMembers(vec![member("vm1")]),
        Reply::View(Box::new(view())),
    ]);
    let ended = daemon.run(&["view", "recover", "--lost", "vm3,vm4"]);
    let text = format!("{PLAN}waiting for 6.00 s\nrecovered\nview 18 of term 7");
    assert!(ended.stdout.starts_with(&text), "{ended:?}");
    assert_eq!(
        daemon.request(),
        Request::Recover(RecoverRequest { lost: texts(&["vm3", "vm4"]), plan_only: false })
    );
}

#[test]
fn a_dry_run_shows_the_plan_and_no_more() {
    let daemon = Daemon::answering(vec![plan(), Reply::Done]);
    daemon
        .run(&["view", "recover", "--lost", "vm3", "--lost", "vm4", "--dry-run"])
        .printed(&format!("{PLAN}nothing was done\n"));
    assert_eq!(
        daemon.request(),
        Request::Recover(RecoverRequest { lost: texts(&["vm3", "vm4"]), plan_only: true })
    );
}

/// The names of the lost are the operator's word that they are down.
#[test]
fn the_lost_are_typed_by_name() {
    for arguments in [
        &["view", "recover"][..],
        &["view", "recover", "--lost", "vm*"],
        &["view", "recover", "--lost", "vm[3-5]"],
        &["view", "recover", "--lost", ""],
        &["view", "--json", "recover", "--lost", "vm3"],
    ] {
        let daemon = showing(view());
        assert_eq!(daemon.run(arguments).status, Some(2), "{arguments:?}");
    }
    let answered = "vm3 answered: it is not lost";
    Daemon::refusing(RefusalKind::Failed, answered)
        .run(&["view", "recover", "--lost", "vm3"])
        .failed(1, answered);
}

#[test]
fn an_older_daemon_is_named_as_such() {
    for (arguments, request) in [
        (&["view"][..], "View"),
        (&["leader"], "Leader"),
        (&["leader", "--check"], "Leader"),
        (&["run", "--once", "k", "--", "true"], "Claim"),
        (&["run", "--leader", "--", "true"], "Leader"),
        (&["view", "recover", "--lost", "vm3"], "Recover"),
    ] {
        let refusal = format!("unknown variant `{request}`, expected one of `Join`");
        Daemon::refusing(RefusalKind::Usage, &refusal)
            .run(arguments)
            .failed(6, "this memberd is older than memberctl: systemctl restart memberd");
    }
}
