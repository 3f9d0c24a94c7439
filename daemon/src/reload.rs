//! Reloads that clients ask for, beside those that SIGHUP asks for. It owns the queue of the
//! requests, which the daemon's main loop serves.

/// The request of control clients, with the name of its `memberctl` command.
pub mod handlers {
    pub mod reload;
}

use crate::config::{Config, Setting, differences};
use memberd_control::message::{ReloadReport, SettingChange};
use tokio::sync::{mpsc, oneshot};

/// The most clients whose requests wait. Further ones wait until these are served.
const WAITING: usize = 8;

/// A request for a reload, which receives its outcome.
pub type Request = oneshot::Sender<ReloadReport>;

/// The requests as the main loop receives them.
pub type Requests = mpsc::Receiver<Request>;

/// Asks the main loop for reloads.
#[derive(Debug, Clone)]
pub struct Reloader(mpsc::Sender<Request>);

impl Reloader {
    /// An asker, and what the main loop receives.
    pub fn new() -> (Self, Requests) {
        let (sender, receiver) = mpsc::channel(WAITING);
        (Reloader(sender), receiver)
    }

    /// Has the settings reloaded. `None` if the daemon is shutting down.
    async fn ask(&self) -> Option<ReloadReport> {
        let (reply, report) = oneshot::channel();
        self.0.send(reply).await.ok()?;
        report.await.ok()
    }
}

/// The settings of which the file has another value than the daemon had before. `kept` are the keys
/// of those that it still has.
pub fn changes(before: &Config, file: &Config, kept: &[&str]) -> Vec<SettingChange> {
    differences(before.settings(), file.settings())
        .map(|(Setting { key, value }, file)| SettingChange {
            key: key.to_owned(),
            before: value,
            after: file.value,
            in_force: !kept.contains(&key),
        })
        .collect()
}

/// The change of the keys in force, if they have changed.
pub fn change_of_keys(before: Option<String>, after: Option<String>) -> Option<SettingChange> {
    let quoted = |keys: Option<String>| keys.map(|keys| format!("\"{keys}\""));
    (before != after).then(|| SettingChange {
        key: "keys".to_owned(),
        before: quoted(before),
        after: quoted(after),
        in_force: true,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(rest: &str) -> Config {
        let text = format!("[node]\nname = 'a'\naddress = '127.0.0.1'\n{rest}");
        Config::parse("m.toml", &text).unwrap()
    }

    #[test]
    fn what_differs_is_named_and_what_waits_for_a_restart() {
        let before = config("[logs]\nlevel = 'info'");
        let file = config("[logs]\nlevel = 'debug'\n[metrics]\nlisten = '127.0.0.1:1'");
        let (_, kept) = before.reload(file.clone());
        let change = |key: &str, before: Option<&str>, after: &str, in_force| SettingChange {
            key: key.to_owned(),
            before: before.map(str::to_owned),
            after: Some(after.to_owned()),
            in_force,
        };
        assert_eq!(
            changes(&before, &file, &kept),
            [
                change("logs.level", Some("\"info\""), "\"debug\"", true),
                change("metrics.listen", None, "\"127.0.0.1:1\"", false),
            ]
        );
        assert_eq!(changes(&before, &before, &[]), []);
    }

    /// With another detector there are other keys, and the rest of the settings is as it was.
    #[test]
    fn another_detector_and_its_timeout_are_all_that_differs() {
        let (before, file) = (config(""), config("[group]\ndetector = 'swim'"));
        let (_, kept) = before.reload(file.clone());
        let change = |key: &str, before: &str, after: &str| SettingChange {
            key: key.to_owned(),
            before: Some(before.to_owned()),
            after: Some(after.to_owned()),
            in_force: false,
        };
        assert_eq!(
            changes(&before, &file, &kept),
            [
                change("group.detector", "\"ring\"", "\"swim\""),
                change("group.failure_timeout", "\"1750ms\"", "\"4s\""),
            ]
        );
    }
}
