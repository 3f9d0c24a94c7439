//! Reads `CLOCK_BOOTTIME`, and waits for moments of it: [`BootTimer`]. It runs on while the machine
//! is suspended, which the clock of the runtime does not (clock_gettime(2)). It owns the timer.

use crate::time::wall;
use memberd_council::{BootTime, Now};
use rustix::time::{
    ClockId, Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, clock_gettime,
    timerfd_create, timerfd_settime,
};
use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;
use tokio::io::unix::AsyncFd;

/// Both clocks now. The epoch is the boot of the machine, so that its other processes can compare.
pub(crate) fn now() -> Now {
    let Timespec { tv_sec, tv_nsec } = clock_gettime(ClockId::Boottime);
    let seconds = u64::try_from(tv_sec).unwrap_or(0);
    let boot = Duration::new(seconds, u32::try_from(tv_nsec).unwrap_or(0));
    Now { boot: BootTime::from_epoch(boot), wall: wall() }
}

/// Nanoseconds since the boot, for clients.
pub(crate) fn nanos(moment: BootTime) -> u64 {
    u64::try_from(moment.since_epoch().as_nanos()).unwrap_or(u64::MAX)
}

/// A timer by `CLOCK_BOOTTIME`: timerfd_create(2). It fires at once after a suspend that passed its
/// moment.
#[derive(Debug)]
pub(crate) struct BootTimer(AsyncFd<OwnedFd>);

impl BootTimer {
    /// A timer that is not set. Must be called within the runtime that waits for it.
    ///
    /// # Errors
    /// When the kernel has no such timers.
    pub(crate) fn new() -> io::Result<Self> {
        let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
        let timer = timerfd_create(TimerfdClockId::Boottime, flags)?;
        // tokio cannot know that what it gets owns its descriptor. An OwnedFd does.
        #[expect(deprecated, reason = "its successor is unsafe, which the lints deny")]
        AsyncFd::new(timer).map(BootTimer)
    }

    /// Sets it to this moment, or to none. A moment that has passed fires at once.
    ///
    /// # Errors
    /// None in practice: timerfd_settime(2).
    pub(crate) fn set(&self, due: Option<BootTime>) -> io::Result<()> {
        // Zero would switch it off.
        let due = due.map_or(Duration::ZERO, |due| due.since_epoch().max(Duration::from_nanos(1)));
        let value = Timespec {
            tv_sec: i64::try_from(due.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: due.subsec_nanos().into(),
        };
        let once = Itimerspec { it_interval: Timespec { tv_sec: 0, tv_nsec: 0 }, it_value: value };
        timerfd_settime(self.0.get_ref(), TimerfdTimerFlags::ABSTIME, &once)?;
        Ok(())
    }

    /// Returns when it fires. It can be dropped and called again.
    ///
    /// # Errors
    /// When the runtime has ended.
    pub(crate) async fn fired(&self) -> io::Result<()> {
        loop {
            let mut ready = self.0.readable().await?;
            let mut count = [0; 8];
            let read = ready.try_io(|timer| Ok(rustix::io::read(timer.get_ref(), &mut count)?));
            // If it would block, another moment was set meanwhile.
            if let Ok(read) = read {
                return read.map(|_| ());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_timer_fires_at_its_moment_and_not_before() {
        let timer = BootTimer::new().unwrap();
        let due = now().boot + Duration::from_millis(30);
        timer.set(Some(due)).unwrap();
        timer.fired().await.unwrap();
        assert!(now().boot >= due);
        timer.set(Some(BootTime::EPOCH)).unwrap();
        timer.fired().await.unwrap();
    }

    #[tokio::test]
    async fn a_timer_without_a_moment_never_fires() {
        let timer = BootTimer::new().unwrap();
        timer.set(Some(now().boot)).unwrap();
        timer.set(None).unwrap();
        let fired = tokio::time::timeout(Duration::from_millis(30), timer.fired());
        assert!(fired.await.is_err());
    }
}
