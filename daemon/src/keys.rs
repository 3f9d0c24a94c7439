//! The group's keys as a subsystem. It owns the channel that replaces them while the daemon runs.

use crate::config::{Config, ConfigError};
use crate::membership::Ended;
use crate::subsystem::{Boxed, Change, NotReloaded, Page, Subsystem};
use memberd_control::message::StatusReport;
use memberd_control::socket::Access;
use memberd_transport::{Seal, SealingKeys};
use std::sync::Arc;
use tokio::sync::watch;
use tracing::{error, info, warn};

/// The keys in force.
#[derive(Debug)]
pub struct Keys {
    seal: Seal,
    /// The sender of changed keys; `None` if the daemon started without keys.
    replace: Option<watch::Sender<Arc<SealingKeys>>>,
}

impl Keys {
    /// Starts with these keys, or without a key.
    pub fn new(keys: Option<SealingKeys>) -> Self {
        match keys.map(Seal::with) {
            Some((seal, replace)) => Keys { seal, replace: Some(replace) },
            None => Keys { seal: Seal::plain(), replace: None },
        }
    }

    /// The ids of the keys in force, the sealing one first. None without a key.
    pub fn names(&self) -> Option<String> {
        self.seal.keys().map(|keys| keys.names().clone())
    }

    /// The seal that protects messages to other members.
    pub fn seal(&self) -> &Seal {
        &self.seal
    }

    /// Logs at the start whether messages are sealed, and with which keys.
    pub fn announce(&self, config: &Config) {
        match self.seal.keys() {
            Some(keys) => {
                info!(
                    keys = keys.names(),
                    "messages between members are sealed with the first of these keys"
                );
            }
            None if config.speaks_openly() => warn!(
                "security.allow_plaintext is set: no message on the network is sealed, \
                and anyone on it can pose as any member"
            ),
            None => {
                info!("there is no key: nothing is sealed, and only loopback addresses are used");
            }
        }
    }

    /// Reads the key file again. Returns whether the keys in force are now those of the file.
    fn load(&self, config: &Config) -> bool {
        match (&self.replace, config.load_keys()) {
            (Some(keys), Ok(Some(new))) => {
                if keys.borrow().names() != new.names() {
                    info!(
                        keys = new.names(),
                        "the keys have changed; messages are now sealed with the first of them"
                    );
                }
                keys.send_replace(Arc::new(new));
                if config.key_is_credential {
                    info!(
                        "the keys are a credential, which systemd copies at a start: changed keys \
                        take effect after a restart"
                    );
                }
                return true;
            }
            (Some(_), Ok(None)) => {
                error!("the key file is missing; the old keys stay in force");
            }
            (Some(_), Err(ConfigError { lines, .. })) => {
                for line in lines {
                    error!("{line}");
                }
                error!("the keys were not reloaded; the old ones stay in force");
            }
            (None, Ok(None)) => return true,
            (None, _) => warn!("there is a key file now; sealing takes effect after a restart"),
        }
        false
    }
}

impl Subsystem for Keys {
    fn reload<'t>(&'t self, settings: Change<'t>) -> Boxed<'t, Result<(), NotReloaded>> {
        Box::pin(
            async move { if self.load(settings.new) { Ok(()) } else { Err(NotReloaded("keys")) } },
        )
    }

    fn status<'t>(
        &'t self,
        report: &'t mut StatusReport,
        _: Access,
    ) -> Boxed<'t, Result<(), Ended>> {
        Box::pin(async move {
            let keys = self.seal.keys();
            report.keys = keys
                .map(|keys| keys.all().map(|key| key.id.to_string()).collect())
                .unwrap_or_default();
            Ok(())
        })
    }

    /// The membership task counts the datagrams that the seal refuses.
    fn metrics<'t>(&'t self, _: &'t mut Page) -> Boxed<'t, Result<(), Ended>> {
        Box::pin(async { Ok(()) })
    }
}
