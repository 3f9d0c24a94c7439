//! Questions from text to rows, through the public surface alone.

mod decoding;
mod errors;
mod formats;
mod language;
mod merging;
mod oracle;
mod support;
