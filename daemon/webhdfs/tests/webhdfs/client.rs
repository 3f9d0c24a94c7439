//! A small client of HTTP/1.1, and the server that it asks. It sends what it is given, byte by
//! byte, so that tests can repeat what real clients send.

use crate::memory::Memory;
use memberd_webhdfs::{Limits, May, Server, Settings, Shares};
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// Only a hang takes this long.
pub(crate) const SOON: Duration = Duration::from_secs(30);

/// A server of the shares `s` and `t`.
pub(crate) struct Served {
    pub(crate) files: Memory,
    pub(crate) host: String,
    serving: JoinHandle<()>,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Heard {
    pub(crate) status: u16,
    /// Names in small letters.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Served {
    pub(crate) async fn new() -> Served {
        Self::with(Settings { may: May::Write, ..Settings::default() }).await
    }

    pub(crate) async fn with_limits(limits: Limits) -> Served {
        Self::with(Settings { may: May::Write, shares: Shares::All, limits }).await
    }

    pub(crate) async fn with(settings: Settings) -> Served {
        let files = Memory::new(&["s", "t"]);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let host = format!("localhost:{}", listener.local_addr().unwrap().port());
        let server = Server::new(Arc::new(files.clone()), settings);
        let serving = tokio::spawn(async move {
            server.serve(listener).await.unwrap();
        });
        Served { files, host, serving }
    }

    pub(crate) async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.host.replace("localhost", "127.0.0.1")).await.unwrap()
    }

    /// One request on a connection of its own.
    pub(crate) async fn ask(&self, method: &str, target: &str) -> Heard {
        self.send(method, target, b"").await
    }

    /// One request with a body.
    pub(crate) async fn send(&self, method: &str, target: &str, body: &[u8]) -> Heard {
        let length = format!("Content-Length: {}\r\n", body.len());
        self.raw(&[self.head(method, target, &length).as_slice(), body].concat()).await
    }

    /// The head of a request. The prefix of the path is added.
    pub(crate) fn head(&self, method: &str, target: &str, headers: &str) -> Vec<u8> {
        let host = &self.host;
        let target = match target.strip_prefix("http://") {
            Some(rest) => &rest[rest.find('/').unwrap()..],
            None => &format!("/webhdfs/v1{target}"),
        };
        format!("{method} {target} HTTP/1.1\r\nHost: {host}\r\n{headers}\r\n").into_bytes()
    }

    /// Sends bytes and hears one answer.
    pub(crate) async fn raw(&self, bytes: &[u8]) -> Heard {
        let mut stream = self.connect().await;
        stream.write_all(bytes).await.unwrap();
        hear(&mut stream).await
    }

    /// Both steps of an operation with data.
    pub(crate) async fn transfer(&self, method: &str, target: &str, body: &[u8]) -> Heard {
        let first = self.ask(method, target).await;
        assert_eq!(first.status, 307, "{}", first.text());
        self.send(method, &first.location(), body).await
    }

    /// Creates a file.
    pub(crate) async fn put(&self, path: &str, body: &[u8]) {
        let heard = self.transfer("PUT", &format!("{path}?op=CREATE"), body).await;
        assert_eq!((heard.status, heard.body.as_slice()), (201, b"".as_slice()));
    }

    /// The content of a file.
    pub(crate) async fn get(&self, path: &str) -> Vec<u8> {
        let heard = self.transfer("GET", &format!("{path}?op=OPEN"), b"").await;
        assert_eq!(heard.status, 200, "{}", heard.text());
        heard.body
    }

    /// The JSON of an answer that succeeded.
    pub(crate) async fn json(&self, method: &str, target: &str) -> Value {
        let heard = self.ask(method, target).await;
        assert_eq!(heard.status, 200, "{target}: {}", heard.text());
        heard.json()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Heard {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(have, _)| have == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn location(&self) -> String {
        self.header("location").expect("a location").to_owned()
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| {
            panic!("{error}: {}", self.text());
        })
    }

    /// The status and the Java class of an error.
    pub(crate) fn refused(&self) -> (u16, String) {
        let class = self.json()["RemoteException"]["javaClassName"].clone();
        (self.status, class.as_str().expect("a class").to_owned())
    }
}

/// Hears one answer: by its length, in chunks, or to the end of the connection.
///
/// # Panics
/// If it breaks off.
pub(crate) async fn hear(stream: &mut TcpStream) -> Heard {
    try_hear(stream).await.expect("a whole answer")
}

/// As [`hear`], or nothing if it breaks off.
pub(crate) async fn try_hear(stream: &mut TcpStream) -> Option<Heard> {
    timeout(SOON, hear_slowly(stream)).await.expect("an answer in time")
}

async fn hear_slowly(stream: &mut TcpStream) -> Option<Heard> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).unwrap();
    let mut lines = head.lines();
    let status: u16 = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let pair = |line: &str| {
        let (name, value) = line.split_once(": ")?;
        Some((name.to_ascii_lowercase(), value.to_owned()))
    };
    let headers: Vec<_> = lines.filter_map(pair).collect();
    let mut heard = Heard { status, headers, body: Vec::new() };
    if status == 100 {
        return Some(heard);
    }
    if let Some(length) = heard.header("content-length") {
        heard.body.resize(length.parse().unwrap(), 0);
        stream.read_exact(&mut heard.body).await.ok()?;
    } else if heard.header("transfer-encoding") == Some("chunked") {
        while let piece = chunk(stream).await?
            && !piece.is_empty()
        {
            heard.body.extend(piece);
        }
    }
    Some(heard)
}

async fn chunk(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut line = Vec::new();
    while !line.ends_with(b"\r\n") {
        line.push(stream.read_u8().await.ok()?);
    }
    let size = usize::from_str_radix(str::from_utf8(&line).ok()?.trim(), 16).ok()?;
    let mut piece = vec![0; size + 2];
    stream.read_exact(&mut piece).await.ok()?;
    piece.truncate(size);
    Some(piece)
}
