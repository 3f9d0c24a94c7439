//! Rewrites a Perl pattern for PCRE2, so that it means what it means to `grep -P`.

use super::error::PatternError;
use super::limits::Limits;
use super::patterns::Settings;
use memberd_control::grep::GrepCharacters;

/// The items that may stand only at the beginning of a pattern, after `(*`. This is PCRE2's own
/// list without the limits.
const STARTING_ITEMS: &[&str] = &[
    "UTF",
    "UCP",
    "NOTEMPTY",
    "NOTEMPTY_ATSTART",
    "NO_AUTO_POSSESS",
    "NO_DOTSTAR_ANCHOR",
    "NO_JIT",
    "NO_START_OPT",
    "CASELESS_RESTRICT",
    "TURKISH_CASING",
    "CR",
    "LF",
    "CRLF",
    "ANY",
    "NUL",
    "ANYCRLF",
    "BSR_ANYCRLF",
    "BSR_UNICODE",
];

/// A pattern for PCRE2: what must stand at its beginning, its limits, and the rest.
#[derive(Debug, Clone)]
pub(crate) struct Expression {
    pub(crate) items: String,
    pub(crate) limits: Limits,
    pub(crate) body: String,
}

impl Expression {
    /// The expression with these limits.
    pub(crate) fn within(&self, limits: Limits) -> String {
        let Expression { items, body, .. } = self;
        format!("{items}{limits}{body}")
    }
}

/// The pattern for PCRE2, with `-w` and `-x`. In UTF-8 the classes hold only ASCII characters,
/// unless it begins with `(*UCP)`.
pub(crate) fn write(pattern: &[u8], settings: Settings) -> Result<Expression, PatternError> {
    let text = match (std::str::from_utf8(pattern), settings.characters) {
        (Ok(text), _) => text.to_owned(),
        (Err(_), GrepCharacters::Utf8) => return Err(PatternError::PerlNotUtf8),
        // Without UTF-8, PCRE2 takes the bytes of valid text as they are. Other bytes are written
        // as escapes.
        (Err(_), GrepCharacters::Bytes) => spelled_out(pattern),
    };
    let (start, body) = Start::split(&text);
    let Start { items, limits } = start;
    // In both cases this ends what may stand only at the beginning.
    let classes = if items.contains("(*UCP)") { "(?-a)" } else { "(?a)" };
    let (before, after) = match settings {
        Settings { whole_lines: true, .. } => ("^(?:", ")$"),
        Settings { words: true, .. } => (r"(?<!\w)(?:", r")(?!\w)"),
        _ => ("", ""),
    };
    Ok(Expression { items, limits, body: format!("{classes}{before}{body}{after}") })
}

/// The beginning of a pattern.
struct Start {
    items: String,
    /// Our limits, or lower ones of the pattern. PCRE2 uses the last of several.
    limits: Limits,
}

impl Start {
    /// Cuts the beginning off the rest of the pattern.
    fn split(pattern: &str) -> (Start, &str) {
        let mut start = Start { items: String::new(), limits: Limits::default() };
        let mut rest = pattern;
        while let Some((item, after)) =
            rest.strip_prefix("(*").and_then(|inside| inside.split_once(')'))
        {
            if !start.take(item) {
                break;
            }
            rest = after;
        }
        (start, rest)
    }

    /// Whether this is such an item.
    fn take(&mut self, item: &str) -> bool {
        if STARTING_ITEMS.contains(&item) {
            self.items.push_str(&format!("(*{item})"));
            return true;
        }
        let Some((name, number)) = item.split_once('=') else { return false };
        let Ok(number) = number.parse::<u32>() else { return false };
        let limit = match name {
            "LIMIT_MATCH" => &mut self.limits.steps,
            "LIMIT_DEPTH" | "LIMIT_RECURSION" => &mut self.limits.depth,
            "LIMIT_HEAP" => &mut self.limits.memory,
            _ => return false,
        };
        *limit = number.min(*limit);
        true
    }
}

fn spelled_out(pattern: &[u8]) -> String {
    let mut text = String::new();
    for chunk in pattern.utf8_chunks() {
        text.push_str(chunk.valid());
        for byte in chunk.invalid() {
            text.push_str(&format!("\\x{byte:02X}"));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pattern::Patterns;
    use crate::query::Query;
    use memberd_control::grep::GrepSyntax;

    fn written(pattern: &str) -> String {
        let query = Query::default().with(|query| query.pattern.syntax = GrepSyntax::Perl);
        let written = write(pattern.as_bytes(), Patterns::none(&query).settings).unwrap();
        written.within(written.limits)
    }

    #[test]
    fn a_pattern_can_lower_the_limits_and_cannot_raise_them() {
        let limits = Limits::default().to_string();
        let lower = limits.replace("10000000)(*LIMIT_D", "5)(*LIMIT_D");
        for (pattern, expected) in [
            ("a", format!("{limits}(?a)a")),
            ("(*LIMIT_MATCH=4000000000)a", format!("{limits}(?a)a")),
            ("(*LIMIT_HEAP=4000000000)(*UTF)(*LIMIT_MATCH=5)a", format!("(*UTF){lower}(?a)a")),
            ("(*LIMIT_MATCH=5)(*LIMIT_MATCH=50)a", format!("{lower}(?a)a")),
            ("(*UCP)a", format!("(*UCP){limits}(?-a)a")),
        ] {
            assert_eq!(written(pattern), expected, "{pattern}");
        }
    }

    #[test]
    fn other_items_stay_in_the_pattern_and_set_nothing() {
        for pattern in [
            "(*FAIL)|a",
            "(*LIMIT_MATCH=x)",
            "(*LIMIT_MATCH=99999999999)a",
            "(*UTF8)(*LIMIT_MATCH=5)",
        ] {
            assert!(written(pattern).ends_with(&format!("(?a){pattern}")), "{pattern}");
        }
    }
}
