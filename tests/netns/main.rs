//! Fleets of real daemons, each in a network namespace of its own, around a switch that loses, cuts
//! and heals.
//!
//! They need root, `ip` (iproute2), `nft` (nftables), `nsenter` and `setpriv` (util-linux). Where
//! one of them is missing, every test reports that and passes. With `CI=true` in the environment it
//! fails.
//!
//! `cargo build --workspace --bins && cargo test -p memberd-tests --test netns`, as root. The
//! environment makes it longer:
//!
//! | variable | default | |
//! |---|---|---|
//! | `NETNS_ROUNDS` | 4 | rounds of four crashes at once, in each fleet |
//! | `NETNS_SECONDS` | 30 | how long a fleet is watched under loss, or at rest |
//! | `NETNS_MEMBERS` | 30 | members of the fleet at rest |
//! | `KILLS` | 3, 20 | leaders and voters that are killed |
//! | `FAULTS` | 5 | times that something becomes of a leader's machine |
//! | `STORMS` | 2 | storms that copies of logs go through |
//! | `STORM_SECONDS` | 25 | how long things happen to members in each |
//! | `SEED` | another each time | the seed of the first storm |
//! | `TIME_SCALE` | 1 | stretches all limits but the promised ones, for slow machines |
//!
//! `make bench-netns` measures all of it at full size beside the simulator.

#![cfg(test)]

mod copies_storm;
mod crashes;
mod detector;
mod files_storm;
mod interface;
mod introducer;
mod leading;
mod links;
mod loss;
mod network;
mod rest;
mod split;
mod startup;
mod translation;
