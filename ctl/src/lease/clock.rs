//! `CLOCK_BOOTTIME`, and an alarm on it. It owns a timer of the kernel.

use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};

/// A moment of `CLOCK_BOOTTIME`, in nanoseconds. This clock goes on in suspend, where
/// [`std::time::Instant`] stands still: clock_gettime(2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct BootTime(pub(crate) u64);

impl BootTime {
    /// This moment.
    ///
    /// # Errors
    /// When the kernel has no such clock.
    pub(crate) fn now() -> Result<BootTime, Errno> {
        let now = nix::time::clock_gettime(nix::time::ClockId::CLOCK_BOOTTIME)?;
        let nanoseconds = Duration::from(now).as_nanos();
        Ok(BootTime(u64::try_from(nanoseconds).unwrap_or(u64::MAX)))
    }

    /// How much later this moment is than another; zero if it is earlier.
    pub(crate) fn since(self, other: BootTime) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(other.0))
    }

    /// The moment this long before.
    pub(crate) fn minus(self, time: Duration) -> BootTime {
        BootTime(self.0.saturating_sub(nanoseconds(time)))
    }

    /// The moment this long after.
    pub(crate) fn plus(self, time: Duration) -> BootTime {
        BootTime(self.0.saturating_add(nanoseconds(time)))
    }
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// A descriptor that is readable from a moment on. A timeout of poll(2) would stand still in
/// suspend.
#[derive(Debug)]
pub(crate) struct Alarm(TimerFd);

impl Alarm {
    /// An alarm that is not set.
    ///
    /// # Errors
    /// As timerfd_create(2).
    pub(crate) fn new() -> Result<Alarm, Errno> {
        let flags = TimerFlags::TFD_CLOEXEC | TimerFlags::TFD_NONBLOCK;
        TimerFd::new(ClockId::CLOCK_BOOTTIME, flags).map(Alarm)
    }

    /// Sets it to a moment, which may be over; none unsets it.
    ///
    /// # Errors
    /// As timerfd_settime(2).
    pub(crate) fn set(&self, moment: Option<BootTime>) -> Result<(), Errno> {
        let Some(BootTime(nanoseconds)) = moment else { return self.0.unset() };
        // Zero would unset it.
        let moment = TimeSpec::from(Duration::from_nanos(nanoseconds.max(1)));
        self.0.set(Expiration::OneShot(moment), TimerSetTimeFlags::TFD_TIMER_ABSTIME)
    }
}

impl AsFd for Alarm {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

    fn rings(alarm: &Alarm, timeout: PollTimeout) -> bool {
        let mut ends = [PollFd::new(alarm.as_fd(), PollFlags::POLLIN)];
        poll(&mut ends, timeout).unwrap() == 1
    }

    #[test]
    fn an_alarm_rings_at_its_moment_also_in_the_past() {
        let alarm = Alarm::new().unwrap();
        assert!(!rings(&alarm, PollTimeout::ZERO));
        let moment = BootTime::now().unwrap().plus(Duration::from_millis(20));
        alarm.set(Some(moment)).unwrap();
        assert!(rings(&alarm, PollTimeout::NONE));
        assert!(BootTime::now().unwrap() >= moment);
        alarm.set(None).unwrap();
        assert!(!rings(&alarm, PollTimeout::ZERO));
        alarm.set(Some(BootTime(0))).unwrap();
        assert!(rings(&alarm, PollTimeout::NONE));
    }
}
