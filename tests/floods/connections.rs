//! Ten thousand connections from a stranger, and clients that read and write slowly, or not at all.

use crate::{alone, print, span};
use memberd_control::frame::encode;
use memberd_control::grep::{GrepPattern, GrepRequest};
use memberd_control::message::{Hello, PROTOCOL_VERSION, Request};
use memberd_tests::crowd::Crowd;
use memberd_tests::namespaces::within;
use memberd_tests::trials::siege::{self, PRESSED, STRANGER};
use memberd_tests::{Daemon, Fleet};
use std::io::Write;
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// How many connections are opened and held.
const CROWD: usize = 10_000;

/// How many connections a member serves at once. Serving that many is what presses it.
const SERVED: usize = 256;

/// Descriptors that the member may open meanwhile for the group itself: to exchange lists, to
/// resolve hosts, and for copies of those that choose it instead of the dead.
const OWN: usize = 32;

/// The number of slow clients of each kind, over TCP and at the control socket. All together they
/// are more than are served at once.
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
    let press = |fleet: &Fleet| {
        Crowd::start(&fleet.network().namespace(STRANGER), fleet[PRESSED].settings.address, CROWD)
    };
    let look = |_: &Fleet, crowd: &Crowd| counts = (crowd.opened(), crowd.most_held());
    let withstood = siege::withstand(&mut fleet, span(), press, look);
    let (opened, held) = counts;
    print(
        &format!("{CROWD} connections held, {opened} begun in all, of which {held} stood at once"),
        &withstood,
    );
    // For this side a connection is also open while it waits in the kernel of the member.
    assert!(opened >= CROWD && held >= SERVED, "{held} of {opened} connections stood");
    let [before, most] = withstood.descriptors;
    assert!(
        (before + SERVED / 2..=before + SERVED + OWN).contains(&most),
        "{before} descriptors before, {most} with a full house"
    );
}

/// A search whose output is more than all buffers on its way hold.
fn search() -> GrepRequest {
    let pattern = GrepPattern { patterns: vec![b"needle".to_vec()], ..GrepPattern::default() };
    GrepRequest { pattern, ..GrepRequest::default() }
}

/// The search as a member asks for it, where there is no key.
fn member_request() -> Vec<u8> {
    let mut request = GREP_REQUEST.to_vec();
    ciborium::into_writer(&search(), &mut request).unwrap();
    [&u32::try_from(request.len()).unwrap().to_be_bytes(), request.as_slice()].concat()
}

/// The bytes of a client at the control socket.
fn client_request(request: &Request) -> Vec<u8> {
    let hello = Hello { protocol: PROTOCOL_VERSION, program: "stranger".to_owned() };
    [encode(&hello).unwrap(), encode(request).unwrap()].concat()
}

/// Clients that read nothing, and one thread that sends a byte to each writer now and then. They
/// last until this is dropped.
struct Slow {
    ended: Option<Sender<()>>,
    writing: Option<JoinHandle<()>>,
    _unread: (Vec<TcpStream>, Vec<UnixStream>),
}

impl Slow {
    fn begin(fleet: &Fleet) -> Self {
        let (address, namespace) =
            (fleet[PRESSED].settings.address, fleet.network().namespace(STRANGER));
        let connect = || -> Vec<TcpStream> {
            (0..SLOW_TCP).map(|_| TcpStream::connect(address).unwrap()).collect()
        };
        let mut readers = within(&namespace, connect);
        readers.iter_mut().for_each(|stream| stream.write_all(&member_request()).unwrap());
        // They say nothing for long, and are ended for others once there are too many.
        let writers = within(&namespace, connect);
        let mut clients = at_control(&fleet[PRESSED]);
        let requests = [Request::Grep(Box::new(search())), Request::Events]
            .map(|request| client_request(&request));
        // Clients beyond the limit are let in later, or never. The kernel keeps what they send.
        clients
            .iter_mut()
            .zip(requests.iter().cycle())
            .for_each(|(stream, request)| stream.write_all(request).unwrap());
        let slow: Vec<Box<dyn Write + Send>> = writers
            .into_iter()
            .map(|stream| Box::new(stream) as Box<dyn Write + Send>)
            .chain(at_control(&fleet[PRESSED]).into_iter().map(|stream| Box::new(stream) as _))
            .collect();
        let (ended, over) = channel();
        let writing = thread::spawn(move || write_slowly(slow, &over));
        Slow { ended: Some(ended), writing: Some(writing), _unread: (readers, clients) }
    }
}

impl Drop for Slow {
    fn drop(&mut self) {
        drop(self.ended.take());
        if let Some(thread) = self.writing.take() {
            // A thread that panicked has said so.
            let _ = thread.join();
        }
    }
}

fn at_control(daemon: &Daemon) -> Vec<UnixStream> {
    (0..SLOW_CONTROL).map(|_| UnixStream::connect(&daemon.settings.socket).unwrap()).collect()
}

/// Sends a request byte by byte to each, again and again, until the other end of the channel is
/// dropped.
fn write_slowly(mut to: Vec<Box<dyn Write + Send>>, over: &Receiver<()>) {
    let request = client_request(&Request::List { all: true });
    for byte in request.iter().cycle() {
        // Connections that were closed are not written to any more.
        to.retain_mut(|stream| stream.write_all(&[*byte]).is_ok());
        if over.recv_timeout(BYTE) != Err(RecvTimeoutError::Timeout) {
            return;
        }
    }
}

#[test]
fn slow_readers_and_writers_harm_nobody() {
    let _alone = alone();
    // Without a key strangers get furthest.
    let fleet = siege::fleet(|daemon| {
        let line = format!("needle {:>92}\n", daemon.name());
        daemon.offer("big.txt").write_all(line.repeat(200_000).as_bytes()).unwrap();
    });
    let Some(mut fleet) = fleet else { return };
    let withstood = siege::withstand(&mut fleet, span(), Slow::begin, |_, _| ());
    print(
        &format!(
            "{SLOW_TCP} slow readers and {SLOW_TCP} slow writers over TCP, {SLOW_CONTROL} and \
            {SLOW_CONTROL} at the control socket"
        ),
        &withstood,
    );
}
