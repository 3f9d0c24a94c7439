//! Compiles a request for a search of this machine, and blocks meanwhile. It owns no state.

use super::limits::Limits;
use memberd_control::grep::{GrepFiles, GrepRequest};
use memberd_search::{
    ExposedFile, FileFilter, KeptFile, MAX_COMPILED_BYTES, MemoryBudget, Query, Search,
};
use std::num::NonZero;
use std::time::Duration;

/// How long a pattern waits for memory before it is compiled.
const MEMORY_LIMIT: Duration = Duration::from_secs(5);

/// A compiled pattern that has more bytes of the memory for searches must not wait for its search.
const LARGE: usize = 8 * 1024 * 1024;

/// A request's pattern and globs, ready for a search.
#[derive(Debug)]
pub struct Compiled {
    pub(super) search: Search,
    /// Selects among the exposed files.
    pub(super) narrow: FileFilter,
}

impl Compiled {
    /// Pads the names of machines to this width, in characters.
    pub(super) fn set_name_width(&mut self, width: u8) {
        self.search.set_name_width(width);
    }

    /// Whether it has much of the memory for searches.
    pub(super) fn is_large(&self) -> bool {
        self.search.leased_bytes() > LARGE
    }
}

/// Compiles the pattern and the globs of a request. Call it on a thread that may block.
///
/// # Errors
/// When either is invalid, with grep's message, or when there is no memory for the search. The
/// error is one line.
pub(super) fn compile(
    request: &GrepRequest,
    memory: &MemoryBudget,
    limits: &Limits,
) -> Result<Compiled, String> {
    // What follows, and what is in order of time, is searched on one thread.
    let is_single = request.printing.by_time || request.files.follow;
    let threads = if is_single { NonZero::<usize>::MIN } else { limits.search_threads };
    let query = query(request);
    let search = match request.kept_of {
        None => query.compile_in(memory, threads, MEMORY_LIMIT),
        Some(_) => query.compile_for_kept_in(memory, threads, MEMORY_LIMIT),
    };
    Ok(Compiled { search: search.map_err(|error| error.to_string())?, narrow: narrow(request)? })
}

/// Makes a search in order of time ready to merge these files, which takes memory. If there is too
/// little, the search gives back all that it has before it waits, its automata among it.
///
/// # Errors
/// When there is no memory for it. The error is one line.
pub(super) fn make_room_to_merge(
    request: &GrepRequest,
    compiled: Compiled,
    files: &[ExposedFile],
) -> Result<Compiled, String> {
    if compiled.search.has_room_to_merge(files) {
        return Ok(compiled);
    }
    let Compiled { search, narrow } = compiled;
    let memory = search.memory().clone();
    drop(search);
    let search = query(request)
        .compile_to_merge_in(&memory, MEMORY_LIMIT, files)
        .map_err(|error| format!("{} files cannot be sorted by time: {error}", files.len()))?;
    Ok(Compiled { search, narrow })
}

/// As [`make_room_to_merge`], for kept streams.
///
/// # Errors
/// As [`make_room_to_merge`].
pub(super) fn make_room_to_merge_kept(
    request: &GrepRequest,
    compiled: Compiled,
    files: &[KeptFile],
) -> Result<Compiled, String> {
    if compiled.search.has_room_to_merge_kept(files) {
        return Ok(compiled);
    }
    let Compiled { search, narrow } = compiled;
    let memory = search.memory().clone();
    drop(search);
    let search = query(request)
        .compile_to_merge_kept_in(&memory, MEMORY_LIMIT, files)
        .map_err(|error| format!("{} files cannot be sorted by time: {error}", files.len()))?;
    Ok(Compiled { search, narrow })
}

fn query(request: &GrepRequest) -> Query {
    Query {
        compiled_bytes: MAX_COMPILED_BYTES,
        pattern: request.pattern.clone(),
        printing: request.printing.clone(),
    }
}

/// The filter that selects a request's files among the exposed ones.
///
/// # Errors
/// When a glob is invalid. The error is one line.
pub(super) fn narrow(request: &GrepRequest) -> Result<FileFilter, String> {
    let GrepFiles { globs, include, exclude, rotated, only, .. } = &request.files;
    let narrow = FileFilter::new(globs)
        .and_then(|narrow| narrow.include(include)?.exclude(exclude)?.only(only));
    Ok(narrow.map_err(|error| error.to_string())?.rotated(*rotated))
}

#[cfg(test)]
mod tests {
    use super::*;
    use memberd_control::grep::{GrepPattern, GrepSyntax};
    use memberd_search::PatternError;

    fn request(pattern: &str) -> GrepRequest {
        let pattern = GrepPattern {
            patterns: vec![pattern.into()],
            syntax: GrepSyntax::Extended,
            ..GrepPattern::default()
        };
        GrepRequest { pattern, ..GrepRequest::default() }
    }

    fn compile(memory: &MemoryBudget, pattern: &str) -> Result<Compiled, String> {
        super::compile(&request(pattern), memory, &Limits::default())
    }

    #[test]
    fn large_patterns_wait_for_memory_and_small_ones_do_not() {
        let memory = MemoryBudget::default();
        let large = r"\w{100}[qz]$";
        let mut held = Vec::new();
        let words = loop {
            match compile(&memory, large) {
                Ok(compiled) => held.push(compiled),
                Err(words) => break words,
            }
        };
        assert!(words.contains("limits.search_memory") && words.contains("try again later"));
        assert!(held.iter().all(Compiled::is_large) && !held.is_empty());
        assert!(!compile(&memory, "error").unwrap().is_large());
        held.pop();
        compile(&memory, large).unwrap();
    }

    #[test]
    fn a_pattern_that_is_too_large_is_refused() {
        let memory = MemoryBudget::default();
        let words = compile(&memory, r"(\w{200}){100}").unwrap_err();
        assert_eq!(words, PatternError::TooBig.to_string());
        assert_eq!(memory.used_bytes(), 0);
    }
}
