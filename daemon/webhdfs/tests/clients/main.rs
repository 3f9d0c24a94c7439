//! Real clients of WebHDFS do the same on a server in memory and on a local disk, and find the
//! same. Their packages are pinned, and installed once in the user's cache.
#![allow(
    clippy::cast_possible_truncation,
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a failed step of a test is a failed test, and its numbers are small"
)]

mod install;
#[path = "../webhdfs/memory.rs"]
mod memory;
mod run;

use run::Client;

const SMALL: &[&str] = &["fsspec==2026.9.0", "hdfs==2.7.3", "opendal==0.47.12", "requests==2.34.2"];

#[test]
fn fsspec_finds_the_same() {
    Client { packages: SMALL, java: false, script: "small.py", arguments: &["fsspec"] }.run();
}

#[test]
fn hdfs_of_pypi_finds_the_same() {
    Client { packages: SMALL, java: false, script: "small.py", arguments: &["hdfs"] }.run();
}

#[test]
fn opendal_finds_the_same() {
    Client { packages: SMALL, java: false, script: "small.py", arguments: &["opendal"] }.run();
}

/// Spark 3.5 has the client of Hadoop 3.3, and asks with older operations.
#[test]
fn spark_and_shell_of_hadoop_3_3_find_the_same() {
    spark(&["pyspark==3.5.9"]);
}

/// Spark 4.1 has the client of Hadoop 3.4.
#[test]
fn spark_and_shell_of_hadoop_3_4_find_the_same() {
    spark(&["pyspark==4.1.4"]);
}

/// Spark 4.3 has the client of Hadoop 3.5, which can read no JSON that has a `Content-Type`.
#[test]
fn spark_and_shell_of_hadoop_3_5_find_the_same() {
    spark(&["pyspark==4.3.0"]);
}

fn spark(packages: &[&str]) {
    Client { packages, java: true, script: "spark.py", arguments: &[] }.run();
}
