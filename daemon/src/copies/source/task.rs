//! The task of a source: it lists what is offered, chooses keepers, and sends them what is new. It
//! owns the files and the keepers. It has a thread of the lowest priority, and reads files there.
//!
//! What waits to be sent waits in the files. In memory is what keepers have not acknowledged, which
//! a window bounds, and what was cut last.

use super::cutter::Cutter;
use super::files::{FileKey, Files};
use super::keepers::Keepers;
use super::link::FromLink;
use super::status::SourceStatus;
use super::{SourceSettings, shipped::Broken};
use crate::copies::members::Peers;
use crate::lock::lock;
use crate::time::wall;
use memberd_copies::pace::Pace;
use memberd_membership::Name;
use memberd_transport::Caller;
use rustix::time::{ClockId, clock_gettime};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, watch};
use tokio::time::sleep_until;
use tracing::{error, warn};

/// How often files are looked at.
const LOOK: Duration = Duration::from_secs(1);

/// How often keepers are chosen when nothing happens.
const CHOOSE: Duration = Duration::from_secs(5);

/// Looking takes at most one part in this many of a processor's time.
const SHARE: u32 = 20;

/// The longest pause between two looks.
const LONGEST: Duration = Duration::from_secs(5);

/// The most blocks that are cut before the connections have their turn.
const BLOCKS_AT_ONCE: usize = 16;

/// The most events that wait: each may be as long as a message of a keeper.
const EVENTS: usize = 16;

/// This much may be sent at once after a pause, in bytes.
const BURST_BYTES: u64 = 4 << 20;

/// What a message has beside its frame, in bytes, at most.
const BESIDE_FRAME: usize = 256;

/// What the task starts with.
#[derive(Debug)]
pub(crate) struct Parts {
    /// This machine.
    pub(crate) name: Name,
    /// Opens connections.
    pub(crate) caller: Caller,
    /// Who is up.
    pub(crate) peers: watch::Receiver<Peers>,
    /// The settings. The task ends with their sender.
    pub(crate) settings: watch::Receiver<Arc<SourceSettings>>,
    /// What it tells of itself.
    pub(crate) status: Arc<Mutex<SourceStatus>>,
}

/// The task.
pub(super) struct Source {
    parts: Parts,
    settings: Arc<SourceSettings>,
    events: mpsc::Receiver<FromLink>,
    files: Files,
    keepers: Keepers,
    cutter: Cutter,
    pace: Pace,
    started: Instant,
    look_at: Instant,
    /// When keepers are chosen again, even if nothing seems to have changed.
    choose_at: Instant,
    /// When more can be sent: at once, or when the rate allows it.
    send_at: Option<Instant>,
    sent_bytes: u64,
    lost_bytes: u64,
}

/// What woke the task.
enum Wake {
    Settings,
    Peers,
    Event(FromLink),
    Time,
    End,
}

impl Source {
    /// A source that has looked at nothing yet.
    ///
    /// # Errors
    /// When zstd gets no memory.
    pub(super) fn new(mut parts: Parts) -> std::io::Result<Self> {
        let settings = Arc::clone(&parts.settings.borrow_and_update());
        let (sender, events) = mpsc::channel(EVENTS);
        let now = Instant::now();
        Ok(Source {
            keepers: Keepers::new(parts.name.clone(), parts.caller.clone(), sender),
            pace: Pace::new(settings.rate, BURST_BYTES),
            settings,
            events,
            files: Files::default(),
            cutter: Cutter::new()?,
            started: now,
            look_at: now,
            choose_at: now,
            send_at: None,
            sent_bytes: 0,
            lost_bytes: 0,
            parts,
        })
    }

    /// Runs until the settings have no sender any more.
    pub(super) async fn run(mut self) {
        loop {
            let wake = self.wake().await;
            let mut may_change = !matches!(wake, Wake::Time);
            match wake {
                Wake::End => return,
                Wake::Settings => self.take_settings(),
                Wake::Event(event) => self.take_event(event),
                Wake::Peers | Wake::Time => {}
            }
            while let Ok(event) = self.events.try_recv() {
                self.take_event(event);
                may_change = true;
            }
            let now = Instant::now();
            if now >= self.look_at {
                self.look(now);
            }
            let is_due = self.keepers.due().is_some_and(|due| due <= now);
            if may_change || is_due || now >= self.choose_at {
                self.choose(now);
            }
            self.send(now);
            self.report(now);
        }
    }

    /// It compares all members, so it is not done without a reason.
    fn choose(&mut self, now: Instant) {
        self.choose_at = now + CHOOSE;
        let peers = self.parts.peers.borrow().clone();
        self.keepers.choose(peers.as_deref().map(Vec::as_slice), &self.settings, now);
    }

    async fn wake(&mut self) -> Wake {
        if self.send_at.is_some_and(|at| at <= Instant::now()) {
            // The connections have their turn.
            tokio::task::yield_now().await;
            return Wake::Time;
        }
        let due = [Some(self.look_at), self.send_at, self.keepers.due()];
        let due = due.into_iter().flatten().min().unwrap_or(self.look_at);
        let Parts { settings, peers, .. } = &mut self.parts;
        tokio::select! {
            biased;
            changed = settings.changed() => changed.map_or(Wake::End, |()| Wake::Settings),
            Some(event) = self.events.recv() => Wake::Event(event),
            Ok(()) = peers.changed() => Wake::Peers,
            () = sleep_until(due.into()) => Wake::Time,
        }
    }

    fn take_settings(&mut self) {
        self.settings = Arc::clone(&self.parts.settings.borrow_and_update());
        let since = u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.pace.set_rate(self.settings.rate, since);
        self.files.offer_changed();
        self.keepers.offer_changed();
        self.look_at = Instant::now();
    }

    fn take_event(&mut self, event: FromLink) {
        self.keepers.take(event, &mut self.files, &self.settings.offer, Instant::now());
    }

    /// Looks at the files, and tells keepers what has changed of them.
    fn look(&mut self, now: Instant) {
        let begun = processor_time();
        self.files.refresh(&self.settings.offer, now);
        let keepers = &self.keepers;
        let ended = self.files.ended(now, |key| keepers.kept_by_all(key).unwrap_or(0));
        for key in ended {
            self.end(key, now);
        }
        self.keepers.tell_heads(&self.files, &self.settings.offer, now);
        for key in self.files.keys() {
            let kept = self.keepers.kept_by_all(key);
            if let (Some(kept), Some(file)) = (kept, self.files.get_mut(key)) {
                file.forget_samples(kept);
            }
        }
        // The time that others had the processor does not count.
        let took = processor_time().saturating_sub(begun);
        self.files.pause = (took * SHARE).clamp(LOOK, LONGEST);
        self.look_at = now + self.files.pause;
    }

    /// A file is no more.
    fn end(&mut self, key: FileKey, now: Instant) {
        let Some(file) = self.files.get(key) else { return };
        let lost = self.keepers.end(key, file, &self.settings.offer, now);
        if lost > 0 {
            warn!(path = %file.path.display(), bytes = lost, "text is gone that was not copied");
            self.lost_bytes += lost;
        }
        self.files.forget(key);
    }

    /// Sends what keepers have room for.
    fn send(&mut self, now: Instant) {
        self.send_at = None;
        let now_ms = wall().0;
        for _ in 0..BLOCKS_AT_ONCE {
            match self.send_one(now, now_ms) {
                Sent::Block => {}
                Sent::Nothing => {
                    self.keepers.tell_behind(&self.files, now);
                    if self.keepers.has_all() {
                        self.cutter.rest();
                    }
                    return;
                }
                Sent::TooFast(wait) => {
                    self.send_at = Some(now + wait);
                    self.keepers.tell_behind(&self.files, now);
                    return;
                }
            }
        }
        self.send_at = Some(now);
    }

    fn send_one(&mut self, now: Instant, now_ms: u64) -> Sent {
        for _ in 0..self.keepers.len() {
            let Some(keeper) = self.keepers.next() else { break };
            // Some files may have only the beginning of a line.
            for _ in 0..self.files.len() {
                let Some(place) = keeper.next(&mut self.files) else { break };
                let cut = match self.cutter.cut(&mut self.files, place, now, now_ms) {
                    Ok(Some(cut)) => cut,
                    Ok(None) => continue,
                    Err(error) => {
                        error!(%error, "logs cannot be compressed to be copied");
                        return Sent::Nothing;
                    }
                };
                let Some(file) = self.files.get(cut.key) else { continue };
                let since = u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX);
                let bytes = cut.frame.len() + BESIDE_FRAME;
                if let Err(wait_us) = self.pace.take(bytes as u64, since) {
                    return Sent::TooFast(Duration::from_micros(wait_us));
                }
                match keeper.send(file, &cut, &self.settings.offer, now_ms) {
                    Ok(bytes) => {
                        self.sent_bytes += bytes as u64;
                        return Sent::Block;
                    }
                    Err(Broken) => {
                        keeper.disconnect(now + LOOK, now);
                        break;
                    }
                }
            }
        }
        Sent::Nothing
    }

    fn report(&self, now: Instant) {
        let mut status = lock(&self.parts.status);
        status.wanted = self.keepers.wanted();
        status.keepers = self.keepers.told(&self.files, now);
        status.avoided = self.keepers.avoided();
        status.files = self.files.len() as u64;
        status.too_many_files = self.files.too_many;
        status.problem.clone_from(&self.files.problem);
        status.text_bytes = self.cutter.text_bytes;
        status.sent_bytes = self.sent_bytes;
        status.lost_bytes = self.lost_bytes;
    }
}

/// The processor time of this thread.
fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// What became of an attempt to send a block.
enum Sent {
    Block,
    /// There is none, or no room for it.
    Nothing,
    /// The rate is reached for this long.
    TooFast(Duration),
}
