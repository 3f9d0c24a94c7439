//! Reads from the environment what a character is, as setlocale(3) does.

use memberd_control::grep::GrepCharacters;

/// What a character is. In `C` and `POSIX`, and in locales with another encoding than UTF-8, each
/// byte is one.
///
/// It does not matter whether this machine has the locale, since the members search.
pub(in crate::command) fn characters(variable: impl Fn(&str) -> Option<String>) -> GrepCharacters {
    let set = ["LC_ALL", "LC_CTYPE", "LANG"]
        .iter()
        .filter_map(|name| variable(name))
        .find(|value| !value.is_empty());
    match set.as_deref() {
        None | Some("C" | "POSIX") => GrepCharacters::Bytes,
        Some(locale) => match encoding(locale) {
            None => GrepCharacters::Utf8,
            Some(encoding) if encoding == "utf8" => GrepCharacters::Utf8,
            Some(_) => GrepCharacters::Bytes,
        },
    }
}

/// The encoding in `language_TERRITORY.ENCODING@modifier`, reduced to lower-case letters and
/// digits.
fn encoding(locale: &str) -> Option<String> {
    let name = locale.split('@').next().unwrap_or_default();
    let (_, encoding) = name.split_once('.')?;
    Some(
        encoding
            .chars()
            .filter(char::is_ascii_alphanumeric)
            .map(|c| c.to_ascii_lowercase())
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_variable_that_is_set_decides() {
        for (all, kind, lang, expected) in [
            ("", "", "", GrepCharacters::Bytes),
            ("", "", "C", GrepCharacters::Bytes),
            ("", "", "C.UTF-8", GrepCharacters::Utf8),
            ("", "", "C.utf8", GrepCharacters::Utf8),
            ("", "", "en_US.UTF-8", GrepCharacters::Utf8),
            ("", "", "de_DE", GrepCharacters::Utf8),
            ("", "", "de_DE.ISO-8859-1", GrepCharacters::Bytes),
            ("", "", "de_DE.ISO-8859-15@euro", GrepCharacters::Bytes),
            ("", "", "de_DE.UTF-8@euro", GrepCharacters::Utf8),
            ("", "POSIX", "en_US.UTF-8", GrepCharacters::Bytes),
            ("C.UTF-8", "POSIX", "C", GrepCharacters::Utf8),
            ("C", "C.UTF-8", "C.UTF-8", GrepCharacters::Bytes),
        ] {
            let variable = |name: &str| {
                let value = [("LC_ALL", all), ("LC_CTYPE", kind), ("LANG", lang)]
                    .into_iter()
                    .find(|(known, _)| *known == name);
                value.map(|(_, value)| value.to_owned())
            };
            assert_eq!(characters(variable), expected, "{all:?} {kind:?} {lang:?}");
        }
    }
}
