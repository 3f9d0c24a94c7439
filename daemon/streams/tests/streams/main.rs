//! Questions from text to rows, through the public surface alone.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a failed step of a test is a failed test"
)]

mod decoding;
mod errors;
mod following;
mod formats;
mod language;
mod merging;
mod oracle;
mod readme;
mod support;
