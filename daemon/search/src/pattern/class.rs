//! The characters in POSIX's character classes, as in glibc.

use super::tree::CharacterClass;
use memberd_control::grep::GrepCharacters;

/// The class in the syntax of the `regex` crates, for use inside brackets.
pub(crate) fn ranges(characters: GrepCharacters, class: CharacterClass) -> &'static str {
    match characters {
        GrepCharacters::Utf8 => unicode(class),
        GrepCharacters::Bytes => ascii(class),
    }
}

/// In UTF-8.
fn unicode(class: CharacterClass) -> &'static str {
    match class {
        CharacterClass::Alnum => r"\p{Alphabetic}\p{Nd}",
        CharacterClass::Alpha => r"[\p{Alphabetic}\p{Nd}--0-9]",
        CharacterClass::Blank => {
            r"\t\x20\x{1680}\x{2000}-\x{2006}\x{2008}-\x{200A}\x{205F}\x{3000}"
        }
        CharacterClass::Cntrl => r"\p{Cc}\x{2028}\x{2029}",
        CharacterClass::Digit => "0-9",
        CharacterClass::Graph => {
            r"[[\p{Assigned}--\p{Cc}]--\x{2028}\x{2029}[\p{Zs}--\x{A0}\x{2007}\x{202F}]]"
        }
        CharacterClass::Lower => r"\p{Lowercase}\x{1C5}\x{1C8}\x{1CB}\x{1F2}",
        CharacterClass::Print => r"[[\p{Assigned}--\p{Cc}]--\x{2028}\x{2029}]",
        CharacterClass::Punct => {
            concat!(
                r"[[\p{Assigned}--\p{Cc}]--\x{2028}\x{2029}",
                r"[\p{Zs}--\x{A0}\x{2007}\x{202F}]\p{Alphabetic}\p{Nd}]"
            )
        }
        CharacterClass::Space => {
            r"\t-\r\x20\x{1680}\x{2000}-\x{2006}\x{2008}-\x{200A}\x{2028}\x{2029}\x{205F}\x{3000}"
        }
        CharacterClass::Upper => r"\p{Uppercase}\p{Lt}",
        CharacterClass::Xdigit => "0-9A-Fa-f",
    }
}

/// In the C locale, for the `regex` crates and PCRE2 alike.
fn ascii(class: CharacterClass) -> &'static str {
    match class {
        CharacterClass::Alnum => "0-9A-Za-z",
        CharacterClass::Alpha => "A-Za-z",
        CharacterClass::Blank => r"\t\x20",
        CharacterClass::Cntrl => r"\x00-\x1F\x7F",
        CharacterClass::Digit => "0-9",
        CharacterClass::Graph => r"\x21-\x7E",
        CharacterClass::Lower => "a-z",
        CharacterClass::Print => r"\x20-\x7E",
        CharacterClass::Punct => r"\x21-\x2F\x3A-\x40\x5B-\x60\x7B-\x7E",
        CharacterClass::Space => r"\t-\r\x20",
        CharacterClass::Upper => "A-Z",
        CharacterClass::Xdigit => "0-9A-Fa-f",
    }
}

/// The class as an expression of PCRE2 that matches one character. PCRE2's sets have no
/// differences.
pub(crate) fn alternative(characters: GrepCharacters, class: CharacterClass) -> String {
    match (characters, class) {
        (GrepCharacters::Utf8, CharacterClass::Alpha) => {
            r"(?![0-9])[\p{Alphabetic}\p{Nd}]".to_owned()
        }
        (GrepCharacters::Utf8, CharacterClass::Graph) => format!(r"(?!{BREAKS}|{BLANKS})\P{{Cn}}"),
        (GrepCharacters::Utf8, CharacterClass::Print) => format!(r"(?!{BREAKS})\P{{Cn}}"),
        (GrepCharacters::Utf8, CharacterClass::Punct) => {
            format!(r"(?!{BREAKS}|{BLANKS}|[\p{{Alphabetic}}\p{{Nd}}])\P{{Cn}}")
        }
        (characters, class) => format!("[{}]", ranges(characters, class)),
    }
}

/// Control characters, and separators of lines and paragraphs.
const BREAKS: &str = r"[\p{Cc}\x{2028}\x{2029}]";

/// Spaces at which a line may break.
const BLANKS: &str = r"(?![\x{A0}\x{2007}\x{202F}])\p{Zs}";
