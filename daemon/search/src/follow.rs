//! Searches what is written from now on: to files, and by the program that a stream comes from.

mod file;
mod files;
mod stream;

pub(crate) use files::follow;
