//! WebHDFS of real daemons: what the settings allow, and what a reload changes. Real clients are in
//! `tests/clients`.

use memberd_tests::wait::{SOON, holds};
use memberd_tests::{Daemon, Fleet, process, wait_until};
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

/// How long a command of memberctl may take.
const LIMIT: Duration = Duration::from_secs(60);

/// A port of the daemon's own address of loopback, which nobody else has.
fn own(daemon: &Daemon, port: u16) -> SocketAddr {
    SocketAddr::new(daemon.settings.address.ip(), port)
}

/// The status and the rest of an answer; nothing if nobody listens.
fn answer(at: SocketAddr, method: &str, target: &str) -> Option<(u16, String)> {
    let mut stream = TcpStream::connect(at).ok()?;
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    let head = format!(
        "{method} /webhdfs/v1{target} HTTP/1.1\r\nHost: localhost:{}\r\n\
         Connection: close\r\nContent-Length: 0\r\n\r\n",
        at.port()
    );
    stream.write_all(head.as_bytes()).unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let status = text.split(' ').nth(1).and_then(|status| status.parse().ok());
    Some((status.unwrap_or_else(|| panic!("no status: {text}")), text))
}

#[track_caller]
fn assert_says(at: SocketAddr, method: &str, target: &str, status: u16, words: &str) {
    let (said, text) = answer(at, method, target).expect("somebody listens");
    assert!(said == status && text.contains(words), "{method} {target}: {text}");
}

fn run(daemon: &Daemon, line: &str) {
    let output = process::run(&mut daemon.shell(&format!("exec 2>&1; {line}")), LIMIT);
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{line}: {said}");
}

fn serve(daemon: &mut Daemon, lines: &[String]) {
    daemon.settings.file_store = vec!["enabled = true".to_owned()];
    daemon.settings.file_store.extend_from_slice(lines);
}

/// Nothing is served unless it is set. What clients may do is what the settings say, and a reload
/// changes it.
#[test]
fn clients_of_webhdfs_may_do_what_is_set() {
    let mut fleet = Fleet::store_files(3, &[], |_| ());
    let (first, other) = (own(&fleet[2], 9870), own(&fleet[2], 9871));
    for line in ["mkdir /a", "mkdir /b", "put - /a/f"] {
        run(&fleet[1], &format!("echo text | memberctl file {line}"));
    }
    assert_eq!(answer(first, "GET", "/?op=LISTSTATUS"), None);

    let at = |place: SocketAddr| format!("webhdfs = '{place}'");
    serve(&mut fleet[2], &[at(first), "webhdfs_shares = ['a']".to_owned()]);
    fleet[2].write_settings();
    fleet[2].reload();
    assert_says(first, "GET", "/?op=LISTSTATUS", 200, "\"pathSuffix\":\"a\"");
    assert!(!answer(first, "GET", "/?op=LISTSTATUS").unwrap().1.contains("\"pathSuffix\":\"b\""));
    assert_says(first, "GET", "/a/f?op=GETFILESTATUS", 200, "\"length\":5");
    assert_says(first, "GET", "/a/f?op=OPEN&step=data", 200, "\r\n\r\ntext\n");
    let blocks = answer(first, "GET", "/a/f?op=GETFILEBLOCKLOCATIONS").unwrap().1;
    for (name, member) in ["vm1", "vm2", "vm3"].iter().zip(fleet.daemons()) {
        let place = format!("\"{}:9866\"", member.settings.address.ip());
        assert!(blocks.contains(&format!("\"{name}\"")) && blocks.contains(&place), "{blocks}");
    }
    assert_says(first, "GET", "/b?op=GETFILESTATUS", 404, "FileNotFoundException");
    assert_says(first, "PUT", "/a/d?op=MKDIRS", 403, "AccessControlException");

    serve(&mut fleet[2], &[at(other), "webhdfs_may = 'write'".to_owned()]);
    fleet[2].write_settings();
    fleet[2].reload();
    wait_until("the old port is closed", SOON, || {
        holds(answer(first, "GET", "/?op=LISTSTATUS").is_none(), || "it answers".to_owned())
    });
    assert_says(other, "PUT", "/a/d?op=MKDIRS", 200, "true");
    assert_says(other, "PUT", "/c/d?op=MKDIRS", 403, "make it with `memberctl file mkdir /c`");
    assert_says(other, "DELETE", "/a?op=DELETE&recursive=true", 403, "is a share");
    assert_says(other, "GET", "/b?op=GETFILESTATUS", 200, "DIRECTORY");

    serve(&mut fleet[2], &[]);
    fleet[2].write_settings();
    fleet[2].reload();
    wait_until("nothing is served", SOON, || {
        holds(answer(other, "GET", "/?op=LISTSTATUS").is_none(), || "it answers".to_owned())
    });
    run(&fleet[3], "memberctl file ls /a/d");
}

/// Two members of three are lost: the third is no majority. It shows what it has, and changes
/// nothing.
#[test]
fn webhdfs_reads_where_there_is_no_majority() {
    let mut fleet = Fleet::store_files(3, &[], |daemon| {
        if daemon.name() == "vm3" {
            let place = format!("webhdfs = '{}'", own(daemon, 9870));
            daemon.settings.file_store.extend([place, "webhdfs_may = 'write'".to_owned()]);
        }
    });
    let at = own(&fleet[3], 9870);
    run(&fleet[3], "memberctl file mkdir /s; echo text | memberctl file put - /s/f");
    // A keeper learns with the next entry that all have the one before, and vm3 shows nothing that
    // is older than what it has said. With two left, no entry is made without vm3.
    fleet.crash(&[1]);
    run(&fleet[2], "memberctl file mkdir /s/later");
    fleet.crash(&[2]);
    assert_says(at, "GET", "/s/f?op=GETFILESTATUS", 200, "\"length\":5");
    assert_says(at, "GET", "/s/f?op=OPEN&step=data", 200, "\r\n\r\ntext\n");
    assert_says(at, "PUT", "/s/d?op=MKDIRS", 403, "RetriableException");
}

/// A port that is taken stops no daemon that runs, and keeps its old port.
#[test]
fn a_taken_port_of_webhdfs_is_told() {
    let mut fleet = Fleet::store_files(1, &[], |daemon| {
        daemon.settings.file_store.push(format!("webhdfs = '{}'", own(daemon, 9870)));
    });
    let at = own(&fleet[1], 9870);
    let taken = TcpListener::bind(own(&fleet[1], 9871)).unwrap();
    assert_says(at, "GET", "/?op=LISTSTATUS", 200, "FileStatuses");
    let other = format!("webhdfs = '{}'", taken.local_addr().unwrap());
    serve(&mut fleet[1], &[other]);
    fleet[1].write_settings();
    fleet[1].signal(nix::sys::signal::Signal::SIGHUP);
    fleet[1].wait_until_logged("cannot serve WebHDFS at ");
    assert_says(at, "GET", "/?op=LISTSTATUS", 200, "FileStatuses");
}
