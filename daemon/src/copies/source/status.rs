//! What a source tells of itself, for the status and the metrics. The task owns it, and others
//! read it.

use memberd_membership::Name;
use std::time::Duration;

/// How long a keeper may be missing before the status warns.
const MISSING: Duration = Duration::from_secs(30);

/// A lag that the status warns of.
const LATE: Duration = Duration::from_secs(30);

/// What a source tells of itself.
#[derive(Debug, Clone, Default)]
pub(crate) struct SourceStatus {
    /// How many keepers there should be.
    pub(crate) wanted: usize,
    /// Those that there are.
    pub(crate) keepers: Vec<KeeperStatus>,
    /// Members that are passed over, and why.
    pub(crate) avoided: Vec<(Name, String)>,
    /// How many files are followed.
    pub(crate) files: u64,
    /// Whether there are more.
    pub(crate) too_many_files: bool,
    /// The last problem with a file.
    pub(crate) problem: Option<String>,
    /// How many bytes of text were compressed since the start.
    pub(crate) text_bytes: u64,
    /// How many bytes were sent to all keepers together since the start.
    pub(crate) sent_bytes: u64,
    /// How many bytes of text no keeper got before they were gone, since the start.
    pub(crate) lost_bytes: u64,
}

/// What a source tells of a keeper.
#[derive(Debug, Clone)]
pub(crate) struct KeeperStatus {
    /// Its name.
    pub(crate) name: Name,
    /// Whether blocks go there.
    pub(crate) is_going: bool,
    /// For how long none went.
    pub(crate) apart_for: Duration,
    /// How many bytes of text are there and not sent.
    pub(crate) behind_bytes: u64,
    /// For how long the oldest waits that is not durable there.
    pub(crate) lag: Duration,
    /// Why none go, if it said so.
    pub(crate) trouble: Option<String>,
}

impl SourceStatus {
    /// How many keepers blocks go to.
    pub(crate) fn going(&self) -> usize {
        self.keepers.iter().filter(|keeper| keeper.is_going).count()
    }

    /// A sentence for each problem.
    pub(crate) fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        let is_missing = |keeper: &&KeeperStatus| !keeper.is_going && keeper.apart_for >= MISSING;
        let missing: Vec<&KeeperStatus> = self.keepers.iter().filter(is_missing).collect();
        if self.going() < self.wanted && (!missing.is_empty() || self.keepers.len() < self.wanted) {
            let said = missing.iter().filter_map(|keeper| {
                keeper.trouble.as_ref().map(|why| format!("{}: {why}", keeper.name))
            });
            let avoided = self.avoided.iter().map(|(name, why)| format!("{name}: {why}"));
            let reasons: Vec<String> = said.chain(avoided).collect();
            let reasons = match reasons.as_slice() {
                [] => String::new(),
                reasons => format!(" ({})", reasons.join("; ")),
            };
            warnings.push(format!(
                "copies of this machine's logs go to {} of {} members{reasons}",
                self.going(),
                self.wanted,
            ));
        }
        if let Some(late) = self
            .keepers
            .iter()
            .filter(|keeper| keeper.is_going && keeper.lag >= LATE)
            .max_by_key(|keeper| keeper.lag)
        {
            warnings.push(format!(
                "copies of this machine's logs at {} lag {} s behind",
                late.name,
                late.lag.as_secs(),
            ));
        }
        if self.too_many_files {
            warnings.push(format!(
                "this machine offers more log files than can be copied: {} are",
                self.files
            ));
        }
        warnings
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keeper(name: &str, is_going: bool, apart: u64, lag: u64) -> KeeperStatus {
        KeeperStatus {
            name: Name::new(name).unwrap(),
            is_going,
            apart_for: Duration::from_secs(apart),
            behind_bytes: 0,
            lag: Duration::from_secs(lag),
            trouble: (!is_going).then(|| "its disk is full".to_owned()),
        }
    }

    #[test]
    fn what_lasts_is_warned_of() {
        let status = |keepers: Vec<KeeperStatus>| SourceStatus {
            wanted: 2,
            keepers,
            ..SourceStatus::default()
        };
        let good = status(vec![keeper("vm2", true, 0, 1), keeper("vm3", true, 0, 2)]);
        assert_eq!(good.warnings(), [""; 0]);
        let restarting = status(vec![keeper("vm2", true, 0, 1), keeper("vm3", false, 3, 2)]);
        assert_eq!(restarting.warnings(), [""; 0]);
        let gone = status(vec![keeper("vm2", true, 0, 40), keeper("vm3", false, 31, 2)]);
        assert_eq!(
            gone.warnings(),
            [
                "copies of this machine's logs go to 1 of 2 members (vm3: its disk is full)",
                "copies of this machine's logs at vm2 lag 40 s behind"
            ]
        );
        let mut none = status(vec![]);
        none.avoided = vec![(Name::new("vm2").unwrap(), "too old".to_owned())];
        assert_eq!(
            none.warnings(),
            ["copies of this machine's logs go to 0 of 2 members (vm2: too old)"]
        );
    }
}
