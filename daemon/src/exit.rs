//! Defines the exit statuses of memberd. It owns no state.

/// The daemon could not start or continue, for example because a port was in use. What is only not
/// there yet, such as a default route, ends it with this status too: systemd tries again.
pub const FAILURE: u8 = 1;

/// The settings are invalid (EX_CONFIG of sysexits.h). systemd does not restart the daemon after
/// this status.
pub const BAD_SETTINGS: u8 = 78;
