//! Messages and files are read as they were written, and nothing else is.

use super::*;
use crate::durable::{Accepted, Ballot};
use crate::message::{News, Wish};
use crate::operation::Operation;
use crate::view::{Claim, Term, View, ViewNumber, VoterId};
use memberd_membership::{Identity, Incarnation, Name};
use std::sync::Arc;
use std::time::Duration;

fn name(name: &str) -> Name {
    Name::new(name).unwrap()
}

fn identity(index: u8, address: &str) -> Identity {
    let incarnation = Incarnation(1_763_688_033_000 + u64::from(index));
    Identity { name: name(&format!("vm{index}")), address: address.parse().unwrap(), incarnation }
}

fn voter(index: u8) -> Voter {
    Voter { name: name(&format!("vm{index}")), id: VoterId(u128::from(index) << 100 | 7) }
}

fn proposal() -> Arc<crate::Proposal> {
    let claim = Claim {
        key: "backup-2026".to_owned(),
        holder: identity(1, "192.0.2.1:8946"),
        token: u64::MAX,
        since: ViewNumber(1),
    };
    let operations = vec![
        Operation::Add(identity(1, "192.0.2.1:8946")),
        Operation::Add(identity(2, "[2001:db8::2]:8946")),
        Operation::Delete(identity(3, "192.0.2.3:8946")),
        Operation::Seat(vec![voter(1), voter(2)]),
        Operation::Claim { claim, retry: true },
        Operation::Leader { term: Term(7), voter: voter(1) },
    ];
    Arc::new(View::genesis(&[name("vm1"), name("vm2")]).propose(operations).unwrap())
}

fn view() -> Arc<View> {
    let genesis = View::genesis(&[name("vm1"), name("vm2")]);
    Arc::new(genesis.apply(&proposal()).unwrap())
}

fn accepted() -> Accepted {
    let ballot = Ballot { term: Term(8), candidate: voter(2) };
    Accepted { ballot, proposal: proposal() }
}

fn message(body: Body) -> Message {
    Message { lineage: view().lineage, sender: voter(1), body }
}

#[test]
fn messages_are_read_as_they_were_written() {
    let (term, number) = (Term(8), ViewNumber(1));
    let lease_left = Duration::from_micros(2_250_001);
    let bodies = [
        Body::May { attempt: 1, number, leader: Some(voter(1)), asked: false },
        Body::NewLeader { term, number, view: Some(view()) },
        Body::Promise { term, number, accepted: Some(Box::new(accepted())), lease_left },
        Body::Req { term, proposal: proposal() },
        Body::NewView(News::Whole(view())),
        Body::NewView(News::Operations(proposal())),
        Body::Invite,
        Body::Ask(Wish::HandOver(None)),
        Body::Ask(Wish::HandOver(Some(name("vm2")))),
        Body::Ask(Wish::Leave(identity(2, "[2001:db8::2]:8946"))),
    ];
    for body in bodies {
        let message = message(body);
        assert_eq!(Message::decode(&message.encode()), Ok(message));
    }
}

#[test]
fn what_is_cut_or_goes_on_is_malformed() {
    let bytes = message(Body::NewView(News::Whole(view()))).encode();
    for length in 0..bytes.len() {
        assert_eq!(Message::decode(&bytes[..length]), Err(DecodeError::Malformed), "{length}");
    }
    assert_eq!(Message::decode(&[&bytes[..], &[0]].concat()), Err(DecodeError::Malformed));
}

#[test]
fn another_version_is_told_from_nonsense() {
    let mut bytes = message(Body::Invite).encode();
    bytes[1] = 2;
    assert_eq!(Message::decode(&bytes), Err(DecodeError::Version(2)));
    assert_eq!(Message::decode(b"memberd"), Err(DecodeError::Malformed));
}

/// A search by name relies on the order of the members.
#[test]
fn a_view_out_of_order_or_bounds_is_malformed() {
    let mut unordered = View::clone(&view());
    unordered.members.reverse();
    let mut crowded = View::clone(&view());
    crowded.council = (0..16).map(voter).collect();
    for view in [unordered, crowded] {
        let bytes = message(Body::NewView(News::Whole(Arc::new(view)))).encode();
        assert_eq!(Message::decode(&bytes), Err(DecodeError::Malformed));
    }
    let body = Body::Release { term: Term(Term::MAX.0 + 1) };
    assert_eq!(Message::decode(&message(body).encode()), Err(DecodeError::Malformed));
}

fn durable() -> Durable {
    Durable {
        lineage: view().lineage,
        voter: voter(1).id,
        lease: Duration::from_secs(3),
        promised: Some(Ballot { term: Term(8), candidate: voter(2) }),
        accepted: Some(accepted()),
        recovery: None,
        view: view(),
    }
}

#[test]
fn a_file_is_read_as_it_was_written() {
    assert_eq!(Durable::decode(&durable().encode()), Ok(durable()));
}

/// Its voter id is burnt then, so no damage may go unnoticed.
#[test]
fn each_damaged_bit_of_a_file_is_noticed() {
    let bytes = durable().encode();
    for bit in 0..bytes.len() * 8 {
        let mut damaged = bytes.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(Durable::decode(&damaged), Err(DurableError::Damaged), "bit {bit}");
    }
    for length in 0..bytes.len() {
        assert_eq!(Durable::decode(&bytes[..length]), Err(DurableError::Damaged));
    }
}

/// 5,000 members are 230 KB.
#[test]
fn a_large_view_takes_fifty_bytes_a_member() {
    let mut view = View::clone(&view());
    view.members = (0..5_000_u64)
        .map(|index| Identity {
            name: name(&format!("machine-{index:05}")),
            address: "192.0.2.1:8946".parse().unwrap(),
            incarnation: Incarnation(1_763_688_033_000 + index),
        })
        .collect();
    let bytes = message(Body::NewView(News::Whole(Arc::new(view)))).encode();
    assert!(bytes.len() < 250_000, "{} bytes", bytes.len());
}
