//! Encodes lines with their times for the network. One buffer owns many lines.

/// The number of bytes before a line: its time and its length, both big-endian.
const HEADER_BYTES: usize = 8 + 4;

/// Lines, each with its time in milliseconds since the Unix epoch. Lines are added at the end and
/// read from the front.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TimedLines {
    bytes: Vec<u8>,
    read: usize,
}

impl TimedLines {
    /// Adds a line with its newline. A line of 4 GiB or more is cut, but callers send such lines in
    /// pieces.
    pub fn push(&mut self, time: i64, line: &[u8]) {
        let length = u32::try_from(line.len()).unwrap_or(u32::MAX);
        self.bytes.extend_from_slice(&time.to_be_bytes());
        self.bytes.extend_from_slice(&length.to_be_bytes());
        self.bytes.extend(line.iter().take(length as usize));
    }

    /// The bytes of the buffer.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether the buffer is empty.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The bytes to send.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The lines that were not read yet.
    pub fn iter(&self) -> impl Iterator<Item = (i64, &[u8])> {
        let mut rest = self.bytes.get(self.read..).unwrap_or_default();
        std::iter::from_fn(move || {
            let (time, line, after) = first(rest)?;
            rest = after;
            Some((time, line))
        })
    }

    /// Decodes received bytes; `None` if they are not such lines.
    pub fn from_bytes(bytes: Vec<u8>) -> Option<Self> {
        let mut rest = bytes.as_slice();
        while !rest.is_empty() {
            let (_, _, after) = first(rest)?;
            rest = after;
        }
        Some(TimedLines { bytes, read: 0 })
    }

    /// The time of the next line.
    pub fn time(&self) -> Option<i64> {
        first(self.bytes.get(self.read..)?).map(|(time, _, _)| time)
    }

    /// Takes the next line.
    pub fn next(&mut self) -> Option<(i64, &[u8])> {
        let (time, line, rest) = first(self.bytes.get(self.read..)?)?;
        self.read = self.bytes.len() - rest.len();
        Some((time, line))
    }
}

/// The first line's time, the line, and the remaining bytes.
fn first(bytes: &[u8]) -> Option<(i64, &[u8], &[u8])> {
    let (header, rest) = bytes.split_first_chunk::<HEADER_BYTES>()?;
    let (time, length) = header.split_first_chunk::<8>()?;
    let length = u32::from_be_bytes(length.try_into().ok()?);
    let (line, rest) = rest.split_at_checked(usize::try_from(length).ok()?)?;
    Some((i64::from_be_bytes(*time), line, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_back_in_their_order_with_their_times() {
        let mut written = TimedLines::default();
        for (time, line) in [(-1, &b"a\n"[..]), (i64::MAX, b""), (7, b"\xff\0\n")] {
            written.push(time, line);
        }
        let mut read = TimedLines::from_bytes(written.as_bytes().to_vec()).unwrap();
        assert_eq!(read.time(), Some(-1));
        let times: Vec<i64> = read.iter().map(|(time, _)| time).collect();
        assert_eq!(times, [-1, i64::MAX, 7]);
        assert_eq!(read.next(), Some((-1, &b"a\n"[..])));
        assert_eq!(read.next(), Some((i64::MAX, &b""[..])));
        assert_eq!(read.next(), Some((7, &b"\xff\0\n"[..])));
        assert_eq!((read.time(), read.next()), (None, None));
    }

    #[test]
    fn a_line_that_is_cut_short_is_none() {
        let mut written = TimedLines::default();
        written.push(1, b"abc\n");
        for length in 1..written.len() {
            assert_eq!(
                TimedLines::from_bytes(written.as_bytes()[..length].to_vec()),
                None,
                "{length}"
            );
        }
    }
}
