//! Braces in globs: `/var/log/{nginx,apache2}/*.log` is two globs.

use super::glob_error::GlobError;

/// The most globs that the braces of one glob may stand for.
const MAX_EXPANSIONS: usize = 256;

/// All globs without braces that `glob` stands for. A brace after a backslash or in `[...]` is a
/// character.
pub(crate) fn expand(glob: &str) -> Result<Vec<String>, GlobError> {
    let mut pending = vec![glob.to_owned()];
    let mut done = Vec::new();
    while let Some(next) = pending.pop() {
        if pending.len() + done.len() >= MAX_EXPANSIONS {
            return Err(GlobError::TooManyBraces { glob: glob.to_owned() });
        }
        match first_braces(&next, glob)? {
            None => done.push(next),
            Some((before, choices, after)) => {
                // The stack gives the last entry first, and the first choice must come out first.
                pending
                    .extend(choices.iter().rev().map(|choice| format!("{before}{choice}{after}")));
            }
        }
    }
    Ok(done)
}

type Braces<'g> = (&'g str, Vec<&'g str>, &'g str);

/// The text before, in and after the first pair of braces.
fn first_braces<'g>(text: &'g str, glob: &str) -> Result<Option<Braces<'g>>, GlobError> {
    let unbalanced = || GlobError::Syntax {
        glob: glob.to_owned(),
        reason: "its braces do not match".to_owned(),
    };
    let mut depth = 0_usize;
    let mut open = 0;
    let mut choice = 0;
    let mut choices = Vec::new();
    let mut characters = text.char_indices();
    while let Some((at, c)) = characters.next() {
        match c {
            '\\' => drop(characters.next()),
            '[' => skip_bracket(&mut characters),
            '{' => {
                depth += 1;
                if depth == 1 {
                    (open, choice) = (at, at + 1);
                }
            }
            ',' if depth == 1 => {
                choices.extend(text.get(choice..at));
                choice = at + 1;
            }
            '}' if depth == 0 => return Err(unbalanced()),
            '}' => {
                depth -= 1;
                if depth == 0 {
                    choices.extend(text.get(choice..at));
                    let before = text.get(..open).unwrap_or_default();
                    return Ok(Some((before, choices, text.get(at + 1..).unwrap_or_default())));
                }
            }
            _ => {}
        }
    }
    if depth > 0 { Err(unbalanced()) } else { Ok(None) }
}

/// Steps over the rest of `[...]`, in which a first `]` is a character. Steps over nothing when it
/// has no end.
fn skip_bracket(characters: &mut std::str::CharIndices<'_>) {
    let inside = characters.as_str();
    let start = inside.len() - inside.trim_start_matches(['!', '^']).len();
    let end = inside.char_indices().find(|(at, c)| *c == ']' && *at > start).map(|(at, _)| at);
    if let Some(end) = end {
        while characters.as_str().len() + end >= inside.len() {
            if characters.next().is_none() {
                break;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expanded(glob: &str) -> Vec<String> {
        expand(glob).unwrap()
    }

    #[test]
    fn a_glob_without_braces_is_itself() {
        assert_eq!(expanded("/var/log/*.log"), ["/var/log/*.log"]);
    }

    #[test]
    fn choices_come_in_their_order_and_may_hold_slashes_and_braces() {
        assert_eq!(expanded("/a/{b,c/d,}x"), ["/a/bx", "/a/c/dx", "/a/x"]);
        assert_eq!(expanded("{a,b{c,d}}{1,2}"), ["a1", "a2", "bc1", "bc2", "bd1", "bd2"]);
    }

    #[test]
    fn a_backslash_and_brackets_take_the_meaning_away() {
        assert_eq!(expanded(r"/a\{b,c\}"), [r"/a\{b,c\}"]);
        assert_eq!(expanded("/a[{]b[]}]c[!},]"), ["/a[{]b[]}]c[!},]"]);
        assert_eq!(expanded("/a[x]{b,c}"), ["/a[x]b", "/a[x]c"]);
    }

    #[test]
    fn braces_that_do_not_match_or_explode_are_refused() {
        assert!(matches!(expand("/a{b"), Err(GlobError::Syntax { .. })));
        assert!(matches!(expand("/a}b"), Err(GlobError::Syntax { .. })));
        let bomb = "{a,b}".repeat(30);
        assert!(matches!(expand(&bomb), Err(GlobError::TooManyBraces { .. })));
    }
}
