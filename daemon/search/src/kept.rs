//! Searches kept streams: the text of another machine's files, as this machine keeps it. The lines
//! are those that a search of the files themselves would print.
//!
//! A stream is blocks of whole lines. Those that cannot have a selected line are not read
//! ([`parts`] and [`units`] decide). That never changes what is printed:
//!
//! * Lines have the numbers and offsets that they have in the file. Where the copy begins within
//!   the file, numbers count from there, and a message says so.
//! * Context is read, too.
//! * A block with a NUL byte is read where only text is printed, since no line is printed after it.
//! * A line that lies in several blocks is read in all of them, or in none.
//!
//! [`parts`]: self::parts
//! [`units`]: self::units

mod choice;
mod file;
mod parts;
mod skip;
mod spans;
mod text;
mod units;

pub use choice::KeptFiles;
pub use file::KeptFile;
pub(crate) use skip::Skip;
pub use spans::LineSpans;
pub(crate) use text::{KeptText, SharedReader};
pub(crate) use units::{Unit, Units};
