//! Where the data of a file is sent to or read from: always another request to this server.

use crate::operation::STEP;
use hyper::Uri;

/// The location of the second request. It has the path and the query of the first, escaped where a
/// client left bytes raw, and always a query: clients of Java add `&offset=` to it.
pub(crate) fn location(host: &str, uri: &Uri) -> String {
    let mut location = format!("http://{host}");
    escape(uri.path(), &mut location);
    location.push('?');
    let query = uri.query().unwrap_or_default();
    // Otherwise the second request would be answered with a location again.
    let kept = |pair: &&str| !starts_with_name(pair, "noredirect") && !starts_with_name(pair, STEP);
    for pair in query.split('&').filter(|pair| !pair.is_empty()).filter(kept) {
        escape(pair, &mut location);
        location.push('&');
    }
    location.push_str(STEP);
    location.push_str("=data");
    location
}

fn starts_with_name(pair: &str, name: &str) -> bool {
    pair.split('=').next().is_some_and(|have| have.eq_ignore_ascii_case(name))
}

/// Escapes what is not allowed in a URI (RFC 3986), and leaves escapes as they are.
fn escape(raw: &str, to: &mut String) {
    for byte in raw.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/?%".contains(&byte) {
            to.push(char::from(byte));
        } else {
            to.push_str(&format!("%{byte:02X}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_location_has_the_same_path_and_query() {
        let of = |uri: &str| location("localhost:9870", &uri.parse().unwrap());
        assert_eq!(
            of("/webhdfs/v1/a%20b+c?op=OPEN&noRedirect=true&step=x&offset=3"),
            "http://localhost:9870/webhdfs/v1/a%20b+c?op=OPEN&offset=3&step=data"
        );
        assert_eq!(of("/webhdfs/v1/ä|x?op=ä"), {
            "http://localhost:9870/webhdfs/v1/%C3%A4%7Cx?op=%C3%A4&step=data"
        });
        assert_eq!(of("/webhdfs/v1/a"), "http://localhost:9870/webhdfs/v1/a?step=data");
    }
}
