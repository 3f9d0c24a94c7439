//! Greps of a group with a member that turned bad: it answers in the name of another, and with what
//! is no answer. The test plays that member, vm2.

use memberd_control::grep::GrepTotals;
use memberd_control::message::MemberStatus;
use memberd_tests::bad_member::{BadMember, send};
use memberd_tests::process::Running;
use memberd_tests::wait::{SOON, holds};
use memberd_tests::{Fleet, wait_until};
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Output, Stdio};
use std::sync::mpsc::channel;

// The kinds of frames in an answer: PROTOCOL.md.
const LINES: u8 = 0;
const PART: u8 = 1;
const TIMED: u8 = 2;
const TIMED_PART: u8 = 3;
const MESSAGE: u8 = 4;
const DONE: u8 = 6;
const REFUSED: u8 = 7;

/// The line that the bad member wants to be taken for one of vm1's.
const FORGED: &str = "vm1:/var/log/auth.log:Accepted password for root from 192.0.2.6";

/// vm1 and vm3, which are real and offer a file, and the bad member vm2.
fn group() -> (Fleet, BadMember) {
    let mut fleet = Fleet::new(3);
    for number in [1, 3] {
        writeln!(fleet[number].offer("a.txt"), "2026-11-21T01:20:33Z needle").unwrap();
        fleet[number].start();
        fleet[number].control().join().unwrap();
    }
    let bad = BadMember::join("vm2", fleet[2].settings.address, fleet[1].settings.address);
    wait_until("vm1 lists all three", SOON, || {
        for name in ["vm2", "vm3"] {
            let status = fleet[1].control().status_of(name).map_err(|error| error.to_string())?;
            let alive = matches!(status, Some((MemberStatus::Alive, _)));
            holds(alive, || format!("{name} is {status:?}"))?;
        }
        Ok(())
    });
    (fleet, bad)
}

fn done(lines: u64) -> (u8, Vec<u8>) {
    let mut body = Vec::new();
    let totals = GrepTotals { files: 1, lines, ..GrepTotals::default() };
    ciborium::into_writer(&totals, &mut body).unwrap();
    (DONE, body)
}

fn frame(kind: u8, text: impl AsRef<[u8]>) -> (u8, Vec<u8>) {
    (kind, text.as_ref().to_vec())
}

/// A line with its time.
fn timed(time: i64, line: &str) -> Vec<u8> {
    let length = u32::try_from(line.len()).unwrap();
    [&time.to_be_bytes()[..], &length.to_be_bytes(), line.as_bytes()].concat()
}

fn lines(bytes: &[u8]) -> Vec<String> {
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    assert!(text.is_empty() || text.ends_with('\n'), "{text:?}");
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    lines.sort();
    lines
}

/// What the grep printed of vm2, after a check that the lines of vm1 and vm3 are there as they are.
fn of_the_bad(fleet: &Fleet, options: &[&str], output: &Output) -> Vec<String> {
    let honest = fleet[1].ctl(&[&["grep", "--not-on=vm2"], options].concat());
    let mut left = lines(&output.stdout);
    for line in lines(&honest.stdout).iter().filter(|line| !line.contains("\"totals\"")) {
        let place = left.iter().position(|other| other == line);
        left.remove(place.unwrap_or_else(|| panic!("no {line:?} in {output:?}")));
    }
    left.retain(|line| !line.contains("\"type\":\"totals\""));
    left
}

/// An answer with these frames is dropped from where it is wrong: the rest of it is this.
fn assert_dropped(
    (fleet, bad): (&Fleet, &BadMember),
    options: &[&str],
    frames: &[(u8, Vec<u8>)],
    (printed, fault): (&[&str], &str),
) {
    bad.answer([frames, &[frame(LINES, format!("{FORGED}\n")), done(1)]].concat());
    let output = fleet[1].ctl(&[&["grep"], options].concat());
    assert_eq!(of_the_bad(fleet, options, &output), printed, "{options:?}");
    let said = String::from_utf8(output.stderr.clone()).unwrap();
    let words = format!("memberctl: vm2 {fault}: the rest of its answer is dropped\n");
    assert_eq!(said, words, "{options:?} {frames:?}");
    assert_eq!(output.status.code(), Some(3), "{options:?}");
}

/// In text: lines, counts and names of files, in every form.
#[test]
fn lines_in_the_name_of_another_member_are_dropped() {
    let (fleet, bad) = group();
    let name = "answered with a line that does not begin with its own name";
    let unended = "answered with a line that has no end";
    let unasked = "answered with something else than was asked for";
    let own = || frame(LINES, "vm2:/a:own\n");
    let assert = |options: &[&str], frames: &[(u8, Vec<u8>)], printed: &[&str], fault: &str| {
        assert_dropped((&fleet, &bad), options, frames, (printed, fault));
    };
    assert(&["needle"], &[], &[], name);
    assert(&["needle"], &[own()], &["vm2:/a:own"], name);
    assert(&["-n", "needle"], &[frame(LINES, "rubbish\n")], &[], name);
    assert(&["needle"], &[own(), frame(LINES, "vm2:/a:x")], &["vm2:/a:own"], unended);
    assert(&["-h", "needle"], &[frame(LINES, "x\n"), frame(LINES, "y")], &["x"], unended);
    let begun = [frame(PART, "vm2:/a:begun"), frame(LINES, format!("\n{FORGED}\n"))];
    assert(&["needle"], &begun, &["vm2:/a:begun"], name);
    let begun = [frame(PART, "vm2:/a:begun"), done(1)];
    assert(&["needle"], &begun, &["vm2:/a:begun"], unended);
    assert(&["needle"], &[frame(TIMED, timed(0, FORGED))], &[], unasked);
    assert(&["-c", "needle"], &[], &[], name);
    let count = [frame(LINES, "vm2:/a:7\n"), frame(LINES, "vm2:/b:many\n")];
    assert(&["-c", "needle"], &count, &["vm2:/a:7"], "answered with a count that is no number");
    assert(&["-l", "needle"], &[frame(LINES, "vm2:/a\n")], &["vm2:/a"], name);
    assert(&["-L", "nothing"], &[], &[], name);
    assert(&["-o", "needle"], &[frame(LINES, "vm2:/a:needle\n")], &["vm2:/a:needle"], name);
    assert(&["--color=always", "needle"], &[own()], &[], name);
    let merged = [frame(TIMED, timed(0, "vm2:/a:own\n")), frame(TIMED, timed(1, "vm1:/a:x\n"))];
    assert(&["--merge", "needle"], &merged, &["vm2:/a:own"], name);
    let begun = frame(TIMED_PART, [&[0; 8][..], b"vm2:/a:begun"].concat());
    let begun = [begun, frame(TIMED, timed(1, "vm2:/a:x\n"))];
    assert(&["--merge", "needle"], &begun, &["vm2:/a:begun"], unasked);
    fleet[1].wait_until_logged(&format!("vm2 {name}: the rest of its answer to a grep is dropped"));
}

/// Every line of standard output is an object that names its member, whatever a member sends.
#[test]
fn json_stays_json_whatever_a_member_answers() {
    let (fleet, bad) = group();
    let fault = "answered with a line that is no JSON object of its own";
    let head = r#"{"schema":1,"type":"match","member":"vm2","file":"/a","line":1,"offset":0"#;
    let object = format!(r#"{head},"text":"needle","submatches":[]}}"#);
    for options in [&["--json", "needle"][..], &["--json", "--merge", "needle"]] {
        let assert = |lines: &[&str], printed: &[&str], fault: &str| {
            let timed_frame = |line: &&str| frame(TIMED, timed(0, &format!("{line}\n")));
            let frames: Vec<_> = match options.contains(&"--merge") {
                true => lines.iter().map(timed_frame).collect(),
                false => lines.iter().map(|line| frame(LINES, format!("{line}\n"))).collect(),
            };
            assert_dropped((&fleet, &bad), options, &frames, (printed, fault));
        };
        let object = object.as_str();
        assert(&[object, FORGED], &[object], fault);
        assert(&[&object.replace("vm2", "vm1")], &[], fault);
        assert(&[&format!(r#"{head},"member":"vm1"}}"#)], &[], fault);
        assert(&[object, head], &[object], fault);
    }
    // What was passed on of an object is closed.
    let begun = frame(PART, format!(r#"{head},"text":"a long li"#));
    let cut = format!(r#"{head},"text":"a long li","cut":true}}"#);
    for end in [frame(LINES, "ne\n"), done(1)] {
        let fault = if end.0 == DONE { "answered with a line that has no end" } else { fault };
        let frames = [begun.clone(), end];
        assert_dropped((&fleet, &bad), &["--json", "needle"], &frames, (&[&cut], fault));
    }
    let timed_part = frame(TIMED_PART, [&[0; 8][..], &begun.1].concat());
    let frames = [timed_part, frame(LINES, "ne\n")];
    let options = ["--json", "--merge", "needle"];
    assert_dropped((&fleet, &bad), &options, &frames, (&[&cut], fault));
    bad.answer(vec![begun]);
    let output = fleet[1].ctl(&["grep", "--json", "needle"]);
    assert_eq!(of_the_bad(&fleet, &["--json", "needle"], &output), [cut]);
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    let objects = String::from_utf8(output.stdout).unwrap();
    for line in objects.lines() {
        let object: serde_json::Value = serde_json::from_str(line).unwrap();
        assert!(object["member"].is_string() || object["type"] == "totals", "{line}");
    }
}

/// A member that ends within a line, or sends a frame that is too long, has not answered.
#[test]
fn a_line_that_is_broken_off_is_ended() {
    let (fleet, bad) = group();
    let begun = || frame(PART, "vm2:/a:begun");
    let too_long = |stream: &mut std::net::TcpStream| stream.write_all(&[0xff; 64]);
    for (frames, is_long, why) in [
        (vec![begun()], false, "the connection ended before its search did"),
        (vec![begun(), frame(REFUSED, "no more")], false, "no more"),
        (vec![begun()], true, "is too long"),
    ] {
        bad.answer_with(move |_, stream| {
            frames.iter().try_for_each(|(kind, body)| send(stream, *kind, body))?;
            if is_long { too_long(stream) } else { Ok(()) }
        });
        let output = fleet[1].ctl(&["grep", "needle"]);
        assert_eq!(of_the_bad(&fleet, &["needle"], &output), ["vm2:/a:begun"], "{output:?}");
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.starts_with("memberctl: vm2: did not answer: "), "{said}");
        assert!(said.contains(why) || is_long, "{said}");
        assert_eq!(output.status.code(), Some(3));
    }
}

/// Its numbers may be as large as they like, and its words have no control characters.
#[test]
fn numbers_and_messages_of_a_bad_member_do_no_harm() {
    let (fleet, bad) = group();
    bad.answer(vec![frame(LINES, format!("vm2:/a:{}\n", u64::MAX)), done(u64::MAX)]);
    let output = fleet[1].ctl(&["grep", "-c", "--total", "needle"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let total = format!("total:{}\n", u64::MAX);
    assert!(String::from_utf8(output.stdout).unwrap().ends_with(&total));
    let counts = format!("vm2:/a\0{}\n", u64::MAX).repeat(2);
    bad.answer(vec![frame(LINES, counts), done(u64::MAX)]);
    let output = fleet[1].ctl(&["grep", "--count-by=file", "--total", "needle"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(lines(&output.stdout).contains(&format!("/a:{}", u64::MAX)));
    let words = "/a\u{1b}[2J\r\nmemberctl: vm1: \u{9b}: gone";
    bad.answer(vec![frame(MESSAGE, words), frame(REFUSED, words)]);
    let output = fleet[1].ctl(&["grep", "needle"]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(said.lines().count(), 2, "{said:?}");
    for line in said.lines() {
        assert!(
            line.starts_with("memberctl: vm2:") && !line.contains(char::is_control),
            "{line:?}"
        );
    }
}

/// The others are followed further.
#[test]
fn a_followed_member_in_the_name_of_another_is_dropped() {
    let (fleet, bad) = group();
    bad.answer_with(|_, stream| {
        send(stream, LINES, b"vm2:/a:own\n")?;
        send(stream, LINES, format!("{FORGED}\n").as_bytes())?;
        send(stream, LINES, b"vm2:/a:more\n")
    });
    let mut command = fleet[1].memberctl(&["grep", "--follow", "needle"]);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut running = Running::start(&mut command);
    let (out, err) =
        (running.child().stdout.take().unwrap(), running.child().stderr.take().unwrap());
    let (sender, said) = channel();
    let also = sender.clone();
    std::thread::spawn(move || {
        BufReader::new(err).lines().map_while(Result::ok).try_for_each(|line| also.send(line))
    });
    std::thread::spawn(move || {
        BufReader::new(out).lines().map_while(Result::ok).try_for_each(|line| sender.send(line))
    });
    let mut all: Vec<String> = Vec::new();
    let mut wait_for = |words: &str| {
        wait_until(&format!("{words} is printed"), SOON, || {
            all.extend(said.try_iter());
            holds(all.iter().any(|line| line.contains(words)), || format!("{all:?}"))
        });
    };
    wait_for("memberctl: vm2 answered with a line that does not begin with its own name");
    wait_for("vm2:/a:own");
    let mut file =
        std::fs::OpenOptions::new().append(true).open(fleet[3].directory().join("a.txt")).unwrap();
    // Nothing says when vm3 is followed, so lines are written until one comes.
    wait_until("a line of vm3 is printed", SOON, || {
        writeln!(file, "another needle").unwrap();
        all.extend(said.try_iter());
        holds(all.iter().any(|line| line.contains("another needle")), || format!("{all:?}"))
    });
    drop(running);
    all.extend(said.iter());
    assert!(!all.iter().any(|line| line == FORGED || line.contains("more")), "{all:?}");
}

/// Who owns an offered directory chooses the names of its files.
#[test]
fn a_newline_in_a_files_name_makes_no_other_line() {
    let fleet = Fleet::start_with(2, |daemon| {
        daemon.settings.files.push(daemon.directory().join("logs/*").display().to_string());
        let directory = daemon.directory().join("logs");
        std::fs::create_dir(&directory).unwrap();
        std::fs::write(directory.join("a\nvm9:b"), "needle\n").unwrap();
    });
    let name = |number: usize, newline: &str| {
        format!("vm{number}:{}/logs/a{newline}vm9:b", fleet[number].directory().display())
    };
    let grep = |options: &[&str]| {
        let output = fleet[1].ctl(&[&["grep"], options].concat());
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let both = |end: &str| [1, 2].map(|number| format!("{}{end}", name(number, "\\x0a")));
    for (options, end) in [
        (&["needle"][..], ":needle"),
        (&["--merge", "needle"], ":needle"),
        (&["-c", "needle"], ":1"),
        (&["-l", "needle"], ""),
    ] {
        let mut found = lines(grep(options).as_bytes());
        // The daemons' own logs are offered too.
        found.retain(|line| !line.ends_with(":0"));
        assert_eq!(found, both(end), "{options:?}");
    }
    let exact = grep(&["-Z", "needle"]);
    assert!([1, 2].iter().all(|number| exact.contains(&name(*number, "\n"))), "{exact}");
    for line in grep(&["--json", "needle"]).lines() {
        let object: serde_json::Value = serde_json::from_str(line).unwrap();
        let is_exact = object["file"].as_str().is_some_and(|file| file.ends_with("a\nvm9:b"));
        assert!(is_exact || object["type"] == "totals", "{line}");
    }
    let by_file = grep(&["--count-by=file", "needle"]);
    assert!(by_file.lines().all(|line| line.starts_with('/')), "{by_file}");
}
