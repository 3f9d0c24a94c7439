//! A hundred thousand datagrams a second from a stranger.

use crate::{alone, print, span};
use memberd_control::keyring::Keyring;
use memberd_tests::flood::{Flood, Payload};
use memberd_tests::trials::siege::{self, PRESSED, STRANGER};
use memberd_tests::{Daemon, Fleet};
use std::fs;

/// How many a second are sent.
const RATE: u32 = 100_000;

/// About as long as a heartbeat is.
const SHORT: usize = 100;

/// The longest that the protocol has.
const LONG: usize = 1_232;

/// How many datagrams a daemon has refused so far.
fn refused(daemon: &Daemon) -> u64 {
    ["forged", "plain", "replayed", "sealed", "unknown_key"]
        .iter()
        .map(|cause| daemon.counter(&format!("refused_{cause}")))
        .sum()
}

/// The id of the first key that the members have.
fn key(fleet: &Fleet) -> memberd_control::keyring::KeyId {
    let text = fs::read_to_string(fleet[PRESSED].settings.key_file.as_ref().unwrap()).unwrap();
    Keyring::parse(&text).unwrap().keys()[0].id()
}

fn withstand(what: &str, length: usize, payload: impl FnOnce(&Fleet) -> Payload) {
    let _alone = alone();
    let Some(mut fleet) = siege::fleet(|daemon| daemon.set_keys("a")) else { return };
    let payload = payload(&fleet);
    let mut rates = (0.0, 0);
    let press = |fleet: &Fleet| {
        let network = fleet.network();
        Flood::start(
            &network.namespace(STRANGER),
            fleet[PRESSED].settings.address,
            payload,
            length,
            RATE,
        )
    };
    let look = |fleet: &Fleet, flood: &Flood| {
        rates = (flood.rate(), refused(&fleet[PRESSED]) * 1_000 / flood.sent().max(1));
    };
    let withstood = siege::withstand(&mut fleet, span(), press, look);
    let (sent, taken) = rates;
    print(
        &format!(
            "{what} of {length} bytes, {sent:.0}/s, of which it read {:.1} %",
            taken as f64 / 10.0
        ),
        &withstood,
    );
    assert!(taken > 0, "no flood reached it");
}

#[test]
fn garbage_datagrams_harm_nobody() {
    withstand("garbage datagrams", SHORT, |_| Payload::Garbage);
}

#[test]
fn forged_datagrams_harm_nobody() {
    withstand("forged datagrams", SHORT, |fleet| Payload::Forged(key(fleet)));
}

#[test]
fn long_forged_datagrams_harm_nobody() {
    withstand("forged datagrams", LONG, |fleet| Payload::Forged(key(fleet)));
}
