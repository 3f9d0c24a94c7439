//! Decides what is logged: one level for the whole program, and others for parts of it. A
//! [`Filter`] owns these levels.

use super::Level;
use std::fmt;
use std::str::FromStr;

/// The parts that can have a level of their own. They are the modules that log, in this program and
/// in the crate `memberd-transport`.
const PARTS: [&str; 20] = [
    "accept",
    "admission",
    "agreement",
    "control",
    "copies",
    "crowd",
    "daemon",
    "files",
    "jobs",
    "keys",
    "log",
    "membership",
    "memory",
    "metrics",
    "notify",
    "peer",
    "resolve",
    "seal",
    "search",
    "state",
];

/// `info`, or `info,peer=debug`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter {
    level: Level,
    parts: Vec<(&'static str, Level)>,
}

/// Why a filter is invalid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FilterError {
    /// There is no such level.
    #[error("'{0}' is not a level: error, warn, info, debug or trace")]
    Level(String),
    /// There is no such part.
    #[error("'{0}' is not a part of memberd: {parts}", parts = PARTS.join(", "))]
    Part(String),
}

impl From<Level> for Filter {
    fn from(level: Level) -> Self {
        Filter { level, parts: Vec::new() }
    }
}

impl FromStr for Filter {
    type Err = FilterError;

    /// Reads a level or `PART=LEVEL`, or several with commas between. The last one for a part
    /// applies.
    fn from_str(text: &str) -> Result<Self, FilterError> {
        let mut filter = Filter::from(Level::default());
        for directive in text.split(',').map(str::trim) {
            match directive.split_once('=') {
                None => filter.level = level(directive)?,
                Some((name, wanted)) => {
                    let known = PARTS.iter().find(|part| **part == name);
                    let part = known.ok_or_else(|| FilterError::Part(name.to_owned()))?;
                    let wanted = level(wanted)?;
                    filter.parts.retain(|(other, _)| other != part);
                    filter.parts.push((part, wanted));
                }
            }
        }
        Ok(filter)
    }
}

fn level(name: &str) -> Result<Level, FilterError> {
    let known = Level::NAMES.iter().find(|(other, _)| *other == name);
    known.map(|(_, level)| *level).ok_or_else(|| FilterError::Level(name.to_owned()))
}

impl Filter {
    /// The level for a module. Modules of other crates log warnings and errors only.
    pub(super) fn level_of(&self, module: &str) -> Level {
        let mut names = module.split("::");
        match names.next() {
            Some("memberd" | "memberd_transport") => {}
            Some(crate_name) if crate_name.starts_with("memberd") => return self.level,
            _ => return self.level.min(Level::Warn),
        }
        let part = names.next().and_then(|name| self.parts.iter().find(|(part, _)| *part == name));
        part.map_or(self.level, |(_, level)| *level)
    }

    /// The most detailed level of all parts.
    pub(super) fn most(&self) -> Level {
        self.parts.iter().map(|(_, level)| *level).fold(self.level, Level::max)
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        write!(formatter, "{}", self.level)?;
        self.parts.iter().try_for_each(|(part, level)| write!(formatter, ",{part}={level}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn filter(text: &str) -> Filter {
        text.parse().unwrap()
    }

    #[test]
    fn a_part_has_its_own_level_and_other_crates_stay_at_warn() {
        let filter = filter("info,peer=debug");
        for (module, level) in [
            ("memberd::peer::listener", Level::Debug),
            ("memberd::peer", Level::Debug),
            ("memberd_transport::peer::call", Level::Debug),
            ("memberd_transport::seal", Level::Info),
            ("memberd::membership::task", Level::Info),
            ("memberd_membership::node", Level::Info),
            ("mio::poll", Level::Warn),
        ] {
            assert_eq!(filter.level_of(module), level, "{module}");
        }
        assert_eq!(filter.most(), Level::Debug);
        assert_eq!(Filter::from(Level::Error).level_of("mio"), Level::Error);
    }

    #[test]
    fn it_prints_as_written_and_the_last_level_applies() {
        assert_eq!(filter("debug").to_string(), "debug");
        assert_eq!(
            filter(" warn , peer=debug,seal=trace ").to_string(),
            "warn,peer=debug,seal=trace"
        );
        assert_eq!(filter("peer=debug,peer=warn,error").to_string(), "error,peer=warn");
    }

    #[test]
    fn an_unknown_word_is_refused_with_the_known_ones() {
        let error = |text: &str| text.parse::<Filter>().unwrap_err().to_string();
        assert_eq!(error("loud"), "'loud' is not a level: error, warn, info, debug or trace");
        assert_eq!(error(""), "'' is not a level: error, warn, info, debug or trace");
        assert_eq!(error("peer=loud"), "'loud' is not a level: error, warn, info, debug or trace");
        let unknown = error("peers=debug");
        assert!(unknown.starts_with("'peers' is not a part of memberd: accept, admission, "));
    }

    #[test]
    fn the_parts_are_the_modules_that_log() {
        let crates = [
            ("", include_str!("../lib.rs")),
            ("transport", include_str!("../../transport/src/lib.rs")),
        ];
        let mut parts: Vec<&str> = crates
            .into_iter()
            .flat_map(|(of, lib)| {
                let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join(of).join("src");
                lib.lines()
                    .filter_map(|line| {
                        let module = line.strip_prefix("pub ").unwrap_or(line);
                        module.strip_prefix("mod ")?.strip_suffix(";")
                    })
                    .filter(move |module| {
                        let module = directory.join(module);
                        logs(&module) || logs(&module.with_extension("rs"))
                    })
            })
            .collect();
        parts.sort_unstable();
        parts.dedup();
        assert_eq!(parts, PARTS);
    }

    /// Whether this file logs, or a file below this directory.
    fn logs(path: &Path) -> bool {
        match std::fs::read_dir(path) {
            Ok(below) => below.into_iter().any(|file| logs(&file.unwrap().path())),
            Err(_) => {
                std::fs::read_to_string(path).is_ok_and(|text| text.contains("use tracing::"))
            }
        }
    }
}
