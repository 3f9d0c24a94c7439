//! The id of the boot, as journald writes it. It owns no state.
//!
//! systemd-nspawn gives each container an id of its own, by a mount in /proc. With systemd 252,
//! services with `ProtectProc=` have a fresh /proc, which has the id of the machine outside. There
//! `journalctl --boot`, `--dmesg` and `--follow` find nothing, and say nothing.

use std::env;
use std::fs;

/// Where the kernel tells the id of the boot, with dashes: random(4).
const KERNEL: &str = "/proc/sys/kernel/random/boot_id";

/// The unit sets it to the boot that its manager and journald know: `%b` of systemd.unit(5).
const VARIABLE: &str = "MEMBERD_BOOT_ID";

/// The id of this boot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Boot {
    /// 32 digits, if it is known.
    pub(super) id: Option<String>,
    /// Whether journalctl takes another boot for this one.
    is_hidden: bool,
}

impl Boot {
    /// That of this process.
    pub(super) fn of_this_machine() -> Boot {
        Boot::of(env::var(VARIABLE).ok().as_deref(), fs::read_to_string(KERNEL).ok().as_deref())
    }

    /// The boot of which the unit and the kernel tell this.
    fn of(told: Option<&str>, kernel: Option<&str>) -> Boot {
        let id = |text: &str| {
            let digits = text.trim().replace('-', "").to_ascii_lowercase();
            let is_id = digits.len() == 32 && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
            is_id.then_some(digits)
        };
        let (told, kernel) = (told.and_then(id), kernel.and_then(id));
        Boot { is_hidden: told.is_some() && told != kernel, id: told.or(kernel) }
    }

    /// The id by which journalctl has to be asked for this boot, if it would take another one.
    pub(super) fn hidden(&self) -> Option<&str> {
        self.id.as_deref().filter(|_| self.is_hidden)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A boot that journalctl does not know for this one.
    pub(in super::super) fn hidden(id: &str) -> Boot {
        Boot { id: Some(id.to_owned()), is_hidden: true }
    }

    #[test]
    fn the_unit_knows_the_boot_better_than_the_kernel() {
        let (one, other) = ("0123456789abcdef0123456789abcdef", "f".repeat(32));
        let dashed = "01234567-89ab-cdef-0123-456789abcdef\n";
        for (told, kernel, id, is_hidden) in [
            (None, Some(dashed), Some(one), false),
            (Some(one), Some(dashed), Some(one), false),
            (Some(one), Some(&*other), Some(one), true),
            (Some(one), None, Some(one), true),
            (Some("%b"), Some(dashed), Some(one), false),
            (None, None, None, false),
        ] {
            let boot = Boot::of(told, kernel);
            assert_eq!(boot, Boot { id: id.map(str::to_owned), is_hidden }, "{told:?} {kernel:?}");
            assert_eq!(boot.hidden(), id.filter(|_| is_hidden));
        }
        assert_eq!(Boot::of_this_machine().id.map(|id| id.len()), Some(32));
    }
}
