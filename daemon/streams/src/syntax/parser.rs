//! Reads the tokens of a query from left to right. [`Parser`] owns them, and how far it is.

use super::hints::behind_stage;
use super::lexer::{Kind, Token, raw, tokens};
use super::pattern::{Pattern, pattern};
use super::stages::function;
use super::words::{RESERVED, STAGES};
use super::{MAX_QUERY_BYTES, QueryError, Stage};
use std::ops::Range;

/// The most regular expressions of a query, without its pattern.
const MAX_REGEXES: usize = 8;

/// The pattern, and the stages.
pub(crate) fn parse(query: &str) -> Result<(Option<String>, Vec<Stage>), QueryError> {
    if query.len() > MAX_QUERY_BYTES {
        let message = format!("a query has at most {MAX_QUERY_BYTES} bytes");
        return Err(QueryError::new(message, MAX_QUERY_BYTES..query.len()));
    }
    let pattern = pattern(query)?;
    refuse_stage_as_pattern(&pattern)?;
    let mut parser = Parser::new(query, tokens(query, pattern.end)?);
    parser.pattern_is_bare = pattern.bare && pattern.text.is_some();
    let mut stages = Vec::new();
    while parser.take_sign("|") {
        stages.push(parser.stage()?);
        if !parser.at_end() && *parser.kind() != Kind::Sign("|") {
            return Err(parser.error_here(parser.hint_behind_stage()));
        }
    }
    Ok((pattern.text, stages))
}

/// `nginx | count` most likely means `| nginx | count`.
fn refuse_stage_as_pattern(pattern: &Pattern) -> Result<(), QueryError> {
    let Some(text) = pattern.text.as_ref().filter(|_| pattern.bare) else { return Ok(()) };
    let is_name = STAGES.contains(&text.as_str()) || function(text).is_some();
    let is_stage = || {
        let mut parser = Parser::new(text, tokens(text, 0).ok()?);
        parser.stage().ok().filter(|_| parser.at_end())
    };
    if !is_name && is_stage().is_none() {
        return Ok(());
    }
    let quoted = if text.contains('\'') { format!("{text:?}") } else { format!("'{text}'") };
    let message = format!("begin with `| {text}` for the stage, or write {quoted} for the pattern");
    Err(QueryError::new(message, pattern.span.clone()))
}

/// Reads tokens from left to right.
pub(super) struct Parser<'a> {
    text: &'a str,
    tokens: Vec<Token>,
    pub(super) at: usize,
    /// How many parts all expressions have.
    pub(super) parts: usize,
    /// In how many parentheses this is.
    pub(super) depth: usize,
    /// How many regular expressions there are.
    regexes: usize,
    /// There is a pattern without quotes.
    pub(super) pattern_is_bare: bool,
}

impl<'a> Parser<'a> {
    fn new(text: &'a str, tokens: Vec<Token>) -> Self {
        Self { text, tokens, at: 0, parts: 0, depth: 0, regexes: 0, pattern_is_bare: false }
    }

    pub(super) fn kind(&self) -> &Kind {
        &self.tokens[self.at.min(self.tokens.len() - 1)].kind
    }

    /// Where the next token is.
    pub(super) fn here(&self) -> Range<usize> {
        self.tokens[self.at.min(self.tokens.len() - 1)].span.clone()
    }

    /// Where the last token was.
    pub(super) fn before(&self) -> Range<usize> {
        self.tokens[self.at.saturating_sub(1)].span.clone()
    }

    fn at_end(&self) -> bool {
        *self.kind() == Kind::End
    }

    pub(super) fn error_here(&self, message: impl Into<String>) -> QueryError {
        QueryError::new(message, self.here())
    }

    /// What to say of a token that no stage goes on with.
    fn hint_behind_stage(&self) -> String {
        let before = &self.tokens[self.at.saturating_sub(1)];
        let hint = behind_stage(self.text, before, &self.tokens[self.at]);
        hint.unwrap_or_else(|| self.expected("`|` or the end of the query").message)
    }

    /// Something else stands here.
    pub(super) fn expected(&self, what: &str) -> QueryError {
        let found = match self.kind() {
            Kind::End => "the query ends".to_owned(),
            Kind::Word(word) if RESERVED.contains(&word.as_str()) => {
                format!("`{word}` is a word of the language")
            }
            _ => format!("`{}` stands", &self.text[self.here()]),
        };
        self.error_here(format!("{what} is expected, but {found} here"))
    }

    pub(super) fn take_sign(&mut self, sign: &str) -> bool {
        let found = matches!(self.kind(), Kind::Sign(next) if *next == sign);
        self.at += usize::from(found);
        found
    }

    pub(super) fn take_word(&mut self, word: &str) -> bool {
        let found = matches!(self.kind(), Kind::Word(next) if next == word);
        self.at += usize::from(found);
        found
    }

    pub(super) fn expect_sign(&mut self, sign: &str, message: &str) -> Result<(), QueryError> {
        if self.take_sign(sign) { Ok(()) } else { Err(self.error_here(message)) }
    }

    /// Text in quotes, in which backslashes stay.
    pub(super) fn raw_text(&mut self, what: &str) -> Result<(String, Range<usize>), QueryError> {
        let span = self.here();
        let Kind::Text(inner, quote) = self.kind() else { return Err(self.expected(what)) };
        let text = raw(inner, *quote);
        self.at += 1;
        Ok((text, span))
    }

    /// A regular expression in quotes. Their automata take memory, so there are few.
    pub(super) fn regex(&mut self) -> Result<(String, Range<usize>), QueryError> {
        self.regexes += 1;
        if self.regexes > MAX_REGEXES {
            let message = format!("a query has at most {MAX_REGEXES} regular expressions");
            return Err(self.error_here(message));
        }
        self.raw_text("a regular expression in quotes")
    }

    /// What these tokens say, with spaces only where two words would become one.
    pub(super) fn canonical(&self, range: Range<usize>) -> String {
        let mut text = String::new();
        for token in &self.tokens[range] {
            let next = &self.text[token.span.clone()];
            let is_word = |character: char| character.is_alphanumeric() || character == '_';
            if text.ends_with(is_word) && next.starts_with(is_word) {
                text.push(' ');
            }
            text.push_str(next);
        }
        text
    }
}
