//! Simulates a machine's disk: a write is durable after a while, and a crash loses what was not. It
//! owns what was written.

use rand::RngExt;
use rand::rngs::SmallRng;
use std::time::Duration;

/// What is drawn for each write.
#[derive(Debug, Clone, Copy)]
pub struct Speed {
    pub least: Duration,
    /// The mean of an additional, exponentially distributed time.
    pub mean: Duration,
    /// The fraction of writes that hang, for up to `hang`.
    pub hangs: f64,
    pub hang: Duration,
}

impl Default for Speed {
    fn default() -> Self {
        Speed {
            least: Duration::from_micros(200),
            mean: Duration::from_millis(2),
            hangs: 0.0,
            hang: Duration::from_secs(5),
        }
    }
}

#[derive(Clone)]
struct Write<T> {
    id: u64,
    record: T,
    /// It had not begun when the next one came, and is left out.
    skipped: bool,
}

/// A disk with one file of records `T`.
#[derive(Clone)]
pub struct Disk<T> {
    pub speed: Speed,
    /// On a full disk no write becomes durable.
    pub full: bool,
    /// Whether a write that has not begun when the next comes is left out.
    pub skips: bool,
    /// Whether a crash brings back the generation before the newest: what no real file may do.
    pub falls_back: bool,
    durable: Option<T>,
    previous: Option<T>,
    waiting: Vec<Write<T>>,
    last: Duration,
}

impl<T: Clone> Disk<T> {
    pub fn new() -> Self {
        Disk {
            speed: Speed::default(),
            full: false,
            skips: false,
            falls_back: false,
            durable: None,
            previous: None,
            waiting: Vec::new(),
            last: Duration::ZERO,
        }
    }

    /// Begins a write. Returns when it will be durable. Writes end in their order.
    pub fn begin(&mut self, now: Duration, id: u64, record: T, rng: &mut SmallRng) -> Duration {
        let Speed { least, mean, hangs, hang } = self.speed;
        let mut takes = least + mean.mul_f64(-(1.0 - rng.random::<f64>()).ln());
        if hangs > 0.0 && rng.random_bool(hangs) {
            takes += hang.mul_f64(rng.random::<f64>());
        }
        if self.skips {
            self.waiting.iter_mut().skip(1).for_each(|write| write.skipped = true);
        }
        self.waiting.push(Write { id, record, skipped: false });
        self.last = self.last.max(now + takes);
        self.last
    }

    /// The write, and every one before it, is durable, unless the disk is full or the process that
    /// began it is gone. Returns whether it is.
    pub fn finish(&mut self, id: u64) -> bool {
        let Some(place) = self.waiting.iter().position(|write| write.id == id) else {
            return false;
        };
        if self.full || self.waiting[place].skipped {
            return false;
        }
        for write in self.waiting.drain(..=place) {
            self.previous = self.durable.replace(write.record);
        }
        true
    }

    /// It has room, and nothing hangs: what waits can be done now.
    pub fn empty(&mut self, now: Duration) {
        self.full = false;
        self.last = now;
    }

    /// Every write that waits, oldest first.
    pub fn waiting(&self) -> Vec<u64> {
        self.waiting.iter().map(|write| write.id).collect()
    }

    /// Power fails. Of the writes that were not done, the first `survive` became durable
    /// nevertheless, though nobody was answered.
    pub fn crash(&mut self, survive: usize, rng: &mut SmallRng) {
        let survive = if self.full { 0 } else { survive.min(self.waiting.len()) };
        for write in self.waiting.drain(..survive).filter(|write| !write.skipped) {
            self.previous = self.durable.replace(write.record);
        }
        self.waiting.clear();
        self.last = Duration::ZERO;
        if self.falls_back && self.previous.is_some() && rng.random_bool(0.2) {
            self.durable.clone_from(&self.previous);
        }
    }

    /// The file is lost.
    pub fn wipe(&mut self) {
        self.durable = None;
        self.previous = None;
        self.waiting.clear();
    }

    pub fn durable(&self) -> Option<&T> {
        self.durable.as_ref()
    }
}
