//! Globs over members' names: one dialect for `list --name`, `grep --on` and `grep --not-on`.
//!
//! `*` stands for any characters, `?` for one, `[a-c]` and `[!a-c]` for one of a set, and
//! `{web,db}` for one of several texts. A set or braces without an end are errors.

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use std::str::FromStr;

/// Several globs, of which one must match.
#[derive(Debug, Clone, Default)]
pub struct NameGlobs {
    /// The globs as they were written, in the order of `set`.
    written: Vec<String>,
    set: GlobSet,
}

/// Why a text is not a glob over names.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameGlobError {
    /// There is nothing before, between or after commas.
    #[error("a name is empty: write GLOB[,GLOB]...")]
    Empty,
    /// The glob's syntax is wrong.
    #[error("{glob}: {reason}")]
    Syntax {
        /// The glob as it was written.
        glob: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The globs together need too much memory.
    #[error("{0}")]
    TooLarge(String),
}

impl NameGlobs {
    /// Compiles these globs.
    ///
    /// # Errors
    /// When one of them is wrong, or all together are too large.
    pub fn new(globs: Vec<String>) -> Result<Self, NameGlobError> {
        let mut set = GlobSetBuilder::new();
        for glob in &globs {
            let compiled =
                GlobBuilder::new(glob).backslash_escape(true).empty_alternates(true).build();
            set.add(compiled.map_err(|error| NameGlobError::Syntax {
                glob: glob.clone(),
                reason: error.kind().to_string(),
            })?);
        }
        let set = set.build().map_err(|error| NameGlobError::TooLarge(error.to_string()))?;
        Ok(NameGlobs { written: globs, set })
    }

    /// Whether there are no globs, so that no name matches.
    pub fn is_empty(&self) -> bool {
        self.written.is_empty()
    }

    /// Whether one of the globs matches this name.
    pub fn matches(&self, name: &str) -> bool {
        self.set.is_match(name)
    }

    /// The first glob that matches none of these names.
    pub fn first_unmatched<'n>(&self, names: impl Iterator<Item = &'n str>) -> Option<&str> {
        let mut matched = vec![false; self.written.len()];
        for index in names.flat_map(|name| self.set.matches(name)) {
            if let Some(matched) = matched.get_mut(index) {
                *matched = true;
            }
        }
        let mut globs = self.written.iter().zip(matched);
        globs.find(|(_, matched)| !matched).map(|(glob, _)| glob.as_str())
    }
}

impl FromStr for NameGlobs {
    type Err = NameGlobError;

    /// Reads `GLOB[,GLOB]...`.
    fn from_str(text: &str) -> Result<Self, NameGlobError> {
        NameGlobs::new(split(text)?)
    }
}

/// Splits `GLOB[,GLOB]...` at its commas. A comma between braces belongs to a glob.
///
/// # Errors
/// When a glob is empty.
pub fn split(text: &str) -> Result<Vec<String>, NameGlobError> {
    let mut depth = 0_usize;
    let globs = text.split(|character| {
        match character {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        character == ',' && depth == 0
    });
    let globs: Vec<String> = globs.map(str::to_owned).collect();
    if globs.iter().any(String::is_empty) { Err(NameGlobError::Empty) } else { Ok(globs) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn globs(globs: &[&str]) -> Result<NameGlobs, NameGlobError> {
        NameGlobs::new(globs.iter().map(|glob| (*glob).to_owned()).collect())
    }

    #[test]
    fn commas_separate_globs_but_not_within_braces() {
        let split = |text| split(text).unwrap();
        assert_eq!(split("vm1,web*"), ["vm1", "web*"]);
        assert_eq!(split("vm{1,2},{a,{b,c}}x,y"), ["vm{1,2}", "{a,{b,c}}x", "y"]);
        assert_eq!(split("a},b"), ["a}", "b"]);
    }

    #[test]
    fn an_empty_name_is_refused() {
        for text in ["", ",", "vm1,", ",vm1", "a,,b"] {
            assert_eq!(split(text), Err(NameGlobError::Empty), "{text:?}");
        }
    }

    #[test]
    fn names_match_as_in_a_shell() {
        for (glob, name, expected) in [
            ("vm3", "vm3", true),
            ("vm3", "vm30", false),
            ("vm3", "VM3", false),
            ("vm*", "vm", true),
            ("vm*", "wm1", false),
            ("*3", "vm13", true),
            ("*m*1*", "vm2-m1", true),
            ("vm?", "vm3", true),
            ("vm?", "vm", false),
            ("vm[1-3]", "vm2", true),
            ("vm[1-3]", "vm4", false),
            ("vm[!1-3]", "vm4", true),
            ("vm[^1-3]", "vm3", false),
            ("vm[135]", "vm3", true),
            ("vm[]x]", "vm]", true),
            ("vm[-1]", "vm-", true),
            ("", "", true),
            ("", "a", false),
            ("*", "", true),
            ("vm{1,2}", "vm2", true),
            ("vm{1,2}", "vm3", false),
            ("{web,db}-?{,0}", "db-10", true),
            ("{web,db}-?{,0}", "db-1", true),
            ("{a,{b,c*}}x", "c12x", true),
        ] {
            assert_eq!(globs(&[glob]).unwrap().matches(name), expected, "{glob} {name}");
        }
    }

    #[test]
    fn what_has_no_end_or_no_beginning_is_refused_by_name() {
        for (glob, reason) in [
            ("vm[1", "unclosed character class"),
            ("[a", "unclosed character class"),
            ("vm{1", "unclosed alternate group"),
            ("vm}", "unopened alternate group"),
            ("vm[3-1]", "invalid range"),
            ("vm\\", "dangling '\\'"),
        ] {
            let error = globs(&["ok", glob]).unwrap_err().to_string();
            assert!(error.starts_with(&format!("{glob}: {reason}")), "{error}");
        }
    }

    #[test]
    fn the_first_glob_that_matches_no_name_is_found() {
        let globs = globs(&["vm*", "db1", "web?", "web1"]).unwrap();
        assert_eq!(globs.first_unmatched(["vm1", "db1"].into_iter()), Some("web?"));
        assert_eq!(globs.first_unmatched(["vm1", "db1", "web1"].into_iter()), None);
        assert_eq!(NameGlobs::default().first_unmatched(["vm1"].into_iter()), None);
        assert!(NameGlobs::default().is_empty() && !NameGlobs::default().matches(""));
    }

    /// A glob of many stars takes no time that grows beyond both lengths.
    #[test]
    fn many_stars_take_no_long_time() {
        let matches = |glob: &str, name: &str| globs(&[glob]).unwrap().matches(name);
        assert!(!matches(&"*a".repeat(60), &"a".repeat(59)));
        assert!(!matches(&format!("{}b", "*a".repeat(500)), &"a".repeat(2_000)));
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "[\\PC,{}\\[\\]*?!^-]{0,40}", name in "\\PC{0,20}") {
            if let Ok(globs) = text.parse::<NameGlobs>() {
                globs.matches(&name);
            }
        }
    }
}
