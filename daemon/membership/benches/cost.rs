//! What the protocol costs a machine: time and allocations of a heartbeat sent and received, of an
//! update, and of a list of ten thousand.
//!
//! `cargo bench -p memberd-membership`

#![allow(
    clippy::unwrap_used,
    reason = "a benchmark's members are made up, and a broken one should stop"
)]

use divan::{AllocProfiler, Bencher, black_box};
use memberd_membership::{
    Body, Claim, Identity, Incarnation, Instant, List, MAX_DATAGRAM, Message, Name, Node, Now,
    Output, SentAt, Settings, SimulatedGroup, Update, WallTime, wire,
};
use std::net::SocketAddr;
use std::time::Duration;

#[global_allocator]
static ALLOCATIONS: AllocProfiler = AllocProfiler::system();

const BEGAN: u64 = 1_763_688_000_000;

fn main() {
    divan::main();
}

fn member(i: usize) -> Identity {
    let [_, b, c, d] = u32::try_from(i + 1).unwrap().to_be_bytes();
    let address = SocketAddr::from(([10, b, c, d], 8946));
    Identity {
        name: Name::new(&format!("vm{i}")).unwrap(),
        address,
        incarnation: Incarnation(BEGAN),
    }
}

fn list(size: usize) -> List {
    let mut list = List::new();
    for i in 0..size {
        list.merge(Update::new(member(i), Claim::Alive), Instant::EPOCH);
    }
    list
}

fn at(milliseconds: u64) -> Now {
    Now {
        mono: Instant::from_epoch(Duration::from_millis(milliseconds)),
        wall: WallTime(BEGAN + milliseconds),
    }
}

/// A member of a group, with nothing left to send.
fn node(size: usize) -> Node {
    let Identity { name, address, incarnation } = member(0);
    let mut node = Node::new(Settings::default(), name, address, None, 1);
    node.assume(at(1_000), SimulatedGroup { list: list(size), incarnation });
    drain(&mut node);
    node
}

/// Takes all outputs of a node. Returns how many of them are datagrams.
fn drain(node: &mut Node) -> usize {
    let mut payload = Vec::new();
    let outputs = std::iter::from_fn(|| node.poll_output(&mut payload)).map(black_box);
    outputs.filter(|output| matches!(output, Output::Transmit(_))).count()
}

/// What a neighbour says, and who it is.
fn said(node: &Node, body: Body, sent: u64) -> (SocketAddr, Vec<u8>) {
    let neighbour = node.neighbours(at(sent).mono).remove(0).member;
    let mut bytes = Vec::new();
    let sent = SentAt { mono: sent, wall: WallTime(BEGAN + sent) };
    wire::encode(&Message { incarnation: neighbour.incarnation, sent, body }, &mut bytes);
    (neighbour.address, bytes)
}

fn heartbeat(node: &Node, updates: Vec<Update>) -> Body {
    Body::Heartbeat { hash: node.list().digest().hash, delay: Some(1), updates }
}

/// A node whose heartbeats are due, when all its neighbours have been heard and nothing is new.
fn due(size: usize) -> (Node, Now) {
    let mut node = node(size);
    for neighbour in node.neighbours(at(1_000).mono) {
        let (_, bytes) = said(&node, heartbeat(&node, Vec::new()), 12_000);
        node.handle_datagram(at(12_001), neighbour.member.address, &bytes).unwrap();
    }
    node.handle_timeout(at(12_001));
    drain(&mut node);
    (node, at(12_610))
}

/// A buffer as its owner keeps it.
fn payload() -> Vec<u8> {
    Vec::with_capacity(MAX_DATAGRAM)
}

#[divan::bench(args = [100, 10_000])]
fn four_heartbeats_sent(bencher: Bencher, size: usize) {
    bencher.with_inputs(|| (due(size), payload())).bench_refs(|((node, now), payload)| {
        node.handle_timeout(*now);
        while let Some(output) = node.poll_output(payload) {
            black_box((output, &payload));
        }
    });
}

#[divan::bench(args = [100, 10_000])]
fn heartbeat_received(bencher: Bencher, size: usize) {
    bencher
        .with_inputs(|| {
            let (node, _) = due(size);
            let said = said(&node, heartbeat(&node, Vec::new()), 12_500);
            (node, said)
        })
        .bench_refs(|(node, (from, bytes))| node.handle_datagram(at(12_501), *from, bytes));
}

#[divan::bench(args = [100, 10_000])]
fn update_received_and_spread(bencher: Bencher, size: usize) {
    bencher
        .with_inputs(|| {
            let (node, _) = due(size);
            let updates = vec![Update::new(member(size + 1), Claim::Alive)];
            let said = said(&node, Body::Updates(updates), 12_500);
            (node, said)
        })
        .bench_refs(|(node, (from, bytes))| {
            node.handle_datagram(at(12_501), *from, bytes).unwrap();
            node.handle_timeout(at(12_501));
            drain(node)
        });
}

#[divan::bench(args = [10_000])]
fn list_filled(size: usize) -> List {
    list(size)
}

#[divan::bench(args = [10_000])]
fn list_searched_by_address(bencher: Bencher, size: usize) {
    let (list, address) = (list(size), member(size / 2).address);
    bencher.bench(|| list.at(black_box(address)).is_some());
}
