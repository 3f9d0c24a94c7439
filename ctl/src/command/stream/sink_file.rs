//! Reads the sink of a job from the replicated files, as it grows. A [`SinkFile`] owns how far.

use memberd_control::message::{FileRead, FileReply, FileRequest};

use super::sink::{Line, Row, SinkReader};
use crate::command::file::ask;
use crate::connection::{Daemon, unexpected_reply};
use crate::exit::{Exit, Failure};

/// The most bytes of one request. More come with the next.
const READ_BYTES: u64 = 8 << 20;

/// A sink, and how far it has been read.
pub(in crate::command) struct SinkFile {
    path: String,
    reader: SinkReader,
}

impl SinkFile {
    /// The sink with this path. Rows with the number `from`, and all after it, are wanted.
    pub(in crate::command) fn new(path: String, from: u64) -> SinkFile {
        SinkFile { path, reader: SinkReader::new(from) }
    }

    /// From which byte on the file is to be read next.
    pub(in crate::command) fn offset(&self) -> u64 {
        self.reader.offset()
    }

    /// Reads what has been written since, at most 8 MiB, and lets `take` have each row. Returns the
    /// line that ends the sink, if it is there.
    ///
    /// # Errors
    /// Those of `take`, when the file cannot be read, and when it is no sink.
    pub(in crate::command) fn read(
        &mut self,
        daemon: &Daemon,
        mut take: impl FnMut(&Row) -> Result<(), Failure>,
    ) -> Result<Option<Vec<u8>>, Failure> {
        let (path, offset) = (self.path.clone(), self.offset());
        let request = FileRequest::Read(FileRead { path, offset, limit: Some(READ_BYTES) });
        let mut connection = ask::ask(daemon, request)?;
        // Whether it is the newest does not matter: a part that is old is a prefix as well.
        let Some(FileReply::Length { .. }) = ask::answer_while_read(&mut connection)? else {
            return Err(unexpected_reply());
        };
        while let Some(answer) = ask::answer_while_read(&mut connection)? {
            let FileReply::Bytes(bytes) = answer else { return Err(unexpected_reply()) };
            self.reader.push(&bytes);
            loop {
                let line = self.reader.line();
                match line.map_err(|error| Failure::new(Exit::Failed, error.to_string()))? {
                    Some(Line::Row(row)) => take(&row)?,
                    Some(Line::End(line)) => return Ok(Some(line)),
                    None => break,
                }
            }
        }
        Ok(None)
    }
}
