//! Fuzzes requests between members over TCP, and their replies: calls of the protocol, and greps.
//! The first byte chooses one of them.
#![no_main]

use libfuzzer_sys::fuzz_target;
use memberd::search::LocalSearcher;
use memberd::search::limits::Limits;
use memberd::search::reply::{PeerReply, Replies};
use memberd::search::serve::{Asked, serve};
use memberd_control::frame::decode;
use memberd_control::grep::GrepRequest;
use memberd_fuzz::{SAMPLE_LOG, address, at, check, founder, next_call, settings};
use memberd_membership::{Name, Node};
use memberd_search::ExposedFiles;
use memberd_transport::Source;
use std::path::Path;
use std::sync::{Arc, LazyLock};
use std::time::Duration;
use tokio::io::duplex;
use tokio::runtime::Runtime;

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime")
});

/// Searches a machine with one small log.
static SEARCHER: LazyLock<Arc<LocalSearcher>> = LazyLock::new(|| {
    assert!(Path::new(SAMPLE_LOG).exists(), "examples/seeds.rs writes {SAMPLE_LOG}");
    let limits =
        Limits { search_time: Duration::from_secs(2), search_output: 1 << 20, ..Limits::default() };
    let offer = ExposedFiles::new(&[SAMPLE_LOG]).expect("a path");
    Arc::new(LocalSearcher::new("vm1".to_owned(), offer, limits))
});

fuzz_target!(|input: &[u8]| {
    let Some((kind, bytes)) = input.split_first() else { return };
    match kind % 4 {
        0 => call(bytes),
        1 => call_reply(bytes),
        2 => RUNTIME.block_on(grep_request(bytes)),
        _ => RUNTIME.block_on(grep_replies(bytes)),
    }
});

fn call(bytes: &[u8]) {
    let mut node = founder();
    assert!(!node.handle_request(at(1_000), bytes).is_empty());
    check(&mut node, at(1_000));
    node.handle_timeout(at(1_500));
    check(&mut node, at(1_500));
}

fn call_reply(bytes: &[u8]) {
    let mut node = Node::new(settings(), Name::new("vm1").expect("a name"), address(1), None, 7);
    node.join(at(0), vec![address(2)], Vec::new()).expect("it was out");
    let call = next_call(&mut node).expect("it asks its introducer");
    node.handle_reply(at(10), call.id, Ok(bytes));
    check(&mut node, at(10));
    node.handle_timeout(at(1_000));
    check(&mut node, at(1_000));
}

/// Reads a grep request, checks that it encodes to an equal one, and answers it completely.
async fn grep_request(bytes: &[u8]) {
    let Ok(mut request) = decode::<GrepRequest>(bytes) else { return };
    // A following search would never end.
    request.files.follow = false;
    let mut again = Vec::new();
    ciborium::into_writer(&request, &mut again).expect("memory encodes");
    assert_eq!(ciborium::from_reader(again.as_slice()).ok().as_ref(), Some(&request));
    let (near, far) = duplex(64 * 1_024);
    let answered = async {
        let mut replies = Replies::new(far);
        while !matches!(
            replies.next().await.expect("a reply"),
            PeerReply::Done(_) | PeerReply::Refused(_)
        ) {}
    };
    let asked = Asked { source: Source::Anyone, turn: None, from: None };
    let (served, ()) = tokio::join!(serve(near, request, asked, &SEARCHER), answered);
    // The other end may close before the search notices.
    drop(served);
}

/// Reads each reply, and checks that it encodes to an equal one. The lines of a timed reply must be
/// whole.
async fn grep_replies(bytes: &[u8]) {
    let mut replies = Replies::new(bytes);
    while let Ok(reply) = replies.next().await {
        let mut again = Vec::new();
        reply.write(&mut again).await.expect("memory takes it");
        assert_eq!(Replies::new(again.as_slice()).next().await.ok().as_ref(), Some(&reply));
        if let PeerReply::Timed(mut lines) = reply {
            let (size, mut taken) = (lines.len(), 0);
            while let Some(time) = lines.time() {
                let (same, line) = lines.next().expect("it has a time");
                assert_eq!(same, time);
                taken += 8 + 4 + line.len();
            }
            assert_eq!(taken, size);
        }
    }
}
