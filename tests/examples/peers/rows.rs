//! Measures the rows, one file each. It owns no state.

pub(crate) mod crashes;
pub(crate) mod growth;
pub(crate) mod introducer;
pub(crate) mod leave;
pub(crate) mod loss;
pub(crate) mod rest;
pub(crate) mod search;
pub(crate) mod simulated;
pub(crate) mod split;
pub(crate) mod start;
pub(crate) mod stop;
