//! Which files may be read: links, `..`, FIFOs, and files that change between being listed and
//! being opened.

#![cfg(test)]

mod support;

use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Command;

use memberd_search::{
    ExposedFiles, FileFilter, FileIdentity, FileList, GrepPrint, NeverFiles, NeverPlace, Plan,
    Query,
};
use support::{Gathered, printed, run};
use tempfile::TempDir;

fn tree(files: &[&str]) -> TempDir {
    let directory = TempDir::new().unwrap();
    for file in files {
        let path = directory.path().join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, "secret\n").unwrap();
    }
    directory
}

fn found(directory: &TempDir, globs: &[&str], filter: &[&str]) -> FileList {
    let globs: Vec<String> =
        globs.iter().map(|glob| format!("{}/{glob}", directory.path().display())).collect();
    ExposedFiles::new(&globs).unwrap().files(&FileFilter::new(filter).unwrap())
}

fn names(directory: &TempDir, found: &FileList) -> Vec<String> {
    found
        .files
        .iter()
        .map(|file| file.path().strip_prefix(directory.path()).unwrap().display().to_string())
        .collect()
}

fn listed(directory: &TempDir, globs: &[&str]) -> Vec<String> {
    names(directory, &found(directory, globs, &[]))
}

/// Prints every line of the files that were found.
fn read(found: &FileList) -> (String, Vec<String>) {
    let query = Query::default().with(|query| {
        query.pattern.patterns = vec![Vec::new()];
        query.printing.what = GrepPrint::Lines;
        query.printing.no_names = true;
    });
    printed(&query, found)
}

#[test]
fn files_come_sorted_and_once() {
    let tree = tree(&["b.log", "a.log", "c.txt", "sub/d.log"]);
    assert_eq!(
        listed(&tree, &["*.log", "a.*", "{b,a}.log", "sub/d.log"]),
        ["a.log", "b.log", "sub/d.log"]
    );
}

#[test]
fn a_star_crosses_no_slash_and_two_do() {
    let tree = tree(&["a.log", "x/b.log", "x/y/c.log", "x/y/z.txt"]);
    assert_eq!(listed(&tree, &["*.log"]), ["a.log"]);
    assert_eq!(listed(&tree, &["*/*.log"]), ["x/b.log"]);
    assert_eq!(listed(&tree, &["**/*.log"]), ["a.log", "x/b.log", "x/y/c.log"]);
    assert_eq!(listed(&tree, &["x/**"]), ["x/b.log", "x/y/c.log", "x/y/z.txt"]);
    assert_eq!(listed(&tree, &["*/y/?.[lt]*"]), ["x/y/c.log", "x/y/z.txt"]);
}

#[test]
fn hidden_files_are_offered_only_by_name() {
    let tree = tree(&[".hidden.log", ".d/x.log", "seen.log"]);
    assert_eq!(listed(&tree, &["*", "**/*.log"]), ["seen.log"]);
    assert_eq!(listed(&tree, &[".*.log", ".d/*"]), [".d/x.log", ".hidden.log"]);
}

#[test]
fn links_are_not_followed_below_the_root() {
    let outside = tree(&["secret.log", "deep/secret.log"]);
    let tree = tree(&["sub/a.log"]);
    symlink(outside.path().join("secret.log"), tree.path().join("link.log")).unwrap();
    symlink(outside.path(), tree.path().join("out")).unwrap();
    symlink(outside.path().join("deep"), tree.path().join("sub/deep")).unwrap();
    assert_eq!(listed(&tree, &["*.log", "*/*.log", "**/*.log", "**"]), ["sub/a.log"]);
    assert_eq!(listed(&tree, &["*/secret.log", "*/deep/secret.log"]), [""; 0]);
}

#[test]
fn a_link_that_is_offered_by_name_is_refused_with_a_message() {
    let tree = tree(&["a.log"]);
    symlink("a.log", tree.path().join("current.log")).unwrap();
    let found = found(&tree, &["current.log"], &[]);
    assert!(found.files.is_empty());
    assert_eq!(found.problems.len(), 1);
    assert!(
        found.problems[0]
            .to_string()
            .ends_with("current.log: is, or lies behind, a symbolic link, which is not followed")
    );
}

#[test]
fn the_directory_that_the_glob_begins_with_may_be_behind_a_link() {
    let real = tree(&["a.log"]);
    let tree = TempDir::new().unwrap();
    symlink(real.path(), tree.path().join("logs")).unwrap();
    let found = found(&tree, &["logs/*.log"], &[]);
    assert_eq!(names(&tree, &found), ["logs/a.log"]);
    assert_eq!(read(&found).0, "secret\n");
}

#[test]
fn fifos_sockets_devices_and_directories_are_not_offered() {
    let tree = tree(&["a.log", "d.log/x"]);
    assert!(Command::new("mkfifo").arg(tree.path().join("fifo.log")).status().unwrap().success());
    let _socket = UnixListener::bind(tree.path().join("socket.log")).unwrap();
    assert_eq!(listed(&tree, &["*.log"]), ["a.log"]);
    let by_name = found(&tree, &["fifo.log", "socket.log", "d.log"], &[]);
    assert!(by_name.files.is_empty());
    assert_eq!(by_name.problems.len(), 3);
    assert!(found(&tree, &["missing.log", "no/such/*.log"], &[]).problems.is_empty());
}

#[test]
fn what_takes_the_place_of_a_listed_file_is_not_read() {
    let outside = tree(&["secret.log"]);
    let tree = tree(&["link.log", "fifo.log", "gone.log", "dir.log", "sub/a.log"]);
    let found = found(&tree, &["**/*.log"], &[]);
    assert_eq!(found.files.len(), 5);
    let path = |name: &str| tree.path().join(name);
    for name in ["link.log", "fifo.log", "gone.log", "dir.log"] {
        std::fs::remove_file(path(name)).unwrap();
    }
    symlink(outside.path().join("secret.log"), path("link.log")).unwrap();
    assert!(Command::new("mkfifo").arg(path("fifo.log")).status().unwrap().success());
    std::fs::create_dir(path("dir.log")).unwrap();
    std::fs::rename(path("sub"), path("old")).unwrap();
    symlink(outside.path(), path("sub")).unwrap();
    std::fs::rename(outside.path().join("secret.log"), outside.path().join("a.log")).unwrap();
    assert_eq!(read(&found), (String::new(), vec![]));
}

#[test]
fn a_moved_directory_is_still_the_one_that_is_read() {
    let outside = tree(&["logs/a.log"]);
    let tree = tree(&["logs/a.log"]);
    std::fs::write(outside.path().join("logs/a.log"), "other\n").unwrap();
    let found = found(&tree, &["logs/*.log"], &[]);
    std::fs::rename(tree.path().join("logs"), tree.path().join("moved")).unwrap();
    symlink(outside.path().join("logs"), tree.path().join("logs")).unwrap();
    assert_eq!(read(&found).0, "secret\n");
}

#[test]
fn a_user_reaches_nothing_that_is_not_offered() {
    let tree = tree(&["a.log", "b.txt"]);
    let absolute = format!("{}/b.txt", tree.path().display());
    let dotted = format!("{}/../b.txt", tree.path().display());
    let filter = ["b.txt", absolute.as_str(), dotted.as_str(), "../b.txt", "/etc/passwd", "a.log"];
    let found = found(&tree, &["*.log"], &filter);
    assert_eq!(names(&tree, &found), ["a.log"]);
    assert_eq!(found.unmatched, filter[..5]);
}

#[test]
fn narrowing_is_by_base_name_or_by_whole_path() {
    let tree = tree(&["a.log", "b.log", "sub/a.log"]);
    let whole = format!("{}/*.log", tree.path().display());
    assert_eq!(names(&tree, &found(&tree, &["**"], &["a.*"])), ["a.log", "sub/a.log"]);
    assert_eq!(names(&tree, &found(&tree, &["**"], &[&whole])), ["a.log", "b.log"]);
}

#[test]
fn more_files_than_the_limit_are_cut_in_order_and_said_to_be() {
    let names: Vec<String> =
        (0..memberd_search::MAX_FILES + 5).map(|n| format!("{n:05}.log")).collect();
    let tree = TempDir::new().unwrap();
    for name in &names {
        std::fs::File::create(tree.path().join(name)).unwrap();
    }
    let found = found(&tree, &["*.log"], &[]);
    assert!(found.cut);
    assert_eq!(found.files.len(), memberd_search::MAX_FILES);
    assert_eq!(found.files.last().unwrap().path(), tree.path().join("09999.log"));
}

#[test]
fn an_unreadable_file_is_an_error_with_greps_text() {
    let tree = tree(&["a.log"]);
    let path = tree.path().join("a.log");
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o000)).unwrap();
    if std::fs::File::open(&path).is_ok() {
        // The super-user reads everything.
        return;
    }
    let (output, messages) = read(&found(&tree, &["*.log"], &[]));
    assert_eq!(output, "");
    assert_eq!(messages, [format!("m1:{}: Permission denied", Path::new(&path).display())]);
}

#[test]
fn a_read_that_fails_is_an_error_with_greps_text() {
    let found = ExposedFiles::new(&["/proc/self/mem"]).unwrap().files(&FileFilter::default());
    assert_eq!(
        read(&found),
        (String::new(), vec!["m1:/proc/self/mem: Input/output error".to_owned()])
    );
}

/// GNU grep 3.8 searches its output only if it prints no line, or one at most.
#[test]
fn the_file_of_the_output_is_left_out_as_gnu_grep_does() {
    let tree = tree(&["a.log", "found.log"]);
    let metadata = std::fs::metadata(tree.path().join("found.log")).unwrap();
    let output_file = FileIdentity { device: metadata.dev(), inode: metadata.ino() };
    let found = found(&tree, &["*.log"], &[]);
    let said = format!("m1:{}/found.log: input file is also the output", tree.path().display());
    for (what, max_count, silent, searched) in [
        (GrepPrint::Lines, None, false, false),
        (GrepPrint::Lines, Some(2), false, false),
        (GrepPrint::Lines, None, true, false),
        (GrepPrint::Matches, None, false, false),
        (GrepPrint::Lines, Some(1), false, true),
        (GrepPrint::Count, None, false, true),
        (GrepPrint::FilesWithMatch, None, false, true),
        (GrepPrint::FilesWithoutMatch, None, false, true),
    ] {
        for by_time in [false, true] {
            let query = Query::default().with(|query| {
                query.pattern.patterns = vec!["secret".into()];
                query.printing.what = what;
                query.printing.max_count = max_count;
                query.printing.no_messages = silent;
            });
            let plan = Plan { by_time, output_file: Some(output_file), ..Plan::default() };
            let mut gathered = Gathered::default();
            let totals = run(&query, &plan, &found.files, &mut gathered);
            let messages = if searched || silent { vec![] } else { vec![said.clone()] };
            assert_eq!(gathered.messages, messages, "{what:?} {max_count:?}");
            let counts = if searched { (2, 0) } else { (1, 1) };
            assert_eq!((totals.files, totals.errors), counts, "{what:?} {max_count:?}");
        }
    }
}

/// Links, hard links and new files at the same path are the same secret.
#[test]
fn a_secret_is_never_searched_whatever_finds_it() {
    let tree = tree(&["a.log", "etc/key", "etc/other", "state/members.cbor.new", "quiet.log"]);
    let path = |name: &str| tree.path().join(name);
    std::fs::hard_link(path("etc/key"), path("b.log")).unwrap();
    let globs = [format!("{}/**", tree.path().display())];
    let place = |files, holds| NeverPlace { files, holds };
    let exposed = ExposedFiles::new(&globs).unwrap().but_never(vec![
        place(NeverFiles::At(path("etc/key")), Some("a key")),
        place(NeverFiles::Beginning(path("state/members.cbor")), Some("the state")),
        place(NeverFiles::At(path("quiet.log")), None),
    ]);
    let files = exposed.files(&FileFilter::default());
    assert_eq!(names(&tree, &files), ["a.log", "etc/other"]);
    let problems: Vec<String> = files.problems.iter().map(ToString::to_string).collect();
    let problem = |name: &str, holds: &str| {
        format!("{}: is never searched, since it holds {holds}", path(name).display())
    };
    let (mut found, mut expected) = (
        problems,
        vec![
            problem("b.log", "a key"),
            problem("etc/key", "a key"),
            problem("state/members.cbor.new", "the state"),
        ],
    );
    found.sort();
    expected.sort();
    assert_eq!(found, expected);
    // The other file takes the key's place between being listed and being opened.
    std::fs::rename(path("etc/other"), path("etc/key")).unwrap();
    std::fs::hard_link(path("etc/key"), path("etc/other")).unwrap();
    std::fs::write(path("new"), "secret\n").unwrap();
    std::fs::rename(path("new"), path("quiet.log")).unwrap();
    std::fs::rename(path("a.log"), path("old")).unwrap();
    std::fs::hard_link(path("quiet.log"), path("a.log")).unwrap();
    let (lines, messages) = read(&files);
    assert_eq!(lines, "");
    assert_eq!(messages, [format!("m1:{}", problem("etc/other", "a key"))]);
}
