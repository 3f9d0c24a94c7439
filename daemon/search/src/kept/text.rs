//! Reads the text of a stream from its beginning to its end, without the parts that need not be
//! read.

use std::cell::RefCell;
use std::io::{self, Read};
use std::rc::Rc;

use memberd_copies::kept::{BlockReader, KeptBlock, KeptError};
use memberd_copies::needs::Needs;

use super::file::KeptFile;
use super::parts::{AllFacts, Part};
use super::skip::Skip;
use crate::files::WindowClaim;
use crate::scan::{Positions, TextSize, TimedPart};

/// The longest text of a block that every file may have in memory, in bytes.
const FREE_BLOCK_BYTES: u32 = 512 * 1024;

/// What all streams that one thread reads share, since it takes about 1 MiB.
#[derive(Debug, Clone, Default)]
pub(crate) struct SharedReader(Rc<RefCell<Option<BlockReader>>>);

impl SharedReader {
    /// Replaces `text` by the text of a block.
    ///
    /// # Errors
    /// When it is damaged or unreadable.
    pub(crate) fn read(&self, block: &KeptBlock, text: &mut Vec<u8>) -> Result<(), KeptError> {
        let mut reader = self.0.borrow_mut();
        let reader = match &mut *reader {
            Some(reader) => reader,
            none => {
                let unreadable = |error| KeptError::Unreadable { offset: block.offset, error };
                none.insert(BlockReader::new().map_err(unreadable)?)
            }
        };
        reader.read(block, text)
    }
}

/// The parts of a stream's text that must be read, one after the other.
pub(crate) struct KeptText<'r> {
    blocks: Box<dyn Iterator<Item = Result<KeptBlock, KeptError>> + 'r>,
    reader: SharedReader,
    claim: WindowClaim<'r>,
    /// The part that is being read, and those after it.
    part: Option<Part>,
    next: std::vec::IntoIter<Part>,
    /// The text of the present block, and how much of it was handed out.
    text: Vec<u8>,
    used: usize,
    /// The line ends in the file before the next block.
    lines: u64,
    /// What was handed out.
    passed: TextSize,
    /// What was left out so far.
    left_out: TextSize,
    /// Where the gaps go, unless another reader does that. Then a gap that was not planned is an
    /// error.
    positions: Option<Rc<Positions>>,
    /// The first text that cannot be read.
    missing: Rc<RefCell<Option<KeptError>>>,
}

impl<'r> KeptText<'r> {
    /// The text of `file` that must be read. `claim` asks for the memory of long blocks.
    pub(crate) fn new(
        file: &'r KeptFile,
        skip: &Skip,
        reader: &SharedReader,
        claim: WindowClaim<'r>,
    ) -> (KeptText<'r>, bool) {
        static ANYTHING: Needs = Needs::Anything;
        let stream = file.stream();
        let first = stream.lines_before.filter(|_| !skip.other_lines).unwrap_or(0);
        let (mut facts, mut lines) = (AllFacts::default(), first);
        let mut missing = None;
        for block in stream.blocks(&skip.needs) {
            match block {
                Ok(block) => {
                    facts.push(&block, lines, skip, file.rules());
                    lines += u64::from(block.lines);
                }
                Err(error) => missing = missing.or(Some(error)),
            }
        }
        let text = KeptText {
            blocks: Box::new(stream.blocks(&ANYTHING)),
            reader: reader.clone(),
            claim,
            part: None,
            next: facts.parts(skip).into_iter(),
            text: Vec::new(),
            used: 0,
            lines: first,
            passed: TextSize::default(),
            positions: None,
            left_out: TextSize::default(),
            missing: Rc::new(RefCell::new(missing)),
        };
        (text, facts.has_times)
    }

    /// The gaps before and between the parts go to `positions`.
    pub(crate) fn with_positions(self, positions: Rc<Positions>) -> KeptText<'r> {
        KeptText { positions: Some(positions), ..self }
    }

    /// The parts, for a reader that judges the time of each line.
    pub(crate) fn timed_parts(&self) -> Vec<TimedPart> {
        let mut lines_before = 0;
        let timed = |part: &Part| {
            let skipped_lines = part.lines_before - lines_before;
            lines_before = part.lines_before + part.lines;
            TimedPart { range: part.range.clone(), skipped_lines, is_inside: false, last: None }
        };
        self.next.as_slice().iter().map(timed).collect()
    }

    /// What cannot be read, once that is known.
    pub(crate) fn missing(&self) -> Rc<RefCell<Option<KeptError>>> {
        Rc::clone(&self.missing)
    }

    /// Goes to the next block that must be read. None at the end.
    fn next_block(&mut self) -> io::Result<Option<KeptBlock>> {
        loop {
            let block = match self.blocks.next() {
                None => return Ok(None),
                // It was noted when the parts were planned, or no part of it is there any more.
                Some(Err(error)) => {
                    self.missing.borrow_mut().get_or_insert(error);
                    continue;
                }
                Some(Ok(block)) => block,
            };
            while self.part.as_ref().is_none_or(|part| part.range.end <= block.offset) {
                let Some(next) = self.next.next() else { return Ok(None) };
                self.part = Some(next);
            }
            if self.part.as_ref().is_some_and(|part| part.range.contains(&block.offset)) {
                return Ok(Some(block));
            }
            self.lines += u64::from(block.lines);
        }
    }

    /// This block cannot be read.
    fn note(&self, error: KeptError) -> io::Result<()> {
        if self.positions.is_none() {
            return Err(io::Error::other(error));
        }
        self.missing.borrow_mut().get_or_insert(error);
        Ok(())
    }

    /// Reads the next block. False at the end.
    fn fill(&mut self) -> io::Result<bool> {
        self.used = 0;
        self.text.clear();
        while self.text.is_empty() {
            let Some(block) = self.next_block()? else { return Ok(false) };
            if block.text_bytes > FREE_BLOCK_BYTES {
                (self.claim)(usize::try_from(block.text_bytes).unwrap_or(usize::MAX))?;
            }
            match self.reader.read(&block, &mut self.text) {
                Ok(()) => self.pass(&block),
                Err(error) => self.note(error)?,
            }
            self.lines += u64::from(block.lines);
        }
        Ok(true)
    }

    /// This block is handed out next.
    fn pass(&mut self, block: &KeptBlock) {
        if let Some(positions) = &self.positions {
            let bytes = block.offset.saturating_sub(self.passed.bytes);
            let lines = self.lines.saturating_sub(self.passed.lines);
            let left_out = TextSize { lines, bytes };
            if std::mem::replace(&mut self.left_out, left_out) != left_out {
                positions.gap(self.passed.bytes, left_out);
            }
        }
        self.passed.bytes += u64::from(block.text_bytes);
        self.passed.lines += u64::from(block.lines);
    }
}

impl Read for KeptText<'_> {
    /// One read does not go on into the next block: what is read at once is the same, whatever was
    /// left out before.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.used >= self.text.len() && !self.fill()? {
            return Ok(0);
        }
        let left = self.text.get(self.used..).unwrap_or_default();
        let length = left.len().min(buffer.len());
        if let (Some(to), Some(from)) = (buffer.get_mut(..length), left.get(..length)) {
            to.copy_from_slice(from);
        }
        self.used += length;
        Ok(length)
    }
}
