//! How a world is built: drawn from its seed. Plain values.

use memberd_jobs::{From, JobLimits, JobSpec, Mutant, OnFailed, Settings};
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

pub struct Setup {
    pub seed: u64,
    pub machines: usize,
    pub settings: Settings,
    pub spec: JobSpec,
    /// The chance that a message or an answer is lost.
    pub losses: f64,
    /// The chance that it comes twice.
    pub doubles: f64,
    /// The chance that the file system does something else than it should.
    pub refusals: f64,
    /// The longest time between two lines of a machine, in microseconds.
    pub write_us: u64,
    /// Whether files rotate and are deleted before they are read.
    pub loses_bytes: bool,
    /// Whether some lines have stamps of the future.
    pub has_future: bool,
    /// How often each machine rotates its files, and deletes those that are counted.
    pub rotate_us: Option<u64>,
    /// When the job is cancelled, if that is before the end of the run.
    pub cancel_us: Option<u64>,
}

impl Setup {
    pub fn draw(seed: u64) -> Setup {
        let rng = &mut SmallRng::seed_from_u64(seed ^ 0x5e7);
        let bad = rng.random_bool(0.7);
        let settings = Settings {
            look_ms: rng.random_range(50..200),
            retry_ms: rng.random_range(300..800),
            quiet_ms: rng.random_range(500..2_000),
            beat_ms: 300,
            settle_ms: rng.random_range(1_000..5_000),
            range_bytes: rng.random_range(1_000..6_000),
            delta_bytes: rng.random_range(500..3_000),
            frame_bytes: rng.random_range(400..4_000),
            told: rng.random_range(1..6),
            rows: rng.random_range(3..60),
            waiting_rows: rng.random_range(20..200),
            rows_bytes: rng.random_range(200..6_000),
            text_bytes: rng.random_range(300..6_000),
            append_bytes: rng.random_range(1_000..8_000),
            log_bytes: rng.random_range(500..8_000),
            sums_bytes: 200_000,
            member_bytes: rng.random_range(300_000..1_000_000),
            ..Settings::default()
        };
        let spec = JobSpec {
            name: "shop".to_owned(),
            // Of three jobs one has lists.
            query: ["count", "count", "top", "count", "count", "top by count"][seed as usize % 6]
                .to_owned(),
            partitions: rng.random_range(1..6),
            every_ms: rng.random_range(500..3_000),
            over_ms: None,
            lateness_ms: rng.random_range(200..2_500),
            retain_ms: rng.random_range(1_000..40_000),
            commit_ms: rng.random_range(50..400),
            on_failed: [OnFailed::Exclude, OnFailed::Wait][rng.random_range(0..2)],
            copies: 5,
            files: vec!["/var/log/shop/*.log".to_owned()],
            from: From::Now,
            tags: Vec::new(),
            sink: "/streams/shop.tsv".to_owned(),
            limits: JobLimits::default(),
        };
        let over_ms = (seed % 4 == 1).then(|| spec.every_ms * rng.random_range(2..5));
        let spec = JobSpec { over_ms, ..spec };
        Setup {
            seed,
            machines: rng.random_range(5..8),
            settings,
            spec,
            losses: if bad { rng.random_range(0.0..0.08) } else { 0.0 },
            doubles: if bad { rng.random_range(0.0..0.05) } else { 0.0 },
            refusals: if bad { rng.random_range(0.0..0.08) } else { 0.0 },
            write_us: rng.random_range(40_000..300_000),
            loses_bytes: rng.random_bool(0.3),
            cancel_us: (seed % 8 == 7).then(|| rng.random_range(3_000_000..15_000_000)),
            has_future: true,
            rotate_us: rng.random_bool(0.4).then(|| rng.random_range(1_000_000..4_000_000)),
        }
    }

    pub fn with(mut self, mutant: Option<Mutant>) -> Setup {
        self.settings.mutant = mutant;
        self
    }
}
