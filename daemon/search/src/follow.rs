//! Searches what is written from now on: to files, and by the program that a stream comes from.

mod copies;
mod file;
mod files;
mod memory;
mod stream;

pub use files::Selection;
pub(crate) use files::follow;
