//! The fields of one line while it is read: places in the line, and few values of their own.
//! Nothing is allocated for a line once the buffers have grown.

use super::decimal::Decimal;
use super::fold::LineTime;
use std::ops::Range;

/// How many bytes the scratch may have for each line, beside twice the line.
const ROOM: usize = 1 << 20;

/// A value. Texts are places in bytes that lie elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cell {
    Missing,
    /// In the line.
    Line(usize, usize),
    /// In the scratch, such as text without its escapes.
    Scratch(usize, usize),
    /// One of the plan's texts: a text in quotes of the query.
    Literal(usize),
    Member,
    File,
    Number(Decimal),
    /// In milliseconds since the Unix epoch.
    Time(i64),
    Truth(bool),
}

/// Where the text begins that a scanner reads.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Origin {
    Line(usize),
    Scratch(usize),
}

impl Default for Origin {
    fn default() -> Self {
        Self::Line(0)
    }
}

/// A value for each slot of the plan, and the bytes of those that are not in the line.
#[derive(Debug, Default)]
pub(crate) struct Cells {
    slots: Vec<Cell>,
    pub(crate) scratch: Vec<u8>,
    /// The most bytes that the scratch may have.
    room: usize,
    pub(crate) origin: Origin,
    /// A text that is read while the scratch is written.
    pub(crate) copy: Vec<u8>,
}

impl Cells {
    pub(crate) fn new(slots: usize) -> Self {
        Self { slots: vec![Cell::Missing; slots], ..Self::default() }
    }

    /// Forgets the texts of the line before. The next one has so many bytes.
    pub(crate) fn begin(&mut self, length: usize) {
        self.scratch.clear();
        self.room = length.saturating_mul(2).saturating_add(ROOM);
    }

    pub(crate) fn set(&mut self, slot: usize, cell: Cell) {
        self.slots[slot] = cell;
    }

    /// A place in the text that is read.
    pub(crate) fn place(&self, start: usize, end: usize) -> Cell {
        match self.origin {
            Origin::Line(origin) => Cell::Line(origin + start, origin + end),
            Origin::Scratch(origin) => Cell::Scratch(origin + start, origin + end),
        }
    }

    /// Sets a slot, if the plan needs this field.
    pub(crate) fn set_place(&mut self, slot: Option<usize>, place: Range<usize>) {
        if let Some(slot) = slot {
            self.slots[slot] = self.place(place.start, place.end);
        }
    }

    pub(crate) fn set_if(&mut self, slot: Option<usize>, cell: Cell) {
        if let Some(slot) = slot {
            self.slots[slot] = cell;
        }
    }

    pub(crate) fn get(&self, slot: usize) -> Cell {
        self.slots[slot]
    }

    /// Sets a slot to bytes of its own.
    pub(crate) fn set_bytes(&mut self, slot: usize, bytes: &[u8]) {
        self.slots[slot] = self.keep(bytes);
    }

    /// Whether so many bytes can be kept.
    pub(crate) fn has_room(&self, bytes: usize) -> bool {
        self.scratch.len().saturating_add(bytes) <= self.room
    }

    /// Keeps bytes until the next line. Missing if the line has made too many already.
    pub(crate) fn keep(&mut self, bytes: &[u8]) -> Cell {
        if !self.has_room(bytes.len()) {
            return Cell::Missing;
        }
        let start = self.scratch.len();
        self.scratch.extend_from_slice(bytes);
        Cell::Scratch(start, self.scratch.len())
    }
}

/// All that an expression can read.
pub(crate) struct Context<'a> {
    pub(crate) line: &'a [u8],
    pub(crate) cells: &'a mut Cells,
    pub(crate) literals: &'a [Vec<u8>],
    pub(crate) member: &'a [u8],
    pub(crate) file: &'a [u8],
    pub(crate) clock: Clock<'a>,
}

/// Asks for the time of the line at most once.
pub(crate) struct Clock<'a> {
    times: Option<&'a mut dyn LineTime>,
    known: Option<i64>,
    /// The time was asked for, and the line had none.
    pub(crate) missing: bool,
}

impl<'a> Clock<'a> {
    pub(crate) fn new(times: Option<&'a mut dyn LineTime>) -> Self {
        Self { times, known: None, missing: false }
    }

    /// The time of `line` in milliseconds since the Unix epoch.
    pub(crate) fn of(&mut self, line: &[u8]) -> Option<i64> {
        if let Some(times) = self.times.take() {
            self.known = times.milliseconds(line);
            self.missing = self.known.is_none();
        }
        self.known
    }
}

impl Context<'_> {
    /// The bytes of a text. None for numbers, times, truths and what is missing.
    pub(crate) fn text(&self, cell: Cell) -> Option<&[u8]> {
        match cell {
            Cell::Line(start, end) => self.line.get(start..end),
            Cell::Scratch(start, end) => self.cells.scratch.get(start..end),
            Cell::Literal(at) => self.literals.get(at).map(Vec::as_slice),
            Cell::Member => Some(self.member),
            Cell::File => Some(self.file),
            Cell::Truth(true) => Some(b"true"),
            Cell::Truth(false) => Some(b"false"),
            Cell::Missing | Cell::Number(_) | Cell::Time(_) => None,
        }
    }

    /// The number that the cell is, or that its text says.
    pub(crate) fn number(&self, cell: Cell) -> Option<Decimal> {
        match cell {
            Cell::Number(number) => Some(number),
            Cell::Time(milliseconds) => Some(milliseconds.into()),
            Cell::Missing | Cell::Truth(_) => None,
            _ => Decimal::parse(self.text(cell)?),
        }
    }

    /// The bytes that the value would be printed as. Numbers and times come into the scratch.
    pub(crate) fn as_text(&mut self, cell: Cell) -> Cell {
        match cell {
            Cell::Number(number) => self.cells.keep(number.to_string().as_bytes()),
            Cell::Time(milliseconds) => {
                self.cells.keep(crate::rows::time_text(milliseconds).as_bytes())
            }
            _ => cell,
        }
    }
}
