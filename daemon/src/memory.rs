//! Gives back memory that is not used any more: at once what the C library has given out, and now
//! and then the pages of code that only the start, or a rare command, has used. It owns the list of
//! the mappings that hold the program's code and constants.
//!
//! The command line, the settings and the introducers' names take most of the code that a start
//! runs. The kernel maps it in pieces of 64 KiB, and never unmaps it unless memory is short.

use nix::sys::mman::{MmapAdvise, madvise};
use std::ffi::c_void;
use std::fs;
use std::ops::Range;
use std::ptr::NonNull;
use std::time::Duration;
use tokio::time::{Instant, MissedTickBehavior, interval_at};
use tracing::debug;

/// By then a member that joins on start has usually joined.
const FIRST_AFTER: Duration = Duration::from_secs(5);

/// How often the pages are given back. Heartbeats map their own again, in less than a millisecond.
const EVERY: Duration = Duration::from_secs(60);

/// From this size on, the C library maps memory for itself alone, and unmaps it when it is freed.
/// In bytes. Otherwise it learns from the first large block to keep blocks of that size:
/// mallopt(3).
#[cfg(target_env = "gnu")]
const MAPPED: i32 = 128 * 1024;

/// Lets the C library keep little of what is freed. Only C libraries use it, which search: PCRE2
/// and zstd. What they have is counted by the memory for searches, and so what they had must be
/// gone. Call it before there is a second thread.
pub fn keep_little_freed() {
    #[cfg(target_env = "gnu")]
    for (parameter, value) in
        [(nix::libc::M_MMAP_THRESHOLD, MAPPED), (nix::libc::M_TRIM_THRESHOLD, MAPPED)]
    {
        // SAFETY: it only changes a number of the allocator, and no other thread allocates yet.
        #[allow(unsafe_code)]
        let is_set = unsafe { nix::libc::mallopt(parameter, value) } == 1;
        if !is_set {
            debug!(parameter, "the C library does not set this parameter of its memory");
        }
    }
}

/// The read-only mappings of the program and of the libraries that it is linked with.
#[derive(Debug)]
pub struct LoadedCode(Vec<Range<usize>>);

impl LoadedCode {
    /// Reads the mappings of this process, as `/proc/self/smaps` of proc(5) lists them. It must be
    /// called before the program maps any file itself: what the loader has mapped by then is never
    /// unmapped. Where there is no `/proc`, the list is empty.
    pub fn at_start() -> LoadedCode {
        let smaps = fs::read_to_string("/proc/self/smaps").unwrap_or_default();
        LoadedCode(clean_files(&smaps))
    }

    /// Unmaps the pages. The kernel's cache of files keeps them, and maps them again when they are
    /// used.
    pub fn release(&self) {
        for Range { start, end } in &self.0 {
            let Some(address) = NonNull::new(*start as *mut c_void) else { continue };
            // SAFETY: `at_start` has found a private mapping of a file there. Nobody can write to
            // it, and nobody had before it became read-only. So each page is read from the file
            // again with the same content. The loader keeps this mapping until the process ends.
            #[allow(unsafe_code)]
            let released = unsafe { madvise(address, end - start, MmapAdvise::MADV_DONTNEED) };
            if let Err(error) = released {
                debug!(%error, "cannot give pages of code back");
            }
        }
    }

    /// Releases the pages from time to time, forever.
    pub async fn release_often(self) {
        let mut times = interval_at(Instant::now() + FIRST_AFTER, EVERY);
        times.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            times.tick().await;
            self.release();
        }
    }
}

/// The mappings of `smaps` that are private, of a file, not writable, and without a page that was
/// changed. The loader changes pages that hold addresses before it makes them read-only.
fn clean_files(smaps: &str) -> Vec<Range<usize>> {
    let mut mapping = None;
    let mut found = Vec::new();
    for line in smaps.lines() {
        if let Some(anonymous) = line.strip_prefix("Anonymous:") {
            let clean = anonymous.trim() == "0 kB";
            found.extend(mapping.take().filter(|_| clean));
        } else if !line.split_whitespace().next().is_some_and(|word| word.ends_with(':')) {
            mapping = read_only_file(line);
        }
    }
    found
}

/// The addresses of a mapping if its line says that it is a file's, private and not writable.
fn read_only_file(line: &str) -> Option<Range<usize>> {
    let mut words = line.split_whitespace();
    let (start, end) = words.next()?.split_once('-')?;
    let (rights, path) = (words.next()?, words.nth(3)?);
    let address = |text| usize::from_str_radix(text, 16).ok();
    let fits = rights.starts_with("r-") && rights.ends_with('p') && path.starts_with('/');
    if fits { Some(address(start)?..address(end)?) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::env;
    use std::process::Command;

    /// The bytes of the mappings that are in memory.
    fn resident_bytes(code: &LoadedCode) -> u64 {
        let mut bytes = 0;
        let mut counted = false;
        for line in fs::read_to_string("/proc/self/smaps").unwrap().lines() {
            if let Some(kib) = line.strip_prefix("Rss:").filter(|_| counted) {
                bytes += kib.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1_024;
            } else if !line.split_whitespace().next().unwrap().ends_with(':') {
                counted = read_only_file(line).is_some_and(|range| code.0.contains(&range));
            }
        }
        bytes
    }

    #[test]
    fn only_clean_private_read_only_files_are_found() {
        let smaps = "\
5000-6000 r-xp 00001000 fe:00 77 /usr/sbin/memberd
Rss: 4 kB
Anonymous:             0 kB
VmFlags: rd ex
6000-7000 r--p 00002000 fe:00 77 /usr/sbin/memberd
Anonymous:             4 kB
7000-8000 rw-p 00003000 fe:00 77 /usr/sbin/memberd
Anonymous:             0 kB
8000-9000 r--s 00000000 fe:00 78 /var/log/syslog
Anonymous:             0 kB
9000-a000 r--p 00000000 00:00 0 [vvar]
Anonymous:             0 kB
a000-b000 r--p 00000000 00:00 0
Anonymous:             0 kB
b000-d000 r--p 00000000 fe:00 79 /usr/lib/a b.so
Anonymous:             0 kB
";
        assert_eq!(clean_files(smaps), [0x5000..0x6000, 0xb000..0xd000]);
    }

    /// In a process of its own, since other tests could map code again between the two looks.
    #[test]
    fn released_code_is_no_longer_resident_and_runs_on() {
        const ALONE: &str = "MEMBERD_TEST_RUNS_ALONE";
        const TEST: &str = "memory::tests::released_code_is_no_longer_resident_and_runs_on";
        if env::var_os(ALONE).is_none() {
            let mut alone = Command::new(env::current_exe().unwrap());
            alone.env(ALONE, "1").args([TEST, "--exact", "--test-threads=1"]);
            let output = alone.output().unwrap();
            let said = String::from_utf8_lossy(&output.stdout);
            assert!(output.status.success() && said.contains("1 passed"), "{output:?}");
            return;
        }
        let code = LoadedCode::at_start();
        let before = resident_bytes(&code);
        code.release();
        let after = resident_bytes(&code);
        assert!(after < before, "{before} bytes before, {after} after");
    }
}
