//! Serves the control sockets, with one request for each connection. It owns the permissions and
//! the limits of their clients.

pub mod client;
pub mod connection;
pub mod convert;
pub mod permissions;
pub mod refusal;
pub mod server;
pub mod socket;
