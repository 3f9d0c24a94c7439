//! How members of a group reach each other: sealed datagrams and connections, frames, and accepting.
//!
//! `seal` keeps strangers out of both; `peer` makes requests of another member over TCP; `accept`
//! takes connections, at whatever socket.

pub mod accept;
pub mod peer;
pub mod seal;
