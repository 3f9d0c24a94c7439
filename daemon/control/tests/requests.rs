//! The bytes of every request. Clients and daemons of other versions rely on them: a row may be
//! added, and none may change.

use memberd_control::files::FilesRequest;
use memberd_control::frame::{HEADER_BYTES, decode, encode};
use memberd_control::grep::GrepJournal;
use memberd_control::message::{
    ChangeKinds, ClaimRequest, EventsFrom, Follow, Forget, LeaderRequest, RecoverRequest, Request,
    ViewRequest,
};

fn follow(from: EventsFrom, kinds: ChangeKinds, until: Option<u64>) -> Request {
    Request::Follow(Follow { from, kinds, until })
}

#[test]
fn requests_have_the_bytes_that_other_versions_know() {
    use ChangeKinds::{All, Liveness};
    use EventsFrom::{Last, Since};
    let join = Request::Join { introducers: vec!["vm1:8946".to_owned()] };
    let (asked, set) =
        (Request::Log { filter: None }, Request::Log { filter: Some("info".to_owned()) });
    for (request, bytes) in [
        (join, &b"\xa1\x64Join\xa1\x6bintroducers\x81\x68vm1:8946"[..]),
        (Request::Leave, b"\x65Leave"),
        (Request::List { all: true }, b"\xa1\x64List\xa1\x63all\xf5"),
        (Request::Status, b"\x66Status"),
        (Request::Events, b"\x66Events"),
        (asked, b"\xa1\x63Log\xa1\x66filter\xf6"),
        (set, b"\xa1\x63Log\xa1\x66filter\x64info"),
        (follow(Last(10), Liveness, None), b"\xa1\x6aEventsFrom\xa1\x64Last\x0a"),
        (Request::Metrics, b"\x67Metrics"),
        (Request::Ring, b"\x64Ring"),
        (
            Request::Files(FilesRequest { globs: vec!["x".to_owned()], ..Default::default() }),
            b"\xa1\x65Files\xa2\x67members\xa3\x62on\x80\x66not_on\x80\x64tags\x80\
            \x65globs\x81\x61x",
        ),
        (follow(Since(7), All, None), b"\xa1\x67Changes\xa1\x65Since\x07"),
        (
            follow(Since(7), All, Some(9)),
            b"\xa1\x6cChangesUntil\xa2\x64from\xa1\x65Since\x07\x65until\x09",
        ),
        (
            follow(Last(1), Liveness, Some(9)),
            b"\xa1\x66Follow\xa3\x64from\xa1\x64Last\x01\x65kinds\x68Liveness\x65until\x09",
        ),
        (
            follow(Since(7), ChangeKinds::WithForgotten, None),
            b"\xa1\x66Follow\xa3\x64from\xa1\x65Since\x07\x65kinds\x6dWithForgotten\x65until\xf6",
        ),
        (
            Request::Forget(Forget::Named(vec!["vm4".to_owned()])),
            b"\xa1\x66Forget\xa1\x65Named\x81\x63vm4",
        ),
        (Request::Forget(Forget::Failed), b"\xa1\x66Forget\x66Failed"),
        (Request::Forget(Forget::Left), b"\xa1\x66Forget\x64Left"),
    ] {
        assert_bytes(&request, bytes);
    }
}

#[test]
fn requests_about_views_have_the_bytes_that_other_versions_know() {
    for (request, bytes) in [
        (
            Request::View(ViewRequest { local: true, wait: Some(7), history: false }),
            &b"\xa1\x64View\xa3\x65local\xf5\x64wait\x07\x67history\xf4"[..],
        ),
        (
            Request::Recover(RecoverRequest { lost: vec!["vm4".to_owned()], plan_only: true }),
            b"\xa1\x67Recover\xa2\x64lost\x81\x63vm4\x69plan_only\xf5",
        ),
        (Request::Leader(LeaderRequest::Show), b"\xa1\x66Leader\x64Show"),
        (
            Request::Leader(LeaderRequest::Check { for_ms: 7 }),
            b"\xa1\x66Leader\xa1\x65Check\xa1\x66for_ms\x07",
        ),
        (Request::Leader(LeaderRequest::Wait), b"\xa1\x66Leader\x64Wait"),
        (Request::Leader(LeaderRequest::Hold), b"\xa1\x66Leader\x64Hold"),
        (
            Request::Leader(LeaderRequest::Release { hold: 7 }),
            b"\xa1\x66Leader\xa1\x67Release\xa1\x64hold\x07",
        ),
        (
            Request::Leader(LeaderRequest::HandOver { to: Some("vm4".to_owned()) }),
            b"\xa1\x66Leader\xa1\x68HandOver\xa1\x62to\x63vm4",
        ),
        (
            Request::Claim(ClaimRequest { key: "k".to_owned(), retry: true }),
            b"\xa1\x65Claim\xa2\x63key\x61k\x65retry\xf5",
        ),
    ] {
        assert_bytes(&request, bytes);
    }
}

fn assert_bytes(request: &Request, bytes: &[u8]) {
    let encoded = encode(request).ok();
    assert_eq!(encoded.as_ref().map(|frame| &frame[HEADER_BYTES..]), Some(bytes), "{request:?}");
    assert_eq!(decode::<Request>(bytes).ok().as_ref(), Some(request));
}

/// A grep without options, whose pattern is `x`. Fields may be added at the end of a record.
#[test]
fn a_grep_begins_with_the_bytes_that_other_versions_know() {
    let mut grep = Box::<memberd_control::grep::GrepRequest>::default();
    grep.pattern.patterns.push(b"x".to_vec());
    let frame = encode(&Request::Grep(grep)).unwrap();
    let known = b"\xa1\x64Grep\xa4\x67members\xa3\x62on\x80\x66not_on\x80\x64tags\x80\
        \x67pattern\xa8\x68patterns\x42x\n\x66syntax\x65Basic\x6acharacters\x64Utf8";
    assert!(frame[HEADER_BYTES..].starts_with(known), "{:?}", frame.escape_ascii().to_string());
}

/// A daemon that does not know the option does not know the request either, and refuses it.
#[test]
fn a_grep_that_older_daemons_would_widen_is_another_request() {
    let mut grep = Box::<memberd_control::grep::GrepRequest>::default();
    let journal = GrepJournal { boot: Some("0".to_owned()), ..GrepJournal::default() };
    grep.files.journal = Some(journal);
    let request = Request::Grep(grep);
    let frame = encode(&request).unwrap();
    assert!(frame[HEADER_BYTES..].starts_with(b"\xa1\x6cNarrowedGrep\xa4\x67members"));
    assert_eq!(decode::<Request>(&frame[HEADER_BYTES..]).unwrap(), request);
}

#[test]
fn an_older_daemon_can_be_asked_for_changes_of_standing() {
    let follow = |kinds, until| Follow { from: EventsFrom::Last(1), kinds, until };
    let older = follow(ChangeKinds::Liveness, None);
    assert_eq!(follow(ChangeKinds::All, None).for_older_daemon(), Some(older));
    assert_eq!(older.for_older_daemon(), None);
    assert_eq!(follow(ChangeKinds::All, Some(1)).for_older_daemon(), None);
    let newest = follow(ChangeKinds::WithForgotten, Some(1)).for_older_daemon();
    assert_eq!(newest, Some(follow(ChangeKinds::All, Some(1))));
}
