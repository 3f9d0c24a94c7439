//! What is searched for and how it is printed: grep's options, and what they mean together.

use memberd_control::grep::{GrepColors, GrepPattern, GrepPrint, GrepPrinting};

use crate::pattern::MAX_COMPILED_BYTES;

/// A search as grep's command line has it, but for its files.
///
/// Of [`GrepPattern::patterns`], each may be several, one a line. [`GrepPrinting::by_time`] means
/// nothing here: [`Plan::by_time`](crate::Plan::by_time) orders the lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    /// How large each automaton may be that the patterns are compiled to, in bytes. A larger one is
    /// refused. There are a few a pattern.
    pub compiled_bytes: usize,
    /// Which lines are selected.
    pub pattern: GrepPattern,
    /// What is printed, and how.
    pub printing: GrepPrinting,
}

impl Default for Query {
    /// The options of grep without any, in a UTF-8 locale; without a pattern.
    fn default() -> Query {
        Query {
            compiled_bytes: MAX_COMPILED_BYTES,
            pattern: GrepPattern::default(),
            printing: GrepPrinting::default(),
        }
    }
}

impl Query {
    /// The query with some options changed.
    ///
    /// ```
    /// let query = memberd_search::Query::default().with(|query| query.pattern.words = true);
    /// assert!(query.pattern.words);
    /// ```
    #[must_use]
    pub fn with(mut self, change: impl FnOnce(&mut Query)) -> Query {
        change(&mut self);
        self
    }

    /// The same query without its patterns.
    pub(crate) fn without_patterns(&self) -> Query {
        let GrepPattern { syntax, characters, ignore_case, .. } = self.pattern;
        let GrepPattern { invert, words, whole_lines, null_data, .. } = self.pattern;
        let patterns = Vec::new();
        let pattern = GrepPattern {
            patterns,
            syntax,
            characters,
            ignore_case,
            invert,
            words,
            whole_lines,
            null_data,
        };
        Query { compiled_bytes: self.compiled_bytes, pattern, printing: self.printing.clone() }
    }

    /// Whether lines are printed, all or in part.
    pub(crate) fn prints_lines(&self) -> bool {
        matches!(self.printing.what, GrepPrint::Lines | GrepPrint::Matches)
    }

    /// Whether lines are numbered. JSON objects always have the number.
    pub(crate) fn numbers_lines(&self) -> bool {
        self.printing.line_numbers || self.printing.json
    }

    /// How wide the names of machines are at least, in characters: spaces follow the colon of a
    /// shorter one, so that what comes after them is aligned.
    pub(crate) fn name_width(&self) -> u8 {
        self.printing.name_width.filter(|_| !self.printing.json).unwrap_or(0)
    }

    /// Whether groups of lines that are printed are separated.
    pub(crate) fn has_context(&self) -> bool {
        self.printing.has_context()
    }

    /// The byte that ends a line.
    pub(crate) fn line_end(&self) -> u8 {
        self.pattern.line_end()
    }

    /// Whether it matters where in a line its matches are.
    pub(crate) fn needs_extents(&self) -> bool {
        let GrepPrinting { what, colors, json, .. } = &self.printing;
        let colors_matches = colors.as_ref().is_some_and(GrepColors::show_matches);
        *what == GrepPrint::Matches || (*what == GrepPrint::Lines && (colors_matches || *json))
    }

    /// Whether no line can be printed or counted with any pattern.
    pub(crate) fn wants_no_line(&self) -> bool {
        self.printing.max_count == Some(0) && self.printing.what != GrepPrint::FilesWithoutMatch
    }

    /// Whether GNU grep would not even open the files: nothing can be selected, and nobody asked
    /// for files without matches.
    pub(crate) fn selects_nothing(&self) -> bool {
        let GrepPattern { patterns, words, whole_lines, invert, .. } = &self.pattern;
        let every_line_matches = !patterns.is_empty()
            && patterns
                .iter()
                .flat_map(|pattern| pattern.split(|byte| *byte == b'\n'))
                .all(<[u8]>::is_empty)
            && !words
            && !whole_lines;
        let nothing = self.printing.max_count == Some(0)
            || (patterns.is_empty() && !invert)
            || (every_line_matches && *invert);
        nothing && self.printing.what != GrepPrint::FilesWithoutMatch
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::Kept;
    use memberd_control::grep::Sgr;
    use std::sync::atomic::AtomicBool;

    #[test]
    fn members_are_separated_like_groups_of_lines() {
        let context = GrepPrinting { after_context: Some(0), ..GrepPrinting::default() };
        let colors = |separator: &str, no_erase| {
            let colors = GrepColors {
                separator: Sgr::new(separator).unwrap(),
                no_erase,
                ..GrepColors::default()
            };
            GrepPrinting { colors: Some(colors), ..context.clone() }
        };
        let separator = |separator: Option<&[u8]>| GrepPrinting {
            group_separator: separator.map(<[u8]>::to_vec),
            ..context.clone()
        };
        let what = |what| GrepPrinting { what, ..context.clone() };
        let table = [
            GrepPrinting::default(),
            context.clone(),
            GrepPrinting { before_context: Some(1), ..GrepPrinting::default() },
            GrepPrinting { json: true, ..context.clone() },
            separator(None),
            separator(Some(b"")),
            separator(Some(b"~ \xff ~")),
            colors("36", false),
            colors("01;36", true),
            colors("", false),
            what(GrepPrint::Matches),
            what(GrepPrint::Count),
            what(GrepPrint::Nothing),
        ];
        for printing in table {
            let pattern = GrepPattern { patterns: vec!["x".into()], ..GrepPattern::default() };
            let query = Query { pattern, printing, ..Query::default() };
            let search = query.compile().unwrap();
            let mut kept = Kept::default();
            search.run_stream(
                "vm1",
                "f",
                &mut &b"x\n\n\nx\n"[..],
                &mut kept,
                &AtomicBool::new(false),
            );
            let lines: Vec<&[u8]> = kept.0.split_inclusive(|byte| *byte == b'\n').collect();
            // What precedes the second line with an x is the context that it has, and before that
            // the separator.
            let between = lines.get(1..lines.len().saturating_sub(1)).unwrap_or_default();
            let context = usize::from(query.printing.before_context == Some(1));
            let between = between.get(..between.len() - context).unwrap_or_default().concat();
            assert_eq!(
                between,
                query.printing.separator().unwrap_or_default(),
                "{:?}",
                query.printing
            );
        }
    }
}
