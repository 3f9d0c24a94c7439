//! Speaks as much of ZooKeeper's protocol as a lock needs. A [`Session`] owns its connection.

use crate::system::Place;
use memberd_tests::namespaces::within;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;

/// The port for clients.
const PORT: u16 = 2181;

/// The longest time between two words of a client, in milliseconds.
const SESSION_MS: i32 = 30_000;

/// Operations of `ZooDefs.OpCode`.
const CREATE: i32 = 1;
const DELETE: i32 = 2;
const EXISTS: i32 = 3;
const GET_CHILDREN: i32 = 8;

/// The number of a message that answers nothing: a watch.
const EVENT: i32 = -1;

/// Every right, as in `ZooDefs.Perms.ALL`.
const ALL_RIGHTS: i32 = 31;

/// `CreateMode.EPHEMERAL_SEQUENTIAL`
const EPHEMERAL_SEQUENTIAL: i32 = 3;

/// A client of one server.
pub(crate) struct Session {
    stream: TcpStream,
    asked: i32,
    /// Whether a watch has told something that nobody has waited for yet.
    has_event: bool,
}

impl Session {
    /// Connects on the server's own machine.
    pub(crate) fn open(place: &Place) -> Self {
        let address = (place.address(), PORT);
        let stream = within(&place.namespace, || TcpStream::connect(address));
        let stream = stream.expect("ZooKeeper listens");
        stream.set_read_timeout(Some(crate::group::LIMIT)).expect("a timeout");
        stream.set_nodelay(true).expect("a connection without delay");
        let mut session = Session { stream, asked: 0, has_event: false };
        // The version, the last change seen, the timeout, no session, and its password.
        let mut hello = Vec::new();
        hello.extend(0_i32.to_be_bytes());
        hello.extend(0_i64.to_be_bytes());
        hello.extend(SESSION_MS.to_be_bytes());
        hello.extend(0_i64.to_be_bytes());
        put(&mut hello, &[0; 16]);
        session.send(&hello);
        session.receive();
        session
    }

    /// Makes a node of this session with the next number, and returns its path.
    pub(crate) fn create_in_sequence(&mut self, path: &str) -> String {
        let mut body = Vec::new();
        put(&mut body, path.as_bytes());
        put(&mut body, b"");
        body.extend(1_i32.to_be_bytes());
        body.extend(ALL_RIGHTS.to_be_bytes());
        put(&mut body, b"world");
        put(&mut body, b"anyone");
        body.extend(EPHEMERAL_SEQUENTIAL.to_be_bytes());
        let answer = self.ask(CREATE, &body).expect("a node");
        text(&mut answer.as_slice())
    }

    /// Watches a node, and returns whether it is there.
    pub(crate) fn watch(&mut self, path: &str) -> bool {
        self.ask(EXISTS, &path_and(path, &[1])).is_some()
    }

    /// The names below a node.
    pub(crate) fn children(&mut self, path: &str) -> Vec<String> {
        let answer = self.ask(GET_CHILDREN, &path_and(path, &[0])).expect("the node is there");
        let mut answer = answer.as_slice();
        (0..number(&mut answer))
            .map(|_| text(&mut answer))
            .filter(|name| name.starts_with("lock-"))
            .collect()
    }

    /// Removes a node in any version.
    pub(crate) fn delete(&mut self, path: &str) {
        self.ask(DELETE, &path_and(path, &(-1_i32).to_be_bytes())).expect("the node is there");
    }

    /// Waits until a watch tells something.
    pub(crate) fn wait_for_event(&mut self) {
        while !self.has_event {
            let message = self.receive();
            self.has_event = number(&mut message.as_slice()) == EVENT;
        }
        self.has_event = false;
    }

    /// The answer's body; `None` if it is an error.
    fn ask(&mut self, operation: i32, body: &[u8]) -> Option<Vec<u8>> {
        self.asked += 1;
        let head = [self.asked.to_be_bytes(), operation.to_be_bytes()].concat();
        self.send(&[head.as_slice(), body].concat());
        loop {
            let message = self.receive();
            let mut rest = message.as_slice();
            let asked = number(&mut rest);
            if asked == self.asked {
                // The number of the last change is between.
                rest = rest.get(8..).unwrap_or_default();
                return (number(&mut rest) == 0).then(|| rest.to_vec());
            }
            self.has_event |= asked == EVENT;
        }
    }

    fn send(&mut self, message: &[u8]) {
        let mut frame = Vec::new();
        put(&mut frame, message);
        self.stream.write_all(&frame).expect("ZooKeeper reads");
    }

    fn receive(&mut self) -> Vec<u8> {
        let mut length = [0; 4];
        self.stream.read_exact(&mut length).expect("ZooKeeper answers");
        let mut message = vec![0; u32::from_be_bytes(length) as usize];
        self.stream.read_exact(&mut message).expect("ZooKeeper answers");
        message
    }
}

fn path_and(path: &str, rest: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    put(&mut body, path.as_bytes());
    body.extend(rest);
    body
}

/// Writes bytes with their length before them.
fn put(to: &mut Vec<u8>, bytes: &[u8]) {
    to.extend(i32::try_from(bytes.len()).expect("a short message").to_be_bytes());
    to.extend(bytes);
}

fn number(from: &mut &[u8]) -> i32 {
    let (number, rest) = from.split_first_chunk().expect("a number");
    *from = rest;
    i32::from_be_bytes(*number)
}

fn text(from: &mut &[u8]) -> String {
    let length = usize::try_from(number(from)).expect("a length");
    let (text, rest) = from.split_at(length);
    *from = rest;
    String::from_utf8_lossy(text).into_owned()
}
