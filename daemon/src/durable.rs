//! Writes and reads whole files that survive a crash of the machine. It owns no state.

use memberd_control::plain_file::{open_plain_file, read_plain_file};
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Writes a file that only its owner can read. Its content is durable when this returns, but its
/// name only after [`sync_folder`].
///
/// # Errors
/// When it cannot be written, or is no plain file.
pub fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let options = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).clone();
    let mut file = open_plain_file(path, &options)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Reads a file. Of one that is longer than `most` bytes it reads one byte more, so that its reader
/// takes it for damaged.
///
/// # Errors
/// When it cannot be read, or is no plain file.
pub fn read(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    read_plain_file(path)?.take(most + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Makes the names in a folder durable.
///
/// # Errors
/// When it cannot be synced.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder).and_then(|folder| folder.sync_all())
}
