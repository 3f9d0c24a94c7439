//! A token bucket: how fast copies may be sent. It has no clock.

/// Bytes that may be sent now, and how fast they come back.
#[derive(Debug, Clone)]
pub struct Pace {
    /// Per second. None is unlimited.
    bytes_per_second: Option<u64>,
    /// The most that may be sent at once.
    burst_bytes: u64,
    /// In millionths of a byte, so that no part of a byte is lost.
    tokens: i128,
    /// When `tokens` was true, in microseconds.
    at_us: u64,
}

/// Millionths of a byte.
const SCALE: i128 = 1_000_000;

impl Pace {
    /// A full bucket. A rate of 0 is unlimited. `burst_bytes` is how much may be sent at once after
    /// a pause. What is larger than that may be sent when the bucket is full.
    pub fn new(bytes_per_second: u64, burst_bytes: u64) -> Pace {
        let bytes_per_second = (bytes_per_second > 0).then_some(bytes_per_second);
        Pace { bytes_per_second, burst_bytes, tokens: i128::from(burst_bytes) * SCALE, at_us: 0 }
    }

    /// Changes the rate, at `now_us`. The burst stays.
    pub fn set_rate(&mut self, bytes_per_second: u64, now_us: u64) {
        self.refill(now_us);
        self.bytes_per_second = (bytes_per_second > 0).then_some(bytes_per_second);
    }

    /// Takes `bytes` if they may be sent at `now_us`, in microseconds of a clock that does not go
    /// back.
    ///
    /// # Errors
    /// How many microseconds to wait until they may, if nothing else is sent.
    pub fn take(&mut self, bytes: u64, now_us: u64) -> Result<(), u64> {
        let Some(rate) = self.bytes_per_second else { return Ok(()) };
        self.refill(now_us);
        // A piece beyond the burst waits for a full bucket, and leaves a debt.
        let wanted = i128::from(bytes.min(self.burst_bytes)) * SCALE;
        if self.tokens < wanted {
            let wait = (wanted - self.tokens + i128::from(rate) - 1) / i128::from(rate);
            return Err(u64::try_from(wait).unwrap_or(u64::MAX));
        }
        self.tokens -= i128::from(bytes) * SCALE;
        Ok(())
    }

    fn refill(&mut self, now_us: u64) {
        let passed_us = now_us.saturating_sub(self.at_us);
        self.at_us = self.at_us.max(now_us);
        let Some(rate) = self.bytes_per_second else { return };
        let gained = i128::from(passed_us) * i128::from(rate);
        self.tokens = (self.tokens + gained).min(i128::from(self.burst_bytes) * SCALE);
    }
}

#[cfg(test)]
mod tests {
    use super::Pace;

    /// The burst goes at once, then the rate holds.
    #[test]
    fn sends_a_burst_and_then_the_rate() {
        let mut pace = Pace::new(1_000, 500);
        assert_eq!(pace.take(500, 10), Ok(()));
        assert_eq!(pace.take(100, 10), Err(100_000));
        assert_eq!(pace.take(100, 100_009), Err(1));
        assert_eq!(pace.take(100, 100_010), Ok(()));
        assert_eq!(pace.take(1, 100_010), Err(1_000));
    }

    /// Over an hour of greedy sending, no more than the rate and one burst is sent, and no less
    /// than the rate.
    #[test]
    fn holds_the_rate_over_an_hour() {
        let (rate, burst) = (12_345, 4_096);
        let mut pace = Pace::new(rate, burst);
        let (mut now_us, mut sent) = (0, 0);
        while now_us < 3_600_000_000 {
            let piece = 1 + sent % 3_000;
            match pace.take(piece, now_us) {
                Ok(()) => sent += piece,
                Err(wait_us) => now_us += wait_us,
            }
        }
        let whole = rate * 3_600;
        assert!((whole - 3_000..=whole + burst + 3_000).contains(&sent), "{sent} of {whole}");
    }

    /// A piece larger than the burst is sent from a full bucket, and what comes next waits for it.
    #[test]
    fn a_piece_beyond_the_burst_leaves_a_debt() {
        let mut pace = Pace::new(1_000, 100);
        assert_eq!(pace.take(1_100, 0), Ok(()));
        assert_eq!(pace.take(1, 0), Err(1_001_000));
        assert_eq!(pace.take(100, 1_100_000), Ok(()));
    }

    /// A rate of 0 is no bound, and a clock that goes back gives nothing.
    #[test]
    fn has_no_rate_or_a_clock_that_goes_back() {
        assert_eq!(Pace::new(0, 0).take(u64::MAX, 0), Ok(()));
        let mut pace = Pace::new(1_000, 100);
        assert_eq!(pace.take(100, 1_000_000), Ok(()));
        assert_eq!(pace.take(1, 0), Err(1_000));
        assert_eq!(pace.take(1, 1_001_000), Ok(()));
    }

    /// A new rate holds from when it is set.
    #[test]
    fn a_new_rate_holds_from_then_on() {
        let mut pace = Pace::new(1_000, 1_000);
        assert_eq!(pace.take(1_000, 0), Ok(()));
        pace.set_rate(10, 500_000);
        assert_eq!(pace.take(510, 500_000), Err(1_000_000));
    }
}
