//! Printing: the bytes that GNU grep would print.

mod color;
mod json;
mod output_buffer;
mod printer;

pub(crate) use output_buffer::OutputBuffer;
pub(crate) use printer::{PrintError, Printer};
