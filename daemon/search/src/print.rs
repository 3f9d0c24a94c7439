//! Printing: the bytes that GNU grep would print.

mod chunk;
mod color;
mod printer;

pub(crate) use chunk::Chunk;
pub(crate) use printer::{Line, Printer, Role};
