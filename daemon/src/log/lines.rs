//! Writes records as lines, to the log file and standard error. It owns the state of the last line.

use super::record::Record;
use super::target::{Failed, Target};
use std::io;
use std::sync::Arc;

/// A file or stream that takes bytes.
pub(super) trait Bytes: Send + 'static {
    /// The name in messages.
    fn name(&self) -> String;
    /// Reopens it. After a failure the old one stays in use.
    fn reopen(&mut self) -> io::Result<()>;
    /// Writes some of the bytes, like write(2).
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize>;
}

/// Writes each record as a line.
pub(super) struct Lines<B> {
    pub(super) bytes: B,
    form: fn(&Record) -> String,
    /// Whether only a part of the last line was written.
    torn: bool,
}

impl<B: Bytes> Lines<B> {
    /// A writer that has written nothing yet.
    pub(super) fn new(bytes: B) -> Self {
        Lines { bytes, form: Record::line, torn: false }
    }

    /// The same, whose lines also have what no other target may show.
    pub(super) fn of_searches(bytes: B) -> Self {
        Lines { form: Record::full_line, ..Lines::new(bytes) }
    }
}

impl<B: Bytes> Target for Lines<B> {
    fn name(&self) -> String {
        self.bytes.name()
    }

    fn reopen(&mut self) -> io::Result<()> {
        self.bytes.reopen()
    }

    fn write(&mut self, records: &[Arc<Record>]) -> Result<(), Failed> {
        let text: String = records.iter().map(|record| (self.form)(record)).collect();
        let mut rest = text.as_bytes();
        // The rest of a partly written line is lost. The part must not run into the next line.
        let mut before: &[u8] = if self.torn && !rest.is_empty() { b"\n" } else { b"" };
        while !rest.is_empty() {
            let part = if before.is_empty() { &mut rest } else { &mut before };
            match self.bytes.write(part) {
                Ok(count) if count > 0 => {
                    self.torn = part.get(count - 1) != Some(&b'\n');
                    *part = part.get(count..).unwrap_or_default();
                }
                Ok(_) => return Err(failed(rest, io::ErrorKind::WriteZero.into())),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(failed(rest, error)),
            }
        }
        Ok(())
    }
}

/// Counts the lost lines. A partly written line is lost too, and its newline is in the rest.
fn failed(rest: &[u8], error: io::Error) -> Failed {
    Failed { lost: rest.iter().map(|byte| u64::from(*byte == b'\n')).sum(), error }
}
