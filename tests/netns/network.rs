//! The network of the tests carries, loses, cuts and heals as it says, and leaves nothing behind.

use memberd_tests::Network;
use memberd_tests::namespaces::within;
use memberd_tests::wait::{SOON, holds};
use memberd_tests::wait_until;
use std::fs;
use std::net::UdpSocket;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// A socket on a machine of the network.
fn socket(network: &Network, i: u8) -> UdpSocket {
    within(&network.namespace(i), || UdpSocket::bind(network.address(i)).unwrap())
}

/// How many of a hundred datagrams arrive.
fn arrivals(from: &UdpSocket, to: &UdpSocket) -> usize {
    to.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    for _ in 0..100 {
        from.send_to(b"word", to.local_addr().unwrap()).unwrap();
    }
    let mut buffer = [0; 16];
    std::iter::from_fn(|| to.recv(&mut buffer).ok()).count()
}

#[test]
fn a_cut_one_way_leaves_the_other_way_and_a_heal_mends_both() {
    let Some(network) = Network::if_possible(3) else { return };
    let [one, two, three] = [1, 2, 3].map(|i| socket(&network, i));
    assert_eq!(arrivals(&one, &two), 100);
    network.cut_one_way(&[1], &[2]);
    assert_eq!((arrivals(&one, &two), arrivals(&two, &one)), (0, 100));
    network.cut(&[1, 2], &[3]);
    assert_eq!((arrivals(&three, &one), arrivals(&two, &three), arrivals(&two, &one)), (0, 0, 100));
    network.heal();
    assert_eq!((arrivals(&one, &two), arrivals(&three, &two)), (100, 100));
}

#[test]
fn what_is_to_be_lost_is_lost() {
    let Some(network) = Network::if_possible(2) else { return };
    let [one, two] = [1, 2].map(|i| socket(&network, i));
    network.lose(50);
    let arrived: usize = (0..10).map(|_| arrivals(&one, &two)).sum();
    // Six standard deviations of 16.
    assert!((400..=600).contains(&arrived), "{arrived} of 1000");
    network.lose(0);
    assert_eq!(arrivals(&one, &two), 100);
}

#[test]
fn networks_with_the_same_addresses_do_not_hear_each_other() {
    let Some(network) = Network::if_possible(2) else { return };
    let other = Network::new(2).unwrap();
    let (here, there) = (socket(&network, 1), socket(&other, 1));
    let listener = socket(&network, 2);
    assert_eq!((arrivals(&there, &listener), arrivals(&here, &listener)), (0, 100));
}

#[test]
fn there_is_no_way_out() {
    let Some(network) = Network::if_possible(2) else { return };
    let socket = socket(&network, 1);
    let error = socket.send_to(b"word", "192.0.2.1:9").unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::NetworkUnreachable);
}

#[test]
fn a_network_is_gone_with_its_owner_also_after_a_panic() {
    let Some(network) = Network::if_possible(2) else { return };
    let files = [1, 2].map(|i| network.namespace(i));
    assert!(files.iter().all(|file| file.exists()));
    let ended = catch_unwind(AssertUnwindSafe(move || {
        let _network = network;
        std::panic::resume_unwind(Box::new("as a failing test does"));
    }));
    assert!(ended.is_err());
    assert!(files.iter().all(|file| !file.exists()));
}

#[test]
fn the_next_run_removes_only_what_a_killed_run_left() {
    let Some(living) = Network::if_possible(1) else { return };
    let left = "memberd-net-0badcafe-vm1";
    let made = Command::new("ip").args(["netns", "add", left]).status().unwrap();
    assert!(made.success());
    // Another test may be the next.
    let _next = Network::new(1).unwrap();
    wait_until("the leftover is gone", SOON, || {
        holds(!Path::new("/run/netns").join(left).exists(), || left.to_owned())
    });
    assert!(fs::exists(living.namespace(1)).unwrap());
}
