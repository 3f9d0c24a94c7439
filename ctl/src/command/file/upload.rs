//! Sends the bytes of a local file or of standard input behind a request that writes. It owns no
//! state.

use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use memberd_control::message::{FILE_PIECE_BYTES, FileReply, FileRequest, FileUpload};

use super::progress::{Progress, Unit};
use super::{ask, path};
use crate::connection::{Connection, Daemon, unexpected_reply};
use crate::exit::{Exit, Failure};

/// The permission bits of what comes from no file.
const USUAL_MODE: u16 = 0o644;

/// Where bytes come from.
#[derive(Debug)]
pub(super) struct Source {
    file: File,
    name: PathBuf,
    metadata: Option<Metadata>,
}

impl Source {
    /// Opens a local file; `-` is standard input.
    pub(super) fn open(local: &Path) -> Result<Source, Failure> {
        if path::is_stream(local) {
            let stdin = io::stdin().as_fd().try_clone_to_owned();
            let file = stdin.map(File::from).map_err(|error| unreadable(local, &error))?;
            return Ok(Source { file, name: PathBuf::from("standard input"), metadata: None });
        }
        let opened = File::open(local).and_then(|file| file.metadata().map(|found| (file, found)));
        let (file, metadata) = opened.map_err(|error| unreadable(local, &error))?;
        if metadata.is_dir() {
            return Err(Failure::new(
                Exit::Failed,
                format!("{} is a directory: put its files one by one, or as tar", local.display()),
            ));
        }
        Ok(Source { file, name: local.to_owned(), metadata: Some(metadata) })
    }

    /// Its permission bits.
    pub(super) fn mode(&self) -> u16 {
        let mode = self.metadata.as_ref().map(|found| found.permissions().mode() & 0o777);
        mode.and_then(|mode| u16::try_from(mode).ok()).unwrap_or(USUAL_MODE)
    }

    /// Its bytes, as far as they are known before.
    fn length(&self) -> Option<u64> {
        self.metadata.as_ref().filter(|found| found.is_file()).map(Metadata::len)
    }
}

/// Sends the request and the bytes. Returns once they are durable.
pub(super) fn send(
    daemon: &Daemon,
    request: FileRequest,
    mut source: Source,
) -> Result<(), Failure> {
    let mut progress = Progress::without_output(Unit::Bytes);
    let mut connection = ask::ask(daemon, request)?;
    let Some(FileReply::Ready) = ask::answer(&mut connection)? else {
        return Err(unexpected_reply());
    };
    pass(&mut connection, &mut source, &mut progress)?;
    match ask::answer(&mut connection)? {
        Some(FileReply::Written { .. }) => Ok(()),
        _ => Err(unexpected_reply()),
    }
}

/// Passes the bytes on until they end, or the daemon has said something.
fn pass(
    connection: &mut Connection,
    source: &mut Source,
    progress: &mut Progress,
) -> Result<(), Failure> {
    let (total, mut sent) = (source.length(), 0_u64);
    loop {
        if !connection.wait_for_input(source.file.as_fd())? {
            return Ok(());
        }
        let mut piece = vec![0; FILE_PIECE_BYTES];
        let read = fill(&mut source.file, &mut piece);
        let read = read.map_err(|error| unreadable(&source.name, &error))?;
        piece.truncate(read);
        let message = if read == 0 { FileUpload::End } else { FileUpload::Bytes(piece) };
        if !connection.send_more(&message)? || read == 0 {
            return Ok(());
        }
        sent = sent.saturating_add(u64::try_from(read).unwrap_or(u64::MAX));
        progress.show(sent, total);
    }
}

/// Reads once.
fn fill(from: &mut impl Read, piece: &mut [u8]) -> io::Result<usize> {
    loop {
        match from.read(piece) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            read => return read,
        }
    }
}

fn unreadable(local: &Path, error: &io::Error) -> Failure {
    let words = format!("cannot read {}: {error}; nothing was written", local.display());
    Failure::new(Exit::Failed, words)
}
