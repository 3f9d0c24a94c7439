//! Names of files as they are printed in lines of text.

use std::borrow::Cow;

/// A file's name on one line: a newline in it is printed as `\x0a`. Otherwise who owns a directory
/// could make lines that look like those of another file or member.
pub fn on_one_line(name: &[u8]) -> Cow<'_, [u8]> {
    if !name.contains(&b'\n') {
        return name.into();
    }
    let parts: Vec<&[u8]> = name.split(|byte| *byte == b'\n').collect();
    parts.join(&b"\\x0a"[..]).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_on_one_line() {
        assert_eq!(*on_one_line(b"/a\xff b\\n"), *b"/a\xff b\\n");
        assert_eq!(*on_one_line(b"\n/a\nvm2:/b\n"), *b"\\x0a/a\\x0avm2:/b\\x0a");
    }
}
