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
    let mut capitals = [0; MAX_LEVEL_BYTES];
    let Some(capitals) = capitals.get_mut(..word.len()) else { return false };
    capitals.copy_from_slice(word);
    capitals.make_ascii_uppercase();
    is_capital_level(capitals)
}
