//! Checks the section `[files]`: replicated files. It owns no state.

use super::agreement::Agreement;
use super::limits::size;
use super::parse::texts;
use super::problems::{Problems, span};
use super::raw;
use memberd_files::{ExtentSettings, ShareName};
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::time::Duration;

/// What the disk needs in any case: logs of catalogs, and what is reserved for deletes.
const LEAST_SPACE: u64 = 256 << 20;
const SPACE: u64 = 10 << 30;
const REPAIR_AFTER: RangeInclusive<Duration> = Duration::ZERO..=Duration::from_secs(24 * 3600);

/// The settings of replicated files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Files {
    /// Whether there are any.
    pub enabled: bool,
    /// The most bytes that they take on this machine's disk.
    pub space: u64,
    /// How long files with two copies left wait after a member failed.
    pub repair_after: Duration,
    /// Where WebHDFS is served to this machine, if anywhere.
    pub webhdfs: Option<SocketAddr>,
    /// Whether its clients may change files.
    pub webhdfs_may: WebhdfsMay,
    /// The shares that they see; all if there are none.
    pub webhdfs_shares: Vec<ShareName>,
}

/// What clients of WebHDFS may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WebhdfsMay {
    /// Read.
    Read,
    /// Read and change.
    Write,
}

impl WebhdfsMay {
    /// It as the settings have it.
    pub fn as_str(self) -> &'static str {
        match self {
            WebhdfsMay::Read => "read",
            WebhdfsMay::Write => "write",
        }
    }
}

/// Reads the section.
pub(super) fn files(raw: &raw::Files, agreement: &Agreement, problems: &mut Problems) -> Files {
    let enabled = raw.enabled.as_ref().is_some_and(|set| *set.get_ref());
    if let Some(set) = raw.enabled.as_ref().filter(|_| enabled && !agreement.enabled) {
        let why = "files need the agreed views: set agreement.enabled = true, and \
                   agreement.initial_council, on all machines";
        problems.add(set, "files.enabled", why);
    }
    let space = raw.space.as_ref().and_then(|set| match size(set.get_ref()) {
        Ok(bytes) if bytes >= LEAST_SPACE => Some(bytes),
        Ok(_) => {
            let why = format!(
                "{:?} is too little: give at least \"{}MiB\"",
                set.get_ref(),
                LEAST_SPACE >> 20
            );
            problems.add(set, "files.space", why);
            None
        }
        Err(error) => {
            problems.add(set, "files.space", error);
            None
        }
    });
    Files {
        enabled,
        space: space.unwrap_or(SPACE),
        repair_after: repair_after(raw, problems),
        webhdfs: webhdfs(raw, problems),
        webhdfs_may: webhdfs_may(raw, problems),
        webhdfs_shares: webhdfs_shares(raw, problems),
    }
}

fn repair_after(raw: &raw::Files, problems: &mut Problems) -> Duration {
    let (set, key) = (raw.repair_after.as_ref(), "files.repair_after");
    let wait = span(set, key, &REPAIR_AFTER, problems);
    if let (Some(set), Some(wait)) = (set, wait)
        && !REPAIR_AFTER.contains(&wait)
    {
        problems.add(set, key, format!("{:?} is not between 0s and 24h", set.get_ref()));
    }
    wait.unwrap_or(ExtentSettings::default().repair_after)
}

/// Whoever reaches it may use it: so only this machine may.
fn webhdfs(raw: &raw::Files, problems: &mut Problems) -> Option<SocketAddr> {
    let (set, key) = (raw.webhdfs.as_ref()?, "files.webhdfs");
    let parsed = set.get_ref().parse::<SocketAddr>().ok().filter(|address| address.port() != 0);
    match parsed {
        None => {
            let why = format!(
                "{:?} is not ADDRESS:PORT, such as \"127.0.0.1:9870\" (IPv6 addresses in brackets)",
                set.get_ref()
            );
            problems.add(set, key, why);
        }
        Some(address) if !address.ip().is_loopback() => {
            let why = format!(
                "{:?} can be reached from other machines, and whoever reaches it may use it: \
                write \"127.0.0.1:{}\"",
                set.get_ref(),
                address.port()
            );
            problems.add(set, key, why);
        }
        Some(_) => {}
    }
    parsed
}

fn webhdfs_may(raw: &raw::Files, problems: &mut Problems) -> WebhdfsMay {
    let Some(set) = &raw.webhdfs_may else { return WebhdfsMay::Read };
    let known = [WebhdfsMay::Read, WebhdfsMay::Write];
    known.into_iter().find(|may| may.as_str() == set.get_ref()).unwrap_or_else(|| {
        let why = format!("{:?} is not one of \"read\", \"write\"", set.get_ref());
        problems.add(set, "files.webhdfs_may", why);
        WebhdfsMay::Read
    })
}

fn webhdfs_shares(raw: &raw::Files, problems: &mut Problems) -> Vec<ShareName> {
    let (Some(set), key) = (&raw.webhdfs_shares, "files.webhdfs_shares") else {
        return Vec::new();
    };
    for entry in set.get_ref() {
        if ShareName::new(entry.get_ref()).is_err() {
            let why = format!(
                "{:?} is no name of a share: it has 1 to 64 letters, digits and . _ -, and no \
                 slash",
                entry.get_ref()
            );
            problems.add(entry, key, why);
        }
    }
    texts(set).iter().filter_map(|name| ShareName::new(name).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    const AGREEMENT: &str = "[agreement]\nenabled = true\ninitial_council = ['vm1']\n";

    fn read(before: &str, lines: &str) -> Result<Files, String> {
        let text = format!("[node]\nname = 'vm1'\naddress = '127.0.0.1'\n{before}[files]\n{lines}");
        let config = Config::parse("m.toml", &text).map_err(|error| error.to_string())?;
        Ok(config.files)
    }

    #[test]
    fn files_are_off_and_each_setting_has_a_default() {
        let files = read("", "").unwrap();
        assert!(!files.enabled && files.webhdfs.is_none() && files.webhdfs_shares.is_empty());
        assert_eq!((files.space, files.repair_after), (10 << 30, Duration::from_secs(30)));
        assert_eq!(files.webhdfs_may, WebhdfsMay::Read);
        let set = "enabled = true\nspace = '1TiB'\nrepair_after = '0s'\n\
                   webhdfs = '[::1]:9870'\nwebhdfs_may = 'write'\nwebhdfs_shares = ['spark']";
        let files = read(AGREEMENT, set).unwrap();
        assert!(files.enabled && files.repair_after.is_zero());
        assert_eq!(files.webhdfs.unwrap().to_string(), "[::1]:9870");
        assert_eq!((files.webhdfs_may, files.webhdfs_shares.len()), (WebhdfsMay::Write, 1));
    }

    /// Without agreed views nobody would decide who keeps a catalog.
    #[test]
    fn what_is_wrong_says_what_to_set() {
        for (lines, key, words) in [
            ("enabled = true", "files.enabled", "set agreement.enabled = true"),
            ("space = '1MiB'", "files.space", "give at least \"256MiB\""),
            ("space = '10'", "files.space", "is not a size"),
            ("repair_after = '2d'", "files.repair_after", "not between 0s and 24h"),
            ("repair_after = '30'", "files.repair_after", "has no unit: write \"30s\""),
            ("webhdfs = ':9870'", "files.webhdfs", "is not ADDRESS:PORT"),
            ("webhdfs = '0.0.0.0:9870'", "files.webhdfs", "write \"127.0.0.1:9870\""),
            ("webhdfs_may = 'all'", "files.webhdfs_may", "not one of \"read\", \"write\""),
            ("webhdfs_shares = ['/a']", "files.webhdfs_shares", "no name of a share"),
        ] {
            let error = read("", lines).unwrap_err();
            assert!(error.contains(key) && error.contains(words), "{lines}: {error}");
        }
    }
}
