//! A job as its file has it: each value with its place. It owns no state.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::Spanned;

/// A value, if it is set.
pub(super) type Set<T> = Option<Spanned<T>>;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Job {
    pub(super) name: Set<String>,
    pub(super) query: Set<String>,
    pub(super) files: Set<Vec<Spanned<String>>>,
    pub(super) from: Set<String>,
    #[serde(default)]
    pub(super) on: BTreeMap<String, String>,
    pub(super) lateness: Set<String>,
    pub(super) late: Set<String>,
    pub(super) retain: Set<String>,
    pub(super) commit: Set<String>,
    pub(super) on_failed: Set<String>,
    pub(super) partitions: Set<u16>,
    #[serde(default)]
    pub(super) sink: Sink,
    #[serde(default)]
    pub(super) limits: Limits,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Limits {
    pub(super) groups: Set<u64>,
    pub(super) memory: Set<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Sink {
    pub(super) file: Set<String>,
    pub(super) replication: Set<u8>,
}
