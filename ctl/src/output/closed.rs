//! Whether standard output was closed when the program was started. It owns that one fact.
//!
//! Before `main` begins, Rust's runtime opens /dev/null in place of a closed standard stream. So
//! output would be lost without an error, where GNU grep has a write error. The program that is
//! started can see the difference only before that, in `.init_array` (System V ABI, chapter 5).
#![expect(unsafe_code, reason = "only a function of .init_array runs early enough")]

use std::io::Error;
use std::os::fd::BorrowedFd;
use std::sync::atomic::{AtomicBool, Ordering};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, fcntl};

static WAS_CLOSED: AtomicBool = AtomicBool::new(false);

// SAFETY: the C library calls each entry once, with its arguments, before `main`. The function uses
// none of Rust's runtime.
#[used]
#[unsafe(link_section = ".init_array")]
static LOOK: extern "C" fn() = look;

extern "C" fn look() {
    // SAFETY: the number is only looked up, and a closed one gives EBADF: fcntl(2).
    let stdout = unsafe { BorrowedFd::borrow_raw(1) };
    WAS_CLOSED.store(fcntl(stdout, FcntlArg::F_GETFD) == Err(Errno::EBADF), Ordering::Relaxed);
}

/// Fails as a write to a closed standard output would.
pub(super) fn check() -> Result<(), Error> {
    match WAS_CLOSED.load(Ordering::Relaxed) {
        true => Err(Errno::EBADF.into()),
        false => Ok(()),
    }
}
