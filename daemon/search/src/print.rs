//! Printing: the bytes that GNU grep would print.

mod chunk;
mod color;
mod json;
mod printer;

pub(crate) use chunk::Chunk;
pub use color::{Colors, Sgr};
pub(crate) use printer::{PrintError, Printer};
