//! Asks over HTTP/1.1. An [`Http`] owns one connection, which it keeps if the server does.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write as _};
use std::net::TcpStream;
use std::time::Duration;

/// How long an answer may take.
const LIMIT: Duration = Duration::from_secs(60);

/// How much of a body is kept. All of it is read and counted.
const KEPT: usize = 1 << 20;

/// A client of one server.
pub(crate) struct Http {
    address: String,
    stream: Option<BufReader<TcpStream>>,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Where to ask next.
    pub(crate) location: Option<String>,
    /// How long the body is.
    pub(crate) length: usize,
    /// Its beginning.
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// The answer, if it has this status.
    pub(crate) fn expect(self, status: u16) -> Result<Answer, String> {
        if self.status == status {
            return Ok(self);
        }
        let said = String::from_utf8_lossy(&self.body);
        let said: String = said.chars().take(300).collect();
        Err(format!("status {}: {said}", self.status))
    }
}

impl Http {
    /// A client that has not connected yet.
    pub(crate) fn new(address: &str) -> Self {
        Http { address: address.to_owned(), stream: None }
    }

    /// Reads something small.
    pub(crate) fn get(mut self, target: &str) -> Result<Answer, String> {
        self.ask("GET", target, None)?.expect(200)
    }

    /// Writes something small.
    pub(crate) fn put(mut self, target: &str, content: &[u8]) -> Result<Answer, String> {
        self.ask("PUT", target, Some(content))?.expect(201)
    }

    /// Asks, over the kept connection if there is one. If the server has closed it meanwhile, over
    /// a new one.
    pub(crate) fn ask(
        &mut self,
        method: &str,
        target: &str,
        content: Option<&[u8]>,
    ) -> Result<Answer, String> {
        let was_kept = self.stream.is_some();
        match self.ask_once(method, target, content) {
            Err(error) if was_kept && is_closed(&error) => self.ask_once(method, target, content),
            outcome => outcome,
        }
        .map_err(|error| format!("{method} {target}: {error}"))
    }

    fn ask_once(
        &mut self,
        method: &str,
        target: &str,
        content: Option<&[u8]>,
    ) -> std::io::Result<Answer> {
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => connect(&self.address)?,
        };
        let length = match content {
            Some(content) => format!("Content-Length: {}\r\n", content.len()),
            None if method == "GET" || method == "HEAD" => String::new(),
            None => "Content-Length: 0\r\n".to_owned(),
        };
        let head = format!("{method} {target} HTTP/1.1\r\nHost: {}\r\n{length}\r\n", self.address);
        let socket = stream.get_mut();
        match content {
            Some(content) if content.len() <= KEPT => {
                socket.write_all(&[head.as_bytes(), content].concat())?;
            }
            content => {
                socket.write_all(head.as_bytes())?;
                socket.write_all(content.unwrap_or_default())?;
            }
        }
        let (answer, keeps) = read(&mut stream, method == "HEAD")?;
        self.stream = keeps.then_some(stream);
        Ok(answer)
    }
}

fn connect(address: &str) -> std::io::Result<BufReader<TcpStream>> {
    let stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(LIMIT))?;
    stream.set_write_timeout(Some(LIMIT))?;
    Ok(BufReader::with_capacity(1 << 18, stream))
}

/// Whether the server closed a connection that it had kept.
fn is_closed(error: &std::io::Error) -> bool {
    let kinds = [ErrorKind::UnexpectedEof, ErrorKind::ConnectionReset, ErrorKind::BrokenPipe];
    kinds.contains(&error.kind())
}

/// Reads an answer, and says whether the connection can be kept.
fn read(stream: &mut impl BufRead, is_head: bool) -> std::io::Result<(Answer, bool)> {
    let (mut status, mut location) = (0, None);
    let (mut length, mut chunked, mut keeps) = (None, false, true);
    let mut line = String::new();
    loop {
        line.clear();
        if stream.read_line(&mut line)? == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        let text = line.trim_end();
        if text.is_empty() {
            // An interim answer has another one behind it.
            if status == 100 {
                status = 0;
                continue;
            }
            break;
        }
        if status == 0 {
            let word = text.split(' ').nth(1).and_then(|word| word.parse().ok());
            status = word.ok_or(ErrorKind::InvalidData)?;
            continue;
        }
        let Some((name, value)) = text.split_once(':') else { continue };
        let value = value.trim();
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.parse::<u64>().ok(),
            "transfer-encoding" => chunked = value.eq_ignore_ascii_case("chunked"),
            "connection" => keeps = !value.eq_ignore_ascii_case("close"),
            "location" => location = Some(value.to_owned()),
            _ => {}
        }
    }
    let mut body = Body::default();
    match length {
        _ if is_head || status == 204 || status == 304 => {}
        _ if chunked => chunks(stream, &mut body)?,
        Some(length) => body.take(stream, length)?,
        None => {
            keeps = false;
            body.take_all(stream)?;
        }
    }
    Ok((Answer { status, location, length: body.length, body: body.kept }, keeps))
}

/// A body in chunks: RFC 9112, section 7.1.
fn chunks(stream: &mut impl BufRead, body: &mut Body) -> std::io::Result<()> {
    let mut line = String::new();
    loop {
        line.clear();
        stream.read_line(&mut line)?;
        let size = line.trim_end().split(';').next().unwrap_or_default();
        let size = u64::from_str_radix(size, 16).map_err(|_| ErrorKind::InvalidData)?;
        body.take(stream, size)?;
        line.clear();
        stream.read_line(&mut line)?;
        if size == 0 {
            return Ok(());
        }
    }
}

/// What was read of a body.
#[derive(Default)]
struct Body {
    length: usize,
    kept: Vec<u8>,
}

impl Body {
    /// Takes so much, or fails.
    fn take(&mut self, stream: &mut impl Read, length: u64) -> std::io::Result<()> {
        let before = self.length;
        self.take_all(&mut stream.by_ref().take(length))?;
        if (self.length - before) as u64 == length {
            Ok(())
        } else {
            Err(ErrorKind::ConnectionAborted.into())
        }
    }

    fn take_all(&mut self, from: &mut impl Read) -> std::io::Result<()> {
        let mut buffer = vec![0; 1 << 17];
        loop {
            let count = from.read(&mut buffer)?;
            if count == 0 {
                return Ok(());
            }
            self.length += count;
            let room = KEPT.saturating_sub(self.kept.len()).min(count);
            self.kept.extend(&buffer[..room]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each server ends its answers in another way.
    #[test]
    fn answers_end_by_length_by_chunks_or_with_the_connection() {
        let told = |text: &str| {
            let (answer, keeps) = read(&mut text.as_bytes(), false).unwrap();
            (answer.status, String::from_utf8(answer.body).unwrap(), keeps)
        };
        let by_length = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcd";
        assert_eq!(told(by_length), (200, "abc".to_owned(), true));
        let chunked = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\
            Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n";
        assert_eq!(told(chunked), (200, "abc".to_owned(), false));
        let closed = "HTTP/1.1 500 No\r\n\r\nabc";
        assert_eq!(told(closed), (500, "abc".to_owned(), false));
        let redirect = "HTTP/1.1 307 There\r\nlocation: http://x/y\r\nContent-Length: 0\r\n\r\n";
        let (answer, _) = read(&mut redirect.as_bytes(), false).unwrap();
        assert_eq!(answer.location.as_deref(), Some("http://x/y"));
        let short = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc";
        assert!(read(&mut short.as_bytes(), false).is_err(), "a body that breaks off is no answer");
    }
}
