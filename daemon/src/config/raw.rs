//! The settings as the file has them. These types own each value with its place in the file.

use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::PathBuf;
use toml::Spanned;

/// A value, if it is set.
pub(super) type Set<T> = Option<Spanned<T>>;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    #[serde(default)]
    pub(super) node: Node,
    #[serde(default)]
    pub(super) group: Group,
    #[serde(default)]
    pub(super) paths: Paths,
    #[serde(default)]
    pub(super) logs: Logs,
    #[serde(default)]
    pub(super) limits: Limits,
    #[serde(default)]
    pub(super) control: Control,
    #[serde(default)]
    pub(super) search: Search,
    #[serde(default)]
    pub(super) security: Security,
    #[serde(default)]
    pub(super) metrics: Metrics,
    #[serde(default)]
    pub(super) agreement: Agreement,
    #[serde(default)]
    pub(super) files: Files,
    #[serde(default)]
    pub(super) streams: Streams,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Node {
    pub(super) name: Set<String>,
    pub(super) machine: Set<Machine>,
    pub(super) address: Set<String>,
    pub(super) bind: Set<String>,
    pub(super) port: Set<u16>,
    pub(super) tags: Set<BTreeMap<String, Spanned<String>>>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub(super) enum Machine {
    Number(u64),
    Text(String),
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Group {
    pub(super) introducers: Set<Vec<Spanned<String>>>,
    pub(super) join_on_start: Set<bool>,
    pub(super) detector: Set<String>,
    pub(super) max_simultaneous_failures: Set<u8>,
    pub(super) heartbeat_interval: Set<String>,
    pub(super) ping_interval: Set<String>,
    pub(super) suspicion_timeout: Set<String>,
    pub(super) indirect_pings: Set<u8>,
    pub(super) failure_timeout: Set<String>,
    pub(super) forget_after: Set<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Paths {
    pub(super) state_dir: Set<PathBuf>,
    pub(super) log_dir: Set<PathBuf>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Logs {
    pub(super) files: Set<Vec<Spanned<String>>>,
    pub(super) follow_links: Set<Vec<Spanned<String>>>,
    pub(super) journal: Set<bool>,
    pub(super) journal_namespaces: Set<Vec<Spanned<String>>>,
    pub(super) level: Set<String>,
    pub(super) searches: Set<bool>,
    pub(super) copies: Set<u8>,
    pub(super) no_copies: Set<Vec<Spanned<String>>>,
    pub(super) copies_space: Set<String>,
    pub(super) copies_total: Set<String>,
    pub(super) copies_age: Set<String>,
    pub(super) copies_rate: Set<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Limits {
    pub(super) searches: Set<u16>,
    pub(super) search_threads: Set<u16>,
    pub(super) search_time: Set<String>,
    pub(super) search_output: Set<String>,
    pub(super) search_memory: Set<String>,
    pub(super) greps: Set<u16>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Control {
    pub(super) socket: Set<PathBuf>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Search {
    pub(super) socket: Set<PathBuf>,
    pub(super) group: Set<String>,
    pub(super) files: Set<Vec<Spanned<String>>>,
    pub(super) tags: Set<Vec<Spanned<String>>>,
    pub(super) journal: Set<bool>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Security {
    pub(super) key_file: Set<PathBuf>,
    pub(super) allow_plaintext: Set<bool>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Metrics {
    pub(super) listen: Set<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Agreement {
    pub(super) enabled: Set<bool>,
    pub(super) initial_council: Set<Vec<Spanned<String>>>,
    pub(super) council: Set<usize>,
    pub(super) lease: Set<String>,
    pub(super) vote: Set<bool>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Files {
    pub(super) enabled: Set<bool>,
    pub(super) space: Set<String>,
    pub(super) repair_after: Set<String>,
    pub(super) webhdfs: Set<String>,
    pub(super) webhdfs_may: Set<String>,
    pub(super) webhdfs_shares: Set<Vec<Spanned<String>>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Streams {
    pub(super) enabled: Set<bool>,
    pub(super) worker: Set<PathBuf>,
    pub(super) jobs: Set<bool>,
}
