//! Tests of what a job may be. They own no state.

use super::*;

fn spec(change: impl FnOnce(&mut StreamSpec)) -> StreamSpec {
    let mut spec = StreamSpec {
        name: "errors".to_owned(),
        query: "| nginx | count every 10s".to_owned(),
        files: vec!["/var/log/*.log".to_owned()],
        tags: vec![("role".to_owned(), String::new())],
        lateness_ms: 10_000,
        retain_ms: 3_600_000,
        commit_ms: 1_000,
        sink: "/streams/errors.tsv".to_owned(),
        copies: 5,
        ..StreamSpec::default()
    };
    change(&mut spec);
    spec
}

#[test]
fn a_job_within_its_bounds_is_taken() {
    assert_eq!(spec(|_| ()).check(), Ok(()));
    assert_eq!(spec(|it| it.partitions = Some(64)).check(), Ok(()));
    assert_eq!(spec(|it| it.groups = Some(1)).check(), Ok(()));
    assert_eq!(spec(|it| it.memory = Some(64 << 20)).check(), Ok(()));
}

#[test]
fn a_job_outside_of_a_bound_is_refused_in_words() {
    use StreamSpecError as Error;
    let long = || "x".repeat(MAX_STREAM_TEXT + 1);
    let text = |text: &str| Error::Text(text.to_owned());
    for (wrong, error) in [
        (spec(|it| it.name = String::new()), Error::Name),
        (spec(|it| it.name = ".jobs".to_owned()), Error::Name),
        (spec(|it| it.name = "a/b".to_owned()), Error::Name),
        (spec(|it| it.name = "x".repeat(65)), Error::Name),
        (spec(|it| it.query = "x".repeat(MAX_QUERY_BYTES + 1)), Error::Query),
        (spec(|it| it.files.clear()), Error::Files),
        (spec(|it| it.files = vec!["/x".to_owned(); 65]), Error::Files),
        (spec(|it| it.tags = vec![("a".to_owned(), String::new()); 17]), Error::Tags),
        (spec(|it| it.files = vec![String::new()]), text("")),
        (spec(|it| it.tags = vec![(String::new(), "web".to_owned())]), text("")),
        (spec(|it| it.tags = vec![("role".to_owned(), long())]), text(&"x".repeat(40))),
        (spec(|it| it.sink = long()), text(&"x".repeat(40))),
        (spec(|it| it.lateness_ms = u64::MAX), Error::Lateness),
        (spec(|it| it.retain_ms = u64::MAX), Error::Retain),
        (spec(|it| it.commit_ms = 99), Error::Commit),
        (spec(|it| it.copies = 0), Error::Copies),
        (spec(|it| it.copies = 6), Error::Copies),
        (spec(|it| it.partitions = Some(0)), Error::Partitions),
        (spec(|it| it.partitions = Some(65)), Error::Partitions),
    ] {
        assert_eq!(wrong.check(), Err(error), "{wrong:?}");
    }
}
