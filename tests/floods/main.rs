//! Floods of all kinds at one member of a group. No live member is reported failed, and crashes are
//! noticed in time. Memory stays within the bound of the service, and everything recovers by
//! itself.
//!
//! The members and the stranger who floods one of them have a network of their own. It needs root,
//! `ip`, `nft`, `nsenter` and `setpriv`. A flood takes what the machine has, so they come one after
//! another. Each prints its figures (`--nocapture`). `FLOOD_SECONDS` in the environment is the
//! length of each, and `make soak` runs them at full length.

#![cfg(test)]

mod connections;
mod datagrams;
mod greps;
mod soak;

use memberd_tests::trials::siege::{Withstood, memory_max_kib};
use memberd_tests::{size, wait_until};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::time::Duration;

/// How long each flood lasts.
fn span() -> Duration {
    size::flood(6)
}

/// Waits for the other floods of this machine to end, in any process, and keeps further ones out.
fn alone() -> UnixListener {
    let name = SocketAddr::from_abstract_name("memberd-floods").unwrap();
    wait_until("the other floods are over", Duration::from_secs(30 * 60), || {
        UnixListener::bind_addr(&name).map_err(|error| error.to_string())
    })
}

fn print(what: &str, withstood: &Withstood) {
    let Withstood { noticed, peak_kib, processor, dropped, descriptors, recovered } = withstood;
    let [before, most] = descriptors;
    let times = noticed.each_ref().map(|noticed| {
        format!("{:.2} s, {:.2} s", noticed.first.as_secs_f64(), noticed.every.as_secs_f64())
    });
    println!(
        "| {what} | {} | {} | {:.1} of {} MiB | {:.0} % | {dropped} | {before}, {most} | {:.1} s |",
        times[0],
        times[1],
        *peak_kib as f64 / 1_024.0,
        memory_max_kib() / 1_024,
        processor * 100.0,
        recovered.as_secs_f64(),
    );
}
