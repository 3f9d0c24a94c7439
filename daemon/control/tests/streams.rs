//! The bytes of requests about durable jobs, on which clients and daemons of other versions rely,
//! and the bounds of the answers.

use memberd_control::frame::{HEADER_BYTES, decode, encode};
use memberd_control::message::{Reply, Request};
use memberd_control::streams::{
    MAX_STREAM_GLOBS, MAX_STREAM_PARTITIONS, MAX_STREAM_SOURCES, MAX_STREAM_TAGS, MAX_STREAM_TEXT,
    MAX_STREAMS, StreamFrom, StreamPartition, StreamReply, StreamRequest, StreamSource, StreamSpec,
    StreamState, StreamStatus, StreamSummary,
};

fn text(text: &str) -> String {
    text.to_owned()
}

fn spec() -> StreamSpec {
    StreamSpec {
        name: text("e"),
        query: text("| count every 1s"),
        files: vec![text("/x")],
        from: StreamFrom::At(-7),
        tags: vec![(text("k"), text("v"))],
        lateness_ms: 1,
        retain_ms: 2,
        commit_ms: 3,
        waits_for_failed: true,
        sink: text("/s/e"),
        copies: 5,
        partitions: Some(8),
        ..StreamSpec::default()
    }
}

/// A row may be added, and none may change.
#[test]
fn requests_about_jobs_have_the_bytes_that_others_know() {
    let (name, member) = (text("e"), text("vm4"));
    for (request, bytes) in [
        (
            StreamRequest::Start(Box::new(spec())),
            &b"\xa1\x65Start\xac\x64name\x61e\x65query\x70| count every 1s\x65files\x81\x62/x\
            \x64from\xa1\x62At\x26\x64tags\x81\x82\x61k\x61v\x6blateness_ms\x01\x69retain_ms\x02\
            \x69commit_ms\x03\x70waits_for_failed\xf5\x64sink\x64/s/e\x66copies\x05\
            \x6apartitions\x08"[..],
        ),
        (
            StreamRequest::Start(Box::new(StreamSpec {
                groups: Some(9),
                memory: Some(1 << 20),
                ..spec()
            })),
            b"\xa1\x65Start\xae\x64name\x61e\x65query\x70| count every 1s\x65files\x81\x62/x\
            \x64from\xa1\x62At\x26\x64tags\x81\x82\x61k\x61v\x6blateness_ms\x01\x69retain_ms\x02\
            \x69commit_ms\x03\x70waits_for_failed\xf5\x64sink\x64/s/e\x66copies\x05\
            \x6apartitions\x08\x66groups\x09\x66memory\x1a\x00\x10\x00\x00",
        ),
        (StreamRequest::List, b"\x64List"),
        (StreamRequest::Status { name: name.clone() }, b"\xa1\x66Status\xa1\x64name\x61e"),
        (
            StreamRequest::Cancel { name: name.clone(), force: false },
            b"\xa1\x66Cancel\xa1\x64name\x61e",
        ),
        (
            StreamRequest::Cancel { name: name.clone(), force: true },
            b"\xa1\x66Cancel\xa2\x64name\x61e\x65force\xf5",
        ),
        (
            StreamRequest::Forget { name: Some(name), member },
            b"\xa1\x66Forget\xa2\x64name\x61e\x66member\x63vm4",
        ),
    ] {
        let request = Request::Stream(request);
        let bytes = [b"\xa1\x66Stream", bytes].concat();
        let encoded = encode(&request).unwrap();
        assert_eq!(
            encoded[HEADER_BYTES..].escape_ascii().to_string(),
            bytes.escape_ascii().to_string()
        );
        assert_eq!(decode::<Request>(&bytes).unwrap(), request);
    }
}

#[test]
fn a_place_to_begin_is_a_word_or_a_time() {
    for (from, bytes) in [
        (StreamFrom::Now, &b"\x63Now"[..]),
        (StreamFrom::Beginning, b"\x69Beginning"),
        (StreamFrom::At(7), b"\xa1\x62At\x07"),
    ] {
        let start =
            |from| Request::Stream(StreamRequest::Start(Box::new(StreamSpec { from, ..spec() })));
        let frame = encode(&start(from)).unwrap();
        let whole = [b"\x64from", bytes].concat();
        assert!(frame.windows(whole.len()).any(|part| part == whole), "{from:?}");
        assert_eq!(decode::<Request>(&frame[HEADER_BYTES..]).unwrap(), start(from));
    }
}

/// The longest summary that a daemon makes.
fn summary() -> StreamSummary {
    StreamSummary {
        name: "n".repeat(64),
        id: u64::MAX,
        state: StreamState::Stopped,
        reason: Some("r".repeat(1_000)),
        partitions: 64,
        sink: "s".repeat(MAX_STREAM_TEXT),
        query: "q".repeat(16 * 1024),
    }
}

fn partition() -> StreamPartition {
    StreamPartition { owner: Some("n".repeat(64)), epoch: u64::MAX, ..StreamPartition::default() }
}

fn source() -> StreamSource {
    let state = text("forgotten");
    let (lag_bytes, lag_ms) = (Some(u64::MAX), Some(u64::MAX));
    StreamSource { member: "n".repeat(64), state, lag_bytes, lag_ms }
}

fn status() -> StreamStatus {
    StreamStatus {
        job: summary(),
        partitions: vec![partition(); MAX_STREAM_PARTITIONS],
        sources: vec![source(); MAX_STREAM_SOURCES],
        unanswered: vec!["n".repeat(64); MAX_STREAM_SOURCES],
        ..StreamStatus::default()
    }
}

#[test]
fn every_answer_about_jobs_comes_back_and_fits_a_frame() {
    for reply in [
        StreamReply::Started(summary()),
        StreamReply::List(vec![summary(); MAX_STREAMS]),
        StreamReply::Status(Box::new(status())),
        StreamReply::Done,
        StreamReply::Failed { reason: text("no leader") },
    ] {
        let reply = Reply::Stream(reply);
        let frame = encode(&reply).unwrap();
        assert_eq!(decode::<Reply>(&frame[HEADER_BYTES..]).unwrap(), reply);
    }
}

#[test]
fn the_largest_job_fits_a_request() {
    let long = || "x".repeat(MAX_STREAM_TEXT);
    let spec = StreamSpec {
        query: "q".repeat(16 * 1024),
        files: vec![long(); MAX_STREAM_GLOBS],
        tags: vec![(long(), long()); MAX_STREAM_TAGS],
        ..spec()
    };
    let request = Request::Stream(StreamRequest::Start(Box::new(spec)));
    assert_eq!(decode::<Request>(&encode(&request).unwrap()[HEADER_BYTES..]).unwrap(), request);
}

#[test]
fn lists_beyond_their_bounds_are_refused() {
    let globs = StreamSpec { files: vec![text("/x"); MAX_STREAM_GLOBS + 1], ..spec() };
    let tags = vec![(text("k"), text("v")); MAX_STREAM_TAGS + 1];
    for spec in [globs, StreamSpec { tags, ..spec() }] {
        let request = Request::Stream(StreamRequest::Start(Box::new(spec)));
        assert!(decode::<Request>(&encode(&request).unwrap()[HEADER_BYTES..]).is_err());
    }
    let partitions = vec![StreamPartition::default(); MAX_STREAM_PARTITIONS + 1];
    let sources = vec![StreamSource::default(); MAX_STREAM_SOURCES + 1];
    let unanswered = vec![String::new(); MAX_STREAM_SOURCES + 1];
    for reply in [
        StreamReply::List(vec![StreamSummary::default(); MAX_STREAMS + 1]),
        StreamReply::Status(Box::new(StreamStatus { partitions, ..StreamStatus::default() })),
        StreamReply::Status(Box::new(StreamStatus { sources, ..StreamStatus::default() })),
        StreamReply::Status(Box::new(StreamStatus { unanswered, ..StreamStatus::default() })),
    ] {
        let frame = encode(&Reply::Stream(reply)).unwrap();
        assert!(decode::<Reply>(&frame[HEADER_BYTES..]).is_err());
    }
}
