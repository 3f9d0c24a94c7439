use super::super::answer::look;
use super::super::{KeptCopies, Reach};
use super::*;
use crate::search::limits::Limits;
use crate::search::reply::PeerReply;
use memberd_control::grep::GrepPattern;
use memberd_copies::block::{Block, BlockHead};
use memberd_copies::store::{self, Store};
use memberd_copies::stream::{Fingerprint, StreamHead, StreamId};
use memberd_search::{ExposedFiles, LineSpans, MemoryBudget};
use memberd_transport::Source;
use std::sync::Arc;
use tempfile::TempDir;

/// A machine that keeps two files of vm4, of which one is offered.
fn keeper() -> (TempDir, Arc<LocalSearcher>) {
    let directory = tempfile::tempdir().unwrap();
    let mut store = Store::open(directory.path(), store::Limits::default()).unwrap();
    let vm4 = Name::new("vm4").unwrap();
    let text = b"one\nneedle\n";
    for (inode, path, offered) in [(1, "/srv/a.log", true), (2, "/srv/b.log", false)] {
        let id = StreamId { device: 1, inode, begun_ms: 1 };
        let head = StreamHead {
            id,
            fingerprint: Fingerprint::of(text),
            path: path.into(),
            origin: path.into(),
            offered,
            modified_ms: 5_000,
            zone: String::new(),
            listed: true,
            lost_bytes: 0,
            continues: None,
        };
        store.head(&vm4, head).unwrap();
        let head = BlockHead {
            stream: id,
            offset: 0,
            text_bytes: u32::try_from(text.len()).unwrap(),
            hash: *blake3::hash(text).as_bytes(),
            read_ms: 6_000,
        };
        let frame = zstd::encode_all(text.as_slice(), 1).unwrap();
        store.append(&vm4, &Block { head, frame }).unwrap();
    }
    store.sync().unwrap();
    store.seal_all(&mut LineSpans::default()).unwrap();
    let offer = ExposedFiles::new::<&str>(&[]).unwrap();
    let searcher = LocalSearcher::new("vm2".to_owned(), offer, Limits::default());
    searcher
        .set_kept_copies(Some(KeptCopies::new(directory.path().into(), |_| Reach::Whole(7_000))));
    (directory, Arc::new(searcher))
}

/// What a search of the logs of vm4 prints, and its last reply.
fn search(searcher: &LocalSearcher, change: impl FnOnce(&mut GrepRequest)) -> (String, PeerReply) {
    let pattern = GrepPattern { patterns: vec![b"needle".to_vec()], ..GrepPattern::default() };
    let kept_of = Some("vm4".to_owned());
    let mut request = GrepRequest { pattern, kept_of, ..GrepRequest::default() };
    change(&mut request);
    let (queue, mut replies) = tokio::sync::mpsc::channel(100);
    let output = ReplySink::new(queue, u64::MAX, Arc::default());
    let memory = MemoryBudget::default();
    let last = searcher.search(&request, Err(memory), output, &AtomicBool::new(false));
    let mut text = String::new();
    while let Ok(reply) = replies.try_recv() {
        match reply {
            PeerReply::Lines(bytes) => text += std::str::from_utf8(&bytes).unwrap(),
            PeerReply::Timed(mut lines) => {
                while let Some((_, bytes)) = lines.next() {
                    text += std::str::from_utf8(bytes).unwrap();
                }
            }
            PeerReply::Message(message) => text += &message,
            other => panic!("{other:?}"),
        }
    }
    (text, last)
}

/// The lines are those of the other machine, and only of what it offers.
#[test]
fn what_is_kept_is_searched_as_that_member_itself() {
    let (_directory, searcher) = keeper();
    let line = "vm4:/srv/a.log:needle\n";
    let (text, last) = search(&searcher, |_| ());
    assert_eq!(text, line);
    let PeerReply::Done(totals) = last else { panic!("{last:?}") };
    assert_eq!((totals.files, totals.lines, totals.errors), (1, 1, 0));
    let (text, _) = search(&searcher, |request| request.printing.by_time = true);
    assert_eq!(text, line);
    let (text, last) = search(&searcher, |request| request.files.globs = vec!["b.log".to_owned()]);
    let PeerReply::Done(totals) = last else { panic!("{last:?}") };
    assert_eq!((text.as_str(), totals.unmatched), ("", vec!["b.log".to_owned()]));
    // What the asker may not search is not there.
    let (text, _) = search(&searcher, |request| request.files.only = vec!["/srv/c*".to_owned()]);
    assert_eq!(text, "");
    let (text, last) = search(&searcher, |request| request.kept_of = Some("vm5".to_owned()));
    assert_eq!(text, "");
    assert!(matches!(last, PeerReply::Done(totals) if totals.files == 0));
    for refused in [
        search(&searcher, |request| request.files.follow = true).1,
        search(&searcher, |request| request.kept_of = Some("../x".to_owned())).1,
    ] {
        assert!(matches!(refused, PeerReply::Refused(_)), "{refused:?}");
    }
    searcher.set_kept_copies(None);
    assert!(matches!(search(&searcher, |_| ()).1, PeerReply::Refused(_)));
}

#[tokio::test]
async fn a_keeper_says_how_far_its_copies_go() {
    let (_directory, searcher) = keeper();
    let names = ["vm4", "vm5", "../x"].map(str::to_owned).to_vec();
    let reply = look(&searcher, names.clone(), Source::Anyone).await.unwrap();
    let [answer] = reply.kept.try_into().unwrap();
    assert_eq!((answer.member.as_str(), answer.streams, answer.bytes), ("vm4", 1, 11));
    assert_eq!((answer.read_ms, answer.whole_ms), (6_000, Some(7_000)));
    searcher.set_kept_copies(None);
    let reply = look(&searcher, names, Source::Anyone).await.unwrap();
    assert!(reply.kept.is_empty() && reply.off);
}

/// What cannot be read is told and counted, and the rest is searched.
#[test]
fn a_damaged_copy_hides_nothing_in_silence() {
    let (directory, searcher) = keeper();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let names = || vec!["vm4".to_owned()];
    let answer = || {
        let reply = runtime.block_on(look(&searcher, names(), Source::Anyone)).unwrap();
        (reply.kept[0].streams, reply.kept[0].unread)
    };
    std::fs::write(directory.path().join("vm4/1-2-1/head"), "x").unwrap();
    assert_eq!(answer(), (1, 1));
    let (text, last) = search(&searcher, |_| ());
    let told = " the copy in vm4/1-2-1 cannot be read: its head is damaged";
    assert_eq!(text, format!("{told}vm4:/srv/a.log:needle\n"));
    let PeerReply::Done(totals) = last else { panic!("{last:?}") };
    assert_eq!((totals.files, totals.lines, totals.errors), (1, 1, 1));
    let (text, last) = search(&searcher, |request| request.printing.no_messages = true);
    assert_eq!(text, "vm4:/srv/a.log:needle\n");
    assert!(matches!(last, PeerReply::Done(totals) if totals.errors == 1));
    // One that the disk does not give hides no other.
    let unreadable = directory.path().join("vm4/1-1-1/head");
    std::fs::remove_file(&unreadable).unwrap();
    std::fs::create_dir(&unreadable).unwrap();
    assert_eq!(answer(), (0, 2));
}
