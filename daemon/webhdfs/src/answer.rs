//! Answers as HTTP has them. JSON has no `Content-Type`: with one, the client of Hadoop 3.5 cannot
//! read it, since its JAX-RS is missing.

use crate::error::FileError;
use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Empty, Full};
use hyper::header::{CONTENT_TYPE, HeaderName, HeaderValue, LOCATION, RETRY_AFTER};
use hyper::{Response, StatusCode};
use serde_json::{Value, json};
use std::io;

/// The body of an answer.
pub(crate) type Body = UnsyncBoxBody<Bytes, io::Error>;

/// An answer.
pub(crate) type Answer = Response<Body>;

/// No browser may take an answer for a script or a page.
const NO_SNIFFING: (HeaderName, HeaderValue) =
    (HeaderName::from_static("x-content-type-options"), HeaderValue::from_static("nosniff"));

/// What an operation without data says.
#[derive(Debug)]
pub(crate) enum Said {
    /// Nothing but that it is done.
    Nothing,
    /// This.
    Json(Value),
}

impl From<Value> for Said {
    fn from(value: Value) -> Said {
        Said::Json(value)
    }
}

impl From<Said> for Answer {
    fn from(said: Said) -> Answer {
        match said {
            Said::Nothing => empty(StatusCode::OK),
            Said::Json(value) => json_bytes(StatusCode::OK, value.to_string().into_bytes()),
        }
    }
}

/// An answer without a body.
pub(crate) fn empty(status: StatusCode) -> Answer {
    with_body(status, Empty::new().map_err(|never| match never {}).boxed_unsync())
}

/// An answer with this body.
pub(crate) fn with_body(status: StatusCode, body: Body) -> Answer {
    let mut answer = Response::new(body);
    *answer.status_mut() = status;
    let (name, value) = NO_SNIFFING;
    answer.headers_mut().insert(name, value);
    answer
}

/// An answer of bytes of a file.
pub(crate) fn octets(body: Body) -> Answer {
    let mut answer = with_body(StatusCode::OK, body);
    let octets = HeaderValue::from_static("application/octet-stream");
    answer.headers_mut().insert(CONTENT_TYPE, octets);
    answer
}

/// Where the data is sent to or read from.
pub(crate) fn redirect(location: &str, in_json: bool) -> Result<Answer, FileError> {
    if in_json {
        return Ok(Said::Json(json!({"Location": location})).into());
    }
    // Clients of Java follow no other redirect.
    let mut answer = empty(StatusCode::TEMPORARY_REDIRECT);
    let value = HeaderValue::from_str(location)
        .map_err(|error| FileError::Invalid(format!("no location: {error}")))?;
    answer.headers_mut().insert(LOCATION, value);
    Ok(answer)
}

/// An error.
pub(crate) fn error(error: &FileError) -> Answer {
    let mut answer = json_bytes(error.status(), error.to_json());
    if let FileError::Busy(_) = error {
        answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
    }
    answer
}

fn json_bytes(status: StatusCode, bytes: Vec<u8>) -> Answer {
    let body = Full::new(Bytes::from(bytes)).map_err(|never| match never {}).boxed_unsync();
    with_body(status, body)
}
