//! Lists this machine's searchable files for other members and for this daemon itself, and asks
//! other members for theirs. It owns no state.

use super::local::LocalSearcher;
use super::reply_source::{TOO_OLD_FOR_LIMIT, describe_error, explain_refusal};
use crate::blocking::run_low_priority;
use crate::peer::{FILES, LIMITED_FILES, check_limit};
use memberd_control::files::{
    FileListing, FileRecord, FilesRequest, JournalRecord, LISTING_CAP, MAX_LISTED_FILES,
};
use memberd_control::frame::{HEADER_BYTES, decode, encode};
use memberd_membership::Identity;
use memberd_search::{FileFilter, ListedFile, ListingLimits};
use memberd_transport::{Caller, RequestKind, Source};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How long a listing waits until a search ends.
const SLOT_LIMIT: Duration = Duration::from_secs(3);

/// How long the files are read for the times in them.
const READ_LIMIT: Duration = Duration::from_secs(4);

/// The most bytes of files that are read for one listing.
const MOST_READ_BYTES: u64 = 64 * 1024 * 1024;

/// How long another member may take for its listing.
const ANSWER_LIMIT: Duration = Duration::from_secs(12);

/// How many bytes of texts the files of one listing may have. The rest of a record is short.
const TEXTS_BYTES: usize = LISTING_CAP / 2;

/// Lists the files of this machine. It takes a place of the searches, which is counted for the
/// source. Whoever drops the future ends the listing.
pub(crate) async fn list_here(
    searcher: &Arc<LocalSearcher>,
    request: FilesRequest,
    source: Source,
) -> FileListing {
    let refused = |reason: String| FileListing { refused: Some(reason), ..FileListing::default() };
    let slot = match searcher.slots.enter_within_as(source, SLOT_LIMIT).await {
        Ok(slot) => slot,
        Err(full) => return refused(full.to_string()),
    };
    let searcher = Arc::clone(searcher);
    let under_way = UnderWay::default();
    let cancel = Arc::clone(&under_way.0);
    let listed = run_low_priority(move || {
        let listing = list(&searcher, &request, &cancel);
        drop(slot);
        listing
    });
    listed.await.unwrap_or_else(|error| refused(error.to_string()))
}

/// A listing. Dropping it ends the listing.
#[derive(Debug, Default)]
struct UnderWay(Arc<AtomicBool>);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Answers another member's request of this kind. The listing is counted for that machine.
///
/// # Errors
/// When the request is not understood, or the reply is too long, which does not happen.
pub async fn answer(
    searcher: &Arc<LocalSearcher>,
    kind: RequestKind,
    bytes: &[u8],
    source: Source,
) -> io::Result<Vec<u8>> {
    let request = decode::<FilesRequest>(bytes).map_err(io::Error::other)?;
    let listing = match check_limit(kind, &request.only) {
        Ok(()) => list_here(searcher, request, source).await,
        Err(reason) => FileListing { refused: Some(reason), ..FileListing::default() },
    };
    let frame = encode(&listing).map_err(io::Error::other)?;
    Ok(frame.get(HEADER_BYTES..).unwrap_or_default().to_vec())
}

/// A request as other members receive it.
#[derive(Debug)]
pub(crate) struct EncodedListing {
    kind: RequestKind,
    body: Vec<u8>,
}

impl EncodedListing {
    /// Encodes a request. One with a limit is of a kind that members without limits refuse.
    ///
    /// # Errors
    /// When the request cannot be encoded. Encoding to memory does not fail in practice.
    pub(crate) fn new(request: &FilesRequest) -> io::Result<Self> {
        let kind = if request.only.is_empty() { FILES } else { LIMITED_FILES };
        let body = encode(request).map_err(io::Error::other)?.split_off(HEADER_BYTES);
        Ok(EncodedListing { kind, body })
    }
}

/// Asks another member for its files.
///
/// # Errors
/// When it does not answer: for users, in one line.
pub(crate) async fn ask(
    caller: &Caller,
    member: &Identity,
    request: &EncodedListing,
) -> Result<FileListing, String> {
    let EncodedListing { kind, body } = request;
    let called = caller.call(member.address, *kind, body, LISTING_CAP, ANSWER_LIMIT).await;
    let too_old = match *kind {
        LIMITED_FILES => TOO_OLD_FOR_LIMIT,
        _ => "its memberd is too old for memberctl files: upgrade it",
    };
    let bytes = called.map_err(|error| describe_error(&explain_refusal(error, Some(too_old))))?;
    decode(&bytes).map_err(|error| error.to_string())
}

fn list(searcher: &LocalSearcher, request: &FilesRequest, cancel: &AtomicBool) -> FileListing {
    let filter = FileFilter::new(&request.globs).and_then(|filter| filter.only(&request.only));
    let filter = match filter {
        Ok(filter) => filter,
        Err(error) => {
            return FileListing { refused: Some(error.to_string()), ..FileListing::default() };
        }
    };
    let limits = ListingLimits {
        files: MAX_LISTED_FILES / 2,
        bytes: MOST_READ_BYTES,
        until: Instant::now() + READ_LIMIT,
    };
    let listing = searcher.offer().list(&filter, limits, cancel);
    let (mut files, mut bytes, mut cut) = (Vec::new(), 0, listing.cut);
    for file in listing.files {
        let record = record(file);
        bytes += texts_bytes(&record);
        if bytes > TEXTS_BYTES {
            cut = true;
            break;
        }
        files.push(record);
    }
    let journal = request.globs.is_empty().then(|| searcher.journal_span()).flatten();
    let journal = journal.map(|span| {
        let milliseconds = |at_us: u64| i64::try_from(at_us / 1000).ok();
        let (first, last) = span.unzip();
        JournalRecord { first: first.and_then(milliseconds), last: last.and_then(milliseconds) }
    });
    FileListing { files, journal, unmatched: listing.unmatched, cut, refused: None }
}

fn record(file: ListedFile) -> FileRecord {
    let (first, last) = file.span.unzip();
    FileRecord {
        path: file.path.to_string_lossy().into_owned(),
        size: file.size,
        modified: file.modified,
        compression: file.compression.map(str::to_owned),
        rotated_from: file.rotated_from.map(|path| path.to_string_lossy().into_owned()),
        first,
        last,
        format: file.format.map(str::to_owned),
        problem: file.problem,
        is_error: file.is_error,
    }
}

/// The bytes of a record's texts, and about those of the rest.
fn texts_bytes(record: &FileRecord) -> usize {
    let texts = [&record.rotated_from, &record.compression, &record.format, &record.problem];
    let texts = texts.into_iter().flatten().map(String::len).sum::<usize>();
    record.path.len() + texts + 160
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::search::limits::Limits;
    use memberd_search::ExposedFiles;
    use std::net::SocketAddr;

    /// A user whose searches have their share gets no further place for a listing. Others do.
    #[tokio::test]
    async fn a_listing_takes_a_place_of_its_source() {
        let limits = Limits { searches: 3, ..Limits::default() };
        let offer = ExposedFiles::new::<&str>(&[]).unwrap();
        let searcher = Arc::new(LocalSearcher::new("vm1".to_owned(), offer, limits));
        let (user, other) = (Source::User(1), Source::User(2));
        let mut held = Vec::new();
        while let Ok(place) = searcher.slots.try_enter_as(user) {
            held.push(place);
        }
        let list = |source| list_here(&searcher, FilesRequest::default(), source);
        assert_eq!(list(other).await.refused, None);
        let refused = list(user).await.refused;
        assert!(refused.is_some_and(|words| words.contains("limits.searches")));
    }

    /// As with greps, no member has all places.
    #[tokio::test]
    async fn listings_of_one_member_leave_places_to_another() {
        let limits = Limits { searches: 2, ..Limits::default() };
        let offer = ExposedFiles::new::<&str>(&[]).unwrap();
        let searcher = Arc::new(LocalSearcher::new("vm1".to_owned(), offer, limits));
        let member = |last| Source::from(SocketAddr::from(([192, 0, 2, last], 8946)));
        let _listings = searcher.slots.try_enter_as(member(1)).unwrap();
        let request = encode(&FilesRequest::default()).unwrap().split_off(HEADER_BYTES);
        for (last, is_refused) in [(1, true), (2, false)] {
            let reply = answer(&searcher, FILES, &request, member(last)).await.unwrap();
            let listing: FileListing = decode(&reply).unwrap();
            assert_eq!(listing.refused.is_some(), is_refused, "{listing:?}");
        }
    }
    /// As with greps.
    #[tokio::test]
    async fn a_limited_listing_without_a_limit_is_refused() {
        let offer = ExposedFiles::new::<&str>(&[]).unwrap();
        let searcher = Arc::new(LocalSearcher::new("vm1".to_owned(), offer, Limits::default()));
        for (only, is_refused) in [(vec![], true), (vec!["/a".to_owned()], false)] {
            let request = FilesRequest { only, ..FilesRequest::default() };
            let request = encode(&request).unwrap().split_off(HEADER_BYTES);
            let reply = answer(&searcher, LIMITED_FILES, &request, Source::Anyone).await.unwrap();
            let listing: FileListing = decode(&reply).unwrap();
            assert_eq!(listing.refused.is_some(), is_refused, "{listing:?}");
        }
    }
}
