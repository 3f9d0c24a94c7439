//! The literals that every match of an expression contains.
//!
//! It reads an expression from left to right and keeps the strings that may stand right before:
//! the runs. A small class or alternation makes several runs of each. Where too many would be, or
//! anything may stand, the runs so far become a need, and new ones begin.

use regex_syntax::hir::{Class, Hir, HirKind, Look, Repetition};

use super::{MAX_LITERAL_BYTES, all, any, is_word};
use memberd_copies::needs::{Literal, Needs};

/// The most runs at a time.
const MAX_RUNS: usize = 16;

/// The most characters of a class that are told apart, without those that differ in case.
const MAX_CHARACTERS: usize = 4;

/// What each match contains.
pub(super) fn needs(hir: &Hir) -> Needs {
    let mut reader = Reader { runs: vec![Run::default()], needs: Vec::new() };
    reader.read(hir);
    reader.end_runs();
    all(reader.needs)
}

/// A string that may stand at a place.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Run {
    bytes: Vec<u8>,
    ignores_case: bool,
    /// Whether an edge of a word, or of a line, is where it begins.
    begins: bool,
    /// Whether one is where it ends.
    ends: bool,
}

impl Run {
    fn of(bytes: &[u8]) -> Run {
        Run { bytes: bytes.to_vec(), ..Run::default() }
    }

    fn edge() -> Run {
        Run { begins: true, ends: true, ..Run::default() }
    }

    fn ignoring_case(letter: u8) -> Run {
        Run { bytes: vec![letter.to_ascii_lowercase()], ignores_case: true, ..Run::default() }
    }

    /// This run, and right behind it another one.
    fn then(&self, next: &Run) -> Run {
        Run {
            bytes: [&*self.bytes, &next.bytes].concat(),
            ignores_case: self.ignores_case || next.ignores_case,
            begins: self.begins || (self.bytes.is_empty() && next.begins),
            ends: next.ends || (next.bytes.is_empty() && self.ends),
        }
    }

    fn literal(self) -> Needs {
        let Run { mut bytes, ignores_case, begins, ends } = self;
        if ignores_case {
            bytes.make_ascii_lowercase();
        }
        Needs::Literal(Literal {
            begins_word: begins && bytes.first().is_some_and(is_word),
            ends_word: ends && bytes.last().is_some_and(is_word),
            bytes,
            ignores_case,
        })
    }
}

struct Reader {
    /// What may stand right before this place. One of these does.
    runs: Vec<Run>,
    /// What stands somewhere before them.
    needs: Vec<Needs>,
}

impl Reader {
    fn read(&mut self, hir: &Hir) {
        if let Some(runs) = exact(hir) {
            self.push(&runs);
            return;
        }
        match hir.kind() {
            HirKind::Concat(parts) => parts.iter().for_each(|part| self.read(part)),
            HirKind::Capture(group) => self.read(&group.sub),
            HirKind::Repetition(repetition) if repetition.min > 0 => self.repeat(repetition),
            HirKind::Alternation(branches) => {
                self.gap();
                self.needs.push(any(branches.iter().map(needs)));
            }
            HirKind::Literal(literal) => self.long(&literal.0),
            HirKind::Empty | HirKind::Class(_) | HirKind::Look(_) | HirKind::Repetition(_) => {
                self.gap();
            }
        }
    }

    /// Reads what is there at least once.
    fn repeat(&mut self, repetition: &Repetition) {
        self.read(&repetition.sub);
        self.gap();
        // The last one is right before what follows.
        if let Some(runs) = exact(&repetition.sub) {
            self.push(&runs);
        }
    }

    /// Reads a string that is too long for a run, or has a line end: its beginning and its end.
    fn long(&mut self, bytes: &[u8]) {
        if bytes.contains(&b'\n') {
            self.gap();
            return;
        }
        let half = bytes.len().min(MAX_LITERAL_BYTES) / 2;
        self.push(&[Run::of(bytes.get(..half).unwrap_or_default())]);
        self.gap();
        self.push(&[Run::of(bytes.get(bytes.len() - half..).unwrap_or_default())]);
    }

    /// One of these stands next.
    fn push(&mut self, next: &[Run]) {
        let longest = |runs: &[Run]| runs.iter().map(|run| run.bytes.len()).max().unwrap_or(0);
        if self.runs.len() * next.len() > MAX_RUNS
            || longest(&self.runs) + longest(next) > MAX_LITERAL_BYTES
        {
            self.gap();
        }
        self.runs = product(&self.runs, next);
    }

    /// Something stands here of which nothing is known.
    fn gap(&mut self) {
        self.end_runs();
        self.runs = vec![Run::default()];
    }

    fn end_runs(&mut self) {
        let runs = std::mem::take(&mut self.runs);
        self.needs.push(any(runs.into_iter().map(Run::literal)));
    }
}

fn product(first: &[Run], second: &[Run]) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for one in first {
        for next in second {
            let run = one.then(next);
            if !runs.contains(&run) {
                runs.push(run);
            }
        }
    }
    runs
}

/// All strings that an expression matches, if they are few and short.
fn exact(hir: &Hir) -> Option<Vec<Run>> {
    let longest = hir.properties().maximum_len();
    // What cannot match has no length.
    if longest.is_none_or(|longest| longest > MAX_LITERAL_BYTES) && !is_never(hir) {
        return None;
    }
    let runs = match hir.kind() {
        HirKind::Empty => vec![Run::default()],
        HirKind::Literal(literal) if literal.0.contains(&b'\n') => return None,
        HirKind::Literal(literal) => vec![Run::of(&literal.0)],
        HirKind::Class(class) => of_class(class)?,
        HirKind::Look(Look::WordAsciiNegate | Look::WordUnicodeNegate) => vec![Run::default()],
        HirKind::Look(_) => vec![Run::edge()],
        HirKind::Capture(group) => exact(&group.sub)?,
        HirKind::Repetition(repetition) => exact_repetition(repetition)?,
        HirKind::Concat(parts) => {
            let mut runs = vec![Run::default()];
            for part in parts {
                let next = exact(part)?;
                if runs.len() * next.len() > MAX_RUNS {
                    return None;
                }
                runs = product(&runs, &next);
            }
            runs
        }
        HirKind::Alternation(branches) => {
            let mut runs = Vec::new();
            for branch in branches {
                for run in exact(branch)? {
                    if !runs.contains(&run) {
                        runs.push(run);
                    }
                }
                if runs.len() > MAX_RUNS {
                    return None;
                }
            }
            runs
        }
    };
    (runs.len() <= MAX_RUNS).then_some(runs)
}

fn is_never(hir: &Hir) -> bool {
    matches!(hir.kind(), HirKind::Class(class) if class.is_empty())
}

fn exact_repetition(repetition: &Repetition) -> Option<Vec<Run>> {
    let most = repetition.max?;
    // Of nothing, there may be any number.
    if most as usize > MAX_LITERAL_BYTES {
        return None;
    }
    let once = exact(&repetition.sub)?;
    let mut several = vec![Run::default()];
    let mut runs: Vec<Run> = Vec::new();
    for count in 0..=most {
        if count >= repetition.min {
            for run in &several {
                if !runs.contains(run) {
                    runs.push(run.clone());
                }
            }
        }
        if several.len() * once.len() > MAX_RUNS || runs.len() > MAX_RUNS {
            return (count == most && runs.len() <= MAX_RUNS).then_some(runs);
        }
        several = product(&several, &once);
    }
    Some(runs)
}

/// A run for each character of a small class. The cases of an ASCII letter are one.
fn of_class(class: &Class) -> Option<Vec<Run>> {
    let mut characters: Vec<Vec<u8>> = Vec::new();
    match class {
        Class::Unicode(class) => {
            for range in class.iter() {
                for character in (range.start()..=range.end()).take(2 * MAX_CHARACTERS + 1) {
                    characters.push(character.to_string().into_bytes());
                }
            }
        }
        Class::Bytes(class) => {
            for range in class.iter() {
                let bytes = (range.start()..=range.end()).take(2 * MAX_CHARACTERS + 1);
                characters.extend(bytes.map(|byte| vec![byte]));
            }
        }
    }
    if characters.len() > 2 * MAX_CHARACTERS || characters.contains(&vec![b'\n']) {
        return None;
    }
    let mut runs: Vec<Run> = Vec::new();
    for character in &characters {
        let run = of_character(character, &characters);
        if !runs.contains(&run) {
            runs.push(run);
        }
    }
    (runs.len() <= MAX_CHARACTERS).then_some(runs)
}

/// A character of a class.
fn of_character(character: &[u8], class: &[Vec<u8>]) -> Run {
    let has_both = |letter: u8| {
        class.contains(&vec![letter.to_ascii_lowercase()])
            && class.contains(&vec![letter.to_ascii_uppercase()])
    };
    match *character {
        [letter] if letter.is_ascii_alphabetic() && has_both(letter) => Run::ignoring_case(letter),
        // The Kelvin sign and the long s.
        [0xe2, 0x84, 0xaa] if has_both(b'k') => Run::ignoring_case(b'k'),
        [0xc5, 0xbf] if has_both(b's') => Run::ignoring_case(b's'),
        _ => Run::of(character),
    }
}
