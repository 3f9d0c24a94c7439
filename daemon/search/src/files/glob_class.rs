//! Keeps the classes of globs, `[...]`, from matching `/`. It owns no state.

use std::str::Chars;

/// The same glob, but that no class `[!...]` matches `/`. globset's `literal_separator` is about
/// `*` and `?` alone. None when a class, or a range in it, has `/` itself.
pub(crate) fn without_slash(glob: &str) -> Option<String> {
    let mut kept = String::with_capacity(glob.len());
    let mut characters = glob.chars();
    while let Some(c) = characters.next() {
        kept.push(c);
        match c {
            '\\' => kept.extend(characters.next()),
            '[' => class(&mut characters, &mut kept)?,
            _ => {}
        }
    }
    Some(kept)
}

/// Copies the rest of a class, read as globset reads it: a first `]`, a first or last `-`, and all
/// backslashes are characters. globset refuses a class without an end.
fn class(characters: &mut Chars<'_>, kept: &mut String) -> Option<()> {
    let negated = characters.as_str().starts_with(['!', '^']);
    if negated {
        kept.extend(characters.next());
    }
    let (mut from, mut in_range, mut has_slash) = (None, false, false);
    loop {
        let Some(c) = characters.next() else { return Some(()) };
        match c {
            ']' if from.is_some() => break,
            '-' if from.is_some() && !in_range => {
                in_range = true;
                kept.push('-');
            }
            _ => {
                from = if in_range { from } else { Some(c) };
                has_slash |= from.is_some_and(|from| (from..=c).contains(&'/'));
                in_range = false;
                kept.push(c);
            }
        }
    }
    if !negated && has_slash {
        return None;
    }
    if negated {
        // A last `-` must stay the last.
        let last = if in_range { kept.pop() } else { None };
        kept.push('/');
        kept.extend(last);
    }
    kept.push(']');
    Some(())
}
