//! Looks into what members keep of each other's logs, on their disks. It owns no state.

use super::answer::{Follow, is_storm};
use super::line::Log;
use super::truth::Truth;
use crate::Daemon;
use memberd_copies::kept::{self, KeptStream};
use memberd_copies::needs::Needs;
use memberd_membership::Name;
use std::fs;
use std::path::{Path, PathBuf};

/// How many bytes of a file tell it from all others.
const BEGINNING: usize = 1_024;

/// What a member keeps of another one.
fn streams(keeper: &Daemon, source: &str) -> Result<Vec<KeptStream>, String> {
    let name = Name::new(source).map_err(|error| error.to_string())?;
    let directory = keeper.settings.state_dir.join("copies");
    kept::list(&directory, &name).map_err(|error| format!("{}: {error}", directory.display()))
}

/// What a member keeps of a machine's logs, in words.
pub(super) fn told(keeper: &Daemon, source: &str) -> String {
    let streams = match streams(keeper, source) {
        Ok(streams) => streams,
        Err(error) => return error,
    };
    let line = |stream: &KeptStream| {
        let KeptStream { head, begin, end, dropped_bytes, .. } = stream;
        let name = head.path.file_name().unwrap_or_default().display();
        let of = head.id;
        format!(
            "  {name} inode {} begun {}: {begin}..{end}, {dropped_bytes} dropped, {} lost, \
             listed {}, offered {}\n",
            of.inode, of.begun_ms, head.lost_bytes, head.listed, head.offered
        )
    };
    streams.iter().map(line).collect()
}

/// All that a member keeps of a machine's logs is what the machine wrote.
///
/// # Errors
/// When it is not.
pub(super) fn verify(keeper: &Daemon, truth: &Truth) -> Result<u64, String> {
    let mut bytes = 0;
    for stream in streams(keeper, truth.machine())? {
        let text = text(&stream).map_err(|error| format!("{:?}: {error}", stream.head))?;
        bytes += text.len() as u64;
        let of_stream = |error: String| format!("{error}, in {:?}", stream.head);
        verify_text(&stream, &text, truth).map_err(of_stream)?;
    }
    Ok(bytes)
}

fn text(stream: &KeptStream) -> Result<Vec<u8>, String> {
    let mut text = Vec::new();
    for block in stream.blocks(&Needs::Anything) {
        let block = block.map_err(|error| error.to_string())?;
        if block.offset != stream.begin + text.len() as u64 {
            return Err(format!("a block at {} after {} bytes", block.offset, text.len()));
        }
        text.extend(block.read().map_err(|error| error.to_string())?);
    }
    Ok(text)
}

fn verify_text(stream: &KeptStream, text: &[u8], truth: &Truth) -> Result<(), String> {
    let path = &stream.head.path;
    if !is_storm(path) {
        let written = fs::read(path).map_err(|error| error.to_string())?;
        let from = usize::try_from(stream.begin).unwrap_or(usize::MAX);
        let is_there = written.get(from..).is_some_and(|written| written.starts_with(text));
        return if is_there { Ok(()) } else { Err("not what is there".to_owned()) };
    }
    let Some(lines) = text.strip_suffix(b"\n") else {
        return if text.is_empty() { Ok(()) } else { Err("half a line".to_owned()) };
    };
    let (mut follow, mut offset) = (Follow::new(truth), stream.begin);
    for line in lines.split(|byte| *byte == b'\n') {
        follow.take(path, offset, line)?;
        offset += line.len() as u64 + 1;
    }
    Ok(())
}

/// The files of a machine that are not kept whole by two of these members, and what is.
pub(super) fn not_kept_twice(
    keepers: &[&Daemon],
    machine: &Daemon,
    with_rotated: bool,
) -> Result<Vec<String>, String> {
    let mut kept = Vec::new();
    for keeper in keepers.iter().filter(|keeper| keeper.name() != machine.name()) {
        kept.push(streams(keeper, machine.name())?);
    }
    let mut missing = Vec::new();
    for path in files(machine.directory(), with_rotated) {
        let written = fs::read(&path).map_err(|error| error.to_string())?;
        let beginning = &written[..written.len().min(BEGINNING)];
        let is_whole = |stream: &KeptStream| {
            let fingerprint = &stream.head.fingerprint;
            let is_of = fingerprint.bytes > 0 && fingerprint.is_of(beginning);
            is_of && stream.begin == 0 && stream.end >= written.len() as u64
        };
        let whole = kept.iter().filter(|streams| streams.iter().any(is_whole)).count();
        if whole < 2 && !written.is_empty() {
            missing.push(format!("{}: {} bytes: {whole} times", path.display(), written.len()));
        }
    }
    Ok(missing)
}

/// The logs of a machine.
pub(super) fn files(directory: &Path, with_rotated: bool) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    paths.retain(|path| {
        is_storm(path) && (with_rotated || Log::ALL.iter().any(|log| path.ends_with(log.file())))
    });
    paths.sort();
    paths
}
