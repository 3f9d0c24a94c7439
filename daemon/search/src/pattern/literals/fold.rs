//! What `-i` means for fixed strings: each character has one form that stands for all of its case.
//! It owns the table of the characters that are in the strings.
//!
//! In UTF-8 these are the simple case foldings of Unicode, as in the automaton: the long s (U+017F)
//! is an s, and the Kelvin sign (U+212A) is a k. Their forms have other lengths than the letters.

use std::collections::HashMap;

use regex_syntax::hir::{ClassUnicode, ClassUnicodeRange};

use crate::pattern::patterns::Settings;
use memberd_control::grep::GrepCharacters;

/// How characters are compared.
#[derive(Debug)]
pub(super) enum Folding {
    /// Byte by byte.
    None,
    /// Letters of ASCII in any case.
    Ascii,
    /// All letters in any case.
    Unicode(Cases),
}

/// The characters of the strings with their other cases.
#[derive(Debug)]
pub(super) struct Cases {
    /// From each character beyond ASCII to the form that stands for it.
    forms: HashMap<char, char>,
    /// The ASCII letters of the strings that have a case beyond ASCII: `k` and `s`.
    wide: HashMap<char, Vec<char>>,
}

/// A character of a text in its form, and its length in the text.
pub(super) struct Folded {
    pub(super) form: [u8; 4],
    pub(super) form_bytes: usize,
    pub(super) text_bytes: usize,
}

impl Folding {
    /// The folding for these strings.
    pub(super) fn new(texts: &[u8], settings: Settings) -> Folding {
        if !settings.ignore_case {
            return Folding::None;
        }
        match (settings.characters, std::str::from_utf8(texts)) {
            (GrepCharacters::Utf8, Ok(texts)) => Folding::Unicode(Cases::new(texts)),
            _ => Folding::Ascii,
        }
    }

    /// The first character of a text that is not empty, or the byte if it is none.
    pub(super) fn first(&self, text: &[u8]) -> Option<Folded> {
        let byte = *text.first()?;
        let one = |byte: u8| Folded { form: [byte, 0, 0, 0], form_bytes: 1, text_bytes: 1 };
        Some(match self {
            Folding::None => one(byte),
            Folding::Unicode(cases) if !byte.is_ascii() => match first_char(text) {
                Some(character) => {
                    let mut form = [0; 4];
                    let form_bytes = cases.form(character).encode_utf8(&mut form).len();
                    Folded { form, form_bytes, text_bytes: character.len_utf8() }
                }
                None => one(byte),
            },
            Folding::Ascii | Folding::Unicode(_) => one(byte.to_ascii_lowercase()),
        })
    }

    /// All spellings of the first `bytes` bytes of a string that is given in its form. ASCII
    /// letters are in lower case only.
    pub(super) fn spellings(&self, form: &[u8], bytes: usize) -> Vec<Vec<u8>> {
        let Folding::Unicode(cases) = self else {
            return vec![form.iter().take(bytes).copied().collect()];
        };
        let mut spellings = vec![Vec::new()];
        for character in String::from_utf8_lossy(form).chars() {
            let others = cases.spelled(character);
            let mut next = Vec::new();
            for spelling in spellings {
                if spelling.len() >= bytes {
                    next.push(spelling);
                    continue;
                }
                for other in &others {
                    let mut longer = spelling.clone();
                    longer.extend_from_slice(other.encode_utf8(&mut [0; 4]).as_bytes());
                    longer.truncate(bytes);
                    next.push(longer);
                }
            }
            next.sort_unstable();
            next.dedup();
            spellings = next;
            if spellings.iter().all(|spelling| spelling.len() >= bytes) {
                break;
            }
        }
        spellings
    }
}

impl Cases {
    fn new(texts: &str) -> Cases {
        let (mut forms, mut wide) = (HashMap::new(), HashMap::new());
        for character in texts.chars().map(|one| one.to_ascii_lowercase()) {
            let plain = character.is_ascii() && !matches!(character, 'k' | 's');
            if plain || forms.contains_key(&character) || wide.contains_key(&character) {
                continue;
            }
            let mut all = cases(character);
            all.retain(|one| !one.is_ascii_uppercase());
            // The lowest character is also one of the shortest.
            let form = all.iter().copied().min().unwrap_or(character);
            forms.extend(all.iter().filter(|one| !one.is_ascii()).map(|one| (*one, form)));
            wide.insert(form, all);
        }
        Cases { forms, wide }
    }

    fn form(&self, character: char) -> char {
        self.forms.get(&character).copied().unwrap_or(character)
    }

    /// All characters with this form, without the capitals of ASCII.
    fn spelled(&self, form: char) -> Vec<char> {
        self.wide.get(&form).cloned().unwrap_or_else(|| vec![form])
    }
}

/// A character in all its cases.
fn cases(character: char) -> Vec<char> {
    let mut class = ClassUnicode::new([ClassUnicodeRange::new(character, character)]);
    // Without the tables of Unicode there are no other cases.
    if class.try_case_fold_simple().is_err() {
        return vec![character];
    }
    class.iter().flat_map(|range| range.start()..=range.end()).collect()
}

/// The first character of a text that begins with a byte beyond ASCII.
fn first_char(text: &[u8]) -> Option<char> {
    let bytes = match text.first()? {
        0xc2..=0xdf => 2,
        0xe0..=0xef => 3,
        _ => 4,
    };
    std::str::from_utf8(text.get(..bytes)?).ok()?.chars().next()
}
