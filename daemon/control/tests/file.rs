//! The answers about replicated files: each comes back as it was sent, and the largest fits a
//! frame.

use memberd_control::frame::{HEADER_BYTES, decode, encode};
use memberd_control::message::{
    FILE_ENTRIES_PER_REPLY, FILE_PIECE_BYTES, FileCopies, FileEntry, FileKind, FileLacking,
    FileMerged, FileProgress, FileReply, FileStat, FileUpload, FilesChecked, FilesReport, Reply,
    ShareReport, StoredExtent,
};

/// The longest name of a member.
fn member() -> String {
    "n".repeat(64)
}

/// As many copies as a file may have.
fn copies() -> FileCopies {
    FileCopies { copies: u64::MAX, wanted: u64::MAX, members: vec![member(); 5] }
}

fn entry() -> FileEntry {
    FileEntry {
        name: "n".repeat(255),
        kind: FileKind::Directory,
        length: u64::MAX,
        modified: u64::MAX,
        copies: Some(copies()),
        ..FileEntry::default()
    }
}

/// An extent whose file has a path of an ordinary length.
fn extent() -> StoredExtent {
    StoredExtent {
        id: "f".repeat(32),
        path: Some("p".repeat(1_000)),
        share: member(),
        members: vec![member(); 5],
        ..StoredExtent::default()
    }
}

#[test]
fn every_answer_about_files_comes_back() {
    let lacking = FileLacking { path: "/s/x".to_owned(), copies: Some(copies()), problem: None };
    let share = ShareReport { name: "s".to_owned(), applied: Some(7), ..ShareReport::default() };
    for reply in [
        FileReply::Ready,
        FileReply::Written { length: u64::MAX, generation: 1 },
        FileReply::Length { length: 7, is_newest: true },
        FileReply::Bytes(vec![7; FILE_PIECE_BYTES]),
        FileReply::Progress(FileProgress { done: 7, total: Some(9) }),
        FileReply::Entries(vec![entry()]),
        FileReply::Listed { is_newest: true },
        FileReply::Stat(Box::new(FileStat { copies: Some(copies()), ..FileStat::default() })),
        FileReply::Stored(vec![extent()]),
        FileReply::Merged(FileMerged { copies: 3, ..FileMerged::default() }),
        FileReply::Lacking(vec![lacking]),
        FileReply::Checked(FilesChecked { shares: 1, files: 2, bytes: 3, lacking: 4 }),
        FileReply::Status(Box::new(FilesReport { shares: vec![share], ..FilesReport::default() })),
        FileReply::Token { least: 7 },
    ] {
        let reply = Reply::File(reply);
        let frame = encode(&reply).unwrap();
        assert_eq!(decode::<Reply>(&frame[HEADER_BYTES..]).unwrap(), reply);
    }
}

#[test]
fn the_largest_parts_fit_a_frame() {
    let many = FILE_ENTRIES_PER_REPLY;
    for reply in [FileReply::Entries(vec![entry(); many]), FileReply::Stored(vec![extent(); many])]
    {
        assert!(encode(&Reply::File(reply)).is_ok());
    }
    assert!(encode(&FileUpload::Bytes(vec![7; FILE_PIECE_BYTES])).is_ok());
}

/// A daemon takes no more at once, whatever a stranger sends.
#[test]
fn a_piece_that_is_too_long_is_refused() {
    assert!(encode(&FileUpload::Bytes(vec![7; FILE_PIECE_BYTES + 64])).is_err());
}
