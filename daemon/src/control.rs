//! The control sockets: what their callers may do, one request a connection, and limits on all of
//! it.

pub mod client;
pub mod connection;
pub mod convert;
pub mod permissions;
pub mod refusal;
pub mod server;
pub mod socket;
