//! The words for a level of severity, which may stand before a time or behind it.

/// The words, in capitals.
const LEVELS: [&[u8]; 22] = [
    b"INFO",
    b"WARN",
    b"WARNING",
    b"ERROR",
    b"DEBUG",
    b"TRACE",
    b"FATAL",
    b"NOTICE",
    b"ERR",
    b"CRITICAL",
    b"CRIT",
    b"SEVERE",
    b"ALERT",
    b"EMERG",
    b"FINE",
    b"FINER",
    b"FINEST",
    b"CONFIG",
    b"PANIC",
    b"NOTE",
    b"LOG",
    b"VERB",
];

/// The longest of them, in bytes.
pub(crate) const MAX_LEVEL_BYTES: usize = 8;

/// Whether it is a level, in small or capital letters.
pub(crate) fn is_level(word: &[u8]) -> bool {
    word.len() <= MAX_LEVEL_BYTES && LEVELS.iter().any(|level| level.eq_ignore_ascii_case(word))
}
