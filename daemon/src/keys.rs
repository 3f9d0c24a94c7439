//! The group's keys as a subsystem. It owns the way to replace them while the daemon runs.

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
    /// Where changed keys go; none if the daemon started without.
    replace: Option<watch::Sender<Arc<SealingKeys>>>,
}

impl Keys {
    /// The keys that the daemon starts with, if it has any.
    pub fn new(keys: Option<SealingKeys>) -> Self {
        match keys.map(Seal::with) {
            Some((seal, replace)) => Keys { seal, replace: Some(replace) },
            None => Keys { seal: Seal::plain(), replace: None },
        }
    }

    /// How this daemon speaks to other members.
    pub fn seal(&self) -> &Seal {
        &self.seal
    }

    /// Logs how this daemon speaks, at its start.
    pub fn announce(&self, config: &Config) {
        match self.seal.keys() {
            Some(keys) => {
                info!(
                    keys = keys.names(),
                    "what members say is sealed, with the first of these keys"
                );
            }
            None if config.speaks_openly() => warn!(
                "security.allow_plaintext is set: nothing that goes over the network is sealed, \
                and anyone on it can speak for any member"
            ),
            None => {
                info!("there is no key: nothing is sealed, and only loopback addresses are used");
            }
        }
    }

    /// Whether the keys in force are those of the file, after it was read again.
    fn load(&self, config: &Config) -> bool {
        match (&self.replace, config.load_keys()) {
            (Some(keys), Ok(Some(new))) => {
                if keys.borrow().names() != new.names() {
                    info!(
                        keys = new.names(),
                        "the keys have changed; what members say is sealed with the first of these"
                    );
                }
                keys.send_replace(Arc::new(new));
                if config.key_is_credential {
                    info!(
                        "the keys are a credential, of which systemd takes a copy at a start: a \
                        restart takes in changed ones"
                    );
                }
                return true;
            }
            (Some(_), Ok(None)) => {
                error!("there is no key file any more; the old keys stay in force");
            }
            (Some(_), Err(ConfigError { lines })) => {
                for line in lines {
                    error!("{line}");
                }
                error!("the keys were not reloaded; the old ones stay in force");
            }
            (None, Ok(None)) => return true,
            (None, _) => warn!("there is a key file now; sealing needs a restart to take effect"),
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

    /// What the seal refuses is counted by the membership task.
    fn metrics<'t>(&'t self, _: &'t mut Page) -> Boxed<'t, Result<(), Ended>> {
        Box::pin(async { Ok(()) })
    }
}
