//! Real clients of WebHDFS on fleets of real daemons. Each runs against one member of three, while
//! another is killed, and finds what it finds on a local disk.
//!
//! Packages are pinned, and installed once in the user's cache: half a gibibyte. Clients of Java
//! need `default-jre-headless` of Debian.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a failed step of a test is a failed test"
)]

mod documents;
#[path = "../../daemon/webhdfs/tests/clients/run.rs"]
mod run;

use memberd_tests::{Daemon, Fleet, left_out, process};
use run::Client;
use std::net::TcpListener;
use std::path::Path;
use std::time::Duration;

/// The scripts of the clients.
const SCRIPTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../daemon/webhdfs/tests/clients");

/// How long a small client goes on: a crash is known to all, and a view without the crashed member
/// is there, before it ends.
const SECONDS: u32 = 15;

/// How long a command of memberctl may take.
const LIMIT: Duration = Duration::from_secs(60);

#[test]
fn fsspec_notices_no_crash() {
    small("small.py", &["fsspec"], 2);
}

#[test]
fn hdfs_of_pypi_notices_no_crash() {
    small("small.py", &["hdfs"], 3);
}

#[test]
fn opendal_notices_no_crash() {
    small("small.py", &["opendal"], 2);
}

#[test]
fn curl_notices_no_crash() {
    small("curl.py", &[], 3);
}

/// Batch, streaming and the shell, with the client of Hadoop 3.3.
#[test]
fn spark_3_5_notices_no_crash() {
    survives(&Client::spark(Path::new(SCRIPTS), "spark-3.5"), 2);
}

/// The same with the client of Hadoop 3.5.
#[test]
fn spark_4_3_notices_no_crash() {
    survives(&Client::spark(Path::new(SCRIPTS), "spark-4.3"), 3);
}

fn small(script: &str, arguments: &[&str], victim: usize) {
    let client = Client::small(Path::new(SCRIPTS), script, arguments);
    survives(&Client { seconds: SECONDS, ..client }, victim);
}

/// Runs a client to its end on a share that it may change. Once it has begun, a member is killed
/// that keeps the share and what is in it. The client talks to another.
fn survives(client: &Client, victim: usize) {
    let packages = match client.prepare() {
        Ok(packages) => packages,
        Err(why) => return left_out(&why),
    };
    let (mut fleet, host) = fleet_with_webhdfs(3);
    make_share(&fleet[1], "/s");
    let mut killed = false;
    client.run(&packages, &host, |line| {
        if !killed && !line.contains("ALL EQUAL") {
            fleet.crash(&[victim]);
            killed = true;
        }
    });
    assert!(killed, "nothing was said before the end, so nobody was killed");
}

/// A fleet that keeps files, and where its first member serves WebHDFS.
pub(crate) fn fleet_with_webhdfs(members: u8) -> (Fleet, String) {
    let port = free_port();
    let host = format!("127.0.0.1:{port}");
    let fleet = Fleet::store_files(members, &[], |daemon| {
        if daemon.name() == "vm1" {
            let lines = [format!("webhdfs = '{host}'"), "webhdfs_may = 'write'".to_owned()];
            daemon.settings.file_store.extend(lines);
        }
    });
    (fleet, host)
}

/// Makes a share by memberctl.
pub(crate) fn make_share(daemon: &Daemon, share: &str) {
    let made =
        process::run(&mut daemon.shell(&format!("exec 2>&1; memberctl file mkdir {share}")), LIMIT);
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stdout));
}

/// A port of loopback on which nothing listens.
fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}
