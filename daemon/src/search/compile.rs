//! Patterns, compiled for a search. Blocks.
//!
//! Most are small. The few that are large take turns, so that no number of greps takes the memory
//! which the service is granted.

use crate::admission::{Admission, Full, Permit};
use memberd_control::grep::GrepRequest;
use memberd_search::{MAX_COMPILED_BYTES, PatternError, Query, Search};
use std::time::Duration;
use tokio::runtime::Handle;

/// The largest automaton of a small pattern, in bytes; any number of searches may have some.
const SMALL: usize = 1024 * 1024;

/// How many searches with larger ones there are at once.
const LARGE_AT_ONCE: usize = 2;

/// How long a large one waits for its turn.
const TURN_LIMIT: Duration = Duration::from_secs(5);

/// Compiles patterns.
#[derive(Debug)]
pub(super) struct Compiler {
    large: Admission,
}

/// A search, ready to run.
#[derive(Debug)]
pub(super) struct Compiled {
    pub(super) search: Search,
    /// Kept for as long as its memory is, if it is large.
    _turn: Option<Permit>,
}

impl Compiler {
    pub(super) fn new() -> Self {
        let answer = |_| {
            "the pattern is large, and so are those of other searches: try again later".to_owned()
        };
        Compiler { large: Admission::new("large patterns", LARGE_AT_ONCE, answer) }
    }

    /// Compiles the patterns of a request. Must be called within the runtime, on a thread that may
    /// block.
    pub(super) fn compile(&self, request: &GrepRequest) -> Result<Compiled, String> {
        match query(request, SMALL).compile() {
            Ok(search) => Ok(Compiled { search, _turn: None }),
            Err(PatternError::TooBig) => {
                let turn = self.turn().map_err(|full| full.to_string())?;
                let search = query(request, MAX_COMPILED_BYTES)
                    .compile()
                    .map_err(|error| error.to_string())?;
                Ok(Compiled { search, _turn: Some(turn) })
            }
            Err(error) => Err(error.to_string()),
        }
    }

    fn turn(&self) -> Result<Permit, Full> {
        Handle::current().block_on(self.large.enter_within(TURN_LIMIT))
    }
}

/// The query that a request makes, with this bound on each automaton.
fn query(request: &GrepRequest, compiled_bytes: usize) -> Query {
    let GrepRequest { pattern, printing, .. } = request;
    Query { compiled_bytes, pattern: pattern.clone(), printing: printing.clone() }
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
