//! The server by its sockets: each operation, each error, data, who is refused, and what real
//! clients sent.
#![allow(
    clippy::cast_possible_truncation,
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a failed step of a test is a failed test, and its numbers are small"
)]

mod client;
mod curl;
mod errors;
mod guards;
mod limits;
mod memory;
mod operations;
mod repeats;
mod sequences;
mod transfers;
