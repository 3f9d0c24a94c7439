//! Answers `GET /metrics` over HTTP/1.1 (RFC 9112), and nothing else. It owns the open connections.
//!
//! A scraper needs one request for each connection, a bounded head, no body, a time limit and a few
//! connections at once. Every server crate brings more than that. The code reads only the first
//! line of a request.

use crate::services::Services;
use memberd_transport::{Admission, Arrival, Crowd, serve_all};
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tracing::debug;

/// The most connections whose request has not arrived. When more come, silent ones are ended.
const SILENT: usize = 64;

/// The most requests that are answered at once. One machine has at most half of them.
const CONNECTIONS: usize = 16;

/// How long a connection may take as a whole.
const LIMIT: Duration = Duration::from_secs(5);

/// How long the request may take to arrive. Idle connections end soon and make room.
const HEAD_LIMIT: Duration = Duration::from_secs(2);

/// The longest head of a request, in bytes.
const LONGEST_HEAD: usize = 8 * 1024;

/// The text format's media type.
const METRICS_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The answer to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// The metrics.
    Metrics {
        /// False for `HEAD`.
        with_body: bool,
    },
    /// The path is not `/metrics`.
    NotFound,
    /// The method is neither `GET` nor `HEAD`.
    WrongMethod,
    /// The bytes are not a request of HTTP/1.
    BadRequest,
    /// The head is longer than the limit.
    HeadTooLong,
}

/// The connections of scrapers, of which there are none yet.
pub fn crowd() -> Crowd {
    let served = Admission::unanswered("scrapers of metrics", CONNECTIONS)
        .shared(|taken| format!("{taken} requests from there are answered already"));
    Crowd::new("scrapers of metrics", SILENT, served)
}

/// Serves connections until the task is dropped.
pub async fn listen(listener: TcpListener, services: Arc<Services>) {
    let crowd = services.connections.metrics.clone();
    serve_all(listener, crowd, move |stream, from, arrival| {
        let services = Arc::clone(&services);
        async move {
            match timeout(LIMIT, serve(stream, arrival, &services)).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => debug!(%from, %error, "scrape ended"),
                Err(_) => debug!(%from, "a scrape took too long"),
            }
        }
    })
    .await;
}

async fn serve(mut stream: TcpStream, arrival: Arrival, services: &Services) -> io::Result<()> {
    let answer = answer(&timeout(HEAD_LIMIT, read_head(&mut stream)).await??);
    let _served = arrival.serve_within(LIMIT).await.map_err(io::Error::other)?;
    let (status, body) = match answer {
        Answer::Metrics { .. } => match services.metrics().await {
            Ok(text) => ("200 OK", text),
            Err(ended) => ("503 Service Unavailable", format!("{ended}\n")),
        },
        Answer::NotFound => ("404 Not Found", "metrics are at /metrics\n".to_owned()),
        Answer::WrongMethod => ("405 Method Not Allowed", "only GET and HEAD\n".to_owned()),
        Answer::BadRequest => ("400 Bad Request", "not an HTTP/1 request\n".to_owned()),
        Answer::HeadTooLong => {
            ("431 Request Header Fields Too Large", format!("at most {LONGEST_HEAD} bytes\n"))
        }
    };
    let allow = if answer == Answer::WrongMethod { "Allow: GET, HEAD\r\n" } else { "" };
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {METRICS_TYPE}\r\nContent-Length: \
        {length}\r\n{allow}Connection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await?;
    if answer != (Answer::Metrics { with_body: false }) {
        stream.write_all(body.as_bytes()).await?;
    }
    stream.shutdown().await
}

/// Reads until the empty line that ends the head, until the end of the stream, or until the head is
/// too long. It reads at most 9 KiB.
///
/// # Errors
/// When the connection breaks.
pub async fn read_head(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    let mut piece = [0; 1024];
    while head.len() <= LONGEST_HEAD && !is_whole(&head) {
        let read = stream.read(&mut piece).await?;
        if read == 0 {
            break;
        }
        head.extend(piece.iter().take(read));
    }
    Ok(head)
}

fn is_whole(head: &[u8]) -> bool {
    head.windows(4).any(|window| window == b"\r\n\r\n")
}

/// The answer to a request with this head.
pub fn answer(head: &[u8]) -> Answer {
    if !is_whole(head) {
        return if head.len() > LONGEST_HEAD { Answer::HeadTooLong } else { Answer::BadRequest };
    }
    let line: Vec<u8> = head.iter().copied().take_while(|byte| *byte != b'\r').collect();
    let line = String::from_utf8_lossy(&line);
    let words: Vec<&str> = line.split(' ').collect();
    let [method, target, version] = words.as_slice() else { return Answer::BadRequest };
    if !version.starts_with("HTTP/1.") {
        return Answer::BadRequest;
    }
    match (*method, path(target)) {
        ("GET", "/metrics") => Answer::Metrics { with_body: true },
        ("HEAD", "/metrics") => Answer::Metrics { with_body: false },
        ("GET" | "HEAD", _) => Answer::NotFound,
        _ => Answer::WrongMethod,
    }
}

/// The path of a request's target. A server must also accept the absolute form, which clients send
/// to proxies: RFC 9112, 3.2.2. The host in it is not compared, as that of `Host` is not.
fn path(target: &str) -> &str {
    let scheme = "http://";
    let target = match target.get(..scheme.len()) {
        Some(start) if start.eq_ignore_ascii_case(scheme) => {
            let rest = target.get(scheme.len()..).unwrap_or_default();
            rest.find(['/', '?']).and_then(|end| rest.get(end..)).unwrap_or_default()
        }
        _ => target,
    };
    target.split('?').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn only_the_first_line_counts() {
        let too_long = [b"GET /metrics HTTP/1.1\r\n".as_slice(), &[b'x'; LONGEST_HEAD]].concat();
        for (head, expected) in [
            (
                b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n".as_slice(),
                Answer::Metrics { with_body: true },
            ),
            (b"GET /metrics?name=x HTTP/1.0\r\n\r\n", Answer::Metrics { with_body: true }),
            (b"HEAD /metrics HTTP/1.1\r\n\r\n", Answer::Metrics { with_body: false }),
            (b"GET http://host:9946/metrics HTTP/1.1\r\n\r\n", Answer::Metrics { with_body: true }),
            (b"HEAD HTTP://[::1]/metrics?x HTTP/1.1\r\n\r\n", Answer::Metrics { with_body: false }),
            (b"GET http://host HTTP/1.1\r\n\r\n", Answer::NotFound),
            (b"GET http://metrics HTTP/1.1\r\n\r\n", Answer::NotFound),
            (b"GET http://host?/metrics HTTP/1.1\r\n\r\n", Answer::NotFound),
            (b"GET ftp://host/metrics HTTP/1.1\r\n\r\n", Answer::NotFound),
            (b"POST http://host/metrics HTTP/1.1\r\n\r\n", Answer::WrongMethod),
            (b"GET / HTTP/1.1\r\n\r\n", Answer::NotFound),
            (b"GET /metrics/.. HTTP/1.1\r\n\r\n", Answer::NotFound),
            (b"POST /metrics HTTP/1.1\r\n\r\n", Answer::WrongMethod),
            (b"GET /metrics\r\n\r\n", Answer::BadRequest),
            (b"GET /metrics HTTP/2\r\n\r\n", Answer::BadRequest),
            (b"GET /metrics HTTP/1.1\r\n", Answer::BadRequest),
            (b"\xff\r\n\r\n", Answer::BadRequest),
            (b"", Answer::BadRequest),
            (&too_long, Answer::HeadTooLong),
        ] {
            assert_eq!(answer(head), expected, "{}", String::from_utf8_lossy(head));
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = answer(&bytes);
        }
    }
}
