//! What POSIX's character classes hold in a UTF-8 locale, as glibc has them.

use super::tree::CharacterClass;

/// The class in the syntax of the `regex` crates, to stand inside brackets.
pub(crate) fn ranges(class: CharacterClass) -> &'static str {
    match class {
        CharacterClass::Alnum => r"\p{Alphabetic}\p{Nd}",
        CharacterClass::Alpha => r"[\p{Alphabetic}\p{Nd}--0-9]",
        CharacterClass::Blank => r"\t\x20\x{1680}\x{2000}-\x{2006}\x{2008}-\x{200A}\x{205F}\x{3000}",
        CharacterClass::Cntrl => r"\p{Cc}\x{2028}\x{2029}",
        CharacterClass::Digit => "0-9",
        CharacterClass::Graph => r"[[\p{Assigned}--\p{Cc}]--\x{2028}\x{2029}[\p{Zs}--\x{A0}\x{2007}\x{202F}]]",
        CharacterClass::Lower => r"\p{Lowercase}\x{1C5}\x{1C8}\x{1CB}\x{1F2}",
        CharacterClass::Print => r"[[\p{Assigned}--\p{Cc}]--\x{2028}\x{2029}]",
        CharacterClass::Punct => {
            r"[[\p{Assigned}--\p{Cc}]--\x{2028}\x{2029}[\p{Zs}--\x{A0}\x{2007}\x{202F}]\p{Alphabetic}\p{Nd}]"
        }
        CharacterClass::Space => r"\t-\r\x20\x{1680}\x{2000}-\x{2006}\x{2008}-\x{200A}\x{2028}\x{2029}\x{205F}\x{3000}",
        CharacterClass::Upper => r"\p{Uppercase}\p{Lt}",
        CharacterClass::Xdigit => "0-9A-Fa-f",
    }
}
