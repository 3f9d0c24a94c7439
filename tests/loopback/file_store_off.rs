//! What a member has of replicated files while they are switched off: nothing.

use memberd_tests::wait::SOON;
use memberd_tests::{Daemon, Fleet};
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

/// How long a connection that is taken is watched. It says nothing.
const SILENCE: Duration = Duration::from_secs(2);

fn threads(daemon: &Daemon) -> Vec<String> {
    let threads = fs::read_dir(format!("/proc/{}/task", daemon.pid())).unwrap().flatten();
    let names = threads.filter_map(|thread| fs::read_to_string(thread.path().join("comm")).ok());
    names.map(|name| name.trim_end().to_owned()).collect()
}

/// What the daemon answers in this time to a request of this kind, whose body is the byte 1.
/// Nothing while it keeps the connection.
fn answer(daemon: &Daemon, kind: u8, limit: Duration) -> Option<Vec<u8>> {
    let mut stream = TcpStream::connect(daemon.settings.address).unwrap();
    stream.set_read_timeout(Some(limit)).unwrap();
    stream.write_all(&[0, 0, 0, 3, 2, kind, 1]).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).is_ok().then_some(answer)
}

#[test]
fn with_files_off_nothing_of_them_runs() {
    let fleet = Fleet::agree(1);
    let vm1 = &fleet[1];
    let of_files: Vec<_> =
        threads(vm1).into_iter().filter(|name| name.starts_with("files")).collect();
    assert!(of_files.is_empty(), "{of_files:?}");
    assert!(!vm1.settings.state_dir.join("files").exists());
    let page = String::from_utf8(vm1.ctl(&["metrics"]).stdout).unwrap();
    assert!(page.contains("memberd_view_number") && !page.contains("memberd_files_"), "{page}");
    // As a member that does not know of them.
    let refused = answer(vm1, 250, SOON).expect("an answer");
    assert_eq!((answer(vm1, 10, SOON), refused.is_empty()), (Some(refused), false));
}

#[test]
fn with_files_on_they_have_threads_metrics_and_a_kind() {
    let fleet = Fleet::store_files(1, &[], |_| {});
    let vm1 = &fleet[1];
    let names = threads(vm1);
    for name in ["files", "files-disk"] {
        assert!(names.iter().any(|found| found == name), "{name} of {names:?}");
    }
    assert!(vm1.settings.state_dir.join("files").is_dir());
    let page = String::from_utf8(vm1.ctl(&["metrics"]).stdout).unwrap();
    assert!(page.contains("\nmemberd_files_failed 0\n"), "{page}");
    assert_eq!(answer(vm1, 10, SILENCE), None, "it waits for messages");
}
