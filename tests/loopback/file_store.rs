//! Replicated files by `memberctl file`: fleets of real daemons that put, get, change and lose
//! them.

use memberd_tests::wait::{SOON, holds};
use memberd_tests::{Daemon, Fleet, process, wait_until};
use serde_json::Value;
use std::fs;
use std::path::PathBuf;
use std::process::{Output, Stdio};
use std::thread;
use std::time::Duration;

/// How long one memberctl may run. A write that gets no answer takes most of a minute.
const LIMIT: Duration = Duration::from_secs(90);

/// What a shell prints that runs this line on a member, in its directory.
fn run(daemon: &Daemon, line: &str) -> Output {
    process::run(daemon.shell(line).current_dir(daemon.directory()), LIMIT)
}

/// The same for a line that succeeds, and says nothing on standard error.
#[track_caller]
fn said(daemon: &Daemon, line: &str) -> String {
    let output = run(daemon, line);
    assert!(output.status.success() && output.stderr.is_empty(), "{line}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// Asserts that the line fails with this status, and one line that has these words.
#[track_caller]
fn fails(daemon: &Daemon, line: &str, status: i32, words: &str) {
    let output = run(daemon, line);
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(status), "{line}: {error}");
    assert!(error.lines().count() == 1 && error.contains(words), "{line}: {error}");
    assert!(error.starts_with("memberctl: "), "{error}");
}

/// The object that a command prints.
#[track_caller]
fn object(daemon: &Daemon, line: &str) -> Value {
    serde_json::from_str(&said(daemon, line)).unwrap()
}

/// A local file of a member, with bytes of which no 64 KiB are like others.
fn local(daemon: &Daemon, name: &str, length: usize) -> (PathBuf, Vec<u8>) {
    let mut bytes = vec![0; length];
    let mut random = blake3::Hasher::new().update(name.as_bytes()).finalize_xof();
    random.fill(&mut bytes);
    let path = daemon.directory().join(name);
    fs::write(&path, &bytes).unwrap();
    (path, bytes)
}

/// The numbers of the members that have copies of a file.
fn holders(daemon: &Daemon, path: &str) -> Vec<usize> {
    let stat = object(daemon, &format!("memberctl file stat --json {path}"));
    let members = stat["members"].as_array().unwrap();
    members.iter().map(|name| name.as_str().unwrap()[2..].parse().unwrap()).collect()
}

/// Waits until all files have their copies.
fn wait_until_checked(daemon: &Daemon) {
    wait_until("all files have their copies", SOON, || {
        let output = run(daemon, "memberctl file check");
        holds(output.status.success(), || format!("{output:?}"))
    });
}

/// A fleet that keeps files, with a share.
fn fleet(n: u8) -> Fleet {
    let fleet = Fleet::store_files(n, &["repair_after = \"0s\""], |_| ());
    assert_eq!(said(&fleet[1], "memberctl file mkdir /apps"), "");
    fleet
}

#[test]
fn files_are_put_read_renamed_and_removed() {
    let fleet = fleet(3);
    let [vm1, vm2, vm3] = [1, 2, 3].map(|number| &fleet[number]);
    let (_, bytes) = local(vm1, "small", 5_000);
    assert_eq!(said(vm1, "memberctl file put small /apps/"), "");
    assert_eq!(said(vm2, "memberctl file get /apps/small ."), "");
    assert!(fs::read(vm2.directory().join("small")).unwrap() == bytes);
    said(vm3, "printf one | memberctl file put --parents - /apps/a/b/log");
    said(vm2, "printf two | memberctl file append --length 3 - /apps/a/b/log");
    assert_eq!(said(vm1, "memberctl file cat /apps/a/b/log"), "onetwo");
    assert_eq!(said(vm1, "memberctl file cat --offset 2 --length 3 /apps/a/b/log"), "etw");
    fails(vm1, "printf x | memberctl file append --length 3 - /apps/a/b/log", 1, "has 6 bytes");

    let hash = blake3::hash(b"onetwo");
    let stat = said(vm3, "memberctl file stat --json /apps/a/b/log");
    assert_eq!(
        stat,
        format!(
            "{{\"schema\":1,\"path\":\"/apps/a/b/log\",\"type\":\"file\",\"length\":6,\
             \"blake3\":\"{hash}\",\"copies\":3,\"wanted\":3,\
             \"members\":[\"vm1\",\"vm2\",\"vm3\"]}}\n"
        )
    );
    let list = object(vm2, "memberctl file ls -l --json /apps");
    let [first, second] = list["entries"].as_array().unwrap().as_slice() else { panic!("{list}") };
    assert_eq!((&first["name"], &first["type"]), (&"a".into(), &"directory".into()), "{list}");
    assert_eq!((&second["name"], &second["length"]), (&"small".into(), &5_000.into()), "{list}");
    assert_eq!((&second["copies"], &second["wanted"]), (&3.into(), &3.into()), "{list}");
    assert_eq!(said(vm2, "memberctl file ls; memberctl file ls /apps"), "apps/\na/\nsmall\n");

    said(vm2, "memberctl file mv /apps/small /apps/a");
    said(vm3, "memberctl file mv /apps/a /apps/c");
    assert_eq!(said(vm1, "memberctl file ls /apps/c"), "b/\nsmall\n");
    // A file is listed by itself, and replaced by a rename only if that is wanted.
    assert_eq!(said(vm2, "memberctl file ls /apps/c/small"), "small\n");
    said(vm2, "printf new | memberctl file put - /apps/c/new");
    fails(vm3, "memberctl file mv /apps/c/new /apps/c/small", 1, "exists already");
    said(vm3, "memberctl file mv --force /apps/c/new /apps/c/small");
    said(vm3, "memberctl file mv --force /apps/c/small /apps/c/other");
    said(
        vm3,
        "memberctl file mv -f /apps/c/other /apps/c/b && memberctl file mv /apps/c/b/other \
               /apps/c/small",
    );
    assert_eq!(said(vm1, "memberctl file cat /apps/c/small"), "new");
    fails(vm1, "memberctl file rm /apps/c", 1, "rm -r removes all below it");
    said(vm1, "memberctl file rm /apps/c/small && memberctl file rm -r /apps/c");
    assert_eq!(said(vm2, "memberctl file ls /apps"), "");
    fails(vm1, "memberctl file rm /apps", 1, "/apps: is a share: rm -r removes it");
    said(vm1, "memberctl file rm -r /apps");
    fails(vm2, "memberctl file ls /apps", 1, "there is no share /apps: make it with");
}

/// 20 MB, more than any buffer on the way has.
#[test]
fn a_large_file_has_three_equal_copies() {
    let fleet = fleet(5);
    let (path, bytes) = local(&fleet[2], "large", 20_000_000);
    said(&fleet[2], "memberctl file put large /apps/large");
    let stat = object(&fleet[4], "memberctl file stat --json /apps/large");
    assert_eq!(stat["blake3"], blake3::hash(&bytes).to_string().as_str());
    let holders = holders(&fleet[1], "/apps/large");
    assert_eq!((stat["copies"].as_u64(), holders.len()), (Some(3), 3), "{stat}");
    for number in 1..=5 {
        said(&fleet[number], "memberctl file get /apps/large got");
        assert!(fs::read(fleet[number].directory().join("got")).unwrap() == bytes, "{number}");
        let stored = said(&fleet[number], "memberctl file store");
        assert_eq!(stored.contains(" /apps/large"), holders.contains(&number), "{stored}");
    }
    let merged = said(&fleet[3], "memberctl file merge /apps/large");
    let hash = blake3::hash(&bytes);
    assert_eq!(merged, format!("3 copies, 20,000,000 bytes, blake3 {hash}\n"));
    // Appended, it has two extents, so that all of it is read for its hash.
    said(&fleet[5], &format!("memberctl file append {} /apps/large", path.display()));
    let twice = blake3::Hasher::new().update(&bytes).update(&bytes).finalize();
    let stat = object(&fleet[1], "memberctl file stat --json /apps/large");
    assert_eq!(stat["blake3"], twice.to_string().as_str());
    // The bytes lie in a plain file, as OPERATIONS.md says.
    let id = said(&fleet[holders[0]], "memberctl file store | awk '/large/ {print $1}'");
    let id = id.lines().next().unwrap();
    let extents = fleet[holders[0]].settings.state_dir.join("files/extents");
    let extent = fs::read(extents.join(&id[..2]).join(id)).unwrap();
    assert!(extent == bytes);
}

/// Whoever reads meanwhile gets one of the contents, and never a mixture.
#[test]
fn a_put_replaces_a_file_in_one_step() {
    let fleet = fleet(3);
    let contents = ["old", "new"].map(|name| local(&fleet[1], name, 300_000).1);
    said(&fleet[1], "memberctl file put old /apps/x");
    fails(&fleet[1], "memberctl file put --new new /apps/x", 1, "/apps/x: exists already");
    thread::scope(|scope| {
        let writer = scope.spawn(|| {
            for number in 0..10 {
                let name = ["new", "old"][number % 2];
                said(&fleet[1], &format!("memberctl file put {name} /apps/x"));
            }
        });
        let mut reads = 0;
        while !writer.is_finished() || reads < 5 {
            let output = run(&fleet[2], "memberctl file cat /apps/x");
            // A reader of the old extents may be told that they went.
            if output.status.success() {
                assert!(contents.contains(&output.stdout), "{} bytes", output.stdout.len());
                reads += 1;
            }
        }
    });
}

#[test]
fn an_interrupted_put_changes_nothing() {
    let fleet = fleet(3);
    said(&fleet[1], "printf old | memberctl file put - /apps/x");
    let mut command = fleet[1].memberctl(&["file", "put", "-", "/apps/x"]);
    let mut putting = process::Running::start(command.stdin(Stdio::piped()));
    let mut input = putting.child().stdin.take().unwrap();
    std::io::Write::write_all(&mut input, &[b'x'; 500_000]).unwrap();
    putting.signal(nix::sys::signal::Signal::SIGKILL);
    putting.wait(SOON);
    drop(input);
    assert_eq!(said(&fleet[2], "memberctl file cat /apps/x"), "old");
    wait_until("nothing is under way", SOON, || {
        let status = said(&fleet[1], "memberctl file status");
        holds(status.contains(" 0 requests of clients under way"), || status)
    });
}

/// The reader notices nothing. The copy that went is made again.
#[test]
fn a_holder_is_killed_while_its_file_is_read() {
    let mut fleet = fleet(5);
    let (_, bytes) = local(&fleet[1], "large", 20_000_000);
    said(&fleet[1], "memberctl file put large /apps/large");
    let holders = holders(&fleet[1], "/apps/large");
    let reader = (1..=5).find(|number| !holders.contains(number)).unwrap();
    // The pipe is not read meanwhile, so the copy is under way.
    let mut command = fleet[reader].memberctl(&["file", "get", "/apps/large", "-"]);
    let mut getting = process::Running::start(command.stdout(Stdio::piped()));
    let mut output = getting.child().stdout.take().unwrap();
    let mut got = vec![0; 100_000];
    std::io::Read::read_exact(&mut output, &mut got).unwrap();
    for number in &holders[..2] {
        fleet[*number].kill();
    }
    std::io::Read::read_to_end(&mut output, &mut got).unwrap();
    assert!(getting.wait(SOON).success());
    assert!(got == bytes);
    let third = holders[2];
    // Two of five are more than a quarter, so the third copy waits; the second one does not.
    wait_until("there are two copies again", SOON, || {
        let output = run(&fleet[third], "memberctl file check");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let two = said.contains("/apps/large: 2 of 3 copies, on ");
        holds(two && output.status.code() == Some(1), || said)
    });
    fleet.restart(&holders[..2]);
    wait_until_checked(&fleet[holders[0]]);
    let list = said(&fleet[reader], "memberctl file ls -l /apps");
    assert!(list.lines().last().unwrap().starts_with("3/3 "), "{list}");
    said(&fleet[holders[0]], "memberctl file get /apps/large again");
    assert!(fs::read(fleet[holders[0]].directory().join("again")).unwrap() == bytes);
}

/// One of five is less than a quarter. Its copy is made again by itself.
#[test]
fn the_copies_of_a_killed_holder_are_made_again() {
    let mut fleet = fleet(5);
    for number in 1..=5 {
        local(&fleet[1], "x", 100_000 * number);
        said(&fleet[1], &format!("memberctl file put x /apps/{number}"));
    }
    let gone = holders(&fleet[1], "/apps/1")[0];
    fleet[gone].kill();
    let other = 1 + gone % 5;
    wait_until("the loss is known", SOON, || {
        let list = run(&fleet[other], "memberctl list");
        let list = String::from_utf8_lossy(&list.stdout).into_owned();
        holds(!list.contains(&format!("vm{gone} ")), || list)
    });
    wait_until_checked(&fleet[other]);
    for number in 1..=5 {
        let path = format!("/apps/{number}");
        let holders = holders(&fleet[other], &path);
        assert!(holders.len() == 3 && !holders.contains(&gone), "{path}: {holders:?}");
    }
}

/// The third is no majority: it reads, and says so, and changes nothing.
#[test]
fn a_minority_reads_and_changes_nothing() {
    let mut fleet = fleet(3);
    local(&fleet[1], "x", 100_000);
    said(&fleet[1], "memberctl file put x /apps/x && printf y | memberctl file put - /apps/y");
    fleet.crash(&[2, 3]);
    let stale = wait_until("what is read is said to be old", SOON, || {
        let output = run(&fleet[1], "memberctl file cat /apps/y");
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        match output.status.success() && error.contains("this may be old") {
            true => Ok(output.stdout),
            false => Err(error),
        }
    });
    assert_eq!(stale, b"y");
    let output = run(&fleet[1], "memberctl file get /apps/x got && cmp x got");
    assert!(output.status.success(), "{output:?}");
    let output = run(&fleet[1], "memberctl file put x /apps/z");
    assert!(matches!(output.status.code(), Some(1 | 124)), "{output:?}");
    let output = run(&fleet[1], "memberctl file mkdir /other");
    assert!(matches!(output.status.code(), Some(1 | 124)), "{output:?}");
    let output = run(&fleet[1], "memberctl file check");
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(told.contains("/apps/x: 1 of 3 copies, on vm1"), "{told}");
    fleet.restart(&[2, 3]);
    fleet.wait_until_agreed();
    wait_until("files can be written again", SOON, || {
        let output = run(&fleet[1], "memberctl file put x /apps/z");
        holds(output.status.success(), || format!("{output:?}"))
    });
    wait_until_checked(&fleet[2]);
    assert_eq!(said(&fleet[3], "memberctl file ls /apps"), "x\ny\nz\n");
}

#[test]
fn each_failure_says_what_to_do() {
    let fleet = fleet(3);
    let vm1 = &fleet[1];
    for (line, status, words) in [
        ("memberctl file ls /other", 1, "there is no share /other: make it with `memberctl file"),
        ("printf x | memberctl file put - /other/x", 1, "there is no share /other"),
        ("printf x | memberctl file put - /apps/a/x", 1, "/apps/a/x: the directory above it does"),
        ("printf x | memberctl file put - /apps", 1, "/apps: is a share: add the name of a file"),
        ("memberctl file cat /apps/x", 1, "/apps/x: no such file or directory"),
        ("memberctl file cat /apps", 1, "is a directory"),
        ("printf x | memberctl file append - /apps/x", 1, "/apps/x: no such file or directory"),
        ("memberctl file rm /apps/x", 1, "/apps/x: no such file or directory"),
        ("memberctl file mv /apps/x /other/x", 1, "/other/x is in another share: copy it"),
        ("memberctl file mv /apps /b", 1, "/apps: a share keeps its name"),
        ("memberctl file mkdir '/a b'", 2, "the name of a share has 1 to 64 letters, digits"),
        ("memberctl file check other", 1, "there is no share /other"),
        ("memberctl file stat /apps/x", 1, "/apps/x: no such file or directory"),
    ] {
        fails(vm1, line, status, words);
    }
    // The token of a writer that was replaced.
    said(vm1, "printf x | memberctl file put --token 7 - /apps/x");
    assert_eq!(said(vm1, "memberctl file token /apps/x --raise 9"), "9\n");
    fails(vm1, "printf y | memberctl file append --token 8 - /apps/x", 1, "the least token is 9");
    said(vm1, "printf y | memberctl file append --token 9 - /apps/x");
    assert_eq!(said(vm1, "memberctl file cat /apps/x"), "xy");
    let status = object(vm1, "memberctl file status --json");
    assert_eq!(status["shares"][0]["name"], "apps", "{status}");
    assert_eq!(status["shares"][0]["keepers"].as_array().unwrap().len(), 3, "{status}");
}

#[test]
fn without_files_they_are_refused_with_what_to_set() {
    let fleet = Fleet::agree(1);
    for line in ["memberctl file ls", "printf x | memberctl file put - /apps/x"] {
        fails(&fleet[1], line, 1, "set [files] enabled = true on all machines");
    }
}
