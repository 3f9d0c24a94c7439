//! Stages, by recursive descent over the tokens. It owns no state.

use super::lexer::Kind;
use super::parser::Parser;
use super::words::{RESERVED, STREAM_STAGES, stage_suggestion};
use super::{
    Aggregate, Expression, Figure, Format, Function, Name, QueryError, Reader, SortKey, Stage,
    StageKind, Windows,
};
use crate::decimal::Decimal;
use std::ops::Range;

/// The longest window, and the longest time between windows, in milliseconds: 366 days.
const MAX_WINDOW: i64 = 366 * 86_400_000;

/// In at most so many windows a line is counted.
const MAX_OVERLAP: i64 = 1_000;

impl Parser<'_> {
    fn name(&mut self) -> Result<Name, QueryError> {
        let span = self.here();
        let (text, quoted) = match self.kind().clone() {
            Kind::Word(word) if !RESERVED.contains(&word.as_str()) => (word, false),
            Kind::Quoted(text) => (text, true),
            _ => return Err(self.expected("a name")),
        };
        self.at += 1;
        Ok(Name { text, span, quoted })
    }

    fn names(&mut self) -> Result<Vec<Name>, QueryError> {
        let mut names = vec![self.name()?];
        while self.take_sign(",") {
            names.push(self.name()?);
        }
        Ok(names)
    }

    pub(super) fn stage(&mut self) -> Result<Stage, QueryError> {
        let start = self.here();
        let Kind::Word(word) = self.kind().clone() else {
            return Err(self.expected("a stage, such as `nginx` or `count by member`,"));
        };
        self.at += 1;
        let kind = match word.as_str() {
            "nginx" => self.read(Reader::Format(Format::Nginx))?,
            "apache" => self.read(Reader::Format(Format::Apache))?,
            "json" => self.read(Reader::Format(Format::Json))?,
            "logfmt" => self.read(Reader::Format(Format::Logfmt))?,
            "syslog" => self.read(Reader::Format(Format::Syslog))?,
            "parse" => self.template()?,
            "regex" => {
                let (text, span) = self.regex()?;
                self.read(Reader::Regex { text, span })?
            }
            "where" => StageKind::Where(self.expression()?),
            "let" => {
                let name = self.name()?;
                self.expect_sign("=", "`=` is expected, as in `let seconds = rt / 1000`")?;
                StageKind::Let { name, value: self.expression()? }
            }
            "keep" => StageKind::Keep(self.names()?),
            "sort" => self.sort()?,
            "top" => self.top()?,
            _ if function(&word).is_some() => {
                self.at -= 1;
                StageKind::Aggregate(self.aggregate()?)
            }
            _ => return Err(self.no_stage(&word, start)),
        };
        Ok(Stage { kind, span: start.start..self.before().end })
    }

    fn no_stage(&self, word: &str, span: Range<usize>) -> QueryError {
        if STREAM_STAGES.contains(&word) {
            let message = format!("`{word}` works only in a stream, not in one pass");
            return QueryError::new(message, span);
        }
        let mut message = format!("`{word}` is no stage");
        if let Some(near) = stage_suggestion(word) {
            message.push_str(&format!("; did you mean `{near}`?"));
        } else if self.pattern_is_bare {
            message.push_str("; if this `|` belongs to the pattern, put the pattern in quotes");
        } else {
            message.push_str(": there are nginx, apache, json, logfmt, syslog, parse, regex, ");
            message.push_str("where, let, keep, sort, top, and count, sum, min, max, avg, p99, ");
            message.push_str("distinct");
        }
        QueryError::new(message, span)
    }

    fn template(&mut self) -> Result<StageKind, QueryError> {
        let (text, span) = self.raw_text("a template such as \"* - *\"")?;
        let from = self.from()?;
        if !self.take_word("as") {
            return Err(self.expected("`as` and a name for each `*`"));
        }
        let names = self.names()?;
        Ok(StageKind::Read { reader: Reader::Template { text, span, names }, from })
    }

    fn read(&mut self, reader: Reader) -> Result<StageKind, QueryError> {
        Ok(StageKind::Read { reader, from: self.from()? })
    }

    /// `from message`, if it stands here.
    fn from(&mut self) -> Result<Option<Name>, QueryError> {
        if self.take_word("from") { self.name().map(Some) } else { Ok(None) }
    }

    fn sort(&mut self) -> Result<StageKind, QueryError> {
        self.take_word("by");
        let mut keys = Vec::new();
        loop {
            let value = self.expression()?;
            let descending = self.take_word("desc");
            if !descending {
                self.take_word("asc");
            }
            keys.push(SortKey { value, descending });
            if !self.take_sign(",") {
                return Ok(StageKind::Sort(keys));
            }
        }
    }

    fn top(&mut self) -> Result<StageKind, QueryError> {
        let rows = match self.kind() {
            Kind::Number(text) => text.parse::<u32>().ok().filter(|rows| *rows > 0),
            _ => None,
        };
        let Some(rows) = rows.and_then(|rows| usize::try_from(rows).ok()) else {
            return Err(self.expected("a number of rows, as in `top 10 by count`,"));
        };
        self.at += 1;
        if !self.take_word("by") {
            return Err(self.expected("`by`, as in `top 10 by count`,"));
        }
        let mut by = vec![self.expression()?];
        while self.take_sign(",") {
            by.push(self.expression()?);
        }
        Ok(StageKind::Top { rows, by })
    }

    fn aggregate(&mut self) -> Result<Aggregate, QueryError> {
        let mut figures = vec![self.figure()?];
        while self.take_sign(",") {
            figures.push(self.figure()?);
        }
        let by = if self.take_word("by") { self.names()? } else { Vec::new() };
        let windows = if self.take_word("every") { Some(self.windows()?) } else { None };
        Ok(Aggregate { figures, by, windows })
    }

    fn figure(&mut self) -> Result<Figure, QueryError> {
        let first = self.at;
        let start = self.here();
        let found = match self.kind() {
            Kind::Word(word) => function(word).map(|function| (function, word.clone())),
            _ => None,
        };
        let Some((function, word)) = found else {
            let what = "one of count, sum, min, max, avg, p99 and distinct";
            return Err(self.expected(what));
        };
        self.at += 1;
        let mut name = word.clone();
        let mut argument = None;
        let mut argument_text = String::new();
        if function == Function::Count {
            if self.take_sign("(") {
                let message = "`count` counts lines, and takes nothing; put `where` before it, or \
                               write `distinct(..)`";
                self.expect_sign(")", message)?;
            }
        } else {
            let message = format!("`{word}` needs a field: `{word}(bytes)`");
            self.expect_sign("(", &message)?;
            argument = Some(self.argument(&word)?);
            argument_text = self.canonical(first + 2..self.at - 1);
            name = self.canonical(first..self.at);
        }
        let span = start.start..self.before().end;
        if self.take_word("as") {
            name = self.name()?.text;
        }
        Ok(Figure { function, argument, argument_text, name, span })
    }

    fn argument(&mut self, word: &str) -> Result<Expression, QueryError> {
        let argument = self.expression()?;
        let message = format!("`)` is expected: `{word}` takes one field or expression");
        self.expect_sign(")", &message)?;
        Ok(argument)
    }

    fn windows(&mut self) -> Result<Windows, QueryError> {
        let span = self.here();
        let every = self.duration()?;
        if !self.take_word("over") {
            return Ok(Windows { every, over: every, span });
        }
        let span = self.here();
        let over = self.duration()?;
        let wrong = |message: &str| Err(QueryError::new(message, span.clone()));
        if over < every || over % every != 0 {
            return wrong("`over` must be a multiple of `every`, as in `every 10s over 1m`");
        }
        if over / every > MAX_OVERLAP {
            return wrong("`over` is at most 1000 times `every`");
        }
        Ok(Windows { every, over, span })
    }

    /// In milliseconds.
    fn duration(&mut self) -> Result<i64, QueryError> {
        let what = "a time such as 500ms, 10s, 5m, 1h or 1d";
        let Kind::Measure(number, unit) = self.kind() else { return Err(self.expected(what)) };
        let unit = match unit.as_str() {
            "ms" => 1_u64,
            "s" => 1_000,
            "m" | "min" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return Err(self.expected(what)),
        };
        let milliseconds = Decimal::parse(number.as_bytes())
            .and_then(|number| number.times(Decimal::from(unit)))
            .filter(|milliseconds| milliseconds.parts().1 == 0)
            .and_then(|milliseconds| i64::try_from(milliseconds.parts().0).ok())
            .filter(|milliseconds| (1..=MAX_WINDOW).contains(milliseconds));
        let message = "a time is at least 1ms and at most 366d, in whole milliseconds";
        let milliseconds = milliseconds.ok_or_else(|| self.error_here(message))?;
        self.at += 1;
        Ok(milliseconds)
    }
}

/// The function of this name. `p99` is the percentile 99, `p999` is 99.9, and so is `p99.9`.
pub(super) fn function(word: &str) -> Option<Function> {
    match word {
        "count" => return Some(Function::Count),
        "sum" => return Some(Function::Sum),
        "min" => return Some(Function::Min),
        "max" => return Some(Function::Max),
        "avg" => return Some(Function::Average),
        "distinct" => return Some(Function::Distinct),
        _ => {}
    }
    let digits = word.strip_prefix('p')?;
    if !digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
        return None;
    }
    let (whole, fraction) = match digits.split_once('.') {
        Some((whole, fraction)) => (whole, fraction),
        None if digits.len() > 2 && digits.starts_with('9') => digits.split_at(2),
        None => (digits, ""),
    };
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || whole.len() > 2 || fraction.len() > 2 {
        return None;
    }
    if !is_number(whole) || !is_number(fraction) || digits.ends_with('.') {
        return None;
    }
    let hundredths: u16 = format!("{whole}{fraction:0<2}").parse().ok()?;
    (hundredths > 0).then_some(Function::Percentile(hundredths))
}
