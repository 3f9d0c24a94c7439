//! Compiles a request for a search of this machine, and blocks meanwhile. It owns the turns of
//! large patterns.
//!
//! Most patterns are small. The few large ones take turns, so that many greps together stay within
//! the memory limit of the service.

use memberd_control::grep::{GrepFiles, GrepRequest};
use memberd_search::{FileFilter, MAX_COMPILED_BYTES, PatternError, Query, Search};
use memberd_transport::{Admission, Full, Permit};
use std::time::Duration;
use tokio::runtime::Handle;

/// The largest automaton of a small pattern, in bytes. Any number of searches may have such
/// automata.
const SMALL: usize = 1024 * 1024;

/// The most concurrent searches with larger automata.
const LARGE_AT_ONCE: usize = 2;

/// How long a large pattern waits for its turn.
const TURN_LIMIT: Duration = Duration::from_secs(5);

/// Compiles requests.
#[derive(Debug)]
pub(super) struct Compiler {
    large: Admission,
}

/// A request's pattern and globs, ready for a search.
#[derive(Debug)]
pub struct Compiled {
    pub(super) search: Search,
    /// Selects among the exposed files.
    pub(super) narrow: FileFilter,
    /// The turn of a large pattern. It is held as long as the pattern's memory.
    turn: Option<Permit>,
}

impl Compiled {
    /// Pads the names of machines to this width, in characters.
    pub(super) fn set_name_width(&mut self, width: u8) {
        self.search.set_name_width(width);
    }

    /// Whether the pattern is large, so that it needed a turn.
    pub(super) fn is_large(&self) -> bool {
        self.turn.is_some()
    }
}

impl Compiler {
    /// Creates a compiler whose turns are all free.
    pub(super) fn new() -> Self {
        let answer = |_| {
            "the pattern is large, and so are those of other searches: try again later".to_owned()
        };
        Compiler { large: Admission::new("large patterns", LARGE_AT_ONCE, answer) }
    }

    /// Compiles the pattern and the globs of a request. Call it within the runtime, on a thread
    /// that may block.
    ///
    /// # Errors
    /// When either is invalid, with grep's message, or when a large pattern gets no turn. The error
    /// is one line.
    pub(super) fn compile(&self, request: &GrepRequest) -> Result<Compiled, String> {
        let (search, turn) = match query(request, SMALL).compile() {
            Ok(search) => (search, None),
            Err(PatternError::TooBig) => {
                let turn = self.turn().map_err(|full| full.to_string())?;
                let search = query(request, MAX_COMPILED_BYTES)
                    .compile()
                    .map_err(|error| error.to_string())?;
                (search, Some(turn))
            }
            Err(error) => return Err(error.to_string()),
        };
        Ok(Compiled { search, narrow: narrow(request)?, turn })
    }

    fn turn(&self) -> Result<Permit, Full> {
        Handle::current().block_on(self.large.enter_within(TURN_LIMIT))
    }
}

/// The query of a request, with this bound on each automaton.
fn query(request: &GrepRequest, compiled_bytes: usize) -> Query {
    let GrepRequest { pattern, printing, .. } = request;
    Query { compiled_bytes, pattern: pattern.clone(), printing: printing.clone() }
}

/// The filter that selects a request's files among the exposed ones.
fn narrow(request: &GrepRequest) -> Result<FileFilter, String> {
    let GrepFiles { globs, include, exclude, rotated, .. } = &request.files;
    let narrow =
        FileFilter::new(globs).and_then(|narrow| narrow.include(include)?.exclude(exclude));
    Ok(narrow.map_err(|error| error.to_string())?.rotated(*rotated))
}

#[cfg(test)]
mod tests {
    use super::*;
    use memberd_control::grep::{GrepPattern, GrepSyntax};

    fn request(pattern: &str) -> GrepRequest {
        let pattern = GrepPattern {
            patterns: vec![pattern.into()],
            syntax: GrepSyntax::Extended,
            ..GrepPattern::default()
        };
        GrepRequest { pattern, ..GrepRequest::default() }
    }

    #[tokio::test]
    async fn large_patterns_take_turns_and_small_ones_do_not_wait() {
        let work = tokio::task::spawn_blocking(|| {
            let compiling = Compiler::new();
            let large = request(r"\w{100}[qz]$");
            let mut held: Vec<_> =
                (0..LARGE_AT_ONCE).map(|_| compiling.compile(&large).unwrap()).collect();
            compiling.compile(&request("error")).unwrap();
            let words = compiling.compile(&large).unwrap_err();
            assert!(words.contains("try again later"), "{words}");
            held.pop();
            compiling.compile(&large).unwrap();
        });
        work.await.unwrap();
    }

    #[tokio::test]
    async fn a_pattern_that_is_too_large_is_refused() {
        let words = tokio::task::spawn_blocking(|| {
            Compiler::new().compile(&request(r"(\w{200}){100}")).unwrap_err()
        })
        .await
        .unwrap();
        assert_eq!(words, PatternError::TooBig.to_string());
    }
}
