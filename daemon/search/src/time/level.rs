//! The words for a level of severity, which may stand before a time or behind it.

/// The longest of them, in bytes.
pub(crate) const MAX_LEVEL_BYTES: usize = 8;

/// Whether it is a level, in capital letters.
#[rustfmt::skip]
pub(crate) fn is_capital_level(word: &[u8]) -> bool {
    matches!(
        word,
        b"INFO" | b"WARN" | b"WARNING" | b"ERROR" | b"DEBUG" | b"TRACE" | b"FATAL" | b"NOTICE"
            | b"ERR" | b"CRITICAL" | b"CRIT" | b"SEVERE" | b"ALERT" | b"EMERG" | b"FINE"
            | b"FINER" | b"FINEST" | b"CONFIG" | b"PANIC" | b"NOTE" | b"LOG" | b"VERB"
    )
}

/// Whether it is a level, in small or capital letters.
pub(crate) fn is_level(word: &[u8]) -> bool {
    if !(3..=MAX_LEVEL_BYTES).contains(&word.len()) {
        return false;
    }
    let mut capitals = [0; MAX_LEVEL_BYTES];
    for (capital, letter) in capitals.iter_mut().zip(word) {
        *capital = letter.to_ascii_uppercase();
    }
    capitals.get(..word.len()).is_some_and(is_capital_level)
}
