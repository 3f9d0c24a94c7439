//! Searches what is written from now on: to files, and by the program that a stream comes from.

mod copies;
mod file;
mod files;
mod kept;
mod memory;
mod resume;
mod stream;

pub use files::Selection;
pub(crate) use files::follow;
pub(crate) use kept::follow_kept;
