//! Lines of `key=value`, with values in quotes where they have spaces: logfmt, as Heroku and
//! go-logfmt write it.

use super::{Needs, closing_quote, without_return};
use crate::cells::{Cell, Cells};

/// Which fields are needed.
#[derive(Debug, Default)]
pub(crate) struct Logfmt {
    pub(super) needs: Needs,
}

impl Logfmt {
    /// A line has at least one `key=value`, and no open quote. Words without `=` are passed over.
    pub(super) fn scan(&self, line: &[u8], cells: &mut Cells) -> Option<()> {
        self.needs.clear(cells);
        (pairs(without_return(line), 0, &self.needs, cells)? > 0).then_some(())
    }
}

/// Reads the pairs from `start` on into the slots of their names, and returns how many there are.
/// The last of equal names counts. None if a quote is not closed: pairs before it are read.
pub(super) fn pairs(line: &[u8], start: usize, needs: &Needs, cells: &mut Cells) -> Option<usize> {
    let mut at = start;
    let mut count = 0;
    loop {
        while line.get(at).is_some_and(|byte| matches!(byte, b' ' | b'\t')) {
            at += 1;
        }
        if at >= line.len() {
            return Some(count);
        }
        let key = at;
        while line.get(at).is_some_and(|byte| !matches!(byte, b' ' | b'\t' | b'=')) {
            at += 1;
        }
        let key_end = at;
        if line.get(at) != Some(&b'=') {
            continue;
        }
        at += 1;
        if line.get(at) == Some(&b'"') {
            let (end, escaped) = closing_quote(line, at + 1)?;
            if let Some(slot) = needs.slot(&line[key..key_end]) {
                set_quoted(line, at + 1..end, escaped, slot, cells);
            }
            at = end + 1;
        } else {
            let value = at;
            while line.get(at).is_some_and(|byte| !matches!(byte, b' ' | b'\t')) {
                at += 1;
            }
            cells.set_place(needs.slot(&line[key..key_end]), value..at);
        }
        count += usize::from(key_end > key);
    }
}

fn set_quoted(
    line: &[u8],
    place: std::ops::Range<usize>,
    escaped: bool,
    slot: usize,
    cells: &mut Cells,
) {
    if !escaped {
        cells.set_place(Some(slot), place);
        return;
    }
    if !cells.has_room(place.len()) {
        cells.set(slot, Cell::Missing);
        return;
    }
    let start = cells.scratch.len();
    let mut bytes = line[place].iter();
    while let Some(byte) = bytes.next() {
        let byte = match byte {
            b'\\' => match bytes.next() {
                Some(b'n') => b'\n',
                Some(b'r') => b'\r',
                Some(b't') => b'\t',
                Some(other) => *other,
                None => b'\\',
            },
            other => *other,
        };
        cells.scratch.push(byte);
    }
    cells.set(slot, Cell::Scratch(start, cells.scratch.len()));
}
