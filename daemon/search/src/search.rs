//! A compiled query: what a search must know of its lines, files and names.

use std::num::NonZero;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use grep_matcher::LineTerminator;
use grep_searcher::{BinaryDetection, MmapChoice, Searcher, SearcherBuilder};

use crate::cost::{self, LEAN_CACHE, ORDINARY_AUTOMATON, SMALL_AUTOMATON, SMALL_LIST};
use crate::files::{ExposedFile, FileIdentity};
use crate::kept::KeptFile;
use crate::line::MAX_LINE_BYTES;
use crate::memory::{Lease, MemoryBudget, NoMemory, Share};
use crate::merge::MAX_STREAMS;
use crate::output::Kept;
use crate::pattern::{self, Budget, CACHE_LIMIT, Engine, Extents, PatternError, Patterns};
use crate::print::{OutputBuffer, Printer};
use crate::query::Query;
use crate::searched::SearchedFile;
use memberd_control::grep::{GrepBinary, GrepPrint, on_one_line};
use memberd_copies::needs::Needs;

/// A compiled query. It can run any number of times, on several threads at once.
#[derive(Debug)]
pub struct Search {
    /// Without its patterns, which may be a few MiB. The engine has them.
    pub(crate) query: Query,
    /// Whether no line can be selected, so that no file needs to be read.
    pub(crate) selects_nothing: bool,
    /// What each selected line contains.
    needs: Needs,
    pub(crate) engine: Engine,
    pub(crate) extents: Option<Extents>,
    /// What all searches of the process share.
    pub(crate) memory: MemoryBudget,
    /// What this one has of it, as long as it is there.
    pub(crate) leased: Mutex<Leased>,
}

/// What a search has of the memory that all share.
#[derive(Debug, Default)]
pub(crate) struct Leased {
    lease: Option<Lease>,
    /// How many of its bytes are for files that it merges.
    merged_bytes: usize,
}

/// The bytes that a search takes for its files, beside its patterns and its buffers.
#[derive(Debug, Clone, Copy, Default)]
struct Beside {
    /// To read kept streams.
    reading: usize,
    /// To have many of them open at once.
    merging: usize,
}

/// How many streams these files are: a file with what was rotated away from it is one.
fn streams_of<F>(files: &[F], origin: fn(&F) -> &Path) -> usize {
    files.chunk_by(|one, other| origin(one) == origin(other)).count()
}

/// Why a query was not compiled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CompileError {
    /// A pattern is not valid, or is too large.
    #[error(transparent)]
    Pattern(#[from] PatternError),
    /// There is no memory for it.
    #[error(transparent)]
    Memory(#[from] NoMemory),
}

/// What one search did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Totals {
    /// Files searched.
    pub files: u64,
    /// Bytes read.
    pub bytes: u64,
    /// Lines selected.
    pub lines: u64,
    /// Files that could not be read, or not to their end.
    pub errors: u64,
    /// How long it took.
    pub elapsed: Duration,
    /// Whether it ended early, because it was cancelled or its output stopped.
    pub interrupted: bool,
}

impl Query {
    /// Checks and compiles the patterns, within the memory that all searches of a process share.
    /// The search will have as many `threads`. It waits up to `patience` for memory, and the worst
    /// patterns take a few seconds. So call it where the caller may block.
    ///
    /// # Errors
    /// When a pattern is not valid, or is too large. The texts are GNU grep's. And when others have
    /// the memory for too long.
    pub fn compile_in(
        self,
        memory: &MemoryBudget,
        threads: NonZero<usize>,
        patience: Duration,
    ) -> Result<Search, CompileError> {
        self.compile_beside(memory, threads, patience, Beside::default())
    }

    /// As [`Query::compile_in`], to search kept streams.
    ///
    /// # Errors
    /// As [`Query::compile_in`].
    pub fn compile_for_kept_in(
        self,
        memory: &MemoryBudget,
        threads: NonZero<usize>,
        patience: Duration,
    ) -> Result<Search, CompileError> {
        let beside = Beside { reading: cost::kept(threads), merging: 0 };
        self.compile_beside(memory, threads, patience, beside)
    }

    /// As [`Query::compile_to_merge_in`], for kept streams.
    ///
    /// # Errors
    /// As [`Query::compile_in`].
    pub fn compile_to_merge_kept_in(
        self,
        memory: &MemoryBudget,
        patience: Duration,
        files: &[KeptFile],
    ) -> Result<Search, CompileError> {
        let threads = NonZero::<usize>::MIN;
        let merging = cost::merged_kept(streams_of(files, KeptFile::origin).min(MAX_STREAMS));
        let beside = Beside { reading: cost::kept(threads), merging };
        self.compile_beside(memory, threads, patience, beside)
    }

    /// As [`Query::compile_in`], with the memory to merge these files, of which there may be 256. A
    /// merge has one thread.
    ///
    /// # Errors
    /// As [`Query::compile_in`].
    pub fn compile_to_merge_in(
        self,
        memory: &MemoryBudget,
        patience: Duration,
        files: &[ExposedFile],
    ) -> Result<Search, CompileError> {
        let merging = cost::merged(streams_of(files, ExposedFile::origin).min(MAX_STREAMS));
        let beside = Beside { reading: 0, merging };
        self.compile_beside(memory, NonZero::<usize>::MIN, patience, beside)
    }

    /// Compiles it with the memory that it takes, and that of its files.
    fn compile_beside(
        mut self,
        memory: &MemoryBudget,
        threads: NonZero<usize>,
        patience: Duration,
        files: Beside,
    ) -> Result<Search, CompileError> {
        let beside = files.reading + files.merging;
        let never = AtomicBool::new(false);
        let take = |bytes| memory.take(Share::Start, bytes + beside, patience, &never);
        let bytes = self.pattern.patterns.iter().map(Vec::len).sum();
        let few = memory.bytes_of(Share::Start) / 3;
        let full = cost::ordinary_with_caches(bytes, threads);
        let with_caches = memory.try_take_within(Share::Start, full + beside, few);
        let cache_bytes = if with_caches.is_some() { CACHE_LIMIT } else { LEAN_CACHE };
        let mut lease = match with_caches {
            Some(lease) => lease,
            None => take(cost::ordinary(bytes, threads))?,
        };
        let mut patterns = self.patterns()?;
        let selects_nothing = self.selects_nothing();
        // They may be long, and the engine has them.
        self.pattern.patterns = Vec::new();
        let largest = self.compiled_bytes;
        if bytes <= SMALL_LIST {
            patterns.settings = patterns.settings.with_sizes(ORDINARY_AUTOMATON, cache_bytes);
        }
        let mut compiled = self.search(&patterns);
        for (compiled_bytes, needed) in
            [(SMALL_AUTOMATON, cost::small(bytes, threads)), (largest, cost::large(bytes, threads))]
        {
            let is_larger = patterns.settings.compiled_bytes < compiled_bytes.min(largest);
            if is_larger && matches!(compiled, Err(PatternError::TooBig)) {
                // It holds nothing while it waits for more.
                drop(lease);
                lease = take(needed)?;
                patterns.settings = patterns.settings.with_sizes(compiled_bytes, CACHE_LIMIT);
                compiled = self.search(&patterns);
            }
        }
        let search = compiled?;
        lease.shrink(search.bytes(threads) + beside);
        let leased = Leased { lease: Some(lease), merged_bytes: files.merging };
        let leased = Mutex::new(leased);
        Ok(Search { memory: memory.clone(), leased, selects_nothing, ..search })
    }

    /// Checks and compiles the patterns, with a memory of its own.
    ///
    /// # Errors
    /// When a pattern is not valid, or is too large. The texts are GNU grep's.
    pub fn compile(&self) -> Result<Search, PatternError> {
        self.search(&self.patterns()?)
    }

    fn patterns(&self) -> Result<Patterns, PatternError> {
        // As GNU grep, which does not look at the patterns then.
        if self.wants_no_line() { Ok(Patterns::none(self)) } else { Patterns::parse(self) }
    }

    fn search(&self, patterns: &Patterns) -> Result<Search, PatternError> {
        let engine = Engine::new(patterns)?;
        // With -v, the lines without it are selected.
        let needs =
            if self.pattern.invert { Needs::Anything } else { pattern::needs(patterns, &engine) };
        let extents = if self.needs_extents() { Some(Extents::new(&engine)?) } else { None };
        Ok(Search {
            query: self.without_patterns(),
            selects_nothing: self.selects_nothing(),
            needs,
            engine,
            extents,
            memory: MemoryBudget::default(),
            leased: Mutex::default(),
        })
    }
}

impl Search {
    /// What it takes of the memory that searches share as long as it is there, in bytes.
    fn bytes(&self, threads: NonZero<usize>) -> usize {
        let extents = self.extents.as_ref().map_or(0, Extents::bytes);
        let thread_extents = self.extents.as_ref().map_or(0, Extents::thread_bytes);
        let each = self.engine.thread_bytes() + thread_extents;
        cost::buffers(threads) + self.engine.bytes() + extents + threads.get() * each
    }

    /// What each selected line contains, as far as a filter of blocks can use it. If that is not
    /// [`Needs::Anything`], text without it has no selected line and need not be searched. It still
    /// has lines that count for their numbers, and as context.
    pub fn needs(&self) -> &Needs {
        &self.needs
    }

    /// The bytes that it has of the memory that searches share.
    pub fn leased_bytes(&self) -> usize {
        self.leased().lease.as_ref().map_or(0, Lease::bytes)
    }

    /// The memory that searches share, as this one takes it.
    pub fn memory(&self) -> &MemoryBudget {
        &self.memory
    }

    /// Takes the memory to merge these files, if it is there. It does not wait: searches that have
    /// memory would wait for each other. To wait, drop the search and call
    /// [`Query::compile_to_merge_in`]. True if it has the memory, or needs none for them.
    pub fn has_room_to_merge(&self, files: &[ExposedFile]) -> bool {
        let streams = streams_of(files, ExposedFile::origin);
        self.has_room(streams, cost::merged(streams))
    }

    /// As [`Search::has_room_to_merge`], for kept streams. To wait, call
    /// [`Query::compile_to_merge_kept_in`].
    pub fn has_room_to_merge_kept(&self, files: &[KeptFile]) -> bool {
        let streams = streams_of(files, KeptFile::origin);
        self.has_room(streams, cost::merged_kept(streams))
    }

    /// Takes as many bytes to merge so many streams, if they are there.
    fn has_room(&self, streams: usize, bytes: usize) -> bool {
        if streams > MAX_STREAMS || !self.query.prints_lines() {
            return true;
        }
        let mut leased = self.leased();
        let more = bytes.saturating_sub(leased.merged_bytes);
        let has_room = match &mut leased.lease {
            _ if more == 0 => true,
            Some(lease) => lease.try_grow(more),
            none => {
                *none = self.memory.try_take(Share::Start, more);
                none.is_some()
            }
        };
        if has_room {
            leased.merged_bytes = leased.merged_bytes.max(bytes);
        }
        has_room
    }

    fn leased(&self) -> MutexGuard<'_, Leased> {
        // It is whole, also if a thread panicked.
        self.leased.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Aligns what follows the names of machines: see
    /// [`GrepPrinting::name_width`](memberd_control::grep::GrepPrinting::name_width). It is known
    /// only when the machines are.
    pub fn set_name_width(&mut self, characters: u8) {
        self.query.printing.name_width = Some(characters);
    }

    pub(crate) fn searcher(&self) -> Searcher {
        let context = |lines: Option<u32>| lines.filter(|_| self.query.prints_lines()).unwrap_or(0);
        self.searcher_with_context(
            context(self.query.printing.before_context),
            context(self.query.printing.after_context),
        )
    }

    pub(crate) fn searcher_with_context(&self, before: u32, after: u32) -> Searcher {
        let takes_nul =
            self.query.pattern.null_data || self.query.printing.binary == GrepBinary::Text;
        SearcherBuilder::new()
            .invert_match(self.query.pattern.invert)
            .line_number(self.wants_positions())
            .line_terminator(LineTerminator::byte(self.line_end()))
            .before_context(before as usize)
            .after_context(after as usize)
            .binary_detection(if takes_nul {
                BinaryDetection::none()
            } else {
                BinaryDetection::convert(0)
            })
            .bom_sniffing(false)
            .heap_limit(Some(MAX_LINE_BYTES))
            .memory_map(MmapChoice::never())
            .build()
    }

    /// The byte that ends a line.
    pub(crate) fn line_end(&self) -> u8 {
        self.query.line_end()
    }

    /// The bytes at which a file may be cut. One ends a line, and the search changes the other into
    /// a line end in files that are not text.
    pub(crate) fn line_ends(&self) -> [u8; 2] {
        let line_end = self.line_end();
        [line_end, self.searcher().binary_detection().convert_byte().unwrap_or(line_end)]
    }

    /// Whether the line numbers are printed.
    pub(crate) fn wants_positions(&self) -> bool {
        self.query.numbers_lines() && self.query.prints_lines()
    }

    /// How many lines end in `bytes`. 0 where line numbers are not printed.
    pub(crate) fn lines_in(&self, bytes: &[u8]) -> u64 {
        if self.wants_positions() {
            memchr::memchr_iter(self.line_end(), bytes).count() as u64
        } else {
            0
        }
    }

    /// Whether lines are printed with context.
    pub(crate) fn has_context(&self) -> bool {
        self.query.prints_lines() && self.query.has_context()
    }

    /// Whether the chunks of a file can be searched independently of each other.
    pub(crate) fn may_be_cut(&self) -> bool {
        !self.has_context() && self.query.printing.max_count.is_none()
    }

    /// Whether the first selected line of a file is enough.
    pub(crate) fn one_is_enough(&self) -> bool {
        matches!(
            self.query.printing.what,
            GrepPrint::FilesWithMatch | GrepPrint::FilesWithoutMatch | GrepPrint::Nothing
        )
    }

    /// The file that must be left out if the results are written to `output_file`. GNU grep does
    /// search its output where no line that it prints can be read again.
    pub(crate) fn left_out(&self, output_file: Option<FileIdentity>) -> Option<FileIdentity> {
        let at_most_one = self.query.printing.max_count.is_some_and(|count| count <= 1);
        output_file.filter(|_| self.query.prints_lines() && !at_most_one)
    }

    /// What is printed as the name of a file: `MACHINE:FILE`.
    pub(crate) fn name(&self, machine: &str, file: SearchedFile<'_>) -> Vec<u8> {
        self.named(machine, file.path().as_os_str().as_bytes())
    }

    /// `MACHINE:FILE`, with spaces between them where names are aligned. A newline in a name would
    /// make two lines of one, but programs that want names exactly get them exactly.
    pub(crate) fn named(&self, machine: &str, file: &[u8]) -> Vec<u8> {
        let is_exact = self.query.printing.null_after_names || self.query.printing.json;
        let file = if is_exact { file.into() } else { on_one_line(file) };
        let missing = usize::from(self.query.name_width()).saturating_sub(machine.chars().count());
        [machine.as_bytes(), b":", " ".repeat(missing).as_bytes(), &file].concat()
    }

    /// The separator between groups of lines with context. Empty where there is no context.
    pub(crate) fn separator(&self, budget: &Budget<'_>) -> Vec<u8> {
        let mut kept = Kept::default();
        if self.has_context() {
            let mut printer = Printer::new(
                &self.query,
                self.extents.as_ref(),
                budget,
                OutputBuffer::new(&mut kept),
            );
            printer.note_selected();
            // An output that keeps everything never stops.
            let _ = printer.group_separator().and_then(|()| printer.out().flush());
        }
        kept.0
    }
}
