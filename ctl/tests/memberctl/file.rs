//! Tests of `file`.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::mpsc::channel;

use memberd_control::message::{
    FileAppend, FileCopies, FileEntry, FileKind, FileLacking, FileList, FileMerged, FileProgress,
    FilePut, FileReply, FileRequest, FileStat, FilesChecked, FilesReport, RefusalKind, Reply,
    Request, ShareReport, StoredExtent,
};

use crate::fake::{Daemon, refusal, run};

/// A time in milliseconds since 1970, and as it is shown.
const TIME: (u64, &str) = (1_763_688_033_120, "2025-11-21T01:20:33.120Z");

fn answering(replies: Vec<FileReply>) -> Daemon {
    Daemon::answering(replies.into_iter().map(Reply::File).collect())
}

fn copies(copies: u64, members: &[&str]) -> Option<FileCopies> {
    let members = members.iter().map(|name| (*name).to_owned()).collect();
    Some(FileCopies { copies, wanted: 3, members })
}

fn stat() -> FileStat {
    FileStat {
        path: "/apps/web.tar".to_owned(),
        length: 18_204_672,
        modified: TIME.0,
        extents: 1,
        blake3: Some("ab12".to_owned()),
        copies: copies(3, &["vm2", "vm5", "vm7"]),
        is_newest: true,
        ..FileStat::default()
    }
}

/// A daemon that takes bytes, and hands them on.
fn taking() -> (Daemon, std::sync::mpsc::Receiver<Option<Vec<u8>>>) {
    let (sender, receiver) = channel();
    let daemon = Daemon::new(move |client| {
        let request = client.greet();
        client.say(&Reply::File(FileReply::Ready));
        let uploaded = client.uploaded();
        client.say(&Reply::File(FileReply::Written { length: 1, generation: 1 }));
        sender.send(uploaded).unwrap();
        Some(request)
    });
    (daemon, receiver)
}

/// A directory with a file of so many bytes.
fn local(length: usize) -> (tempfile::TempDir, PathBuf, Vec<u8>) {
    let directory = tempfile::tempdir().unwrap();
    let name = directory.path().join("web.tar");
    let bytes: Vec<u8> = (0..length).map(|at| u8::try_from(at % 251).unwrap()).collect();
    fs::write(&name, &bytes).unwrap();
    (directory, name, bytes)
}

#[test]
fn put_sends_all_bytes_of_a_file() {
    let (_directory, name, bytes) = local(1_000_000);
    let (daemon, uploaded) = taking();
    let line = ["file", "put", "-p", "--copies", "2", name.to_str().unwrap(), "/apps/"];
    daemon.run(&line).printed("");
    assert!(uploaded.recv().unwrap() == Some(bytes));
    let Request::File(FileRequest::Put(put)) = daemon.request() else { panic!() };
    let expected = FilePut {
        path: "/apps/web.tar".to_owned(),
        parents: true,
        copies: Some(2),
        mode: put.mode,
        ..FilePut::default()
    };
    assert_eq!(put, expected);
}

#[test]
fn append_sends_what_standard_input_has() {
    let (daemon, uploaded) = taking();
    let mut command = daemon.command(&["file", "append", "--length", "7", "-", "/apps/log"]);
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"line\n").unwrap();
    assert!(child.wait().unwrap().success());
    assert_eq!(uploaded.recv().unwrap().as_deref(), Some(&b"line\n"[..]));
    let append = FileAppend { path: "/apps/log".to_owned(), length: Some(7), token: 0 };
    assert_eq!(daemon.request(), Request::File(FileRequest::Append(append)));
}

/// The daemon refuses while the client waits for its input, which does not end.
#[test]
fn a_refusal_ends_a_put_that_waits_for_its_input() {
    let daemon = Daemon::new(|client| {
        let request = client.greet();
        client.say(&Reply::File(FileReply::Ready));
        client.say(&refusal(RefusalKind::Failed, "/apps/x: the disks are full"));
        Some(request)
    });
    let mut command = daemon.command(&["file", "put", "-", "/apps/x"]);
    let (input, _open) = std::io::pipe().unwrap();
    run(command.stdin(input)).failed(1, "/apps/x: the disks are full");
}

/// It does not read what is sent, and closes.
#[test]
fn a_refusal_ends_a_put_that_is_under_way() {
    let (_directory, name, _) = local(3_000_000);
    let daemon = Daemon::new(|client| {
        let request = client.greet();
        client.say(&Reply::File(FileReply::Ready));
        client.say(&refusal(RefusalKind::TimedOut, "the members were too slow"));
        Some(request)
    });
    let ended = daemon.run(&["file", "put", name.to_str().unwrap(), "/apps/x"]);
    ended.failed(124, "the members were too slow");
}

#[test]
fn a_killed_put_sends_no_end() {
    let (sender, receiver) = channel();
    let daemon = Daemon::new(move |client| {
        let request = client.greet();
        client.say(&Reply::File(FileReply::Ready));
        sender.send(client.piece()).unwrap();
        sender.send(client.uploaded()).unwrap();
        Some(request)
    });
    let mut command = daemon.command(&["file", "put", "-", "/apps/x"]);
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.as_mut().unwrap().write_all(b"half").unwrap();
    assert_eq!(receiver.recv().unwrap().as_deref(), Some(&b"half"[..]));
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(receiver.recv().unwrap(), None);
}

#[test]
fn what_cannot_be_put_is_said_before_anything_is_asked() {
    let daemon = answering(Vec::new());
    for (line, status, words) in [
        (["put", "/nowhere/x", "/apps/x"], 1, "cannot read /nowhere/x: "),
        (["put", "/tmp", "/apps/x"], 1, "/tmp is a directory: put its files one by one"),
        (["put", "-", "/apps/"], 2, "/apps/: say how the file is to be called"),
        (["put", "-", "apps/x"], 2, "a path is /SHARE/NAME, such as /apps/web.tar"),
        (["get", "x", "."], 2, "try memberctl file get --help"),
    ] {
        daemon.run(&[&["file"][..], &line].concat()).failed(status, words);
    }
}

/// So many of the newest bytes follow.
fn follow(length: u64) -> FileReply {
    FileReply::Length { length, is_newest: true }
}

/// A file that comes in two pieces.
fn sending(length: u64) -> Daemon {
    Daemon::answering(vec![
        Reply::File(follow(length)),
        Reply::File(FileReply::Bytes(b"one\n".to_vec())),
        Reply::File(FileReply::Bytes(b"two\n".to_vec())),
        Reply::Done,
    ])
}

#[test]
fn cat_prints_the_bytes() {
    sending(8).run(&["file", "cat", "/apps/x"]).printed("one\ntwo\n");
    sending(8).run(&["file", "get", "/apps/x", "-"]).printed("one\ntwo\n");
}

#[test]
fn get_replaces_a_file_only_when_it_is_whole() {
    let directory = tempfile::tempdir().unwrap();
    let name = directory.path().join("x");
    fs::write(&name, "old").unwrap();
    let path = directory.path().to_str().unwrap().to_owned();
    let ended = sending(9).run(&["file", "get", "/apps/x", &path]);
    ended.failed(1, "/apps/x: 8 of 9 bytes came: read it again");
    assert_eq!(fs::read_to_string(&name).unwrap(), "old");
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1, "nothing is left behind");
    sending(8).run(&["file", "get", "/apps/x", &path]).printed("");
    assert_eq!(fs::read_to_string(&name).unwrap(), "one\ntwo\n");
}

#[test]
fn an_ended_get_leaves_nothing_behind() {
    let directory = tempfile::tempdir().unwrap();
    let daemon = Daemon::new(|client| {
        let request = client.greet();
        client.say(&Reply::File(follow(8)));
        client.say(&Reply::File(FileReply::Bytes(b"one\n".to_vec())));
        client.until_gone();
        Some(request)
    });
    let path = directory.path().to_str().unwrap().to_owned();
    let mut child = daemon.start(&["file", "get", "/apps/x", &path]);
    let names = || fs::read_dir(directory.path()).unwrap().count();
    while names() == 0 {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    let id = nix::unistd::Pid::from_raw(i32::try_from(child.id()).unwrap());
    nix::sys::signal::kill(id, nix::sys::signal::Signal::SIGTERM).unwrap();
    child.wait().unwrap();
    assert_eq!(names(), 0);
}

#[test]
fn the_object_of_a_file_has_just_these_fields() {
    answering(vec![FileReply::Stat(Box::new(stat()))])
        .run(&["file", "stat", "--json", "/apps/web.tar"])
        .printed(
            "{\"schema\":1,\"path\":\"/apps/web.tar\",\"type\":\"file\",\"length\":18204672,\
             \"blake3\":\"ab12\",\"copies\":3,\"wanted\":3,\
             \"members\":[\"vm2\",\"vm5\",\"vm7\"]}\n",
        );
    let directory = FileStat {
        path: "/apps".to_owned(),
        kind: FileKind::Directory,
        length: 7,
        files: 2,
        is_newest: true,
        ..FileStat::default()
    };
    answering(vec![FileReply::Stat(Box::new(directory))])
        .run(&["file", "stat", "--json", "/apps"])
        .printed(
            "{\"schema\":1,\"path\":\"/apps\",\"type\":\"directory\",\"length\":7,\
             \"files\":2,\"directories\":0}\n",
        );
}

#[test]
fn people_see_copies_members_and_the_hash() {
    let step = FileProgress { done: 7, total: Some(9) };
    answering(vec![FileReply::Progress(step), FileReply::Stat(Box::new(stat()))])
        .run(&["file", "stat", "/apps/web.tar"])
        .printed(&format!(
            "/apps/web.tar\n  \
               type       file\n  \
               length     18,204,672 bytes (18 MB)\n  \
               modified   {}\n  \
               copies     3 of 3 copies, on vm2, vm5, vm7\n  \
               extents    1\n  \
               blake3     ab12\n",
            TIME.1
        ));
    let old = FileStat { is_newest: false, ..stat() };
    let ended = answering(vec![FileReply::Stat(Box::new(old))]).run(&["file", "stat", "/apps/x"]);
    assert_eq!(ended.status, Some(0));
    assert!(ended.stderr.starts_with("memberctl: this may be old: "), "{ended:?}");
}

fn entries() -> Vec<FileReply> {
    let file = FileEntry {
        name: "web\u{1b}.tar".to_owned(),
        length: 18_204_672,
        modified: TIME.0,
        copies: copies(2, &["vm2", "vm5"]),
        ..FileEntry::default()
    };
    let directory = FileEntry {
        name: "conf".to_owned(),
        kind: FileKind::Directory,
        length: 4,
        modified: TIME.0,
        ..FileEntry::default()
    };
    vec![
        FileReply::Entries(vec![directory]),
        FileReply::Entries(vec![file]),
        FileReply::Listed { is_newest: true },
    ]
}

#[test]
fn a_directory_is_listed_for_people() {
    let daemon = answering(entries());
    daemon.run(&["file", "ls", "/apps"]).printed("conf/\nweb?.tar\n");
    let list = FileList { path: "/apps".to_owned(), copies: false };
    assert_eq!(daemon.request(), Request::File(FileRequest::List(list)));
    let time = TIME.1;
    answering(entries()).run(&["file", "ls", "-l", "/apps"]).printed(&format!(
        "COPIES   SIZE  MODIFIED                  MEMBERS  NAME\n\
         -           -  {time}  -        conf/\n\
         2/3     18 MB  {time}  vm2,vm5  web?.tar\n"
    ));
    let empty = vec![FileReply::Listed { is_newest: true }];
    answering(empty.clone()).run(&["file", "ls", "-l", "/apps"]).printed("");
    answering(empty)
        .run(&["file", "ls", "--json"])
        .printed("{\"schema\":1,\"path\":\"/\",\"entries\":[]}\n");
}

#[test]
fn a_directory_is_listed_for_programs() {
    let time = TIME.0;
    answering(entries()).run(&["file", "ls", "--json", "-l", "/apps"]).printed(&format!(
        "{{\"schema\":1,\"path\":\"/apps\",\"entries\":[{{\"name\":\"conf\",\
         \"type\":\"directory\",\"length\":4,\"modified\":{time}}},\
         {{\"name\":\"web\\u001b.tar\",\"type\":\"file\",\"length\":18204672,\
         \"modified\":{time},\"copies\":2,\"wanted\":3,\"members\":[\"vm2\",\"vm5\"]}}]}}\n"
    ));
}

#[test]
fn orders_are_silent_and_say_what_failed() {
    let path = || "/apps/x".to_owned();
    for (line, request) in [
        (&["rm", "/apps/x"][..], FileRequest::Remove { path: path(), recursive: false }),
        (&["rm", "-r", "/apps/x"], FileRequest::Remove { path: path(), recursive: true }),
        (&["mkdir", "/apps/x"], FileRequest::MakeDirectory { path: path() }),
        (
            &["mv", "-f", "/apps/x", "/apps/y"],
            FileRequest::Rename { from: path(), to: "/apps/y".to_owned(), replace: true },
        ),
    ] {
        let daemon = Daemon::answering(vec![Reply::Done]);
        daemon.run(&[&["file"], line].concat()).printed("");
        assert_eq!(daemon.request(), Request::File(request));
    }
    let daemon = Daemon::refusing(RefusalKind::Failed, "/apps/x: no such file or directory");
    daemon.run(&["file", "rm", "/apps/x"]).failed(1, "/apps/x: no such file or directory");
}

#[test]
fn an_older_daemon_is_told_from_other_failures() {
    let message = "not a message of this protocol: unknown variant `File`, expected one of `Join`";
    let older = || Daemon::refusing(RefusalKind::Usage, message);
    older().run(&["file", "ls"]).failed(6, "this memberd is older than memberctl");
    older().run(&["file", "put", "-", "/apps/x"]).failed(6, "this memberd is older");
}

#[test]
fn a_check_names_the_files_that_lack_copies() {
    let checked = FilesChecked { shares: 1, files: 1_204, bytes: 18_204_672, lacking: 0 };
    let all_well = || answering(vec![FileReply::Checked(checked)]);
    all_well().run(&["file", "check"]).printed("1 share, 1,204 files, 18,204,672 bytes (18 MB)\n");
    let lacking = FileLacking {
        path: "/apps/x".to_owned(),
        copies: copies(2, &["vm2", "vm5"]),
        problem: None,
    };
    let few = || {
        answering(vec![
            FileReply::Progress(FileProgress { done: 7, total: None }),
            FileReply::Lacking(vec![lacking.clone()]),
            FileReply::Checked(FilesChecked { lacking: 1, ..checked }),
        ])
    };
    let ended = few().run(&["file", "check"]);
    ended.failed(1, "1 file has fewer copies than wanted: they are made again by themselves");
    assert!(ended.stdout.starts_with("/apps/x: 2 of 3 copies, on vm2, vm5\n1 share"), "{ended:?}");
    let ended = few().run(&["file", "check", "--json"]);
    assert_eq!(
        ended.stdout,
        "{\"schema\":1,\"shares\":1,\"files\":1204,\"bytes\":18204672,\"lacking\":[\
         {\"path\":\"/apps/x\",\"copies\":2,\"wanted\":3,\"members\":[\"vm2\",\"vm5\"]}]}\n"
    );
    let closed = FileLacking {
        path: "/apps".to_owned(),
        copies: None,
        problem: Some("the share is closed".to_owned()),
    };
    let daemon = answering(vec![
        FileReply::Lacking(vec![closed]),
        FileReply::Checked(FilesChecked { lacking: 1, ..checked }),
    ]);
    let ended = daemon.run(&["file", "check", "/apps/"]);
    ended.failed(1, "not all could be asked");
    assert!(ended.stdout.starts_with("/apps: the share is closed\n"), "{ended:?}");
    let share = Some("apps".to_owned());
    assert_eq!(daemon.request(), Request::File(FileRequest::Check { share }));
}

#[test]
fn merge_store_status_and_token_print_what_they_are_told() {
    let merged = FileMerged { length: 7, copies: 3, repaired: 1, blake3: "ab12".to_owned() };
    answering(vec![FileReply::Merged(merged)])
        .run(&["file", "merge", "/apps/x"])
        .printed("3 copies, 7 bytes, blake3 ab12; 1 made again\n");
    answering(vec![FileReply::Token { least: 7 }])
        .run(&["file", "token", "/apps/x"])
        .printed("7\n");
    let extent = StoredExtent {
        id: "0badcafe".to_owned(),
        length: 1_200,
        share: "apps".to_owned(),
        members: vec!["vm2".to_owned()],
        ..StoredExtent::default()
    };
    let known = StoredExtent { path: Some("/apps/x".to_owned()), damaged: true, ..extent.clone() };
    let replies = vec![Reply::File(FileReply::Stored(vec![known, extent])), Reply::Done];
    Daemon::answering(replies.clone()).run(&["file", "store"]).printed(
        "EXTENT      SIZE  MEMBERS  FILE\n\
         0badcafe  1.2 kB  vm2      /apps/x (damaged)\n\
         0badcafe  1.2 kB  vm2      /apps: of no known file\n",
    );
    let ended = Daemon::answering(replies).run(&["file", "store", "--json"]);
    let first = "{\"schema\":1,\"extents\":[{\"id\":\"0badcafe\",\"length\":1200,";
    assert!(ended.stdout.starts_with(first), "{ended:?}");
    let share = ShareReport {
        name: "apps".to_owned(),
        keepers: vec!["vm1".to_owned(), "vm2".to_owned()],
        role: "primary".to_owned(),
        applied: Some(7),
    };
    let report = FilesReport {
        used: 1_200,
        space: 10_000_000_000,
        room: "crowded".to_owned(),
        extents: 2,
        shares: vec![share],
        ..FilesReport::default()
    };
    answering(vec![FileReply::Status(Box::new(report))]).run(&["file", "status"]).printed(
        "1.2 kB of 10 GB used, 2 extents\n\
         crowded: no new copies come here\n\
         0 repairs running, 0 waiting; 0 requests of clients under way\n\
         SHARE  HERE     KEEPERS\n\
         /apps  primary  vm1,vm2\n",
    );
}

/// The reader of standard output went away.
#[test]
fn cat_ends_with_its_reader() {
    let daemon = Daemon::new(|client| {
        let request = client.greet();
        client.say(&Reply::File(follow(u64::MAX)));
        client.say(&Reply::File(FileReply::Bytes(b"one\n".to_vec())));
        client.until_gone();
        Some(request)
    });
    let (reader, writer) = std::io::pipe().unwrap();
    let mut command = daemon.command(&["file", "cat", "/apps/x"]);
    let mut child = command.stdout(writer).spawn().unwrap();
    drop(command);
    drop(File::from(std::os::fd::OwnedFd::from(reader)));
    assert!(child.wait().unwrap().success());
}
