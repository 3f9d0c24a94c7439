//! Real clients of WebHDFS do the same on a server in memory and on a local disk, and find the
//! same. Their packages are pinned, and installed once in the user's cache.
#![allow(
    clippy::cast_possible_truncation,
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a failed step of a test is a failed test, and its numbers are small"
)]

#[path = "../webhdfs/memory.rs"]
mod memory;
mod run;

use memberd_webhdfs::{May, Server, Settings};
use memory::Memory;
use run::Client;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

const SCRIPTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients");

#[test]
fn fsspec_finds_the_same() {
    small("fsspec");
}

#[test]
fn hdfs_of_pypi_finds_the_same() {
    small("hdfs");
}

#[test]
fn opendal_finds_the_same() {
    small("opendal");
}

#[test]
fn curl_reads_what_it_wrote() {
    run(&Client::small(Path::new(SCRIPTS), "curl.py", &[]));
}

/// Spark 3.5 has the client of Hadoop 3.3, and asks with older operations.
#[test]
fn spark_and_shell_of_hadoop_3_3_find_the_same() {
    spark("spark-3.5");
}

/// Spark 4.1 has the client of Hadoop 3.4.
#[test]
fn spark_and_shell_of_hadoop_3_4_find_the_same() {
    spark("spark-4.1");
}

/// Spark 4.3 has the client of Hadoop 3.5, which can read no JSON that has a `Content-Type`.
#[test]
fn spark_and_shell_of_hadoop_3_5_find_the_same() {
    spark("spark-4.3");
}

fn small(client: &str) {
    run(&Client::small(Path::new(SCRIPTS), "small.py", &[client]));
}

fn spark(packages: &str) {
    run(&Client::spark(Path::new(SCRIPTS), packages));
}

fn run(client: &Client) {
    match client.prepare() {
        Ok(packages) => {
            let runtime = Runtime::new().expect("a runtime");
            let host = runtime.block_on(serve());
            client.run(&packages, &host, |_| {});
        }
        Err(why) => left_out(&why),
    }
}

/// Serves the share `s` from memory, and says where.
async fn serve() -> String {
    let settings = Settings { may: May::Write, ..Settings::default() };
    let server = Server::new(Arc::new(Memory::new(&["s"])), settings);
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(server.serve(listener));
    address.to_string()
}

/// Reports that something is not tested, and why. With `CI=true` in the environment it is a
/// failure.
fn left_out(why: &str) {
    assert!(!std::env::var("CI").is_ok_and(|value| value == "true"), "{why}");
    // The test harness swallows eprintln. Nothing can be done if standard error cannot be written.
    let _ = std::io::stderr().write_all(format!("\nNOT TESTED: {why}\n\n").as_bytes());
}
