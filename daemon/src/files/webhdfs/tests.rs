//! Operations of WebHDFS on real catalogs, with extents in memory.

mod shelf;

use super::adapter::{Files, Patience};
use super::blocks::Members;
use super::convert::BLOCK_BYTES;
use crate::files::members::{Standing, peer_at};
use bytes::Bytes;
use memberd_files::{ClientError, Name, ShareName};
use memberd_webhdfs::{
    Change, Checksummer, Create, FileError, FileSystem, HdfsPath, Kind, RenameMode, Span,
};
use shelf::{EXTENT_BYTES, Shelf, keepers};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// More than the catalog takes, and more than is held before an upload begins.
const LARGE: usize = 350_000;

fn files(shelf: &Shelf) -> Files<Shelf> {
    let peer = |(name, standing): (&str, Standing)| {
        (Name::new(name).unwrap(), peer_at("10.0.0.1:7946".parse().unwrap(), standing))
    };
    let peers = [("vm1", Standing::Up), ("vm2", Standing::Up), ("vm3", Standing::Failed)];
    let peers = Arc::new(peers.map(peer).into_iter().collect());
    let patience =
        Patience { newest_within: Duration::from_secs(2), tried_for: Duration::from_secs(3) };
    Files { source: shelf.clone(), members: Members::new(watch::channel(peers).1), patience }
}

fn path(text: &str) -> HdfsPath {
    HdfsPath::parse(text).unwrap()
}

fn bytes(length: usize) -> Vec<u8> {
    (0..length).map(|at| u8::try_from(at % 251).unwrap()).collect()
}

fn anew(overwrite: bool) -> Create {
    Create { overwrite, make_parents: true, user: "ann".to_owned() }
}

async fn create(files: &Files<Shelf>, at: &str, content: &[u8]) -> Result<(), FileError> {
    put(files, at, content, anew(false)).await
}

async fn put(files: &Files<Shelf>, at: &str, content: &[u8], how: Create) -> Result<(), FileError> {
    let mut writer = files.create(&path(at), how).await?;
    for piece in content.chunks(20_000) {
        writer.write(Bytes::copy_from_slice(piece)).await?;
    }
    writer.commit().await
}

async fn append(files: &Files<Shelf>, at: &str, content: &[u8]) -> Result<(), FileError> {
    let mut writer = files.append(&path(at)).await?;
    if !content.is_empty() {
        writer.write(Bytes::copy_from_slice(content)).await?;
    }
    writer.commit().await
}

async fn read(files: &Files<Shelf>, at: &str, span: Span) -> Result<Vec<u8>, FileError> {
    let mut reader = files.open(&path(at), span).await?;
    let mut all = Vec::new();
    while let Some(piece) = reader.next().await? {
        all.extend_from_slice(&piece);
    }
    assert_eq!(all.len() as u64, reader.length());
    Ok(all)
}

async fn content(files: &Files<Shelf>, at: &str) -> Vec<u8> {
    read(files, at, Span::default()).await.unwrap()
}

fn not_found<T>(result: &Result<T, FileError>) -> bool {
    matches!(result, Err(FileError::NotFound(_)))
}

fn denied<T>(result: &Result<T, FileError>) -> bool {
    matches!(result, Err(FileError::Denied(_)))
}

#[tokio::test]
async fn files_of_every_length_are_read_as_written() {
    let files = files(&Shelf::new(&["s"]));
    for length in [0, 1, 16 << 10, (16 << 10) + 1, 256 << 10, (256 << 10) + 1, LARGE] {
        let at = format!("/s/a/{length}");
        create(&files, &at, &bytes(length)).await.unwrap();
        assert_eq!(content(&files, &at).await, bytes(length), "{length}");
        let status = files.status(&path(&at)).await.unwrap();
        assert_eq!((status.kind, status.length, status.copies), (Kind::File, length as u64, 3));
    }
    let span = Span { offset: 99_990, length: Some(20) };
    let at = format!("/s/a/{LARGE}");
    assert_eq!(read(&files, &at, span).await.unwrap(), bytes(LARGE)[99_990..100_010]);
    let span = Span { offset: LARGE as u64, length: None };
    assert!(matches!(read(&files, &at, span).await, Err(FileError::OutOfRange { .. })));
    assert!(not_found(&read(&files, "/s/a", Span::default()).await));
    assert!(not_found(&read(&files, "/s/a/0/x", Span::default()).await));
}

#[tokio::test]
async fn creating_obeys_what_is_there() {
    let files = files(&Shelf::new(&["s"]));
    create(&files, "/s/d/a", b"one").await.unwrap();
    let exists = FileError::Exists("/s/d/a".to_owned());
    assert_eq!(create(&files, "/s/d/a", b"two").await, Err(exists));
    put(&files, "/s/d/a", b"three", anew(true)).await.unwrap();
    assert_eq!(content(&files, "/s/d/a").await, b"three");
    let exists = FileError::Exists("/s/d".to_owned());
    assert_eq!(put(&files, "/s/d", b"x", anew(true)).await, Err(exists));
    let below = FileError::ParentNotDirectory("/s/d/a/x".to_owned());
    assert_eq!(create(&files, "/s/d/a/x", b"x").await, Err(below));
    let without = Create { make_parents: false, ..anew(false) };
    assert!(not_found(&put(&files, "/s/e/a", b"x", without).await));
}

#[tokio::test]
async fn an_upload_that_is_dropped_leaves_nothing() {
    let files = files(&Shelf::new(&["s"]));
    let mut writer = files.create(&path("/s/a"), anew(false)).await.unwrap();
    for _ in 0..20 {
        writer.write(Bytes::from(bytes(50_000))).await.unwrap();
    }
    drop(writer);
    assert!(not_found(&files.status(&path("/s/a")).await));
}

#[tokio::test]
async fn appends_of_every_length_follow_each_other() {
    let files = files(&Shelf::new(&["s"]));
    create(&files, "/s/a", b"").await.unwrap();
    let mut all = Vec::new();
    for length in [0, 10, 16 << 10, LARGE, 10, 0] {
        append(&files, "/s/a", &bytes(length)).await.unwrap();
        all.extend_from_slice(&bytes(length));
        assert_eq!(content(&files, "/s/a").await, all, "{length}");
    }
    for length in [0, 10] {
        assert!(not_found(&append(&files, "/s/none", &bytes(length)).await));
        assert!(denied(&append(&files, "/s", &bytes(length)).await));
    }
}

#[tokio::test]
async fn a_plain_rename_says_false_where_others_fail() {
    let files = files(&Shelf::new(&["s", "t"]));
    for at in ["/s/a", "/s/b", "/s/d/c"] {
        create(&files, at, at.as_bytes()).await.unwrap();
    }
    let rename =
        async |from: &str, to: &str, mode| files.rename(&path(from), &path(to), mode).await;
    for (from, to) in [("/s/a", "/s/b"), ("/s/none", "/s/x"), ("/s/a", "/t/a"), ("/s", "/t/x")] {
        assert_eq!(rename(from, to, RenameMode::Plain).await, Ok(false), "{from} {to}");
        assert!(rename(from, to, RenameMode::Exclusive).await.is_err(), "{from} {to}");
    }
    for to in ["/s/none/x", "/", "/s/a/x"] {
        assert_eq!(rename("/s/a", to, RenameMode::Plain).await, Ok(false), "{to}");
    }
    assert_eq!(rename("/s/a", "/s/d", RenameMode::Plain).await, Ok(true));
    assert_eq!(content(&files, "/s/d/a").await, b"/s/a");
    assert_eq!(rename("/s/d", "/s/e/f", RenameMode::Plain).await, Ok(false));
    assert_eq!(rename("/s/d", "/s/e", RenameMode::Plain).await, Ok(true));
    assert_eq!(rename("/s/e/a", "/s/b", RenameMode::Overwrite).await, Ok(true));
    assert_eq!(content(&files, "/s/b").await, b"/s/a");
    let gone = Err(FileError::NotFound("/s/none".to_owned()));
    assert_eq!(rename("/s/none", "/s/x", RenameMode::Exclusive).await, gone);
    let exists = Err(FileError::Exists("/s/b".to_owned()));
    assert_eq!(rename("/s/e/c", "/s/b", RenameMode::Exclusive).await, exists);
}

#[tokio::test]
async fn deletes_say_whether_there_was_something() {
    let files = files(&Shelf::new(&["s"]));
    create(&files, "/s/d/a", b"x").await.unwrap();
    let delete = async |at: &str, recursive| files.delete(&path(at), recursive).await;
    for nothing in ["/s/none", "/s/d/a/x", "/none/x"] {
        assert_eq!(delete(nothing, true).await, Ok(false), "{nothing}");
    }
    assert_eq!(delete("/s/d", false).await, Err(FileError::NotEmpty("/s/d".to_owned())));
    assert_eq!(delete("/s/d", true).await, Ok(true));
    assert!(denied(&delete("/s", true).await) && denied(&delete("/", true).await));
}

#[tokio::test]
async fn shares_are_made_and_removed_elsewhere() {
    let files = files(&Shelf::new(&["s"]));
    let make = async |at: &str| files.make_directories(&path(at), "ann").await;
    assert_eq!(make("/").await, Ok(()));
    assert_eq!(make("/s").await, Ok(()));
    assert_eq!(make("/s/a/b").await, Ok(()));
    assert!(denied(&make("/t").await) && denied(&make("/t/a").await));
    assert!(denied(&create(&files, "/t/a", b"x").await));
    assert!(denied(&create(&files, "/t", b"x").await) && denied(&create(&files, "/", b"").await));
    assert!(not_found(&files.status(&path("/t/a")).await));
    assert!(not_found(&files.status(&path("/no share/a")).await));
    create(&files, "/s/f", b"x").await.unwrap();
    assert_eq!(make("/s/f").await, Err(FileError::Exists("/s/f".to_owned())));
    assert_eq!(make("/s/f/x").await, Err(FileError::ParentNotDirectory("/s/f/x".to_owned())));
}

#[tokio::test]
async fn a_directory_is_listed_in_pages() {
    let files = files(&Shelf::new(&["s", "a", "z"]));
    for name in ["b", "a", "ä", "c"] {
        create(&files, &format!("/s/d/{name}"), b"x").await.unwrap();
    }
    let names = async |at: &str, after: Option<&str>, limit| {
        let page = files.list(&path(at), after, limit).await.unwrap();
        let names: Vec<String> = page.entries.into_iter().map(|(name, _)| name).collect();
        (names.join(" "), page.remaining)
    };
    assert_eq!(names("/s/d", None, 10).await, ("a b c ä".to_owned(), 0));
    assert_eq!(names("/s/d", None, 2).await, ("a b".to_owned(), 2));
    assert_eq!(names("/s/d", Some("b"), 2).await, ("c ä".to_owned(), 0));
    assert_eq!(names("/s/d/a", None, 2).await, (String::new(), 0));
    assert_eq!(names("/", None, 2).await, ("a s".to_owned(), 1));
    assert_eq!(names("/", Some("s"), 2).await, ("z".to_owned(), 0));
    assert!(not_found(&files.list(&path("/s/d/a/x"), None, 1).await));
    assert_eq!(files.status(&path("/")).await.unwrap().children, 3);
    assert_eq!(files.status(&path("/s/d")).await.unwrap().children, 4);
}

#[tokio::test]
async fn parts_are_joined_whatever_their_lengths() {
    let files = files(&Shelf::new(&["s"]));
    for (number, lengths) in
        [vec![0, 10, 10], vec![LARGE, LARGE], vec![0, LARGE, 10], vec![10, LARGE], vec![LARGE, 0]]
            .into_iter()
            .enumerate()
    {
        let at = |part: usize| format!("/s/{number}/{part}");
        let mut all = Vec::new();
        for (part, length) in lengths.iter().enumerate() {
            create(&files, &at(part), &bytes(*length)).await.unwrap();
            all.extend_from_slice(&bytes(*length));
        }
        let sources: Vec<HdfsPath> = (1..lengths.len()).map(|part| path(&at(part))).collect();
        files.concat(&path(&at(0)), &sources).await.unwrap();
        assert_eq!(content(&files, &at(0)).await, all, "{lengths:?}");
        let page = files.list(&path(&format!("/s/{number}")), None, 10).await.unwrap();
        assert_eq!(page.entries.len(), 1, "{lengths:?}");
    }
}

#[tokio::test]
async fn a_file_is_cut_anywhere() {
    let files = files(&Shelf::new(&["s"]));
    for (length, to) in [(10, 5), (LARGE, EXTENT_BYTES), (LARGE, 120_000), (LARGE, 3), (LARGE, 0)] {
        put(&files, "/s/a", &bytes(length), anew(true)).await.unwrap();
        files.truncate(&path("/s/a"), to as u64).await.unwrap();
        assert_eq!(content(&files, "/s/a").await, bytes(length)[..to], "{length} {to}");
    }
    let longer = files.truncate(&path("/s/a"), 1).await;
    assert!(matches!(longer, Err(FileError::Invalid(_))));
}

#[tokio::test]
async fn attributes_and_sums_are_shown() {
    let files = files(&Shelf::new(&["s", "t"]));
    create(&files, "/s/d/a", &bytes(10)).await.unwrap();
    create(&files, "/s/d/b", &bytes(LARGE)).await.unwrap();
    let change = async |change| files.change(&path("/s/d/a"), &change).await;
    change(Change::Permission(0o600)).await.unwrap();
    change(Change::Owner { owner: Some("ann".to_owned()), group: None }).await.unwrap();
    change(Change::Times { modified: Some(7), accessed: None }).await.unwrap();
    change(Change::Copies(2)).await.unwrap();
    assert!(matches!(change(Change::Copies(6)).await, Err(FileError::Invalid(_))));
    let status = files.status(&path("/s/d/a")).await.unwrap();
    let shown = (status.permission, status.owner.as_str(), status.group.as_str());
    assert_eq!(shown, (0o600, "ann", "memberd"));
    assert_eq!((status.modified, status.copies), (7, 2));
    let sum = files.summary(&path("/s/d")).await.unwrap();
    assert_eq!((sum.directories, sum.files, sum.length), (1, 2, LARGE as u64 + 10));
    assert_eq!(sum.stored, 3 * LARGE as u64 + 20);
    let sum = files.summary(&path("/")).await.unwrap();
    assert_eq!((sum.directories, sum.files), (4, 2));
}

/// Also a file that lies in the catalog has a block, where its keepers are. Who is down is left
/// out.
#[tokio::test]
async fn blocks_lie_where_members_are_up() {
    let files = files(&Shelf::new(&["s"]));
    create(&files, "/s/a", &bytes(LARGE)).await.unwrap();
    create(&files, "/s/b", b"x").await.unwrap();
    create(&files, "/s/c", b"").await.unwrap();
    let blocks = files.blocks(&path("/s/a")).await.unwrap();
    let spans: Vec<_> = blocks.iter().map(|block| (block.offset, block.length)).collect();
    assert_eq!(spans, [(0, 100_000), (100_000, 100_000), (200_000, 100_000), (300_000, 50_000)]);
    let at = IpAddr::from([10, 0, 0, 1]);
    let hosts: Vec<_> = blocks[3].holders.iter().map(|it| (it.host.as_str(), it.address)).collect();
    assert_eq!(hosts, [("vm1", at), ("vm2", at)]);
    assert_eq!(keepers().len(), 3);
    assert_eq!(files.blocks(&path("/s/b")).await.unwrap()[0].holders.len(), 2);
    assert_eq!(files.blocks(&path("/s/c")).await, Ok(Vec::new()));
    assert!(not_found(&files.blocks(&path("/s")).await));
}

#[tokio::test]
async fn the_checksum_is_that_of_the_content() {
    let files = files(&Shelf::new(&["s"]));
    create(&files, "/s/a", &bytes(LARGE)).await.unwrap();
    let mut summer = Checksummer::new(BLOCK_BYTES);
    summer.update(&bytes(LARGE));
    assert_eq!(files.checksum(&path("/s/a")).await, Ok(summer.finish()));
}

/// While a keeper or a holder is replaced, clients wait and notice nothing.
#[tokio::test]
async fn what_fails_for_a_moment_is_tried_again() {
    let shelf = Shelf::new(&["s"]);
    let files = files(&shelf);
    let closed = || ClientError::Closed { share: ShareName::new("s").unwrap(), keepers: keepers() };
    shelf.fail([closed(), ClientError::TooFew(3), ClientError::TooSlow, ClientError::Busy]);
    create(&files, "/s/a", &bytes(1_000)).await.unwrap();
    shelf.fail([closed(), closed()]);
    assert_eq!(files.rename(&path("/s/a"), &path("/s/b"), RenameMode::Plain).await, Ok(true));
    shelf.fail([closed(), ClientError::Busy]);
    assert_eq!(content(&files, "/s/b").await, bytes(1_000));
    assert_eq!(shelf.stale(), 0);
    shelf.fail([ClientError::Ambiguous]);
    let unknown = files.delete(&path("/s/b"), false).await;
    assert!(matches!(unknown, Err(FileError::Unavailable(_))), "{unknown:?}");
}

/// Where no primary answers for long, as in the smaller half of a split, reading goes on and
/// writing is refused.
#[tokio::test]
async fn without_a_primary_only_reading_goes_on() {
    let shelf = Shelf::new(&["s"]);
    let files = files(&shelf);
    create(&files, "/s/a", b"x").await.unwrap();
    let closed = || ClientError::Closed { share: ShareName::new("s").unwrap(), keepers: keepers() };
    shelf.fail((0..1_000).map(|_| closed()));
    assert_eq!(files.status(&path("/s/a")).await.unwrap().length, 1);
    assert!(shelf.stale() > 0);
    let refused = create(&files, "/s/b", b"x").await;
    assert!(matches!(refused, Err(FileError::Unavailable(_))), "{refused:?}");
}
