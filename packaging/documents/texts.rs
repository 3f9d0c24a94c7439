//! What the pages say beside the command lines' own definitions: sections as they stand, and worked
//! examples.

/// The sections of memberctl(1).
pub(crate) const MEMBERCTL: &str = include_str!("memberctl.txt");

/// The examples. A test of the fleets types each, and compares what comes.
pub(crate) const EXAMPLES: &str = include_str!("examples.txt");

/// A text under its title.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Section<'a> {
    /// A title of a page, or the command that the examples are of.
    pub(crate) title: &'a str,
    /// Without empty ones at the begin and the end.
    pub(crate) lines: Vec<&'a str>,
}

/// The sections of [`MEMBERCTL`]: their titles stand at the margin.
pub(crate) fn sections(text: &str) -> Vec<Section<'_>> {
    split(text, |line| (!line.is_empty() && !line.starts_with(' ')).then_some(line))
}

/// The examples by command.
pub(crate) fn examples(text: &str) -> Vec<Section<'_>> {
    split(text, |line| line.strip_prefix("== "))
}

/// A text cut where a line is a title.
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
