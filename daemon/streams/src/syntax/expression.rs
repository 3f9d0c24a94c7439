//! Expressions, by recursive descent: each level of precedence is a function.

use super::hints::no_value;
use super::lexer::{Kind, unescaped};
use super::parser::Parser;
use super::words::RESERVED;
use super::{Expression, ExpressionKind, Name, Operator, QueryError};
use crate::decimal::Decimal;

/// The most parts of all expressions of a query: what is deep takes stack.
const MAX_PARTS: usize = 400;

/// How deeply parentheses may be nested.
const MAX_DEPTH: usize = 32;

const COMPARISONS: [(&str, Operator); 7] = [
    ("==", Operator::Equal),
    ("=", Operator::Equal),
    ("!=", Operator::NotEqual),
    ("<=", Operator::LessOrEqual),
    ("<", Operator::Less),
    (">=", Operator::GreaterOrEqual),
    (">", Operator::Greater),
];

const WORDS: [(&str, Operator); 3] = [
    ("contains", Operator::Contains),
    ("startswith", Operator::StartsWith),
    ("endswith", Operator::EndsWith),
];

const SUMS: [(&str, Operator); 2] = [("+", Operator::Plus), ("-", Operator::Minus)];

const PRODUCTS: [(&str, Operator); 3] =
    [("*", Operator::Times), ("/", Operator::Divide), ("%", Operator::Remainder)];

impl Parser<'_> {
    /// An expression.
    pub(super) fn expression(&mut self) -> Result<Expression, QueryError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(self.error_here("this is nested too deeply"));
        }
        let either = self.either()?;
        self.depth -= 1;
        Ok(either)
    }

    fn either(&mut self) -> Result<Expression, QueryError> {
        let mut left = self.both()?;
        while self.take_word("or") || self.take_sign("||") {
            let right = self.both()?;
            left = self.binary(Operator::Or, left, right)?;
        }
        Ok(left)
    }

    fn both(&mut self) -> Result<Expression, QueryError> {
        let mut left = self.negation()?;
        while self.take_word("and") || self.take_sign("&&") {
            let right = self.negation()?;
            left = self.binary(Operator::And, left, right)?;
        }
        Ok(left)
    }

    fn negation(&mut self) -> Result<Expression, QueryError> {
        let start = self.here().start;
        let mut times = 0;
        while self.take_word("not") || self.take_sign("!") {
            times += 1;
        }
        let mut value = self.comparison()?;
        for _ in 0..times {
            let span = start..value.span.end;
            value = self.part(ExpressionKind::Not(Box::new(value)), span)?;
        }
        Ok(value)
    }

    fn comparison(&mut self) -> Result<Expression, QueryError> {
        let left = self.sum()?;
        if let Some(operator) = self.one_of_signs(&COMPARISONS) {
            let right = self.sum()?;
            if self.one_of_signs(&COMPARISONS).is_some() {
                self.at -= 1;
                return Err(self.error_here("write `a < b and b < c` for two comparisons"));
            }
            return self.binary(operator, left, right);
        }
        for (word, operator) in WORDS {
            if self.take_word(word) {
                let right = self.sum()?;
                return self.binary(operator, left, right);
            }
        }
        if self.take_word("matches") || self.take_sign("~") {
            let (regex, span) = self.regex()?;
            let whole = left.span.start..span.end;
            let kind = ExpressionKind::Matches { value: Box::new(left), regex, span };
            return self.part(kind, whole);
        }
        if self.take_word("in") {
            self.expect_sign("(", "a list such as (500, 503) is expected after `in`")?;
            let list = self.arguments()?;
            let span = left.span.start..self.before().end;
            return self.part(ExpressionKind::In(Box::new(left), list), span);
        }
        Ok(left)
    }

    fn sum(&mut self) -> Result<Expression, QueryError> {
        let mut left = self.product()?;
        while let Some(operator) = self.one_of_signs(&SUMS) {
            let right = self.product()?;
            left = self.binary(operator, left, right)?;
        }
        Ok(left)
    }

    fn product(&mut self) -> Result<Expression, QueryError> {
        let mut left = self.signed()?;
        while let Some(operator) = self.one_of_signs(&PRODUCTS) {
            let right = self.signed()?;
            left = self.binary(operator, left, right)?;
        }
        Ok(left)
    }

    fn signed(&mut self) -> Result<Expression, QueryError> {
        let start = self.here().start;
        if !self.take_sign("-") {
            return self.primary();
        }
        let value = self.primary()?;
        let span = start..value.span.end;
        if let ExpressionKind::Number(number) = value.kind {
            return Ok(Expression { kind: ExpressionKind::Number(number.negated()), span });
        }
        self.part(ExpressionKind::Minus(Box::new(value)), span)
    }

    fn primary(&mut self) -> Result<Expression, QueryError> {
        let span = self.here();
        match self.kind().clone() {
            Kind::Number(text) => {
                self.at += 1;
                let number = Decimal::parse(text.as_bytes());
                let number = number.ok_or_else(|| {
                    QueryError::new("this number is too large: below 10^28", span.clone())
                })?;
                self.part(ExpressionKind::Number(number), span)
            }
            Kind::Text(inner, _) => {
                self.at += 1;
                let bytes = unescaped(&inner).ok_or_else(|| {
                    let message = "two hexadecimal digits are expected after `\\x`";
                    QueryError::new(message, span.clone())
                })?;
                self.part(ExpressionKind::Text(bytes), span)
            }
            Kind::Word(word) if word == "true" || word == "false" => {
                self.at += 1;
                self.part(ExpressionKind::Truth(word == "true"), span)
            }
            Kind::Word(word) if no_value(&word).is_some() => {
                Err(self.error_here(no_value(&word).unwrap_or_default()))
            }
            Kind::Sign("~") if self.at > 0 && self.before().end == span.start => {
                Err(self.error_here("write `~` alone, or `matches`"))
            }
            Kind::Word(word) if !RESERVED.contains(&word.as_str()) => self.named(word),
            Kind::Quoted(text) => {
                self.at += 1;
                let name = Name { text, span: span.clone(), quoted: true };
                self.part(ExpressionKind::Name(name), span)
            }
            Kind::Sign("(") => {
                self.at += 1;
                let inner = self.expression()?;
                self.expect_sign(")", "`)` is missing")?;
                Ok(inner)
            }
            _ => Err(self.expected("a field, a number or a text in quotes")),
        }
    }

    /// A name, or a call.
    fn named(&mut self, word: String) -> Result<Expression, QueryError> {
        let span = self.here();
        let first = self.at;
        self.at += 1;
        let name = Name { text: word, span: span.clone(), quoted: false };
        if !self.take_sign("(") {
            return self.part(ExpressionKind::Name(name), span);
        }
        let arguments = self.arguments()?;
        let text = self.canonical(first..self.at);
        let span = span.start..self.before().end;
        self.part(ExpressionKind::Call { function: name, arguments, text }, span)
    }

    /// Expressions and commas up to `)`.
    pub(super) fn arguments(&mut self) -> Result<Vec<Expression>, QueryError> {
        let mut arguments = Vec::new();
        if self.take_sign(")") {
            return Ok(arguments);
        }
        loop {
            arguments.push(self.expression()?);
            if self.take_sign(")") {
                return Ok(arguments);
            }
            self.expect_sign(",", "`,` or `)` is expected")?;
        }
    }

    fn one_of_signs(&mut self, signs: &[(&str, Operator)]) -> Option<Operator> {
        let found = signs.iter().find(|(sign, _)| self.take_sign(sign));
        found.map(|(_, operator)| *operator)
    }

    fn binary(
        &mut self,
        operator: Operator,
        left: Expression,
        right: Expression,
    ) -> Result<Expression, QueryError> {
        let span = left.span.start..right.span.end;
        self.part(ExpressionKind::Binary(operator, Box::new(left), Box::new(right)), span)
    }

    fn part(
        &mut self,
        kind: ExpressionKind,
        span: std::ops::Range<usize>,
    ) -> Result<Expression, QueryError> {
        self.parts += 1;
        if self.parts > MAX_PARTS {
            return Err(QueryError::new("the query's expressions have too many parts", span));
        }
        Ok(Expression { kind, span })
    }
}
