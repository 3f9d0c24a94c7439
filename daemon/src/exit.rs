//! The exit statuses of memberd.

/// The daemon could not start, or could not go on: a port in use, a directory that cannot be
/// written.
pub const FAILURE: u8 = 1;

/// The settings are wrong (EX_CONFIG of sysexits.h); systemd does not start it again on its own
/// then.
pub const BAD_SETTINGS: u8 = 78;
