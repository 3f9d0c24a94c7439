//! Searches whole lines that lie in memory.

use grep_searcher::{BinaryDetection, Searcher, Sink};

use super::line_sink::ScanError;
use crate::pattern::{Budget, Engine};
use crate::search::Search;

/// A searcher of lines in memory. It treats NUL bytes as the searcher of files does; the engine's
/// own search of memory does not. The sink finds the context.
#[derive(Debug)]
pub(crate) struct MemorySearcher<'s> {
    search: &'s Search,
    engine: &'s Engine,
    budget: &'s Budget<'s>,
    searcher: Searcher,
    detection: BinaryDetection,
}

impl<'s> MemorySearcher<'s> {
    pub(crate) fn new(
        search: &'s Search,
        engine: &'s Engine,
        budget: &'s Budget<'s>,
    ) -> MemorySearcher<'s> {
        let mut searcher = search.searcher_with_context(0, 0);
        let detection = searcher.binary_detection().clone();
        searcher.set_binary_detection(BinaryDetection::none());
        MemorySearcher { search, engine, budget, searcher, detection }
    }

    /// Searches `lines`. The last one may have no end. NUL bytes become line ends in files that are
    /// not text.
    pub(crate) fn search<S: Sink<Error = ScanError>>(
        &mut self,
        lines: &mut [u8],
        sink: &mut S,
    ) -> Result<(), ScanError> {
        if let Some(byte) = self.detection.convert_byte()
            && let Some(at) = memchr::memchr(byte, lines)
        {
            if !sink.binary_data(&self.searcher, at as u64)? {
                return Ok(());
            }
            lines
                .iter_mut()
                .filter(|one| **one == byte)
                .for_each(|one| *one = self.search.line_end());
        }
        if let Some(byte) = self.detection.quit_byte()
            && let Some(at) = memchr::memchr(byte, lines)
        {
            sink.binary_data(&self.searcher, at as u64)?;
            return Ok(());
        }
        self.searcher.search_slice(self.engine.matcher(self.budget), lines, sink)
    }
}
