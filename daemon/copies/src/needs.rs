//! What every line that a pattern selects must contain: an expression of literals. Blocks that lack
//! it need not be read.

/// What a line must contain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Needs {
    /// Nothing is known: every line may be selected.
    Anything,
    /// These bytes, anywhere in the line.
    Literal(Literal),
    /// All of these.
    All(Vec<Needs>),
    /// At least one of these. Without any, no line can be selected.
    Any(Vec<Needs>),
}

/// Bytes that a line must contain, one after the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Literal {
    /// The bytes. They hold no line end.
    pub bytes: Vec<u8>,
    /// Whether letters of either case may stand for each other. `bytes` are then in lower case, as
    /// far as they are ASCII. Letters beyond ASCII are never part of such a literal.
    pub ignores_case: bool,
    /// Whether a word begins with the first byte: the byte before it, if there is one, is no byte
    /// of a word.
    pub begins_word: bool,
    /// Whether a word ends with the last byte, in the same way.
    pub ends_word: bool,
}
