//! Asks one etcd through its gateway for HTTP. A [`Gateway`] owns one connection, for one question.

use crate::system::Place;
use memberd_tests::namespaces::within;
use serde_json::Value;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;

/// The port for clients.
const PORT: u16 = 2379;

/// A connection that has not asked yet.
pub(crate) struct Gateway(TcpStream);

impl Gateway {
    /// Connects on the server's own machine.
    pub(crate) fn connect(place: &Place) -> Self {
        let address = (place.address(), PORT);
        let stream = within(&place.namespace, || TcpStream::connect(address));
        let stream = stream.expect("etcd listens");
        stream.set_read_timeout(Some(crate::group::LIMIT)).expect("a timeout");
        Gateway(stream)
    }

    /// Sends a request, and returns the answer.
    pub(crate) fn post(mut self, path: &str, body: &Value) -> Value {
        let body = body.to_string();
        let request = format!(
            "POST {path} HTTP/1.1\r\nHost: etcd\r\nConnection: close\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        self.0.write_all(request.as_bytes()).expect("etcd reads the request");
        let mut answer = String::new();
        self.0.read_to_string(&mut answer).expect("etcd answers");
        // The body may be a chunk, with its length before it.
        let body = answer.split_once("\r\n\r\n").map(|(_, body)| body).unwrap_or_default();
        let object = body.find('{').zip(body.rfind('}')).map(|(from, to)| &body[from..=to]);
        let object = object.unwrap_or_else(|| panic!("etcd answers with JSON: {answer}"));
        assert!(answer.starts_with("HTTP/1.1 200 "), "etcd refuses {path}: {object}");
        serde_json::from_str(object).expect("JSON")
    }
}
