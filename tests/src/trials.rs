//! Trials that a fleet goes through, and their results. Tests assert them, and measurements print
//! them.

pub mod copies_storm;
pub mod crashes;
pub mod files_storm;
pub mod introducer;
pub mod leaders;
pub mod leading;
pub mod loss;
pub mod promises;
pub mod rest;
pub mod siege;
pub mod soak;
pub mod split;
