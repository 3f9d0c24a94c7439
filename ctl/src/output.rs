//! Standard output: locked once, a closed pipe told from other errors, and modest colour.

use std::io::{ErrorKind, IsTerminal, StdoutLock, Write};

use serde::Serialize;

use crate::exit::{Exit, Failure};

/// What JSON objects that are not elements of an array say about their shape.
const SCHEMA: u32 = 1;

/// Whether colour is wanted where the user did not say: on a terminal that has it, unless `NO_COLOR` is set (no-color.org).
pub(crate) fn color_by_default() -> bool {
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    std::io::stdout().is_terminal() && set("NO_COLOR").is_none() && set("TERM").is_some_and(|terminal| terminal != "dumb")
}

/// A colour or weight, as the parameters of the terminal's SGR sequence (ECMA-48).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    /// Headings.
    Bold,
    /// What is less important.
    Dim,
    /// What is well.
    Green,
    /// What is wrong.
    Red,
    /// What wants attention.
    Yellow,
}

impl Style {
    fn parameters(self) -> &'static str {
        match self {
            Style::Bold => "1",
            Style::Dim => "2",
            Style::Green => "32",
            Style::Red => "31",
            Style::Yellow => "33",
        }
    }
}

/// Standard output, held for as long as the command runs.
pub(crate) struct Output {
    stdout: StdoutLock<'static>,
    color: bool,
}

impl Output {
    /// Takes standard output.
    pub(crate) fn new() -> Output {
        Output { stdout: std::io::stdout().lock(), color: color_by_default() }
    }

    /// A text in a style, where colour is wanted.
    pub(crate) fn styled(&self, style: Style, text: &str) -> String {
        match self.color {
            true => format!("\x1b[{}m{text}\x1b[0m", style.parameters()),
            false => text.to_owned(),
        }
    }

    /// Writes a line and sends it off.
    pub(crate) fn line(&mut self, line: &str) -> Result<(), Failure> {
        self.bytes(line.as_bytes())?;
        self.bytes(b"\n")?;
        self.flush()
    }

    /// Writes one JSON object on a line of its own, with its `schema`, and sends it off.
    pub(crate) fn object(&mut self, object: &impl Serialize) -> Result<(), Failure> {
        #[derive(Serialize)]
        struct Object<'a, T> {
            schema: u32,
            #[serde(flatten)]
            fields: &'a T,
        }
        self.line(&json(&Object { schema: SCHEMA, fields: object })?)
    }

    /// Writes bytes as they are.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.stdout.write_all(bytes).map_err(|error| lost(&error))
    }

    /// Sends off what was written.
    pub(crate) fn flush(&mut self) -> Result<(), Failure> {
        self.stdout.flush().map_err(|error| lost(&error))
    }
}

/// A value as JSON on one line.
pub(crate) fn json(value: &impl Serialize) -> Result<String, Failure> {
    serde_json::to_string(value).map_err(|error| Failure::new(Exit::Failed, format!("cannot write JSON: {error}")))
}

fn lost(error: &std::io::Error) -> Failure {
    if error.kind() == ErrorKind::BrokenPipe {
        return Failure::OutputClosed;
    }
    Failure::new(Exit::Failed, format!("cannot write to standard output: {error}; the output is not complete"))
}
