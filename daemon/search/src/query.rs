//! What is searched for and how it is printed: grep's options.

use crate::pattern::{self, Engine, Extents, PatternError};
use crate::run::Search;

/// A search as grep's command line has it, but for its files.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Query {
    /// The patterns; a line that matches any of them is selected. Each may be several, one a line. None at all matches nothing.
    pub patterns: Vec<String>,
    /// `-G`, `-E`, `-F`.
    pub syntax: Syntax,
    /// `-i`
    pub ignore_case: bool,
    /// `-v`
    pub invert: bool,
    /// `-w`
    pub words: bool,
    /// `-x`; with it `-w` means nothing.
    pub whole_lines: bool,
    /// What is printed.
    pub print: Print,
    /// `-n`
    pub line_numbers: bool,
    /// `-h`: lines without `MACHINE:FILE:`.
    pub no_names: bool,
    /// `-s`: no messages about files that cannot be read. They are counted as errors all the same.
    pub no_messages: bool,
    /// `-m NUM`, for each file.
    pub max_count: Option<u64>,
    /// `-B NUM`
    pub before_context: u32,
    /// `-A NUM`
    pub after_context: u32,
    /// `--color`
    pub color: bool,
    /// One JSON object a line, in the place of text. Wants [`Query::line_numbers`] too, for them to be in it.
    pub json: bool,
}

/// The pattern language.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Syntax {
    /// POSIX basic regular expressions, with GNU's extensions.
    #[default]
    Basic,
    /// POSIX extended regular expressions, with GNU's extensions.
    Extended,
    /// Plain strings.
    Fixed,
}

/// What is printed of a file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Print {
    /// The selected lines.
    #[default]
    Lines,
    /// `-o`: only the matching parts.
    Matches,
    /// `-c`: how many lines were selected.
    Count,
    /// `-l`: the names of files with a selected line.
    FilesWithMatch,
    /// `-L`: the names of files without one.
    FilesWithoutMatch,
    /// `-q`: nothing; the first selected line ends the search.
    Nothing,
}

impl Query {
    /// Checks and compiles the patterns. Takes up to a few seconds for the most contrived of them; call it where blocking is fine.
    pub fn compile(&self) -> Result<Search, PatternError> {
        let engine = Engine::new(pattern::translate(self)?, self.ignore_case)?;
        let extents = if self.needs_extents() { Some(Extents::new(&engine)?) } else { None };
        Ok(Search::new(self.clone(), engine, extents))
    }

    /// Whether lines are printed, all or in part.
    pub(crate) fn prints_lines(&self) -> bool {
        matches!(self.print, Print::Lines | Print::Matches)
    }

    fn needs_extents(&self) -> bool {
        self.print == Print::Matches || (self.print == Print::Lines && (self.color || self.json))
    }

    /// Whether GNU grep would not even open the files: nothing can be selected, and nobody asked for files without matches.
    pub(crate) fn selects_nothing(&self) -> bool {
        let every_line_matches = !self.patterns.is_empty()
            && self.patterns.iter().flat_map(|pattern| pattern.split('\n')).all(str::is_empty)
            && !self.words
            && !self.whole_lines;
        let nothing =
            self.max_count == Some(0) || (self.patterns.is_empty() && !self.invert) || (every_line_matches && self.invert);
        nothing && self.print != Print::FilesWithoutMatch
    }
}
