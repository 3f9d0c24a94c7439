//! Globs over members' names: one dialect for `list --name`, `grep --on`, `grep --not-on` and
//! `wait --name`.
//!
//! `*` stands for any characters, `?` for one, `[a-c]` and `[!a-c]` for one of a set, and
//! `{web,db}` for one of several texts. A set or braces without an end are errors.
//!
//! `[08-12]`, `[1,3-5]`, `[1-9/2]` and `{1..9}` stand for one of these numbers, as in
//! [ClusterShell's node sets][nodeset]: padding with zeros counts. Brackets hold numbers if they
//! hold a list of numbers with a `-` or a comma. Otherwise they hold characters: `[135]` is 1, 3 or
//! 5. What has the signs of such a list and is none is an error (`[1-35-7]`, `[!10-12]`).
//!
//! [nodeset]: https://clustershell.readthedocs.io/en/latest/tools/nodeset.html

mod fault;
mod glob;
mod numbers;

pub use fault::Fault;

use glob::{Glob, Spelled, class_length};
use std::str::FromStr;

/// The most names that one glob may spell out.
const MOST_SPELLED: usize = 10_000;

/// Several globs, of which one must match.
#[derive(Debug, Clone, Default)]
pub struct NameGlobs(Vec<NameGlob>);

/// A glob, and how it was written.
#[derive(Debug, Clone)]
pub struct NameGlob {
    written: String,
    glob: Glob,
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
        reason: Fault,
    },
    /// The glob stands for more names than can be waited for.
    #[error("{glob}: more than {MOST_SPELLED} names: give a smaller range")]
    TooMany {
        /// The glob as it was written.
        glob: String,
    },
}

impl NameGlobs {
    /// Parses these globs.
    ///
    /// # Errors
    /// When one of them is wrong.
    pub fn new(globs: Vec<String>) -> Result<Self, NameGlobError> {
        let globs = globs.into_iter().map(|written| match Glob::new(&written) {
            Ok(glob) => Ok(NameGlob { written, glob }),
            Err(reason) => Err(NameGlobError::Syntax { glob: written, reason }),
        });
        globs.collect::<Result<_, _>>().map(NameGlobs)
    }

    /// Whether there are no globs, so that no name matches.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Each glob, in the order in which they were written.
    pub fn iter(&self) -> impl Iterator<Item = &NameGlob> {
        self.0.iter()
    }

    /// Whether one of the globs matches this name.
    pub fn matches(&self, name: &str) -> bool {
        self.0.iter().any(|glob| glob.matches(name))
    }

    /// The first glob that matches none of these names.
    pub fn first_unmatched<'n>(&self, names: impl Iterator<Item = &'n str>) -> Option<&str> {
        let mut unmatched: Vec<&NameGlob> = self.0.iter().collect();
        for name in names {
            unmatched.retain(|glob| !glob.matches(name));
        }
        unmatched.first().map(|glob| glob.written.as_str())
    }
}

impl NameGlob {
    /// The glob as it was written.
    pub fn written(&self) -> &str {
        &self.written
    }

    /// Whether it matches this name.
    pub fn matches(&self, name: &str) -> bool {
        self.glob.matches(name)
    }

    /// Whether a member can have a name that matches: 1 to 64 letters, digits, `.`, `_` and `-`,
    /// and neither `.` nor `-` at the start. What the glob only describes is not looked into.
    pub fn is_possible(&self) -> bool {
        let letter = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        let sign = |byte: u8| b"*?[]{}!^,/\\".contains(&byte);
        let is_name = |name: &String| {
            (1..=64).contains(&name.len())
                && name.bytes().all(letter)
                && !name.starts_with(['.', '-'])
        };
        match self.glob.spelled(MOST_SPELLED) {
            Spelled::Names(names) => names.iter().all(is_name),
            Spelled::TooMany => true,
            // A slash is the sign of a step, between brackets.
            Spelled::Unknown => {
                self.written.bytes().all(|byte| letter(byte) || sign(byte))
                    && (self.written.contains('[') || !self.written.contains('/'))
            }
        }
    }

    /// The names that it spells out, in order and at most 10,000. It is None if only a list of
    /// names can tell, because the glob has `*`, `?` or a set of characters.
    ///
    /// # Errors
    /// When it spells out more.
    pub fn spelled(&self) -> Result<Option<Vec<String>>, NameGlobError> {
        match self.glob.spelled(MOST_SPELLED) {
            Spelled::Names(names) => Ok(Some(names)),
            Spelled::TooMany => Err(NameGlobError::TooMany { glob: self.written.clone() }),
            Spelled::Unknown => Ok(None),
        }
    }
}

impl FromStr for NameGlobs {
    type Err = NameGlobError;

    /// Reads `GLOB[,GLOB]...`.
    fn from_str(text: &str) -> Result<Self, NameGlobError> {
        NameGlobs::new(split(text)?)
    }
}

/// Splits `GLOB[,GLOB]...` at its commas. A comma between braces or brackets belongs to a glob, and
/// so does one behind a backslash.
///
/// # Errors
/// When a glob is empty.
pub fn split(text: &str) -> Result<Vec<String>, NameGlobError> {
    let characters: Vec<char> = text.chars().collect();
    let mut globs = vec![String::new()];
    let (mut depth, mut rest) = (0_usize, characters.as_slice());
    while let Some((character, behind)) = rest.split_first() {
        let taken = match character {
            '\\' => 2,
            '[' => class_length(behind).map_or(1, |length| length + 2),
            _ => 1,
        };
        let (part, behind) = rest.split_at(taken.min(rest.len()));
        rest = behind;
        match character {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                globs.push(String::new());
                continue;
            }
            _ => {}
        }
        globs.last_mut().into_iter().for_each(|glob| glob.extend(part));
    }
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
        assert_eq!(split("vm[1,3-5],db"), ["vm[1,3-5]", "db"]);
        assert_eq!(split("vm[1,db"), ["vm[1", "db"]);
        assert_eq!(split("[{],[}],[],]"), ["[{]", "[}]", "[],]"]);
        assert_eq!(split("\\[1,2,\\{a,b,c\\,d,e\\"), ["\\[1", "2", "\\{a", "b", "c\\,d", "e\\"]);
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
            ("vm{}1", "vm1", true),
            ("vm[a-c-e]", "vmd", true),
            ("vm[--a]", "vm.", true),
            ("vm[]-a]", "vm^", true),
            ("vm[!]a]", "vm]", false),
            ("v\\*,[{]", "v*,{", true),
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
            ("[]", "unclosed character class"),
            ("[!]", "unclosed character class"),
            ("{a,{b}", "unclosed alternate group"),
            ("{a}}", "unopened alternate group"),
            ("[c-z-b]", "invalid range"),
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

    /// The names of the ranges are those that `nodeset -e` of ClusterShell 1.9.1 prints. Braces are
    /// as in bash.
    #[test]
    fn ranges_of_numbers_match_as_in_clustershell() {
        for (glob, yes, no) in [
            (
                "vm[10-12]",
                &["vm10", "vm11", "vm12"][..],
                &["vm0", "vm1", "vm2", "vm13", "vm101"][..],
            ),
            ("vm[1-12]", &["vm1", "vm2", "vm9", "vm12"], &["vm0", "vm01", "vm13", "vm120"]),
            ("vm[08-12]", &["vm08", "vm09", "vm10", "vm12"], &["vm8", "vm008", "vm07", "vm13"]),
            ("vm[1,3-5]", &["vm1", "vm3", "vm5"], &["vm2", "vm6", "vm,"]),
            ("vm[1-9/2]", &["vm1", "vm9"], &["vm2", "vm10"]),
            ("vm[2,14]b", &["vm2b", "vm14b"], &["vm2", "vm1b", "vm4b"]),
            ("r[1-12]-[01-20].x", &["r3-07.x", "r12-20.x"], &["r3-7.x", "r13-01.x", "r3-00.x"]),
            ("vm{1..9}", &["vm1", "vm9"], &["vm0", "vm10", "vm1..9"]),
            ("{vm{08..12},db}", &["vm08", "vm12", "db"], &["vm8", "vm"]),
            ("vm{1..9..4}", &["vm1", "vm5", "vm9"], &["vm2"]),
            ("vm[1-12]*", &["vm1", "vm123", "vm13"], &["vm0", "vm"]),
            ("vm[1-999999999999999999]", &["vm77777777"], &["vm0", "vm1000000000000000000"]),
            // Both readings agree.
            ("vm[0-9]", &["vm0", "vm9"], &["vm10", "vm"]),
            ("vm[1-3]2", &["vm12", "vm32"], &["vm42"]),
            ("vm[7]", &["vm7"], &["vm8"]),
            // Sets of characters.
            ("vm[12]", &["vm1", "vm2"], &["vm12"]),
            ("vm[!12]", &["vm3"], &["vm1", "vm12"]),
            ("vm[!0-9]", &["vma"], &["vm1"]),
            ("vm[0-9a-f]", &["vm0", "vmc"], &["vmg", "vm10"]),
            ("vm[1-]", &["vm1", "vm-"], &["vm2"]),
            ("vm[1-35]", &["vm1", "vm30", "vm35"], &["vm0", "vm36"]),
        ] {
            let globs = globs(&[glob]).unwrap();
            for name in yes {
                assert!(globs.matches(name), "{glob} {name}");
            }
            for name in no {
                assert!(!globs.matches(name), "{glob} {name}");
            }
        }
    }

    #[test]
    fn what_has_two_readings_is_refused_with_a_hint() {
        for (glob, reason) in [
            ("vm[1-35-7]", "'[1-35-7]' is neither clearly numbers nor characters: write numbers"),
            ("vm[!10-12]", "'[!10-12]' is neither"),
            ("vm[!1,3]", "'[!1,3]' is neither"),
            ("vm[-12]", "'[-12]' is neither"),
            ("vm[1,]", "'[1,]' is neither"),
            ("vm[10/2]", "'[10/2]' is neither"),
            ("[web,db]1", "a comma between brackets needs numbers around it: write {web,db}"),
            ("vm[12-8]", "invalid range"),
            ("vm{9..1}", "invalid range"),
            ("vm[8-012]", "'8' and '012' have different padding"),
            ("vm{01..100}", "'01' and '100' have different padding"),
            ("vm[1-9/0]", "a step of 0"),
            ("vm[1-1234567890123456789]", "a number with more than 18 digits"),
            ("vm{1..3,7}", "'..' between braces needs one number on each side, as in {1..9}"),
            ("vm{a..c}", "'..' between braces"),
            (&"{".repeat(100_000), "more than 32 braces"),
        ] {
            let error = globs(&[glob]).unwrap_err().to_string();
            assert!(error.starts_with(&format!("{glob}: {reason}")), "{error}");
        }
    }

    #[test]
    fn names_are_spelled_out_if_the_glob_has_them_all() {
        let spelled = |glob: &str| globs(&[glob]).unwrap().0[0].spelled();
        let names = |names: &str| Ok(Some(names.split(' ').map(str::to_owned).collect()));
        assert_eq!(spelled("vm1"), names("vm1"));
        assert_eq!(spelled("vm[08-10]"), names("vm08 vm09 vm10"));
        assert_eq!(spelled("vm[1-3]"), names("vm1 vm2 vm3"));
        assert_eq!(spelled("{a,b{1..2}}[3,5]"), names("a3 a5 b13 b15 b23 b25"));
        for glob in ["vm*", "vm?", "vm[ab]", "vm[12]", "{vm1,vm*}"] {
            assert_eq!(spelled(glob), Ok(None), "{glob}");
        }
        assert_eq!(spelled("vm[1-10000]").unwrap().unwrap().len(), 10_000);
        for glob in [
            "vm[0-10000]",
            "[1-999999999999999999]x{a,b}",
            "{[1-9999],[1-9]}",
            &"{a,b}".repeat(999),
        ] {
            let error = spelled(glob).unwrap_err().to_string();
            assert_eq!(error, format!("{glob}: more than 10000 names: give a smaller range"));
        }
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
