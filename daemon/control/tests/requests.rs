//! The bytes of every request. Clients and daemons of other versions rely on them: a row may be
//! added, and none may change.

use memberd_control::files::FilesRequest;
use memberd_control::frame::{HEADER_BYTES, decode, encode};
use memberd_control::grep::GrepJournal;
use memberd_control::message::{
    ChangeKinds, ClaimRequest, EventsFrom, FileAppend, FileList, FilePut, FileRead, FileRequest,
    FileStatRequest, FileUpload, Follow, Forget, LeaderRequest, RecoverRequest, Request,
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
            follow(Since(7), ChangeKinds::WithViews, None),
            b"\xa1\x66Follow\xa3\x64from\xa1\x65Since\x07\x65kinds\x69WithViews\x65until\xf6",
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

#[test]
fn requests_about_files_have_the_bytes_that_other_versions_know() {
    let text = str::to_owned;
    let put = FilePut { path: text("/s/x"), copies: Some(2), mode: 7, ..FilePut::default() };
    let append = FileAppend { path: text("/s/x"), length: Some(7), token: 9 };
    for (request, bytes) in [
        (
            FileRequest::Put(put),
            &b"\xa1\x63Put\xa6\x64path\x64/s/x\x68only_new\xf4\x67parents\xf4\x66copies\x02\
            \x64mode\x07\x65token\x00"[..],
        ),
        (
            FileRequest::Append(append),
            b"\xa1\x66Append\xa3\x64path\x64/s/x\x66length\x07\x65token\x09",
        ),
        (
            FileRequest::Read(FileRead { path: text("/s"), offset: 7, limit: None }),
            b"\xa1\x64Read\xa3\x64path\x62/s\x66offset\x07\x65limit\xf6",
        ),
        (
            FileRequest::List(FileList { path: text("/"), copies: true }),
            b"\xa1\x64List\xa2\x64path\x61/\x66copies\xf5",
        ),
        (
            FileRequest::Stat(FileStatRequest { path: text("/"), hash: true }),
            b"\xa1\x64Stat\xa2\x64path\x61/\x64hash\xf5",
        ),
        (
            FileRequest::Remove { path: text("/s"), recursive: true },
            b"\xa1\x66Remove\xa2\x64path\x62/s\x69recursive\xf5",
        ),
        (
            FileRequest::Rename { from: text("/a"), to: text("/b"), replace: true },
            b"\xa1\x66Rename\xa3\x64from\x62/a\x62to\x62/b\x67replace\xf5",
        ),
        (
            FileRequest::MakeDirectory { path: text("/s") },
            b"\xa1\x6dMakeDirectory\xa1\x64path\x62/s",
        ),
        (FileRequest::Stored, b"\x66Stored"),
        (FileRequest::Merge { path: text("/s") }, b"\xa1\x65Merge\xa1\x64path\x62/s"),
        (FileRequest::Check { share: None }, b"\xa1\x65Check\xa1\x65share\xf6"),
        (FileRequest::Status, b"\x66Status"),
        (
            FileRequest::Token { path: text("/s"), raise_to: Some(7) },
            b"\xa1\x65Token\xa2\x64path\x62/s\x68raise_to\x07",
        ),
    ] {
        assert_bytes(&Request::File(request), &[b"\xa1\x64File", bytes].concat());
    }
    for (upload, bytes) in [
        (FileUpload::Bytes(b"xyz".to_vec()), &b"\xa1\x65Bytes\x43xyz"[..]),
        (FileUpload::End, b"\x63End"),
    ] {
        assert_eq!(encode(&upload).unwrap()[HEADER_BYTES..], *bytes, "{upload:?}");
        assert_eq!(decode::<FileUpload>(bytes).unwrap(), upload);
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
    let newer = follow(ChangeKinds::WithForgotten, Some(1));
    assert_eq!(newer.for_older_daemon(), Some(follow(ChangeKinds::All, Some(1))));
    let newest = follow(ChangeKinds::WithViews, Some(1));
    assert_eq!(newest.for_older_daemon(), Some(newer));
}
