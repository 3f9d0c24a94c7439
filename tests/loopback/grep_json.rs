//! Greps whose output programs read: `--json`.

use memberd_tests::process::Running;
use memberd_tests::settings::PATIENT;
use memberd_tests::wait::SOON;
use memberd_tests::{Daemon, Fleet};
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Output, Stdio};

const TEXT: &[u8] =
    b"2026-11-21T01:20:33.123Z an error, an \xc3\xa4rror\nno time and no such thing\nerror \xff\n";

fn offer(daemon: &mut Daemon) {
    daemon.offer("a.log").write_all(TEXT).unwrap();
    // A copy would answer for a member that failed.
    daemon.settings.logs.push("copies = 0".to_owned());
}

fn objects(output: &Output) -> Vec<Value> {
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect()
}

/// An object with these fields, too.
fn with(mut object: Value, fields: &Value) -> Value {
    object.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    object
}

#[test]
fn every_line_is_an_object_and_the_last_has_the_totals() {
    let mut fleet = Fleet::start_with(3, offer);
    let mut followers = fleet.follow();
    let crash = fleet.crash(&[3]).remove(0);
    followers.assert_crash_noticed(&crash.id, crash.at, &["vm3"]);
    let output = fleet[1].ctl(&["grep", "--json", "-A1", "-E", "(e|ä)rror", "a.log"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let mut objects = objects(&output);
    let totals = objects.pop().unwrap();
    let path = fleet[2].directory().join("a.log");
    let of_vm2: Vec<Value> =
        objects.into_iter().filter(|object| object["member"] == "vm2").collect();
    let common = |kind: &str, line: u64, offset: u64| {
        json!({
            "schema": 1, "type": kind, "member": "vm2", "file": path,
            "line": line, "offset": offset,
        })
    };
    let first = json!({
        "time": 1_795_224_033_123_u64,
        "text": "2026-11-21T01:20:33.123Z an error, an ärror",
        "submatches": [{ "start": 28, "end": 33 }, { "start": 38, "end": 44 }],
    });
    let expected = [
        with(common("match", 1, 0), &first),
        with(
            common("context", 2, 45),
            &json!({ "text": "no time and no such thing", "submatches": [] }),
        ),
        with(
            common("match", 3, 71),
            &json!({ "bytes": "ZXJyb3Ig/w==", "submatches": [{ "start": 0, "end": 5 }] }),
        ),
    ];
    assert_eq!(of_vm2, expected);

    assert_eq!((&totals["schema"], &totals["type"]), (&json!(1), &json!("totals")));
    assert_eq!(
        (&totals["asked"], &totals["answered"], &totals["failed"]),
        (&json!(2), &json!(2), &json!(1))
    );
    assert_eq!(
        (&totals["files"], &totals["lines"], &totals["bytes"]),
        (&json!(2), &json!(4), &json!(2 * TEXT.len()))
    );
    let members = totals["members"].as_array().unwrap();
    assert_eq!(members.len(), 3);
    assert_eq!(
        (&members[1]["member"], &members[1]["answered"], &members[1]["lines"]),
        (&json!("vm2"), &json!(true), &json!(2))
    );
    assert!(members[2]["asked"] == false && members[2]["failed_at"].as_u64().is_some(), "{totals}");
}

#[test]
fn counts_and_names_are_objects_and_merged_lines_keep_order() {
    let fleet = Fleet::start_with(2, offer);
    let run = |options: &[&str]| {
        let mut objects =
            objects(&fleet[1].ctl(&[&["grep", "--json"], options, &["error", "a.log"]].concat()));
        assert_eq!(objects.pop().unwrap()["type"], "totals");
        objects
    };
    let counts = run(&["-c"]);
    assert!(
        counts.len() == 2
            && counts.iter().all(|count| count["type"] == "count" && count["lines"] == 2),
        "{counts:?}"
    );
    let files = run(&["-l"]);
    assert!(files.len() == 2 && files.iter().all(|file| file["type"] == "file"), "{files:?}");
    let merged: Vec<Value> =
        run(&["--merge"]).into_iter().map(|mut line| line["member"].take()).collect();
    assert_eq!(merged, ["vm1", "vm1", "vm2", "vm2"]);
}

#[test]
fn objects_come_as_found_and_totals_cover_every_member() {
    let fleet = Fleet::start_with(3, |daemon| {
        offer(daemon);
        daemon.settings.group = vec![PATIENT];
    });
    fleet[3].signal(Signal::SIGSTOP);
    let mut command = fleet[1].memberctl(&["grep", "--json", "error", "a.log"]);
    let mut memberctl =
        Running::start(command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()));
    let mut lines =
        BufReader::new(memberctl.child().stdout.take().unwrap()).lines().map(Result::unwrap);
    let found: Vec<String> = lines.by_ref().take(4).collect();
    // Nobody waits for a member that hangs.
    assert!(memberctl.ended().is_none(), "{found:?}");
    let rest: Vec<String> = lines.collect();
    assert_eq!(memberctl.wait(SOON).code(), Some(3));
    fleet[3].signal(Signal::SIGCONT);

    for line in &found {
        let object: Value = serde_json::from_str(line).unwrap();
        assert_eq!((&object["schema"], &object["type"]), (&json!(1), &json!("match")), "{line}");
    }
    let [totals] = rest.as_slice() else { panic!("one more object: {rest:?}") };
    let mut totals: Value = serde_json::from_str(totals).unwrap();
    let slowest = totals["milliseconds"].take();
    let mut each: Vec<Value> = totals["members"]
        .as_array_mut()
        .unwrap()
        .iter_mut()
        .map(|it| it["milliseconds"].take())
        .collect();
    each.sort_by_key(Value::as_u64);
    assert_eq!(each.last(), Some(&slowest), "all of them take as long as the slowest");
    let why = totals["members"][2]["lost"].take();
    assert!(why.as_str().is_some_and(|why| !why.is_empty()), "{why}");
    let member = |name: &str| {
        let searched = json!({
            "files": 1, "bytes": TEXT.len(), "lines": 2, "errors": 0, "milliseconds": null,
        });
        with(json!({ "member": name, "asked": true, "answered": true }), &searched)
    };
    let lost = json!({ "answered": false, "files": 0, "bytes": 0, "lines": 0, "lost": null });
    let expected = json!({
        "schema": 1, "type": "totals", "asked": 3, "answered": 2, "failed": 1,
        "files": 2, "bytes": 2 * TEXT.len(), "lines": 4, "errors": 0, "milliseconds": null,
        "members": [member("vm1"), member("vm2"), with(member("vm3"), &lost)],
    });
    assert_eq!(totals, expected);
}
