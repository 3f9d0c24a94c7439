//! A harness for fleets of real daemons, on loopback or in a network of namespaces. It starts,
//! watches and kills them from outside, as an operator or a power cut would.
//!
//! Nothing here sleeps for a fixed time: each wait is for a condition and has a limit ([`wait`]).
//! Every process ends with the test that started it, even when that test is killed ([`process`]).

#![allow(
    clippy::expect_used,
    clippy::panic,
    reason = "a harness fails its test by panicking, with words that say why"
)]

pub mod agreement;
pub mod bad_member;
pub mod bench;
pub mod binaries;
pub mod block;
pub mod chance;
pub mod control;
mod control_groups;
pub mod copies;
pub mod costly;
pub mod crowd;
pub mod daemon;
pub mod disk;
mod file_store;
pub mod fleet;
pub mod flood;
pub mod follow;
pub mod hosts;
mod left_out;
pub mod log;
pub mod memory;
pub mod namespaces;
pub mod network;
pub mod proc;
pub mod process;
pub mod recorder;
pub mod section;
pub mod settings;
pub mod size;
pub mod terminal;
pub mod tools;
pub mod trials;
pub mod wait;
mod worker;

pub use daemon::Daemon;
pub use fleet::Fleet;
pub use follow::Followers;
pub use left_out::left_out;
pub use network::Network;
pub use settings::Settings;
pub use wait::wait_until;
