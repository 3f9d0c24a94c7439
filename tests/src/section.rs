//! Sections of documents that a measurement writes, each between two marks.

use std::fs;
use std::path::Path;

/// The line after every such section.
const END: &str = "<!-- until here -->";

/// A section, known by the line before it.
#[derive(Debug, Clone, Copy)]
pub struct Section(pub &'static str);

impl Section {
    /// The section's marks around this text.
    pub fn marked(self, text: &str) -> String {
        format!("{}{text}{END}", self.0)
    }

    /// What stands in a document.
    ///
    /// # Panics
    /// When it has no such section.
    pub fn read(self, path: &Path) -> String {
        let text = fs::read_to_string(path).expect("the document");
        self.split(&text)[1].to_owned()
    }

    /// Writes another text in its place.
    ///
    /// # Panics
    /// When the document has no such section, or cannot be written.
    pub fn write(self, path: &Path, text: &str) {
        let document = fs::read_to_string(path).expect("the document");
        let [before, _, after] = self.split(&document);
        fs::write(path, format!("{before}{}{after}", self.marked(text)))
            .expect("the document can be written");
    }

    fn split(self, document: &str) -> [&str; 3] {
        let (before, rest) = document.split_once(self.0).expect("the section's begin");
        let (text, after) = rest.split_once(END).expect("the section's end");
        [before, text, after]
    }
}
