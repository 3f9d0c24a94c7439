//! What is wrong with the settings: one line for each error, with file, line and key.

use std::fmt;
use std::path::PathBuf;

/// One error. Written `/etc/memberd/memberd.toml:7: group.failure_timeout: "1.75" has no unit: write "1.75s"`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    /// The settings file.
    pub file: PathBuf,
    /// Counted from 1; absent when the error is not in a line: an unreadable file, or a default that does not fit this machine.
    pub line: Option<usize>,
    /// The key with its section, `group.failure_timeout`; absent when the error is about no key.
    pub key: Option<String>,
    /// What is wrong, and what to do. One line.
    pub message: String,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        write!(formatter, "{}", self.file.display())?;
        if let Some(line) = self.line {
            write!(formatter, ":{line}")?;
        }
        if let Some(key) = &self.key {
            write!(formatter, ": {key}")?;
        }
        write!(formatter, ": {}", self.message)
    }
}

/// All that is wrong with the settings; at least one error. Displayed one a line, in the order of the lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigErrors(pub Vec<ConfigError>);

impl fmt::Display for ConfigErrors {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        for (index, error) in self.0.iter().enumerate() {
            if index > 0 {
                formatter.write_str("\n")?;
            }
            error.fmt(formatter)?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigErrors {}
