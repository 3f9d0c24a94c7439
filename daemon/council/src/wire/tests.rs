//! Messages and files are read as they were written, and nothing else is.

use super::*;
use crate::durable::{Accepted, Ballot};
use crate::message::{News, Wish};
use crate::operation::Operation;
use crate::share::{KeeperCount, ShareChange, ShareName};
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
    bytes[1] = 3;
    assert_eq!(Message::decode(&bytes), Err(DecodeError::Version(3)));
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

/// Groups without shares agree with members that know of none: same bytes, same hashes.
#[test]
fn views_without_shares_have_the_bytes_of_before() {
    let hex = |bytes: &[u8]| blake3::hash(bytes).to_hex().to_string();
    let whole = message(Body::NewView(News::Whole(view())));
    let told = [
        view().hash().to_string(),
        hex(&whole.encode()),
        hex(&message(Body::Req { term: Term(8), proposal: proposal() }).encode()),
        hex(&durable().encode()),
    ];
    let before = [
        "852fcbb5334afa0e9d1709b6658f393ffb0fb2ed3474e5d29ee0a122aacaab71",
        "dfd9f5e4608b2cc4518cbc4ce41aa83b7b70ff893b97c57e2add33736b638f1b",
        "51fe0c7a2febb014ea8a4fcfffa734ad42876e3879978fd9f5675822e6be7566",
        "e108905e34c90fcd008fb5a7429cb065027941a1ae6fcdd0c76701585883cc24",
    ];
    assert_eq!(told, before);
}

/// The same view with shares, and the proposal that makes it.
fn with_shares() -> (Arc<crate::Proposal>, Arc<View>) {
    let add = |name| {
        let (name, keepers) = (ShareName::new(name).unwrap(), KeeperCount::THREE);
        Operation::Share(ShareChange::Add { name, keepers })
    };
    let proposal = Arc::new(view().propose(vec![add("spark"), add("artifacts")]).unwrap());
    let view = Arc::new(view().apply(&proposal).unwrap());
    (proposal, view)
}

/// They would take a view with shares for one without: its hash would be another one.
#[test]
fn members_of_before_refuse_what_has_shares_as_a_whole() {
    let (proposal, view) = with_shares();
    let name = view.shares[0].name.clone();
    let remove = ShareChange::Remove { name: name.clone(), added: view.shares[0].added };
    let (keeper, since) = (voter(1).name, view.epoch());
    let fill = ShareChange::Fill { name: name.clone(), keeper: keeper.clone(), since };
    let lose = ShareChange::Lose { name: name.clone(), keeper, since };
    let vote = Accepted { proposal: proposal.clone(), ..accepted() };
    let (term, number, lease_left) = (Term(8), ViewNumber(2), Duration::ZERO);
    let bodies = [
        Body::NewLeader { term, number, view: Some(view.clone()) },
        Body::Promise { term, number, accepted: Some(Box::new(vote.clone())), lease_left },
        Body::Req { term, proposal: proposal.clone() },
        Body::NewView(News::Whole(view.clone())),
        Body::NewView(News::Operations(proposal)),
        Body::Ask(Wish::Share(ShareChange::Add { name, keepers: KeeperCount::FIVE })),
        Body::Ask(Wish::Share(remove)),
        Body::Ask(Wish::Share(fill)),
        Body::Ask(Wish::Share(lose)),
    ];
    for body in bodies {
        let message = message(body);
        let bytes = message.encode();
        assert_eq!(bytes[1], 2, "{message:?}");
        assert_eq!(Message::decode(&bytes), Ok(message));
    }
    let (before, after) = (durable(), Durable { view, ..durable() });
    let pending = Durable { accepted: Some(vote), ..durable() };
    for (file, version) in [(before, 1), (after, 2), (pending, 2)] {
        let bytes = file.encode();
        assert_eq!(bytes[4], version);
        assert_eq!(Durable::decode(&bytes), Ok(file));
    }
}

#[test]
fn shares_out_of_order_or_bounds_are_malformed() {
    let view = with_shares().1;
    let other = |change: fn(&mut View)| {
        let mut other = View::clone(&view);
        change(&mut other);
        message(Body::NewView(News::Whole(Arc::new(other)))).encode()
    };
    let bytes = [
        other(|view| view.shares.reverse()),
        other(|view| view.shares[1] = view.shares[0].clone()),
        other(|view| view.shares[0].keepers = vec![view.shares[0].keepers[0].clone(); 4]),
        other(|view| {
            let name = |index| ShareName::new(&format!("{index:02}")).unwrap();
            let share = |index| crate::Share { name: name(index), ..view.shares[0].clone() };
            view.shares = (0..65).map(share).collect();
        }),
    ];
    for bytes in bytes {
        assert_eq!(Message::decode(&bytes), Err(DecodeError::Malformed));
    }
    let good = message(Body::NewView(News::Whole(view))).encode();
    let at = good.windows(5).position(|five| five == b"spark").unwrap();
    let mut bad = good;
    bad[at] = b'/';
    assert_eq!(Message::decode(&bad), Err(DecodeError::Malformed));
}
