//! Tests of `stream`.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;

use memberd_control::message::{FileRead, FileReply, FileRequest, RefusalKind, Reply, Request};
use memberd_control::streams::{
    StreamFrom, StreamPartition, StreamReply, StreamRequest, StreamSource, StreamSpec, StreamState,
    StreamStatus, StreamSummary,
};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::fake::{Client, Daemon, Ended, Script, answer, memberctl, run};

const SINK: &str = "/streams/errors.tsv";

const ROWS: &str = "0\t2026-11-21T01:20:30Z\tvm1\t7\t0\n1\t2026-11-21T01:20:40Z\tvm1\t8\t0\n";

fn answering(reply: StreamReply) -> Daemon {
    Daemon::answering(vec![Reply::Stream(reply)])
}

fn job() -> StreamSummary {
    StreamSummary {
        name: "errors".to_owned(),
        id: 7,
        state: StreamState::Running,
        reason: None,
        partitions: 2,
        sink: SINK.to_owned(),
        query: "| nginx | count by member every 10s".to_owned(),
    }
}

fn status() -> StreamStatus {
    let part = |partition, owner: Option<&str>| StreamPartition {
        partition,
        owner: owner.map(str::to_owned),
        epoch: 9,
        is_open: owner.is_some(),
        watermark: owner.map(|_| 1_795_224_030_500),
        late: 1,
        bytes: 2_500,
        ..StreamPartition::default()
    };
    let source = |member: &str, state: &str, lag: Option<u64>| StreamSource {
        member: member.to_owned(),
        state: state.to_owned(),
        lag_bytes: lag,
        lag_ms: lag,
    };
    StreamStatus {
        job: job(),
        epoch: 9,
        partitions: vec![part(0, Some("vm2")), part(1, None)],
        sink_owner: Some("vm3".to_owned()),
        rows: 1_234,
        lag_bytes: 2_500,
        lag_ms: 2_500,
        watermark: Some(1_795_224_030_000),
        held_back_by: Some("vm1".to_owned()),
        held_back_why: Some("2500 bytes".to_owned()),
        late: 2,
        unparsed: 3,
        gaps: 1,
        sources: vec![source("vm1", "live", Some(2_500)), source("vm4", "failed", None)],
        unanswered: vec!["vm4".to_owned()],
    }
}

/// A directory with a job's file.
fn file(text: &str) -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("errors.toml");
    fs::write(&path, text).unwrap();
    (directory, path)
}

const GOOD: &str = "name = 'errors'\nquery = '| nginx | count by member every 10s'\n\
                    files = ['/var/log/nginx/*.log']\non = { role = 'web' }\n";

#[test]
fn start_sends_what_the_file_says() {
    let (_directory, path) = file(GOOD);
    let daemon = answering(StreamReply::Started(job()));
    let ended = daemon.run(&["stream", "start", path.to_str().unwrap()]);
    ended.printed("started errors; its rows go to /streams/errors.tsv\n");
    let expected = StreamSpec {
        name: "errors".to_owned(),
        query: "| nginx | count by member every 10s".to_owned(),
        files: vec!["/var/log/nginx/*.log".to_owned()],
        from: StreamFrom::Now,
        tags: vec![("role".to_owned(), "web".to_owned())],
        lateness_ms: 10_000,
        retain_ms: 3_600_000,
        commit_ms: 1_000,
        sink: SINK.to_owned(),
        copies: 5,
        ..StreamSpec::default()
    };
    assert_eq!(daemon.request(), Request::Stream(StreamRequest::Start(Box::new(expected))));
    let object = "{\"schema\":1,\"name\":\"errors\",\"id\":7,\"state\":\"running\",\"reason\":null,\
                  \"partitions\":2,\"sink\":\"/streams/errors.tsv\",\"query\":\"| nginx | count by \
                  member every 10s\"}\n";
    let daemon = answering(StreamReply::Started(job()));
    daemon.run(&["stream", "start", "--json", path.to_str().unwrap()]).printed(object);
}

#[test]
fn check_needs_no_daemon_and_tells_each_problem() {
    let check = |text: &str, json: bool| {
        let (directory, path) = file(text);
        let mut command = memberctl();
        command.current_dir(directory.path()).args(["--socket", "/nowhere", "stream", "check"]);
        command.args(json.then_some("--json"));
        run(command.arg(path.file_name().unwrap()))
    };
    check(GOOD, false).printed(
        "the job errors in errors.toml is good: every 10 s, rows go to /streams/errors.tsv\n",
    );
    check(&GOOD.replace("every 10s", "every 10s over 5m"), false).printed(
        "the job errors in errors.toml is good: every 10 s over 5 min, rows go to \
         /streams/errors.tsv\n",
    );
    let bad = "name = 'e'\nquery = '| nginx | count by status'\nfiles = ['/x']\nlate = 'x'\n";
    let ended = check(bad, false);
    assert_eq!((ended.status, ended.stdout.as_str()), (Some(1), ""));
    assert_eq!(
        ended.stderr,
        "memberctl: errors.toml:2: query: a durable job has windows; add `every 10s` to the \
         aggregate\n  | nginx | count by status\n                           ^\n\
         memberctl: errors.toml:4: late: write \"revise\" or \"drop\"\n"
    );
    let ended = check(bad, true);
    assert_eq!((ended.status, ended.stderr.as_str()), (Some(1), ""), "{ended:?}");
    assert_eq!(
        ended.stdout,
        "{\"schema\":1,\"file\":\"errors.toml\",\"good\":false,\"problems\":[{\"line\":2,\"key\":\
         \"query\",\"message\":\"a durable job has windows; add `every 10s` to the aggregate\",\
         \"query\":[\"| nginx | count by status\",\"                         ^\"]},{\"line\":4,\
         \"key\":\"late\",\"message\":\"write \\\"revise\\\" or \\\"drop\\\"\"}],\"job\":null}\n"
    );
    check(GOOD, true).printed(
        "{\"schema\":1,\"file\":\"errors.toml\",\"good\":true,\"problems\":[],\"job\":{\"name\":\
         \"errors\",\"query\":\"| nginx | count by member every 10s\",\"every_ms\":10000,\
         \"over_ms\":10000,\"files\":[\"/var/log/nginx/*.log\"],\"from\":\"now\",\"on\":{\
         \"role\":\"web\"},\"lateness_ms\":10000,\"retain_ms\":3600000,\
         \"commit_ms\":1000,\"on_failed\":\"exclude\",\"partitions\":null,\
         \"sink\":\"/streams/errors.tsv\",\"replication\":5,\"groups\":null,\"memory\":null}}\n",
    );
}

#[test]
fn a_file_that_is_wrong_is_not_sent() {
    let (_directory, path) = file("name = 'e'\n");
    let mut command = memberctl();
    let ended = run(command.args(["--socket", "/nowhere", "stream", "start"]).arg(&path));
    assert_eq!((ended.status, ended.stderr.lines().count()), (Some(1), 2), "{ended:?}");
    assert!(!ended.stderr.contains("/nowhere"), "{ended:?}");
    for verb in ["start", "check"] {
        let ended = run(memberctl().args(["stream", verb, "/nowhere/errors.toml"]));
        ended.failed(1, "memberctl: /nowhere/errors.toml: No such file or directory");
    }
    let (_directory, path) = file(&"#".repeat(200_000));
    let ended = run(memberctl().args(["stream", "check"]).arg(path));
    ended.failed(1, "longer than 128 KiB");
}

#[test]
fn what_the_daemon_refuses_is_one_line() {
    let off = "durable jobs are switched off here: set streams.jobs = true on all machines";
    for line in [&["list"][..], &["status", "errors"], &["watch", "errors"], &["cancel", "errors"]]
    {
        let line = [&["stream"], line].concat();
        Daemon::refusing(RefusalKind::Failed, off).run(&line).failed(1, off);
        let reason = "there is no job errors: memberctl stream list".to_owned();
        let ended = answering(StreamReply::Failed { reason: reason.clone() }).run(&line);
        ended.failed(1, &reason);
        let older = "unknown variant `Stream`, expected one of";
        let ended = Daemon::refusing(RefusalKind::Usage, older).run(&line);
        ended.failed(6, "this memberd is older than memberctl");
        answering(StreamReply::Started(job())).run(&line).failed(1, "unexpected reply");
    }
    let ended = run(memberctl().args(["stream", "status", "a/b"]));
    ended.failed(2, "the name of a job has 1 to 64 letters, digits and . _ -");
}

#[test]
fn list_shows_each_job_on_a_line() {
    let stopped = StreamSummary {
        name: "x".to_owned(),
        state: StreamState::Stopped,
        reason: Some("too many groups".to_owned()),
        query: "a\tb".to_owned(),
        ..job()
    };
    answering(StreamReply::List(vec![job(), stopped])).run(&["stream", "list"]).printed(
        "JOB     STATE    SINK                 QUERY\n\
         errors  running  /streams/errors.tsv  | nginx | count by member every 10s\n\
         x       stopped  /streams/errors.tsv  a b\n",
    );
    let none = || answering(StreamReply::List(Vec::new()));
    none().run(&["stream", "list"]).printed("no jobs\n");
    none().run(&["stream", "list", "--json"]).printed("{\"schema\":1,\"jobs\":[]}\n");
    let ended = answering(StreamReply::List(vec![job()])).run(&["stream", "list", "--json"]);
    assert!(ended.stdout.starts_with("{\"schema\":1,\"jobs\":[{\"name\":\"errors\",\"id\":7,"));
}

#[test]
fn status_shows_how_far_a_job_is() {
    let ended = answering(StreamReply::Status(Box::new(status()))).run(&["stream", "status", "e"]);
    assert_eq!(ended.status, Some(0));
    assert_eq!(
        ended.stdout,
        "errors is running\n\
         \x20 query       | nginx | count by member every 10s\n\
         \x20 sink        /streams/errors.tsv, 1,234 rows, written by vm3\n\
         \x20 lag         2.5 kB, 2.50 s\n\
         \x20 watermark   2026-11-21T01:20:30Z, held back by vm1: 2500 bytes\n\
         \x20 lines       2 late, 3 unparsed; 1 gap\n\
         \x20 epoch       9 of term 0\n\
         PART  OWNER  STATE    WATERMARK                 LATE  UNPARSED  GAPS  SUMS\n\
         0     vm2    open     2026-11-21T01:20:30.500Z     1         0     0  2.5 kB\n\
         1     -      opening  -                            1         0     0  2.5 kB\n\
         SOURCE  STATE   LAG\n\
         vm1     live    2.5 kB, 2.50 s\n\
         vm4     failed  -\n"
    );
    assert_eq!(ended.stderr, "memberctl: these did not answer, and the figures lack theirs: vm4\n");
}

/// Users rely on these names.
#[test]
fn the_object_of_status_has_fixed_names() {
    let daemon = answering(StreamReply::Status(Box::new(status())));
    daemon.run(&["stream", "status", "errors", "--json"]).printed(
        "{\"schema\":1,\"name\":\"errors\",\"id\":7,\"state\":\"running\",\"reason\":null,\"query\"\
         :\"| nginx | count by member every 10s\",\"sink\":\"/streams/errors.tsv\",\"sink_owner\":\
         \"vm3\",\"rows\":1234,\"epoch\":9,\"partitions\":[{\"partition\":0,\"owner\":\"vm2\",\
         \"epoch\":9,\"is_open\":true,\"watermark\":1795224030500,\"late\":1,\"unparsed\":0,\
         \"gaps\":0,\"bytes\":2500},{\"partition\":1,\"owner\":null,\"epoch\":9,\"is_open\":false,\
         \"watermark\":null,\"late\":1,\"unparsed\":0,\"gaps\":0,\"bytes\":2500}],\"lag_bytes\":\
         2500,\"lag_ms\":2500,\"watermark\":1795224030000,\"held_back_by\":\"vm1\",\
         \"held_back_why\":\"2500 bytes\",\"late\":2,\
         \"unparsed\":3,\"gaps\":1,\"sources\":[{\"member\":\"vm1\",\"state\":\"live\",\
         \"lag_bytes\":2500,\"lag_ms\":2500},{\"member\":\"vm4\",\"state\":\"failed\",\"lag_bytes\"\
         :null,\"lag_ms\":null}],\"unanswered\":[\"vm4\"]}\n",
    );
    let Request::Stream(request) = daemon_request(&["status", "errors"]) else { panic!() };
    assert_eq!(request, StreamRequest::Status { name: "errors".to_owned() });
}

/// What a command asks of the daemon.
fn daemon_request(line: &[&str]) -> Request {
    let daemon = answering(StreamReply::Done);
    daemon.run(&[&["stream"], line].concat());
    daemon.request()
}

#[test]
fn cancel_and_forget_name_what_they_mean() {
    let text = str::to_owned;
    for (line, request, said) in [
        (
            &["cancel", "errors"][..],
            StreamRequest::Cancel { name: text("errors"), force: false },
            "cancelled errors\n",
        ),
        (
            &["cancel", "--json", "errors"],
            StreamRequest::Cancel { name: text("errors"), force: false },
            "{\"schema\":1,\"name\":\"errors\",\"done\":true}\n",
        ),
        (
            &["cancel", "--force", "errors"],
            StreamRequest::Cancel { name: text("errors"), force: true },
            "cancelled errors\n",
        ),
        (
            &["forget", "vm4"],
            StreamRequest::Forget { name: None, member: text("vm4") },
            "forgot the files of vm4 in all jobs\n",
        ),
        (
            &["forget", "vm4", "--job", "errors"],
            StreamRequest::Forget { name: Some(text("errors")), member: text("vm4") },
            "forgot the files of vm4 in errors\n",
        ),
        (
            &["forget", "vm4", "--json"],
            StreamRequest::Forget { name: None, member: text("vm4") },
            "{\"schema\":1,\"name\":\"vm4\",\"done\":true}\n",
        ),
    ] {
        let daemon = answering(StreamReply::Done);
        daemon.run(&[&["stream"], line].concat()).printed(said);
        assert_eq!(daemon.request(), Request::Stream(request));
    }
}

/// Says all about the job.
fn tell_status() -> Script {
    answer(vec![Reply::Stream(StreamReply::Status(Box::new(status())))])
}

/// Expects that the sink is read from this byte on, and answers with these.
fn tell_bytes(offset: usize, bytes: &str) -> Script {
    let bytes = bytes.as_bytes().to_vec();
    Box::new(move |client: &mut Client| {
        let request = client.greet();
        let expected =
            FileRead { path: SINK.to_owned(), offset: offset as u64, limit: Some(8 << 20) };
        assert_eq!(request, Request::File(FileRequest::Read(expected)));
        let length = bytes.len() as u64;
        client.say(&Reply::File(FileReply::Length { length, is_newest: true }));
        if !bytes.is_empty() {
            client.say(&Reply::File(FileReply::Bytes(bytes)));
        }
        client.say(&Reply::Done);
        Some(request)
    })
}

/// Runs watch on a sink that grows by these pieces.
fn watched(arguments: &[&str], pieces: &[&str]) -> Ended {
    let (mut scripts, mut offset) = (vec![tell_status()], 0);
    for piece in pieces {
        scripts.push(tell_bytes(offset, piece));
        offset += piece.len();
    }
    Daemon::in_turn(scripts).run(&[&["stream", "watch", "errors"], arguments].concat())
}

const TRAILER: &str = "# cancelled 2\n";

#[test]
fn watch_fails_if_the_job_has_stopped() {
    let ended = watched(&[], &[ROWS, "# stopped 2 there are more than 9 groups\n"]);
    assert_eq!((ended.status, ended.stdout.as_str()), (Some(1), ROWS));
    assert_eq!(ended.stderr, "memberctl: errors has stopped: there are more than 9 groups\n");
}

#[test]
fn watch_prints_each_row_once_as_the_sink_grows() {
    // The sink ends within a row twice, and once it has not grown.
    let (first, second) = ROWS.split_at(50);
    let ended = watched(&[], &["", first, "", second, TRAILER]);
    assert_eq!((ended.status, ended.stdout.as_str()), (Some(0), ROWS));
    assert_eq!(ended.stderr, "memberctl: errors has ended: cancelled 2\n");
}

#[test]
fn watch_goes_on_with_the_row_that_is_named() {
    let ended = watched(&["--from", "1"], &[ROWS, TRAILER]);
    let (_, second) = ROWS.split_once('\n').unwrap();
    assert_eq!((ended.status, ended.stdout.as_str()), (Some(0), second));
    let ended = watched(&["--from", "7"], &[ROWS, TRAILER]);
    assert_eq!((ended.status, ended.stdout.as_str()), (Some(0), ""));
}

#[test]
fn watch_says_where_to_go_on_if_the_daemon_goes() {
    let half = &ROWS[..50];
    let gone: Script = Box::new(|client| {
        client.greet();
        None
    });
    let daemon = Daemon::in_turn(vec![tell_status(), tell_bytes(0, half), gone]);
    let ended = daemon.run(&["stream", "watch", "errors"]);
    assert_eq!(ended.status, Some(4));
    let (first, _) = ROWS.split_once('\n').unwrap();
    assert_eq!(ended.stdout, format!("{first}\n"));
    assert_eq!(
        ended.stderr,
        "memberctl: to go on from here: memberctl stream watch errors --from 1\n\
         memberctl: memberd went away before it answered: systemctl status memberd\n"
    );
}

#[test]
fn watch_says_what_is_no_sink() {
    let ended = watched(&[], &["hello\n"]);
    assert_eq!((ended.status, ended.stdout.as_str()), (Some(1), ""));
    assert!(ended.stderr.contains("byte 0 of the sink begins no row"), "{ended:?}");
}

#[test]
fn watch_prints_objects_for_programs() {
    let gap = "2\tgap\tvm4\t00ff\t0-9\tp1\tdeleted\t0\n";
    let ended = watched(&["--json", "--from", "1"], &[ROWS, gap, TRAILER]);
    assert_eq!(
        (ended.status, ended.stdout.as_str()),
        (
            Some(0),
            "{\"schema\":1,\"type\":\"row\",\"seq\":1,\"rev\":0,\"row\":{\"window\":1795224040000,\
             \"member\":\"vm1\",\"count\":8}}\n{\"schema\":1,\"type\":\"gap\",\"seq\":2,\"member\":\
             \"vm4\",\"file\":\"00ff\",\"bytes\":\"0-9\",\"partition\":\"p1\",\"reason\":\
             \"deleted\"}\n"
        )
    );
}

/// `watch | head -n 1`: nobody reads any more, and that is no error.
#[test]
fn watch_ends_in_silence_when_its_reader_is_gone() {
    let waiting: Script = Box::new(|client| {
        let request = client.greet();
        client.until_gone();
        Some(request)
    });
    let daemon = Daemon::in_turn(vec![tell_status(), tell_bytes(0, ROWS), waiting]);
    let mut command = std::process::Command::new("sh");
    let watch = daemon.command(&["stream", "watch", "errors"]);
    command.args(["-c", "\"$@\" | head -n 1", "sh"]).arg(watch.get_program());
    let ended = run(command.args(watch.get_args()));
    let (first, _) = ROWS.split_once('\n').unwrap();
    ended.printed(&format!("{first}\n"));
}

#[test]
fn an_interrupted_watch_says_where_to_go_on() {
    let waiting: Script = Box::new(|client| {
        let request = client.greet();
        client.until_gone();
        Some(request)
    });
    let daemon = Daemon::in_turn(vec![tell_status(), tell_bytes(0, ROWS), waiting]);
    let mut child = daemon.start(&["stream", "watch", "errors"]);
    let mut rows = BufReader::new(child.stdout.take().unwrap()).lines();
    assert_eq!(rows.by_ref().take(2).map(Result::unwrap).count(), 2);
    kill(Pid::from_raw(child.id().try_into().unwrap()), Signal::SIGINT).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.signal(), Some(Signal::SIGINT as i32));
    assert_eq!(
        String::from_utf8_lossy(&output.stderr),
        "memberctl: to go on from here: memberctl stream watch errors --from 2\n"
    );
}
