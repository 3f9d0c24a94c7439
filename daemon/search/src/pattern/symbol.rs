//! A pattern's bytes as the characters of its locale.

use memberd_control::grep::GrepCharacters;

/// One character of a pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Symbol {
    /// In UTF-8 a character; in the C locale a byte, the character of the same number (U+0000 to
    /// U+00FF).
    Character(char),
    /// In UTF-8 a byte that is part of no character. It stands for itself, and is in no set.
    Byte(u8),
}

/// Takes a pattern apart.
pub(crate) fn symbols(characters: GrepCharacters, pattern: &[u8]) -> Vec<Symbol> {
    match characters {
        GrepCharacters::Bytes => {
            pattern.iter().map(|byte| Symbol::Character(char::from(*byte))).collect()
        }
        GrepCharacters::Utf8 => pattern
            .utf8_chunks()
            .flat_map(|chunk| {
                let valid = chunk.valid().chars().map(Symbol::Character);
                valid.chain(chunk.invalid().iter().map(|byte| Symbol::Byte(*byte)))
            })
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_is_a_character_in_the_c_locale_only() {
        let pattern = b"a\xc3\xa9\xff";
        let bytes = ['a', '\u{c3}', '\u{a9}', '\u{ff}'].map(Symbol::Character);
        assert_eq!(symbols(GrepCharacters::Bytes, pattern), bytes);
        let utf8 = [Symbol::Character('a'), Symbol::Character('\u{e9}'), Symbol::Byte(0xff)];
        assert_eq!(symbols(GrepCharacters::Utf8, pattern), utf8);
    }
}
