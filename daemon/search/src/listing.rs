//! Describes the exposed files for people: how large they are, how they are compressed, and which
//! times their lines have. It reads a bounded part of each file.

use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use crate::files::{
    Compression, DecompressError, ExposedFile, ExposedFiles, FileFilter, ONLY_LINKS, Opened, reason,
};
use crate::time::{Times, Zone, format_of};

/// How much of the beginning and of the end of a file is read at first, and then at most, for a
/// line with a time.
const PARTS_BYTES: [usize; 2] = [16 * 1024, 128 * 1024];

/// What a listing may cost.
#[derive(Debug, Clone, Copy)]
pub struct ListingLimits {
    /// The most files.
    pub files: usize,
    /// The most bytes that are read of all files together. Of further files, no times are known.
    pub bytes: u64,
    /// When the reading ends. Of further files, no times are known.
    pub until: Instant,
}

/// The exposed files that a filter selects.
#[derive(Debug, Clone, Default)]
pub struct Listing {
    /// The files as a search with `--rotated` finds them, and then what cannot be searched.
    pub files: Vec<ListedFile>,
    /// The globs that matched no exposed file, as written.
    pub unmatched: Vec<String>,
    /// Whether there are more files.
    pub cut: bool,
}

/// One exposed file. Times are in milliseconds since the Unix epoch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ListedFile {
    /// Its path.
    pub path: PathBuf,
    /// Its size in bytes, if it can be opened.
    pub size: Option<u64>,
    /// When it was last written, if it can be opened.
    pub modified: Option<i64>,
    /// How it is compressed, if it is.
    pub compression: Option<&'static str>,
    /// The path of the file that it was rotated away from, if it was.
    pub rotated_from: Option<PathBuf>,
    /// The times of its first and its last line with a time, if they are found near its beginning
    /// and its end. Those of compressed files are not looked for.
    pub span: Option<(i64, i64)>,
    /// The name of the format of the first of them.
    pub format: Option<&'static str>,
    /// Why it cannot be searched, if it cannot.
    pub problem: Option<String>,
    /// Whether that is an error for a search. Links that are not followed are none.
    pub is_error: bool,
}

impl ExposedFiles {
    /// Lists the exposed files that `filter` selects, as they are now. Reads them, so it blocks.
    pub fn list(
        &self,
        filter: &FileFilter,
        mut limits: ListingLimits,
        cancel: &AtomicBool,
    ) -> Listing {
        let found = self.files_unless(cancel, &filter.clone().rotated(true));
        let zone = Zone::local();
        let mut files = Vec::new();
        let mut cut = found.cut;
        for file in &found.files {
            if files.len() == limits.files {
                cut = true;
                break;
            }
            files.push(describe(file, &zone, &mut limits));
        }
        let of_problem = |path: PathBuf, problem: String, is_error| ListedFile {
            path,
            problem: Some(problem),
            is_error,
            ..ListedFile::default()
        };
        let problems = found.problems.into_iter();
        let problems = problems.map(|other| of_problem(other.path, other.reason, true));
        let links = found.only_links.into_iter().map(PathBuf::from);
        let links = links.map(|glob| of_problem(glob, ONLY_LINKS.to_owned(), false));
        files.extend(problems.chain(links).take(limits.files));
        Listing { files, unmatched: found.unmatched, cut }
    }
}

/// Describes a file, and takes what was read from the limits.
fn describe(file: &ExposedFile, zone: &Zone, limits: &mut ListingLimits) -> ListedFile {
    let opened = file.open();
    let path = file.path().to_owned();
    let rotated_from = Some(file.origin()).filter(|origin| *origin != path).map(PathBuf::from);
    let listed = ListedFile { path, rotated_from, ..ListedFile::default() };
    let opened = match opened {
        Ok(Some(opened)) => opened,
        Ok(None) => return with_problem(listed, "is gone, or is no regular file any more"),
        Err(error) => return with_problem(listed, &reason(&error)),
    };
    let listed = ListedFile { size: Some(opened.size), modified: Some(opened.modified), ..listed };
    match Compression::of(&opened.file, file.path()) {
        Err(error) => with_problem(listed, &reason(&error)),
        Ok(Some(compression)) => match compression.name() {
            Ok(name) => ListedFile { compression: Some(name), ..listed },
            Err(error) => with_problem(listed, &error.to_string()),
        },
        Ok(None) if Instant::now() >= limits.until => listed,
        Ok(None) => {
            let found = times(&opened, zone, &mut limits.bytes);
            let (span, format) = found.map_or((None, None), |(span, format)| (Some(span), format));
            ListedFile { span, format, ..listed }
        }
    }
}

fn with_problem(listed: ListedFile, problem: &str) -> ListedFile {
    ListedFile { problem: Some(problem.to_owned()), is_error: true, ..listed }
}

/// The first and the last time, and the format of the first. None unless both are found.
fn times(
    opened: &Opened,
    zone: &Zone,
    bytes_left: &mut u64,
) -> Option<((i64, i64), Option<&'static str>)> {
    let mut times = Times::new(zone, opened.modified);
    for part_bytes in PARTS_BYTES {
        let part = usize::try_from(opened.size).unwrap_or(usize::MAX).min(part_bytes);
        *bytes_left = bytes_left.checked_sub(2 * part as u64)?;
        let mut buffer = vec![0; part];
        let read = opened.read_at(&mut buffer, 0)?;
        let head = buffer.get(..read).unwrap_or_default();
        let first = lines(head).find_map(|line| Some((times.of(line)?, format_of(line, zone))));
        let from = opened.size.saturating_sub(part as u64);
        let read = opened.read_at(&mut buffer, from)?;
        let tail = buffer.get(..read).unwrap_or_default();
        // The first line of the part may miss its beginning.
        let whole = if from == 0 {
            tail
        } else {
            tail.get(memchr::memchr(b'\n', tail).map_or(tail.len(), |end| end + 1)..)?
        };
        let last = lines(whole).rev().find_map(|line| times.of(line));
        match (first, last) {
            (Some((first, format)), Some(last)) => return Some(((first, last), format)),
            // There is nothing more to read.
            _ if part as u64 == opened.size => return None,
            _ => {}
        }
    }
    None
}

fn lines(text: &[u8]) -> impl DoubleEndedIterator<Item = &[u8]> {
    text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty())
}

impl Compression {
    /// What it is called.
    ///
    /// # Errors
    /// When it is not read.
    fn name(self) -> Result<&'static str, DecompressError> {
        match self {
            Compression::Gzip => Ok("gzip"),
            Compression::Zstd => Ok("zstd"),
            Compression::Skippable => Ok("zstd or lz4"),
            Compression::Xz => Ok("xz"),
            Compression::Lzma => Ok("lzma"),
            Compression::Lzip => Ok("lzip"),
            Compression::Bzip2 => Ok("bzip2"),
            Compression::Lz4 | Compression::Lz4Legacy => Ok("lz4"),
            Compression::Unread(name) => Err(DecompressError::Unread(name)),
            Compression::Encrypted => Err(DecompressError::Encrypted),
            Compression::Misnamed(name) => Err(DecompressError::Misnamed(name)),
        }
    }
}

impl Opened {
    /// Reads from this offset on. Fewer bytes come back only at the file's end; none on an error.
    fn read_at(&self, buffer: &mut [u8], at: u64) -> Option<usize> {
        use std::os::unix::fs::FileExt as _;
        let mut read = 0;
        while let Some(rest) = buffer.get_mut(read..).filter(|rest| !rest.is_empty()) {
            match self.file.read_at(rest, at + read as u64).ok()? {
                0 => break,
                more => read += more,
            }
        }
        Some(read)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::time::Duration;

    use super::*;

    const DAY: i64 = 24 * 60 * 60 * 1000;

    fn limits() -> ListingLimits {
        let until = Instant::now() + Duration::from_secs(600);
        ListingLimits { files: 100, bytes: 1 << 30, until }
    }

    fn list(directory: &tempfile::TempDir, limits: ListingLimits) -> Listing {
        let glob = directory.path().join("*.log");
        let exposed = ExposedFiles::new(&[glob.to_str().unwrap()]).unwrap();
        exposed.list(&FileFilter::default(), limits, &AtomicBool::new(false))
    }

    #[test]
    fn each_file_has_its_size_its_span_and_what_it_was_rotated_from() {
        let directory = tempfile::TempDir::new().unwrap();
        let write = |name: &str, text: &[u8]| fs::write(directory.path().join(name), text).unwrap();
        let long = "no time here\n".repeat(5_000);
        write("a.log", b"begin\n2026-11-21T00:00:00Z x\n y\n2026-11-22T00:00:00.5Z z\n y\n");
        write("a.log.1", format!("{long}2026-11-20T00:00:00Z x\n").as_bytes());
        write("b.log", b"\x1f\x8b\x08rest");
        write("c.log", b"no time\n");
        write("d.log", b"Rar!\x1a\x07rest");
        std::os::unix::fs::symlink("a.log", directory.path().join("e.log")).unwrap();
        let listing = list(&directory, limits());
        let names: Vec<_> = listing.files.iter().map(|file| file.path.file_name()).collect();
        let expected = ["a.log.1", "a.log", "b.log", "c.log", "d.log"];
        assert_eq!(names, expected.map(|name| Some(name.as_ref())));
        let [old, new, zipped, undated, rar] = listing.files.as_slice() else { panic!() };
        let (first, last) = new.span.unwrap();
        assert_eq!((last - first, new.format), (DAY + 500, Some("RFC 3339 and ISO 8601")));
        assert_eq!((new.size, new.rotated_from.as_ref()), (Some(60), None));
        assert_eq!(old.rotated_from.as_ref(), Some(&new.path));
        // Its only time is far from its beginning.
        assert_eq!(old.span, Some((first - DAY, first - DAY)));
        assert_eq!((zipped.compression, zipped.span), (Some("gzip"), None));
        assert_eq!((undated.span, undated.format, undated.problem.as_ref()), (None, None, None));
        assert!(rar.problem.as_ref().unwrap().starts_with("is compressed with rar"));
        assert!(!listing.cut);
    }

    #[test]
    fn a_listing_is_bounded() {
        let directory = tempfile::TempDir::new().unwrap();
        for number in 0..5 {
            let text = "2026-11-21T00:00:00Z x\n";
            fs::write(directory.path().join(format!("{number}.log")), text).unwrap();
        }
        let dated = |limits| {
            let listing = list(&directory, limits);
            let dated = listing.files.iter().filter(|file| file.span.is_some()).count();
            (listing.files.len(), dated, listing.cut)
        };
        assert_eq!(dated(limits()), (5, 5, false));
        assert_eq!(dated(ListingLimits { files: 3, ..limits() }), (3, 3, true));
        assert_eq!(dated(ListingLimits { bytes: 2 * 23 * 2, ..limits() }), (5, 2, false));
        assert_eq!(dated(ListingLimits { until: Instant::now(), ..limits() }), (5, 0, false));
    }
}
