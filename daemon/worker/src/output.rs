//! Takes the lines that one thread of a search has found, and counts them. It owns that thread's
//! sums.

use crate::protocol::Answer;
use crate::teller::Teller;
use memberd_search::{Output, Stopped, Times, Window, Zone};
use memberd_streams::{Fold, Full, LineTime};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

/// The longest line that is counted, in bytes.
pub(crate) const MAX_LINE_BYTES: usize = 8 << 20;

/// The sums of one thread.
pub(crate) struct FoldOutput<'z> {
    fold: Fold,
    line_end: u8,
    zone: &'z Zone,
    times: LineTimes<'z>,
    file: PathBuf,
    /// The parts of a long line that have come.
    begun: Vec<u8>,
    /// Whether a line is passed over, since it is too long.
    passes_over: bool,
    /// The lines that were passed over.
    too_long: u64,
    full: Option<Full>,
    /// Whether sums are sent when the table is half full, so that it always has room.
    sends_early: bool,
    /// Only lines of these times are counted, and those that have none.
    window: Window,
    /// Lines in no group of which the sums were sent.
    uncounted: u64,
    /// Whether sums were sent since somebody asked.
    has_sent: bool,
    teller: &'z Teller,
}

/// Reads the times of lines, and remembers the newest.
struct LineTimes<'z> {
    times: Times<'z>,
    newest_ms: Option<i64>,
}

impl<'z> LineTimes<'z> {
    fn new(zone: &'z Zone, modified: i64) -> Self {
        LineTimes { times: Times::new(zone, modified), newest_ms: None }
    }
}

impl LineTime for LineTimes<'_> {
    fn milliseconds(&mut self, line: &[u8]) -> Option<i64> {
        let time = self.times.of(line);
        self.newest_ms = self.newest_ms.max(time);
        time
    }
}

/// The time of a line that was read already.
struct KnownTime(Option<i64>);

impl LineTime for KnownTime {
    fn milliseconds(&mut self, _: &[u8]) -> Option<i64> {
        self.0
    }
}

impl<'z> FoldOutput<'z> {
    /// Counts into `fold`. Lines end with `line_end`, and have times of `zone`.
    pub(crate) fn new(fold: Fold, line_end: u8, zone: &'z Zone, teller: &'z Teller) -> Self {
        FoldOutput {
            fold,
            line_end,
            zone,
            times: LineTimes::new(zone, 0),
            file: PathBuf::new(),
            begun: Vec::new(),
            passes_over: false,
            too_long: 0,
            full: None,
            sends_early: false,
            window: Window::default(),
            uncounted: 0,
            has_sent: false,
            teller,
        }
    }

    /// Sends sums early, rather than have no room for them.
    pub(crate) fn sending_early(self) -> Self {
        FoldOutput { sends_early: true, ..self }
    }

    /// Counts only lines of these times, each by its own.
    pub(crate) fn within(self, window: Window) -> Self {
        FoldOutput { window, ..self }
    }

    /// Sends the sums until now. What follows is summed anew.
    pub(crate) fn send_sums(&mut self) -> Result<(), Stopped> {
        self.uncounted += self.fold.uncounted();
        self.has_sent = true;
        let mut parts = self.fold.take().into_partials();
        parts.try_for_each(|part| self.teller.tell(&Answer::Partial(part)))
    }

    /// Takes bytes of the file's lines. They may end within one.
    pub(crate) fn written(&mut self, mut bytes: Vec<u8>) -> Result<(), Stopped> {
        let end = memchr::memrchr(self.line_end, &bytes).map_or(0, |end| end + 1);
        let begun = bytes.split_off(end);
        self.lines(bytes)?;
        if begun.is_empty() { Ok(()) } else { self.line_part(begun) }
    }

    /// Whether sums were sent since this was asked last.
    pub(crate) fn has_sent(&mut self) -> bool {
        std::mem::take(&mut self.has_sent)
    }

    /// The newest time that was read in lines of the file, and how many lines are in no group of
    /// those whose sums were sent since this was asked last.
    pub(crate) fn end_file(&mut self) -> (Option<i64>, u64) {
        self.has_sent = false;
        (self.times.newest_ms, std::mem::take(&mut self.uncounted))
    }

    /// Drops the sums of what was not sent.
    pub(crate) fn forget(&mut self) {
        let _ = self.fold.take();
        self.end_file();
    }

    /// Why no more can be counted, if so.
    pub(crate) fn full(&self) -> Option<Full> {
        self.full
    }

    /// The lines that were too long to be counted.
    pub(crate) fn too_long(&self) -> u64 {
        self.too_long
    }

    /// Its sums.
    pub(crate) fn into_fold(self) -> Fold {
        self.fold
    }

    /// Counts a line, which has no end.
    fn line(&mut self, line: &[u8]) -> Result<(), Stopped> {
        let counted = if self.window.is_unbounded() {
            self.fold.line(line, &mut self.times)
        } else {
            let time = self.times.milliseconds(line);
            if time.is_some_and(|time| !self.window.contains(time)) {
                return Ok(());
            }
            self.fold.line(line, &mut KnownTime(time))
        };
        counted.map_err(|full| {
            self.full = Some(full);
            self.teller.end();
            Stopped
        })?;
        if self.sends_early && self.fold.is_half_full() { self.send_sums() } else { Ok(()) }
    }

    /// A long line ends with these bytes.
    fn end_begun(&mut self, rest: &[u8]) -> Result<(), Stopped> {
        if std::mem::take(&mut self.passes_over) {
            self.too_long += 1;
            let (file, limit) = (self.file.display(), MAX_LINE_BYTES >> 20);
            return self
                .teller
                .message(format!("{file}: a line is longer than {limit} MiB, and is not counted"));
        }
        let mut line = std::mem::take(&mut self.begun);
        line.extend_from_slice(rest);
        self.line(&line)
    }
}

impl Output for FoldOutput<'_> {
    fn begin_file(&mut self, path: &Path, modified: i64) {
        self.begun.clear();
        self.passes_over = false;
        self.times = LineTimes::new(self.zone, modified);
        if self.file != path {
            self.file = path.to_owned();
            self.fold.set_file(path.as_os_str().as_bytes());
        }
    }

    fn lines(&mut self, bytes: Vec<u8>) -> Result<(), Stopped> {
        let mut start = 0;
        for end in memchr::memchr_iter(self.line_end, &bytes) {
            let line = bytes.get(start..end).unwrap_or_default();
            start = end + 1;
            if self.passes_over || !self.begun.is_empty() {
                self.end_begun(line)?;
            } else {
                self.line(line)?;
            }
        }
        Ok(())
    }

    fn line_part(&mut self, bytes: Vec<u8>) -> Result<(), Stopped> {
        if self.passes_over || self.begun.len() + bytes.len() > MAX_LINE_BYTES {
            self.begun = Vec::new();
            self.passes_over = true;
        } else {
            self.begun.extend_from_slice(&bytes);
        }
        Ok(())
    }

    fn read(&mut self, bytes: u64) -> Result<(), Stopped> {
        self.teller.note_read(bytes);
        Ok(())
    }

    fn message(&mut self, text: String) -> Result<(), Stopped> {
        self.teller.message(text)
    }
}
