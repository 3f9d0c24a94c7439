//! The control socket: who may connect, one request a connection, and limits on all of it.

pub mod connection;
pub mod server;
