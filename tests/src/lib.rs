//! Fleets of real daemons.
