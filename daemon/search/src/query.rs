//! What is searched for and how it is printed: grep's options.

use crate::pattern::MAX_COMPILED_BYTES;
use crate::print::Colors;

/// A search as grep's command line has it, but for its files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    /// How large each automaton may be that the patterns are compiled to, in bytes; what is larger
    /// is refused. There are a few a pattern.
    pub compiled_bytes: usize,
    /// The patterns; a line that matches any of them is selected. Each may be several, one a line.
    /// None at all matches nothing.
    pub patterns: Vec<Vec<u8>>,
    /// `-G`, `-E`, `-F`, `-P`.
    pub syntax: Syntax,
    /// What the bytes of patterns and lines stand for.
    pub characters: Characters,
    /// `-i`
    pub ignore_case: bool,
    /// `-v`
    pub invert: bool,
    /// `-w`
    pub words: bool,
    /// `-x`; with it `-w` means nothing.
    pub whole_lines: bool,
    /// `-z`: lines end with a NUL byte, not with a newline.
    pub null_data: bool,
    /// What is printed.
    pub print: Print,
    /// `-n`
    pub line_numbers: bool,
    /// `-b`
    pub byte_offsets: bool,
    /// `-T`: a tab before the text, if anything is before it.
    pub initial_tab: bool,
    /// `-h`: lines without `MACHINE:FILE:`.
    pub no_names: bool,
    /// How wide the names of machines are at least, in characters: spaces follow the colon of a
    /// shorter one, so that what comes after them is aligned.
    pub name_width: u8,
    /// `-Z`: a NUL byte after file names, in the place of what follows them otherwise.
    pub null_after_names: bool,
    /// `-s`: no messages about files that cannot be read. They are counted as errors all the same.
    pub no_messages: bool,
    /// `-m NUM`, for each file.
    pub max_count: Option<u64>,
    /// `-B NUM`; with `-B 0` too, groups of lines are separated.
    pub before_context: Option<u32>,
    /// `-A NUM`; with `-A 0` too, groups of lines are separated.
    pub after_context: Option<u32>,
    /// `--group-separator`, without its newline; none for `--no-group-separator`.
    pub group_separator: Option<Vec<u8>>,
    /// `-a`, `-I`, `--binary-files`.
    pub binary: Binary,
    /// `--color`, with its colours.
    pub colors: Option<Colors>,
    /// One JSON object a line, in the place of text. Wants [`Query::line_numbers`] too, for them to
    /// be in it.
    pub json: bool,
}

impl Default for Query {
    /// As grep has it without options, in a UTF-8 locale; without a pattern.
    fn default() -> Query {
        Query {
            compiled_bytes: MAX_COMPILED_BYTES,
            patterns: Vec::new(),
            syntax: Syntax::Basic,
            characters: Characters::Utf8,
            ignore_case: false,
            invert: false,
            words: false,
            whole_lines: false,
            null_data: false,
            print: Print::Lines,
            line_numbers: false,
            byte_offsets: false,
            initial_tab: false,
            no_names: false,
            name_width: 0,
            null_after_names: false,
            no_messages: false,
            max_count: None,
            before_context: None,
            after_context: None,
            group_separator: Some(b"--".to_vec()),
            binary: Binary::Report,
            colors: None,
            json: false,
        }
    }
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
    /// Perl's regular expressions, as PCRE2 has them; a single one.
    Perl,
}

/// What bytes stand for: the locale.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Characters {
    /// UTF-8. Bytes that are part of no character match nothing but themselves.
    #[default]
    Utf8,
    /// Each byte is a character, and only ASCII's have classes and case: the C locale.
    Bytes,
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

/// What becomes of files that are not text: that hold a NUL byte, or in UTF-8 what is no character
/// in a line to be printed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Binary {
    /// That they match is said, in the place of the lines that are not text.
    #[default]
    Report,
    /// `-a`: they are taken for text.
    Text,
    /// `-I`: they do not match, and lines that are not text are left out.
    Skip,
}

impl Query {
    /// Whether lines are printed, all or in part.
    pub(crate) fn prints_lines(&self) -> bool {
        matches!(self.print, Print::Lines | Print::Matches)
    }

    /// Whether groups of lines that are printed are separated.
    pub(crate) fn has_context(&self) -> bool {
        self.before_context.is_some() || self.after_context.is_some()
    }

    /// The byte that ends a line.
    pub(crate) fn line_end(&self) -> u8 {
        if self.null_data { 0 } else { b'\n' }
    }

    /// Whether it matters where in a line its matches are.
    pub(crate) fn needs_extents(&self) -> bool {
        let colors_matches = self.colors.as_ref().is_some_and(Colors::show_matches);
        self.print == Print::Matches
            || (self.print == Print::Lines && (colors_matches || self.json))
    }

    /// Whether no line can be printed or counted, whatever the patterns are.
    pub(crate) fn wants_no_line(&self) -> bool {
        self.max_count == Some(0) && self.print != Print::FilesWithoutMatch
    }

    /// Whether GNU grep would not even open the files: nothing can be selected, and nobody asked
    /// for files without matches.
    pub(crate) fn selects_nothing(&self) -> bool {
        let every_line_matches = !self.patterns.is_empty()
            && self
                .patterns
                .iter()
                .flat_map(|pattern| pattern.split(|byte| *byte == b'\n'))
                .all(<[u8]>::is_empty)
            && !self.words
            && !self.whole_lines;
        let nothing = self.max_count == Some(0)
            || (self.patterns.is_empty() && !self.invert)
            || (every_line_matches && self.invert);
        nothing && self.print != Print::FilesWithoutMatch
    }
}
