//! Files of durable jobs: what is said of them without a daemon, and where jobs are switched off.

use memberd_tests::Fleet;
use std::fs;
use std::path::Path;
use std::process::Output;

/// The file that the package ships.
const EXAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../packaging/examples/stream.toml");

/// The status, and both outputs.
fn ended(output: &Output) -> (Option<i32>, String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn a_job_is_checked_without_a_daemon() {
    let fleet = Fleet::new(1);
    let vm1 = &fleet[1];
    let (status, said, complaints) = ended(&vm1.ctl(&["stream", "check", EXAMPLE]));
    assert_eq!((status, complaints.as_str()), (Some(0), ""));
    let words = "is good: every 10 s, rows go to /streams/shop-errors.tsv\n";
    assert!(said.starts_with("the job shop-errors in /") && said.ends_with(words), "{said}");

    let wrong = vm1.directory().join("wrong.toml");
    let example = fs::read_to_string(Path::new(EXAMPLE)).unwrap();
    fs::write(&wrong, example.replace(" every 10s'''", " | top 3 by count'''")).unwrap();
    let wrong = wrong.to_str().unwrap();
    for verb in ["check", "start"] {
        let (status, said, complaints) = ended(&vm1.ctl(&["stream", verb, wrong]));
        assert_eq!((status, said.as_str()), (Some(1), ""), "{verb}: {complaints}");
        let words = "query: a durable job has windows; add `every 10s` to the aggregate\n";
        assert!(complaints.contains(words), "{verb}: {complaints}");
    }
}

#[test]
fn where_jobs_are_off_start_says_how_to_have_them() {
    let fleet = Fleet::start(1);
    let off = "memberctl: durable jobs are switched off here: set streams.jobs = true on all \
               machines\n";
    for line in [
        &["start", EXAMPLE][..],
        &["list"],
        &["status", "shop-errors"],
        &["watch", "shop-errors"],
        &["cancel", "shop-errors"],
        &["forget", "vm2"],
    ] {
        let output = ended(&fleet[1].ctl(&[&["stream"], line].concat()));
        assert_eq!(output, (Some(1), String::new(), off.to_owned()), "{line:?}");
    }
}
