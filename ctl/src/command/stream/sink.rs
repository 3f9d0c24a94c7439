//! Cuts the bytes of a sink into rows, as they come. A [`SinkReader`] owns the piece of a row that
//! is not whole yet, and how far it is.
//!
//! A row is a line that begins with its number and a tab: `seq TAB window TAB key... TAB value...
//! TAB rev`. Numbers follow each other without a hole. The last line of a job that has ended begins
//! with `# `. Whoever reads a sink sees a prefix of it at any moment, so a line without a
//! newline is one of which the rest comes later.

/// The longest row, in bytes. A record of a sink has half of it.
const MAX_ROW: usize = 1 << 20;

/// A row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::command) struct Row {
    /// Its number.
    pub(in crate::command) number: u64,
    /// The whole line without its newline.
    pub(in crate::command) text: Vec<u8>,
}

/// A line of a sink.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Line {
    /// A row that is wanted.
    Row(Row),
    /// No row follows any more, and the line that says so.
    End(Vec<u8>),
}

/// Why bytes are not those of a sink.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum SinkError {
    /// A line has no number.
    #[error("byte {0} of the sink begins no row: somebody else has written into it")]
    NoRow(u64),
    /// A line is too long for a row.
    #[error("byte {0} of the sink begins a line of more than 1 MiB: it is no row")]
    TooLong(u64),
    /// The rows do not follow each other.
    #[error("row {found} stands behind row {last}: it is another file now, begin again")]
    Order {
        /// The number of the row before.
        last: u64,
        /// The number that was found.
        found: u64,
    },
}

/// Reads a sink from its first byte on.
#[derive(Debug)]
pub(super) struct SinkReader {
    /// The first row that is wanted.
    from: u64,
    /// The number of the newest row.
    last: Option<u64>,
    /// What has come and was not cut yet.
    bytes: Vec<u8>,
    /// How much of it is done.
    done: usize,
    /// The place of the first of these bytes in the file.
    begin: u64,
}

impl SinkReader {
    /// Rows with this number, and all after it, are wanted.
    pub(super) fn new(from: u64) -> SinkReader {
        SinkReader { from, last: None, bytes: Vec::new(), done: 0, begin: 0 }
    }

    /// From which byte on the file is to be read next.
    pub(super) fn offset(&self) -> u64 {
        self.begin.saturating_add(self.bytes.len() as u64)
    }

    /// Takes the bytes at [`SinkReader::offset`]. Then [`SinkReader::line`] has their lines.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.bytes.drain(..self.done);
        self.begin = self.begin.saturating_add(self.done as u64);
        self.done = 0;
        self.bytes.extend_from_slice(bytes);
    }

    /// The next line that is whole, and wanted. None until more bytes come.
    ///
    /// # Errors
    /// When the file is no sink, or another one now.
    pub(super) fn line(&mut self) -> Result<Option<Line>, SinkError> {
        loop {
            let rest = self.bytes.get(self.done..).unwrap_or_default();
            let at = self.begin.saturating_add(self.done as u64);
            let Some(length) = rest.iter().position(|byte| *byte == b'\n') else {
                return if rest.len() > MAX_ROW { Err(SinkError::TooLong(at)) } else { Ok(None) };
            };
            let text = rest.get(..length).unwrap_or_default().to_vec();
            self.done += length + 1;
            if text.starts_with(b"# ") {
                return Ok(Some(Line::End(text)));
            }
            let number = number(&text).ok_or(SinkError::NoRow(at))?;
            match self.last.replace(number) {
                Some(last) if last.checked_add(1) != Some(number) => {
                    return Err(SinkError::Order { last, found: number });
                }
                _ if number < self.from => {}
                _ => return Ok(Some(Line::Row(Row { number, text }))),
            }
        }
    }
}

/// The number with which a row begins.
fn number(text: &[u8]) -> Option<u64> {
    let digits = text.split(|byte| *byte == b'\t').next()?;
    let is_number = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(digits).ok().filter(|_| is_number)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SINK: &[u8] = b"0\t2026-11-30T12:00:00Z\tvm1\t7\t0\n1\t2026-11-30T12:00:10Z\tvm1\t8\t0\n\
        2\tgap\tvm2\t00ff\t0-9\tp3\tdeleted\t0\n";

    /// The lines of these pieces, and the reader behind them.
    fn lines(from: u64, pieces: &[&[u8]]) -> (Result<Vec<Line>, SinkError>, SinkReader) {
        let (mut reader, mut lines) = (SinkReader::new(from), Vec::new());
        for piece in pieces {
            reader.push(piece);
            loop {
                match reader.line() {
                    Ok(Some(line)) => lines.push(line),
                    Ok(None) => break,
                    Err(error) => return (Err(error), reader),
                }
            }
        }
        (Ok(lines), reader)
    }

    fn numbers(from: u64, pieces: &[&[u8]]) -> Vec<u64> {
        let number = |line| match line {
            Line::Row(row) => row.number,
            Line::End(text) => panic!("{text:?}"),
        };
        lines(from, pieces).0.unwrap().into_iter().map(number).collect()
    }

    #[test]
    fn each_row_comes_once_from_the_wanted_one_on() {
        for (from, expected) in [(0, &[0, 1, 2][..]), (1, &[1, 2]), (2, &[2]), (3, &[]), (9, &[])] {
            assert_eq!(numbers(from, &[SINK]), expected, "{from}");
        }
        let (rows, reader) = lines(1, &[SINK]);
        let text = b"1\t2026-11-30T12:00:10Z\tvm1\t8\t0".to_vec();
        assert_eq!(rows.unwrap().first(), Some(&Line::Row(Row { number: 1, text })));
        assert_eq!(reader.offset(), SINK.len() as u64);
    }

    /// Whoever goes on with `--from` at what was told misses nothing, and sees nothing twice.
    #[test]
    fn a_second_watch_goes_on_where_the_first_ended() {
        let (first, rest) = SINK.split_at(40);
        let printed = numbers(0, &[first]);
        assert_eq!(printed, [0]);
        assert_eq!(numbers(printed[0] + 1, &[first, rest]), [1, 2]);
    }

    #[test]
    fn a_row_without_its_newline_waits_for_the_rest() {
        let (rows, mut reader) = lines(0, &[b"0\tx\t0\n1\tx"]);
        assert_eq!(rows.unwrap().len(), 1);
        // The piece is not read again.
        assert_eq!(reader.offset(), 9);
        reader.push(b"y\t0\n");
        let row = Row { number: 1, text: b"1\txy\t0".to_vec() };
        assert_eq!(reader.line(), Ok(Some(Line::Row(row))));
        assert_eq!(reader.line(), Ok(None));
    }

    #[test]
    fn a_line_that_is_no_row_ends_the_sink() {
        let (lines, _) = lines(0, &[b"0\tx\t0\n# cancelled 1\n"]);
        let row = Row { number: 0, text: b"0\tx\t0".to_vec() };
        assert_eq!(lines.unwrap(), [Line::Row(row), Line::End(b"# cancelled 1".to_vec())]);
    }

    #[test]
    fn what_is_no_sink_is_told() {
        let error = |pieces: &[&[u8]]| lines(0, pieces).0.unwrap_err();
        for (text, at) in [
            (&b"hello\n"[..], 0),
            (b"\n", 0),
            (b"0\tx\t0\nx\t1\n", 6),
            (b"0\tx\t0\n-1\tx\n", 6),
            (b"0\tx\t0\n99999999999999999999\tx\n", 6),
        ] {
            assert_eq!(error(&[text]), SinkError::NoRow(at), "{text:?}");
        }
        assert_eq!(error(&[b"0\tx\n2\tx\n"]), SinkError::Order { last: 0, found: 2 });
        // The file of another job, which was longer than this one's.
        assert_eq!(error(&[b"7\tx\n", b"0\tx\n"]), SinkError::Order { last: 7, found: 0 });
        let long = vec![b'0'; MAX_ROW + 1];
        assert_eq!(error(&[b"0\tx\n", &long]), SinkError::TooLong(4));
    }

    proptest! {
        /// However the file comes in pieces, the rows are the same.
        #[test]
        fn rows_do_not_depend_on_the_pieces(
            from in 0_u64..5,
            cuts in proptest::collection::vec(0..SINK.len(), 0..6),
        ) {
            let mut cuts = [vec![0, SINK.len()], cuts].concat();
            cuts.sort_unstable();
            let pieces: Vec<&[u8]> =
                cuts.windows(2).map(|pair| &SINK[pair[0]..pair[1]]).collect();
            prop_assert_eq!(lines(from, &pieces).0, lines(from, &[SINK]).0);
        }
    }
}
