//! Refuses requests that a web page made: those for another host (DNS rebinding), and those with an
//! `Origin`.

use crate::error::FileError;
use hyper::header::{HOST, HeaderMap, ORIGIN};
use hyper::{Request, Uri};

/// The `Host` of a request, with its port as the client wrote it. Redirects lead there.
///
/// # Errors
/// If it is not this machine's loopback, if there are several, or if there is an `Origin`.
pub(crate) fn host<B>(request: &Request<B>) -> Result<String, FileError> {
    let denied = |why: &str| Err(FileError::Denied(why.to_owned()));
    if request.headers().contains_key(ORIGIN) {
        return denied("requests of web pages are refused");
    }
    let Some(named) = named(request.headers(), request.uri()) else {
        return denied("one Host header must say localhost, 127.0.0.1 or [::1]");
    };
    Ok(named)
}

fn named(headers: &HeaderMap, uri: &Uri) -> Option<String> {
    let mut hosts = headers.get_all(HOST).iter();
    let host = hosts.next()?.to_str().ok()?;
    // The absolute form has a host of its own, and both must be ours: RFC 9112, 3.2.2.
    let in_target = uri.authority().is_none_or(|authority| is_loopback(authority.as_str()));
    (hosts.next().is_none() && is_loopback(host) && in_target).then(|| host.to_owned())
}

/// Whether it is a name of this machine's loopback, with or without a port.
fn is_loopback(host: &str) -> bool {
    ["localhost", "127.0.0.1", "[::1]"].iter().any(|name| {
        let (start, rest) = host.split_at_checked(name.len()).unwrap_or_default();
        let digits = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit());
        let is_port = |port: &str| digits(port) && port.parse::<u16>().is_ok();
        start.eq_ignore_ascii_case(name)
            && (rest.is_empty() || rest.strip_prefix(':').is_some_and(is_port))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_loopback_are_hosts() {
        for good in ["localhost", "LOCALHOST:9870", "127.0.0.1:1", "[::1]", "[::1]:65535"] {
            assert!(is_loopback(good), "{good}");
        }
        for bad in [
            "",
            "localhost.evil.org",
            "localhost:",
            "localhost:x",
            "localhost:99999",
            "localhost:+1",
            "127.0.0.1.evil.org:9870",
            "127.0.0.10",
            "user@localhost",
            "::1",
            "evil.org",
            "ä",
        ] {
            assert!(!is_loopback(bad), "{bad}");
        }
    }

    #[test]
    fn several_hosts_and_other_targets_are_refused() {
        let request = |uri: &str, headers: &[(&str, &str)]| {
            let request = headers.iter().fold(Request::builder().uri(uri), |request, header| {
                request.header(header.0, header.1)
            });
            host(&request.body(()).unwrap())
        };
        let ours = ("host", "localhost:9870");
        assert_eq!(request("/", &[ours]), Ok("localhost:9870".to_owned()));
        assert!(request("http://127.0.0.1:9870/", &[ours]).is_ok());
        assert!(request("http://evil.org/", &[ours]).is_err());
        assert!(request("/", &[ours, ours]).is_err());
        assert!(request("/", &[]).is_err());
        assert!(request("/", &[ours, ("origin", "null")]).is_err());
    }
}
