//! `parse "* - [*] \"*\"" as a, _, b`: each `*` takes as few bytes as it can.

use super::Named;
use crate::cells::Cells;
use memchr::memmem::Finder;

/// A template, compiled.
#[derive(Debug)]
pub(crate) struct Template {
    /// What must stand before the first `*`, anywhere in the line.
    first: Finder<'static>,
    /// What must stand behind each `*`. None if it takes the rest of the line.
    behind: Vec<Option<Finder<'static>>>,
    /// A field for each `*`; `_` is none, since nothing can ask for it.
    pub(super) fields: Vec<Named>,
}

impl Template {
    /// The texts between the `*`: one more than there are names. All of them but the first and the
    /// last have bytes.
    pub(crate) fn new(texts: &[String], names: Vec<String>) -> Self {
        let finder = |text: &str| Finder::new(text.as_bytes()).into_owned();
        let behind = texts[1..].iter().map(|text| (!text.is_empty()).then(|| finder(text)));
        let fields = names.into_iter().map(|name| Named { name, slot: None });
        Self { first: finder(&texts[0]), behind: behind.collect(), fields: fields.collect() }
    }

    pub(super) fn scan(&self, line: &[u8], cells: &mut Cells) -> Option<()> {
        let mut at = self.first.find(line)? + self.first.needle().len();
        for (field, behind) in self.fields.iter().zip(&self.behind) {
            let (end, next) = match behind {
                Some(finder) => {
                    let end = at + finder.find(&line[at..])?;
                    (end, end + finder.needle().len())
                }
                None => (line.len(), line.len()),
            };
            cells.set_place(field.slot, at..end);
            at = next;
        }
        Some(())
    }
}
