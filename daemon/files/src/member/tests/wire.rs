//! Messages on the wire: read as they were written, within their bounds.

use super::*;
use crate::catalog::{Answer, Ballot, Put};
use crate::content::{Content, ExtentRef, HolderSet};
use crate::ids::{ExtentId, InodeId, OperationId};
use crate::keeper::{Body, Message, Reply};
use crate::transfer::Transfer;
use proptest::prelude::*;

fn put(copies: u8) -> Mutation {
    Mutation::Put(Put {
        path: path("/s/d/f"),
        condition: PutIf::Absent,
        token: Token(3),
        content: Content::Inline(vec![5; 100]),
        copies,
        mode: 0o644,
        parents: true,
        age_s: 4,
    })
}

/// A name of the longest kind.
fn long(number: usize) -> Name {
    Name::new(&format!("{number:0>width$}", width = Name::MAX_LENGTH)).unwrap()
}

fn messages() -> Vec<FilesMessage> {
    let (request, share, epoch) = (u64::MAX, share("s"), Epoch(1 << 40));
    let operation = OperationId(u128::MAX);
    let set = HolderSet { version: 9, members: (0..5).map(long).collect() };
    let uses = vec![Some((InodeId(u64::MAX), set)); Query::MAX_IDS];
    let reply = |reply| FilesMessage::Reply { request, epoch, reply };
    let (index, is_newest) = (7, true);
    let ids = vec![ExtentId(u128::MAX); Query::MAX_IDS];
    let ask = |query| FilesMessage::Ask { request, share: share.clone(), query, at_least: Some(1) };
    let message = Message { added: Epoch(1), body: Body::Claim { ballot: Ballot::NONE } };
    vec![
        FilesMessage::Keeper { share: share.clone(), message },
        FilesMessage::Transfer(Transfer::Got { extent: ExtentId(4), upto: 5 }),
        FilesMessage::Propose { request, share: share.clone(), operation, epoch, mutation: put(3) },
        ask(Query::InUse(ids)),
        ask(Query::Contents { path: path("/s/f"), from: u64::MAX }),
        reply(Reply::Found { found: Found::InUse(uses), index, is_newest }),
        reply(Reply::Answer { answer: Answer::Refused(Refusal::NotFound), index }),
        reply(Reply::NotPrimary { primary: Some(long(1)) }),
        reply(Reply::NotPrimary { primary: None }),
        reply(Reply::OldEpoch),
    ]
}

#[test]
fn messages_are_read_as_they_were_written() {
    for message in messages() {
        let bytes = message.encode();
        assert!(bytes.len() <= FilesMessage::MAX_BYTES, "{} bytes", bytes.len());
        assert_eq!(FilesMessage::decode(&bytes), Ok(message));
    }
}

/// The largest mutation that a keeper takes is within the bound, and so is a page of a file.
#[test]
fn the_largest_messages_fit() {
    let set = HolderSet { version: u64::MAX, members: (0..5).map(long).collect() };
    let extent = ExtentRef { id: ExtentId(u128::MAX), length: 64 << 20, root: [255; 32], set };
    let extents = vec![extent; Mutation::MAX_EXTENTS];
    let bytes = crate::forms::encode(&Content::Extents(extents)).len();
    assert!(bytes < (1 << 20) - 20_000, "{bytes} bytes");
}

#[test]
fn bounds_hold() {
    let (request, share, epoch) = (1, share("s"), Epoch(1));
    let operation = OperationId(1);
    let propose = FilesMessage::Propose { request, share, operation, epoch, mutation: put(9) };
    let bytes = propose.encode();
    assert_eq!(FilesMessage::decode(&bytes), Err(FilesMessageError::Malformed), "nine copies");
    let mut other = messages()[0].encode();
    other[0] = 2;
    assert_eq!(FilesMessage::decode(&other), Err(FilesMessageError::Version(2)));
    let long = vec![1; FilesMessage::MAX_BYTES + 1];
    assert_eq!(FilesMessage::decode(&long), Err(FilesMessageError::TooLong(long.len())));
    assert_eq!(FilesMessage::decode(&[]), Err(FilesMessageError::Malformed));
}

proptest! {
    /// Whatever comes, reading it ends.
    #[test]
    fn any_bytes_are_read_to_an_end(
        which: prop::sample::Index, at: prop::sample::Index, to: u8, cut: prop::sample::Index,
    ) {
        let messages = messages();
        let mut bytes = messages[which.index(messages.len())].encode();
        let at = at.index(bytes.len().min(300));
        bytes[at] = to;
        let _ = FilesMessage::decode(&bytes);
        bytes.truncate(cut.index(bytes.len()));
        let _ = FilesMessage::decode(&bytes);
    }
}
