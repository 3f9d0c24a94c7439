//! What a fleet is put through, and what came of it: for tests that assert it and for measurements
//! that print it.

pub mod crashes;
pub mod introducer;
pub mod loss;
pub mod rest;
pub mod siege;
pub mod soak;
pub mod split;
