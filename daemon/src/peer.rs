//! Serves other members: hands each request that came over TCP to whom it concerns.

pub mod listener;
