//! The texts of the pages beside the definitions of the command lines: sections with a fixed
//! layout, and examples.

/// The sections of memberctl(1).
pub(crate) const MEMBERCTL: &str = include_str!("memberctl.txt");

/// The examples. A fleet test runs each of them, and compares the output.
pub(crate) const EXAMPLES: &str = include_str!("examples.txt");

/// A text with its title.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Section<'a> {
    /// The title, or the command that the examples show.
    pub(crate) title: &'a str,
    /// The lines, without empty ones at the beginning and the end.
    pub(crate) lines: Vec<&'a str>,
}

/// The sections of [`MEMBERCTL`]. Their titles are not indented.
pub(crate) fn sections(text: &str) -> Vec<Section<'_>> {
    split(text, |line| (!line.is_empty() && !line.starts_with(' ')).then_some(line))
}

/// The examples by command.
pub(crate) fn examples(text: &str) -> Vec<Section<'_>> {
    split(text, |line| line.strip_prefix("== "))
}

/// Splits a text at the lines that are titles.
pub(crate) fn split<'a>(
    text: &'a str,
    title: impl Fn(&'a str) -> Option<&'a str>,
) -> Vec<Section<'a>> {
    let mut sections: Vec<Section> = Vec::new();
    for line in text.lines() {
        match (title(line), sections.last_mut()) {
            (Some(title), _) => sections.push(Section { title, lines: Vec::new() }),
            (None, Some(section)) if !line.is_empty() || !section.lines.is_empty() => {
                section.lines.push(line);
            }
            (None, _) => {}
        }
    }
    for section in &mut sections {
        while section.lines.last().is_some_and(|line| line.is_empty()) {
            section.lines.pop();
        }
    }
    sections
}
