//! The operations of a coordinator, by hand.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test's values are known")]

use super::{
    FileContent, Publish, PublishAnswer, Reader, ReaderOutput, Writer, WriterError, WriterOutput,
};
use crate::content::{Content, ExtentRef, HolderSet};
use crate::ids::{Epoch, ExtentId, Generation, OperationId};
use crate::path::ShareName;
use crate::placement::Hints;
use crate::settings::ExtentSettings;
use crate::transfer::{ReadError, Transfer};
use crate::view::{FilesView, MemberOfView};
use memberd_council::BootTime;
use memberd_membership::Name;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

fn name(i: usize) -> Name {
    Name::new(&format!("vm{i}")).unwrap()
}

fn at(milliseconds: u64) -> BootTime {
    BootTime::from_epoch(Duration::from_millis(1_000_000 + milliseconds))
}

fn view(epoch: u64, size: usize) -> Arc<FilesView> {
    let members = (0..size).map(|i| (name(i), MemberOfView::default())).collect();
    Arc::new(FilesView { epoch: Epoch(epoch), members, ..FilesView::default() })
}

fn put(size: usize) -> Writer {
    let what = (OperationId(5), ShareName::new("share").unwrap());
    Writer::new(ExtentSettings::default(), what, view(1, size), Hints::default(), at(0))
}

/// What a put wants: the messages, the publishes and the end.
#[derive(Default)]
struct Wanted {
    sent: Vec<(Name, Transfer)>,
    published: Vec<Publish>,
    done: Option<Result<u64, WriterError>>,
}

fn wanted(put: &mut Writer) -> Wanted {
    let mut wanted = Wanted::default();
    while let Some(output) = put.poll_output() {
        match output {
            WriterOutput::Send { to, message } => wanted.sent.push((to, message)),
            WriterOutput::Publish(publish) => wanted.published.push(publish),
            WriterOutput::Done(result) => wanted.done = Some(result.map(|one| one.length)),
        }
    }
    wanted
}

/// The holders that an upload of these bytes begins with, and its extent.
fn begun(put: &mut Writer, bytes: &[u8]) -> (Vec<Name>, ExtentId) {
    put.push(at(0), bytes);
    put.end(at(0));
    let mut holders = Vec::new();
    let mut id = None;
    for (to, message) in wanted(put).sent {
        if let Transfer::Begin { extent, .. } = message {
            holders.push(to);
            id = Some(extent);
        }
    }
    (holders, id.unwrap())
}

fn sealed(extent: ExtentId, bytes: &[u8]) -> Transfer {
    let root = *blake3::hash(bytes).as_bytes();
    Transfer::Sealed { extent, length: bytes.len() as u64, root }
}

/// A small file is one publish and no extent.
#[test]
fn a_small_file_lies_in_the_catalog() {
    let mut put = put(5);
    put.push(at(0), b"a certificate");
    put.end(at(1));
    let wanted = wanted(&mut put);
    assert_eq!(wanted.sent, []);
    assert_eq!(wanted.published[0].content, Content::Inline(b"a certificate".to_vec()));
    put.handle_published(at(5), PublishAnswer::Done(Generation(1)));
    assert_eq!(self::wanted(&mut put).done, Some(Ok(13)));
}

/// A catalog that does not take the bytes gets an extent, by another operation.
#[test]
fn bytes_that_do_not_fit_get_an_extent() {
    let mut put = put(5);
    put.push(at(0), b"a line");
    put.end(at(1));
    let first = wanted(&mut put).published.remove(0);
    put.handle_published(at(5), PublishAnswer::NeedsExtent);
    let sent = wanted(&mut put).sent;
    let begins = sent.iter().filter_map(|(to, message)| match message {
        Transfer::Begin { extent, .. } => Some((to.clone(), *extent)),
        _ => None,
    });
    for (holder, extent) in begins {
        put.handle_message(at(9), &holder, &sealed(extent, b"a line"));
    }
    let second = wanted(&mut put).published.remove(0);
    assert_ne!(second.operation, first.operation);
    assert_eq!(second.content.extents().len(), 1);
}

/// It is published after three equal answers, and not before. Who answers otherwise is replaced.
#[test]
fn three_equal_answers_publish() {
    let bytes = vec![9; 50_000];
    let mut put = put(5);
    let (holders, extent) = begun(&mut put, &bytes);
    assert_eq!(holders.len(), 3);
    put.handle_message(at(5), &holders[0], &sealed(extent, &bytes));
    put.handle_message(at(5), &holders[1], &sealed(extent, &bytes));
    put.handle_message(at(5), &holders[2], &sealed(extent, b"something else"));
    let now = wanted(&mut put);
    assert!(now.published.is_empty());
    let fourth = now.sent.iter().find(|(_, one)| matches!(one, Transfer::Begin { .. }));
    let fourth = fourth.map(|(to, _)| to.clone()).unwrap();
    assert!(!holders.contains(&fourth));
    put.handle_message(at(9), &fourth, &sealed(extent, &bytes));
    let published = wanted(&mut put).published;
    let Content::Extents(extents) = &published[0].content else { panic!("it is short") };
    assert_eq!(extents[0].set.members, [holders[0].clone(), holders[1].clone(), fourth]);
}

/// One without progress for 2 s is replaced, not before.
#[test]
fn a_slow_holder_is_replaced() {
    let bytes = vec![9; 50_000];
    let mut put = put(5);
    let (holders, extent) = begun(&mut put, &bytes);
    put.handle_message(at(5), &holders[0], &sealed(extent, &bytes));
    put.handle_message(at(5), &holders[1], &sealed(extent, &bytes));
    put.handle_timeout(at(1_990));
    let is_new = |one: &(Name, Transfer)| {
        !holders.contains(&one.0) && matches!(one.1, Transfer::Begin { .. })
    };
    assert!(!wanted(&mut put).sent.iter().any(is_new));
    put.handle_timeout(at(2_010));
    assert!(wanted(&mut put).sent.iter().any(is_new));
}

/// A publish without an answer is asked again; nothing is removed, and at the end nobody knows.
#[test]
fn an_unanswered_publish_is_asked_again_and_ambiguous() {
    let bytes = vec![9; 50_000];
    let mut put = put(3);
    let (holders, extent) = begun(&mut put, &bytes);
    for holder in &holders {
        put.handle_message(at(5), holder, &sealed(extent, &bytes));
    }
    let first = wanted(&mut put).published.remove(0);
    let mut again = 0;
    let mut end = None;
    for second in 1..60 {
        put.handle_timeout(at(second * 1_000 + 10));
        let wanted = wanted(&mut put);
        assert_eq!(wanted.sent, [], "nothing is removed");
        let is_first =
            |one: &Publish| (one.operation, &one.content) == (first.operation, &first.content);
        assert!(wanted.published.iter().all(is_first));
        again += wanted.published.len();
        end = end.or(wanted.done);
    }
    assert!(again > 40, "it was asked {again} times");
    assert_eq!(end, Some(Err(WriterError::Ambiguous)));
}

/// A catalog of a newer view: the holder that is no member is replaced, then it is asked again.
#[test]
fn a_newer_view_replaces_who_is_gone_before_the_publish() {
    let bytes = vec![9; 50_000];
    let mut put = put(4);
    let (holders, extent) = begun(&mut put, &bytes);
    for holder in &holders {
        put.handle_message(at(5), holder, &sealed(extent, &bytes));
    }
    assert_eq!(wanted(&mut put).published.len(), 1);
    put.handle_published(at(6), PublishAnswer::OldEpoch(Epoch(2)));
    assert!(wanted(&mut put).published.is_empty());
    let mut next = (*view(2, 4)).clone();
    next.members.remove(&holders[1]);
    put.handle_view(at(7), Arc::new(next), Hints::default());
    let begins = wanted(&mut put).sent;
    let fourth = begins.iter().find(|(_, one)| matches!(one, Transfer::Begin { .. })).unwrap();
    put.handle_message(at(8), &fourth.0, &sealed(extent, &bytes));
    let published = wanted(&mut put).published;
    assert_eq!(published[0].epoch, Epoch(2));
    let Content::Extents(extents) = &published[0].content else { panic!("it is short") };
    assert!(!extents[0].set.members.contains(&holders[1]));
}

/// Two that can take it are too few, for ten seconds. Then everything is given up.
#[test]
fn too_few_places_are_refused() {
    let mut put = put(3);
    let failed = BTreeSet::from([name(1)]);
    put.handle_view(at(0), view(1, 3), Hints { failed, ..Hints::default() });
    begun(&mut put, &[9; 50_000]);
    put.handle_timeout(at(9_900));
    assert_eq!(wanted(&mut put).done, None);
    put.handle_timeout(at(10_100));
    let wanted = wanted(&mut put);
    assert_eq!(wanted.done, Some(Err(WriterError::TooFew(3))));
    let abandoned =
        wanted.sent.iter().filter(|(_, one)| matches!(one, Transfer::Abandon { .. })).count();
    assert_eq!(abandoned, 2);
}

/// A long file goes through a chain: this machine sends each piece once.
#[test]
fn a_long_file_is_sent_once() {
    let mut put = put(5);
    put.push(at(0), &vec![3; 1_400_000]);
    let sent = wanted(&mut put).sent;
    let begins: Vec<_> = sent
        .iter()
        .filter_map(|(to, one)| match one {
            Transfer::Begin { next, .. } => Some((to.clone(), next.clone())),
            _ => None,
        })
        .collect();
    let [(first, Some(second)), (after, Some(third)), (last, None)] = &begins[..] else {
        panic!("no chain: {begins:?}")
    };
    assert_eq!((second, third), (after, last));
    let pieces: Vec<&Name> = sent
        .iter()
        .filter(|(_, one)| matches!(one, Transfer::Piece { .. }))
        .map(|(to, _)| to)
        .collect();
    assert!(pieces.len() == 5 && pieces.iter().all(|to| *to == first), "{pieces:?}");
}

/// A damaged copy, and then one that says nothing: the third goes on, and the reader sees nothing.
#[test]
fn a_read_goes_on_at_the_next_copy() {
    let bytes = vec![5_u8; 100_000];
    let set = HolderSet { version: 1, members: (0..3).map(name).collect() };
    let root = *blake3::hash(&bytes).as_bytes();
    let extent = ExtentRef { id: ExtentId(1), length: 100_000, root, set };
    let content = Content::Extents(vec![extent]);
    let file = FileContent { generation: Generation(1), content };
    let mut get = Reader::new(name(4), (10, Some(50)), (1, 0), view(1, 5), Hints::default(), at(0));
    assert_eq!(get.poll_output(), Some(ReaderOutput::Lookup));
    get.handle_lookup(at(1), Some(file));
    assert_eq!(get.poll_output(), Some(ReaderOutput::Length(50)));
    let asked = |get: &mut Reader| match get.poll_output() {
        Some(ReaderOutput::Send { to, message: Transfer::Read(order) }) => (to, order),
        other => panic!("nobody is asked: {other:?}"),
    };
    let (first, order) = asked(&mut get);
    assert_eq!((order.offset, order.bytes), (10, 50));
    let bad = Transfer::Data { request: order.request, bytes: Err(ReadError::Bad) };
    get.handle_message(at(2), &first, &bad);
    let (second, _) = asked(&mut get);
    get.handle_timeout(at(2_100));
    let (third, order) = asked(&mut get);
    assert_eq!(BTreeSet::from([first, second, third.clone()]).len(), 3);
    let data = Transfer::Data { request: order.request, bytes: Ok(bytes[10..60].into()) };
    get.handle_message(at(2_200), &third, &data);
    assert_eq!(get.poll_output(), Some(ReaderOutput::Data(bytes[10..60].into())));
    assert_eq!(get.poll_output(), Some(ReaderOutput::Done(Ok(()))));
}
