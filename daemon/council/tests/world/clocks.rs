//! Simulates a machine's two clocks and their errors. It owns what they show.
//!
//! CLOCK_BOOTTIME runs through a stop and a suspend. It stands still only while a hypervisor pauses
//! the machine; then the wall clock alone comes back with the right time.

use std::time::Duration;

/// The wall clock when true time begins: 2025-11-21, in milliseconds.
const EPOCH_WALL: u64 = 1_763_688_000_000;

/// A machine's clocks.
#[derive(Debug, Clone)]
pub struct Clock {
    /// What CLOCK_BOOTTIME showed at the true time `since`.
    shown: Duration,
    since: Duration,
    /// Parts per million too fast, or too slow if negative.
    drift: i32,
    /// Since when a hypervisor pauses it.
    paused: Option<Duration>,
    /// What the wall clock shows beyond CLOCK_BOOTTIME, in milliseconds.
    wall: i64,
}

impl Clock {
    /// The clock of a machine that booted this long before true time began.
    pub fn new(booted: Duration, drift: i32) -> Self {
        let wall = -i64::try_from(booted.as_millis()).unwrap();
        Clock { shown: booted, since: Duration::ZERO, drift, paused: None, wall }
    }

    /// CLOCK_BOOTTIME at a true time.
    pub fn boot(&self, now: Duration) -> Duration {
        if self.paused.is_some() {
            return self.shown;
        }
        let span = now - self.since;
        let error = span.mul_f64(f64::from(self.drift.unsigned_abs()) * 1e-6);
        self.shown + if self.drift < 0 { span - error } else { span + error }
    }

    /// The wall clock at a true time, in milliseconds since 1970.
    pub fn wall(&self, now: Duration) -> u64 {
        let boot = u64::try_from(self.boot(now).as_millis()).unwrap();
        (EPOCH_WALL + boot).saturating_add_signed(self.wall)
    }

    /// How long a span of CLOCK_BOOTTIME takes in true time, rounded up: nobody is woken early.
    pub fn true_time(&self, span: Duration) -> Duration {
        span.div_f64(1.0 + f64::from(self.drift) * 1e-6) + Duration::from_micros(1)
    }

    fn rebase(&mut self, now: Duration) {
        self.shown = self.boot(now);
        self.since = now;
    }

    /// Changes the rate.
    pub fn drift(&mut self, now: Duration, parts_per_million: i32) {
        self.rebase(now);
        self.drift = parts_per_million;
    }

    /// Steps the wall clock.
    pub fn step_wall(&mut self, milliseconds: i64) {
        self.wall += milliseconds;
    }

    /// A hypervisor stops the machine and its clocks.
    pub fn pause(&mut self, now: Duration) {
        self.rebase(now);
        self.paused.get_or_insert(now);
    }

    /// The machine goes on, and its wall clock is set right.
    pub fn resume(&mut self, now: Duration) {
        if let Some(paused) = self.paused.take() {
            let lost = now - paused;
            self.since = now;
            self.wall += i64::try_from(lost.as_millis()).unwrap();
        }
    }

    pub fn is_paused(&self) -> bool {
        self.paused.is_some()
    }
}
