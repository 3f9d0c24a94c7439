//! What a search takes of the budget of memory at its start: for its patterns while they are
//! compiled, and then for them, its threads and its buffers. It owns no state.
//!
//! The figures are what the worst patterns take. `tests/cost.rs` measures that they are enough.

use std::num::NonZero;

use crate::memory::MEBIBYTE;
use crate::pattern::CACHE_LIMIT;

/// The largest automaton of an ordinary pattern, in bytes.
pub(crate) const ORDINARY_AUTOMATON: usize = 64 * 1024;

/// The largest automaton of a small pattern, in bytes.
pub(crate) const SMALL_AUTOMATON: usize = MEBIBYTE;

/// The cache of an ordinary pattern's automaton while many searches run, in bytes. Most patterns
/// need less.
pub(crate) const LEAN_CACHE: usize = 128 * 1024;

/// Patterns of more bytes are a long list of strings, or are refused.
pub(crate) const SMALL_LIST: usize = 256 * 1024;

/// What all threads of a search share: the queues of output, and the thread that empties them.
const SHARED: usize = MEBIBYTE / 4;

/// The buffers of a thread: a chunk of a file, the output, the queue of a task, and the stack.
const THREAD: usize = MEBIBYTE * 3 / 4;

/// What compiling ordinary automata takes, or a pattern for PCRE2.
const COMPILING_ORDINARY: usize = MEBIBYTE;

/// What an ordinary search has in addition if its caches are full.
const FULL_CACHES: usize = 3 * (CACHE_LIMIT - LEAN_CACHE);

/// What compiling small automata takes.
const COMPILING_SMALL: usize = 6 * MEBIBYTE;

/// What compiling the largest automata takes.
const COMPILING_LARGE: usize = 40 * MEBIBYTE;

/// What the tree of a pattern takes, as a multiple of its bytes.
const TREE: usize = 100;

/// What compiling a long list takes, as a multiple of its bytes.
const COMPILING_LIST: usize = 7;

/// What a file of a merge takes: its chunk, its lines in a window of time, and its decompressor.
const MERGED_FILE: usize = 240 * 1024;

/// What a thread that reads kept blocks takes in addition.
const KEPT_THREAD: usize = MEBIBYTE * 2;

/// What a kept stream of a merge takes: as a file, and the text of a block.
const MERGED_KEPT: usize = MERGED_FILE + MEBIBYTE / 2;

/// What a search takes while it compiles patterns of this many bytes, if they are ordinary or a
/// long list.
pub(crate) fn ordinary(pattern_bytes: usize, threads: NonZero<usize>) -> usize {
    let many = if pattern_bytes > SMALL_LIST { COMPILING_LIST } else { TREE };
    buffers(threads) + many * pattern_bytes + COMPILING_ORDINARY + threads.get() * 6 * LEAN_CACHE
}

/// The same with full caches.
pub(crate) fn ordinary_with_caches(pattern_bytes: usize, threads: NonZero<usize>) -> usize {
    ordinary(pattern_bytes, threads) + threads.get() * FULL_CACHES
}

/// What a search takes while it compiles small automata.
pub(crate) fn small(pattern_bytes: usize, threads: NonZero<usize>) -> usize {
    buffers(threads) + TREE * pattern_bytes + COMPILING_SMALL
}

/// What a search takes while it compiles large automata.
pub(crate) fn large(pattern_bytes: usize, threads: NonZero<usize>) -> usize {
    buffers(threads) + TREE * pattern_bytes + COMPILING_LARGE
}

/// What a search takes beside its patterns.
pub(crate) fn buffers(threads: NonZero<usize>) -> usize {
    SHARED + threads.get() * THREAD
}

/// What the files of a merge take.
pub(crate) fn merged(files: usize) -> usize {
    files * MERGED_FILE
}

/// What a search of kept streams takes beside its patterns and its buffers: what reads blocks, and
/// the larger units of text.
pub(crate) fn kept(threads: NonZero<usize>) -> usize {
    threads.get() * KEPT_THREAD
}

/// What the kept streams of a merge take.
pub(crate) fn merged_kept(files: usize) -> usize {
    files * MERGED_KEPT
}
