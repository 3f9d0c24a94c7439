//! A pattern's bytes as the characters of its locale.

use memberd_control::grep::GrepCharacters;

/// One character of a pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Symbol {
    /// A character in UTF-8. In the C locale a byte, as the character of the same number (U+0000 to
    /// U+00FF).
    Character(char),
    /// A byte that is not valid UTF-8. It stands for itself, and no set holds it.
    Byte(u8),
}

/// Splits a pattern into its characters.
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
