//! The stages before the aggregate: which fields lines have, and in which slots they are.

use super::Step;
use super::compile::{Names, condition, expression};
use crate::error::QueryError;
use crate::expression::{Expression, Type};
use crate::scan::{
    Json, Logfmt, Lookup, Memory, Pattern, Scanner, Syslog, Template, Weblog, compile,
};
use crate::syntax::{Format, Name, Reader, Stage, StageKind, suggestion};
use std::ops::Range;

/// Names that every line has.
const VIRTUAL: [&str; 4] = ["member", "file", "time", "line"];

/// A name that `let` has made.
#[derive(Debug)]
struct Made {
    name: String,
    slot: usize,
    kind: Type,
    /// How many steps were before it.
    step: usize,
}

/// What is compiled so far.
#[derive(Debug, Default)]
pub(super) struct Lines {
    pub(super) steps: Vec<Step>,
    made: Vec<Made>,
    pub(super) slots: usize,
    pub(super) literals: Vec<Vec<u8>>,
    pub(super) memory: Memory,
    pub(super) needs_time: bool,
}

impl Lines {
    /// Compiles a stage that is no aggregate.
    pub(super) fn stage(&mut self, stage: &Stage) -> Result<(), QueryError> {
        let step = match &stage.kind {
            StageKind::Read { reader, from } => {
                let from = from.as_ref().map(|from| self.name(from)).transpose()?;
                Step::Scan(
                    Box::new(scanner(reader, &mut self.memory)?),
                    from.map(|(value, _)| value),
                )
            }
            StageKind::Where(source) => Step::Where(condition(source, self)?),
            StageKind::Let { name, value } => {
                refuse_virtual(&name.text, name.quoted, &name.span)?;
                let (value, kind) = expression(value, self)?;
                let slot = self.slots;
                self.slots += 1;
                let step = self.steps.len();
                self.made.push(Made { name: name.text.clone(), slot, kind, step });
                Step::Let(slot, value)
            }
            StageKind::Keep(_) => return Err(misplaced("keep", &stage.span)),
            StageKind::Sort(_) => return Err(misplaced("sort", &stage.span)),
            StageKind::Aggregate(_) | StageKind::Top { .. } => {
                return Err(misplaced("this", &stage.span));
            }
        };
        self.steps.push(step);
        Ok(())
    }

    /// The names that stages before this made, in their order.
    fn known(&self) -> Vec<&str> {
        let scanned = self.steps.iter().filter_map(|step| match step {
            Step::Scan(scanner, _) => Some(scanner.names()),
            Step::Where(_) | Step::Let(..) => None,
        });
        let made = self.made.iter().map(|made| made.name.as_str());
        scanned.flatten().chain(made).collect()
    }

    /// A value that `let` made, or a field that a stage reads: the last of that name. Lines may
    /// have fields that the query does not tell of: of these the last one that a line has.
    fn find(&mut self, name: &Name) -> Result<Option<(Expression, Type)>, QueryError> {
        let known: Vec<String> = self.known().into_iter().map(str::to_owned).collect();
        let mut slots = Vec::new();
        for at in (0..self.steps.len()).rev() {
            let made = self.made.iter().rfind(|made| made.step == at && made.name == name.text);
            if let Some(made) = made {
                slots.push(made.slot);
                let kind = if slots.len() == 1 { made.kind } else { Type::Field };
                return Ok(Some((first_of(slots), kind)));
            }
            let Step::Scan(scanner, _) = &mut self.steps[at] else { continue };
            if scanner.is_open() && !name.quoted && !known.contains(&name.text) {
                refuse_near(name, scanner, &known)?;
            }
            let is_certain = scanner.names().contains(&name.text.as_str());
            match scanner.need(&name.text, self.slots) {
                Lookup::Unknown => continue,
                Lookup::Slot(slot) => {
                    self.slots = self.slots.max(slot + 1);
                    slots.push(slot);
                }
                Lookup::TooMany => {
                    let message = "a query can use at most 64 fields of a line";
                    return Err(QueryError::new(message, name.span.clone()));
                }
            }
            if is_certain {
                break;
            }
        }
        Ok((!slots.is_empty()).then(|| (first_of(slots), Type::Field)))
    }

    fn unknown(&self, name: &Name) -> QueryError {
        let known: Vec<&str> = self.known().into_iter().chain(VIRTUAL).collect();
        let mut message = format!("there is no field `{}` here", name.text);
        if let Some(near) = suggestion(&name.text, known.iter().copied()) {
            message.push_str(&format!("; did you mean `{near}`?"));
        } else if known.len() == VIRTUAL.len() {
            message.push_str(
                "; put a stage before it that reads fields, such as `nginx`, `json` or `parse`",
            );
        } else {
            message.push_str(&format!(": there are {}", known.join(", ")));
        }
        QueryError::new(message, name.span.clone())
    }
}

impl Names for Lines {
    fn name(&mut self, name: &Name) -> Result<(Expression, Type), QueryError> {
        if !name.quoted {
            match name.text.as_str() {
                "member" => return Ok((Expression::Member, Type::Field)),
                "file" => return Ok((Expression::File, Type::Field)),
                "line" => return Ok((Expression::Line, Type::Field)),
                "time" => {
                    self.needs_time = true;
                    return Ok((Expression::Time, Type::Time));
                }
                _ => {}
            }
        }
        self.find(name)?.ok_or_else(|| self.unknown(name))
    }

    fn column(&self, _: &str) -> Option<(Expression, Type)> {
        None
    }

    fn literal(&mut self, text: &[u8]) -> usize {
        self.literals.push(text.to_vec());
        self.literals.len() - 1
    }

    fn memory(&mut self) -> &mut Memory {
        &mut self.memory
    }
}

/// The first of these that a line has.
fn first_of(slots: Vec<usize>) -> Expression {
    match slots[..] {
        [slot] => Expression::Slot(slot),
        _ => Expression::First(slots),
    }
}

fn scanner(reader: &Reader, memory: &mut Memory) -> Result<Scanner, QueryError> {
    Ok(match reader {
        Reader::Format(Format::Nginx) => Scanner::Weblog(Weblog::new("nginx")),
        Reader::Format(Format::Apache) => Scanner::Weblog(Weblog::new("apache")),
        Reader::Format(Format::Json) => Scanner::Json(Json::default()),
        Reader::Format(Format::Logfmt) => Scanner::Logfmt(Logfmt::default()),
        Reader::Format(Format::Syslog) => Scanner::Syslog(Syslog::default()),
        Reader::Template { text, span, names } => Scanner::Template(template(text, span, names)?),
        Reader::Regex { text, span } => Scanner::Pattern(pattern(text, span, memory)?),
    })
}

/// Lines of this format may have any field. One that is called nearly as a known one is most likely
/// a slip, and would be missing in all lines.
fn refuse_near(name: &Name, scanner: &Scanner, known: &[String]) -> Result<(), QueryError> {
    let near = scanner.translation(&name.text).map(str::to_owned);
    let near = near.or_else(|| suggestion(&name.text, known.iter().map(String::as_str)));
    let Some(near) = near else { return Ok(()) };
    let text = &name.text;
    let message =
        format!("did you mean `{near}`? If lines do have a field {text}, put it in backquotes");
    Err(QueryError::new(message, name.span.clone()))
}

fn refuse_virtual(name: &str, quoted: bool, span: &Range<usize>) -> Result<(), QueryError> {
    if quoted || !VIRTUAL.contains(&name) {
        return Ok(());
    }
    let message = format!("every line has a `{name}` of its own; choose another name");
    Err(QueryError::new(message, span.clone()))
}

fn misplaced(what: &str, span: &Range<usize>) -> QueryError {
    let message = format!("`{what}` is about rows: put it behind an aggregate such as `count`");
    QueryError::new(message, span.clone())
}

/// The texts between the `*` of a template. `\*` is a star, `\\` a backslash.
fn pieces(template: &str) -> Vec<String> {
    let mut pieces = vec![String::new()];
    let mut characters = template.chars().peekable();
    while let Some(next) = characters.next() {
        let behind = |next: &char| matches!(next, '*' | '\\');
        let escaped = if next == '\\' { characters.next_if(behind) } else { None };
        match (escaped, pieces.last_mut()) {
            (None, _) if next == '*' => pieces.push(String::new()),
            (escaped, Some(piece)) => piece.push(escaped.unwrap_or(next)),
            (_, None) => {}
        }
    }
    pieces
}

fn template(text: &str, span: &Range<usize>, names: &[Name]) -> Result<Template, QueryError> {
    let texts = pieces(text);
    let stars = texts.len() - 1;
    let wrong = |message: String| Err(QueryError::new(message, span.clone()));
    if stars == 0 {
        return wrong("a template has a `*` for each name".to_owned());
    }
    if stars > 64 {
        return wrong("a template has at most 64 `*`".to_owned());
    }
    if texts[1..stars].iter().any(String::is_empty) {
        return wrong("between two `*` something must stand that ends the first".to_owned());
    }
    if stars != names.len() {
        let message = format!(
            "the template has {stars} `*`, but {} names follow; `_` is for what is not needed",
            names.len()
        );
        return wrong(message);
    }
    for (at, name) in names.iter().enumerate() {
        refuse_virtual(&name.text, name.quoted, &name.span)?;
        let before = &names[..at];
        if name.text != "_" && before.iter().any(|other| other.text == name.text) {
            let message = format!("`{}` is there twice", name.text);
            return Err(QueryError::new(message, name.span.clone()));
        }
    }
    let names = names.iter().map(|name| name.text.clone()).collect();
    Ok(Template::new(&texts, names))
}

fn pattern(text: &str, span: &Range<usize>, memory: &mut Memory) -> Result<Pattern, QueryError> {
    let wrong = |message: String| QueryError::new(message, span.clone());
    let regex = compile(text, memory).map_err(wrong)?;
    let pattern = Pattern::new(regex);
    let pattern = pattern.ok_or_else(|| wrong("it has more than 31 groups".to_owned()))?;
    let names = pattern.names();
    if names.is_empty() {
        return Err(wrong("it names no field: write `(?P<name>..)` for each".to_owned()));
    }
    for name in names {
        refuse_virtual(name, false, span)?;
    }
    Ok(pattern)
}
