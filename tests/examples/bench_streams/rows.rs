//! Measures the rows. It owns no state.

pub(crate) mod batch;
pub(crate) mod kills;
pub(crate) mod latency;
pub(crate) mod rest;
