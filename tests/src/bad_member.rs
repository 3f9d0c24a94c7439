//! A member that the test plays: the real protocol in a group without a key, and its own answers to
//! greps. It owns its node and its threads.

use crate::wait::SOON;
use memberd_membership::wire::encode_versioned;
use memberd_membership::{
    Call, CallError, CallRequest, Claim, Instant as Mono, Name, Node, Now, Output,
    PROTOCOL_VERSION, Settings, Update, WallTime,
};
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime};

/// How long it waits for a datagram before it looks at its timers.
const LOOK: Duration = Duration::from_millis(10);

/// How long it waits for what comes over a connection.
const LIMIT: Duration = Duration::from_secs(5);

/// How long a test waits for the reply to a call, which may have a long list.
const REPLY_LIMIT: Duration = SOON;

/// The kind of a request of the membership protocol, and the bit of one that keeps its connection.
const MEMBERSHIP: u8 = 0;
const KEEP: u8 = 0x80;

/// Answers the body of a grep on its connection.
type Answer = Box<dyn Fn(&[u8], &mut TcpStream) -> io::Result<()> + Send>;

/// The member. It stops when it is dropped, without a word to the others.
#[derive(Debug)]
pub struct BadMember {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

struct Shared {
    node: Mutex<Node>,
    answer: Mutex<Answer>,
    socket: UdpSocket,
    began: Instant,
    ended: AtomicBool,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").finish_non_exhaustive()
    }
}

impl BadMember {
    /// Joins the group through an introducer, as a member of this name and address. Wait for it in
    /// the lists of the others. It refuses greps until it has an answer.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn join(name: &str, address: SocketAddr, introducer: SocketAddr) -> BadMember {
        let name = Name::new(name).expect("a member's name");
        let mut node = Node::new(Settings::default(), name, address, None, 7);
        let socket = UdpSocket::bind(address).expect("a free address");
        socket.set_read_timeout(Some(LOOK)).expect("a limit of time");
        let listener = TcpListener::bind(address).expect("a free address");
        let began = Instant::now();
        node.join(now(began), vec![introducer], Vec::new()).expect("a node that is out");
        let shared = Arc::new(Shared {
            node: Mutex::new(node),
            answer: Mutex::new(Box::new(|_, _| Ok(()))),
            socket,
            began,
            ended: AtomicBool::new(false),
        });
        let threads = vec![
            thread::spawn({
                let shared = Arc::clone(&shared);
                move || shared.run()
            }),
            thread::spawn({
                let shared = Arc::clone(&shared);
                move || shared.listen(&listener)
            }),
        ];
        BadMember { shared, threads }
    }

    /// It, as an update says it.
    ///
    /// # Panics
    /// When it is not in the group.
    pub fn itself(&self) -> Update {
        let node = self.shared.node.lock().unwrap_or_else(PoisonError::into_inner);
        Update::new(node.member().expect("it is in the group"), Claim::Alive)
    }

    /// Exchanges this list with a member, as if it were its own. Returns the reply.
    ///
    /// # Errors
    /// When there is no reply.
    pub fn exchange(&self, to: SocketAddr, list: Vec<Update>) -> io::Result<Vec<u8>> {
        let request = CallRequest::Exchange { sender: self.itself(), list };
        self.call(to, &encode_versioned(&request))
    }

    /// Sends a request of the membership protocol. Returns the reply.
    ///
    /// # Errors
    /// When there is none.
    pub fn call(&self, to: SocketAddr, request: &[u8]) -> io::Result<Vec<u8>> {
        ask(to, request, REPLY_LIMIT)
    }

    /// From now on it sends these frames to whoever asks it for a grep: the kind, and the body.
    /// Then it closes the connection.
    ///
    /// # Panics
    /// When an earlier answer has panicked.
    pub fn answer(&self, frames: Vec<(u8, Vec<u8>)>) {
        self.answer_with(move |_, stream| {
            frames.iter().try_for_each(|(kind, body)| send(stream, *kind, body))
        });
    }

    /// From now on it answers greps so.
    ///
    /// # Panics
    /// When an earlier answer has panicked.
    pub fn answer_with(
        &self,
        answer: impl Fn(&[u8], &mut TcpStream) -> io::Result<()> + Send + 'static,
    ) {
        *self.shared.answer.lock().expect("no answer has panicked") = Box::new(answer);
    }
}

impl Drop for BadMember {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::Relaxed);
        if let Ok(address) = self.shared.socket.local_addr() {
            // The listening thread wakes up.
            let _ = TcpStream::connect(address);
        }
        for thread in self.threads.drain(..) {
            // A thread that panicked has said so.
            let _ = thread.join();
        }
    }
}

/// Sends a frame of an answer.
///
/// # Errors
/// When the asker is gone.
pub fn send(stream: &mut TcpStream, kind: u8, body: &[u8]) -> io::Result<()> {
    let length = u32::try_from(body.len() + 1).map_err(io::Error::other)?;
    stream.write_all(&[&length.to_be_bytes()[..], &[kind], body].concat())
}

fn now(began: Instant) -> Now {
    let wall = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default().as_millis();
    Now {
        mono: Mono::from_epoch(began.elapsed()),
        wall: WallTime(u64::try_from(wall).unwrap_or(u64::MAX)),
    }
}

/// Reads a frame whose length is this at most.
fn read_frame(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let mut body = Vec::new();
    stream.take(u32::from_be_bytes(length).into()).read_to_end(&mut body)?;
    Ok(body)
}

impl Shared {
    fn is_over(&self) -> bool {
        self.ended.load(Ordering::Relaxed)
    }

    /// Gives the node an input, and does what it asks for then.
    fn step<T>(self: &Arc<Self>, input: impl FnOnce(&mut Node, Now) -> T) -> T {
        let mut node = self.node.lock().unwrap_or_else(PoisonError::into_inner);
        let result = input(&mut node, now(self.began));
        let mut datagram = Vec::new();
        while let Some(output) = node.poll_output(&mut datagram) {
            match output {
                Output::Event(_) => {}
                // A datagram may be lost.
                Output::Transmit(transmit) => drop(self.socket.send_to(&datagram, transmit.to)),
                Output::Call(call) => self.start(call),
            }
        }
        result
    }

    /// Starts a call. The node learns its reply.
    fn start(self: &Arc<Self>, call: Call) {
        let shared = Arc::clone(self);
        thread::spawn(move || {
            let reply = ask(call.to, &call.payload, LIMIT);
            let reply = reply.map_err(|error| CallError::Unreachable(error.to_string()));
            shared.step(|node, now| {
                node.handle_reply(now, call.id, reply.as_deref().map_err(Clone::clone));
            });
        });
    }

    /// Reads datagrams and keeps the timers, until the end.
    fn run(self: &Arc<Self>) {
        let mut bytes = [0; 65_536];
        while !self.is_over() {
            if let Ok((length, from)) = self.socket.recv_from(&mut bytes) {
                let datagram = bytes.get(..length).unwrap_or_default();
                // What is malformed is ignored.
                self.step(|node, now| drop(node.handle_datagram(now, from, datagram)));
            }
            self.step(|node, now| {
                if node.poll_timeout().is_some_and(|due| due <= now.mono) {
                    node.handle_timeout(now);
                }
            });
        }
    }

    fn listen(self: &Arc<Self>, listener: &TcpListener) {
        for stream in listener.incoming() {
            if self.is_over() {
                return;
            }
            let shared = Arc::clone(self);
            if let Ok(stream) = stream {
                thread::spawn(move || shared.serve(stream));
            }
        }
    }

    /// Serves the requests of a connection. Its end makes no difference.
    fn serve(self: &Arc<Self>, mut stream: TcpStream) -> io::Result<()> {
        stream.set_read_timeout(Some(LIMIT))?;
        stream.set_nodelay(true)?;
        loop {
            let request = read_frame(&mut stream)?;
            let Some(([_, kind], body)) = request.split_first_chunk() else { return Ok(()) };
            if kind & !KEEP != MEMBERSHIP {
                let answer = self.answer.lock().map_err(|_| io::ErrorKind::Other)?;
                return answer(body, &mut stream);
            }
            let reply = self.step(|node, now| node.handle_request(now, body));
            let length = u32::try_from(reply.len()).map_err(io::Error::other)?;
            stream.write_all(&[&length.to_be_bytes()[..], &reply].concat())?;
            if kind & KEEP == 0 {
                return Ok(());
            }
        }
    }
}

/// Makes a call, and returns its reply, for which it waits this long.
fn ask(to: SocketAddr, request: &[u8], limit: Duration) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect_timeout(&to, limit)?;
    stream.set_read_timeout(Some(limit))?;
    let length = u32::try_from(request.len() + 2).map_err(io::Error::other)?;
    let head = [&length.to_be_bytes()[..], &[PROTOCOL_VERSION, MEMBERSHIP]].concat();
    stream.write_all(&[&head[..], request].concat())?;
    read_frame(&mut stream)
}
