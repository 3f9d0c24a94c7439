//! Which links are followed, and where hostile ones lead: out, in circles, or elsewhere once they
//! were looked at.

#![cfg(test)]

mod support;

use std::os::unix::fs::symlink;
use std::path::Path;

use memberd_search::{ExposedFiles, FileFilter, FileList, Query};
use support::printed;
use tempfile::TempDir;

/// Directories as Kubernetes has them: `containers` with links to links, `pods`, and `docker`.
struct Node(TempDir);

impl Node {
    fn new() -> Node {
        let node = Node(TempDir::new().unwrap());
        for directory in ["containers", "pods/a", "docker/b"] {
            std::fs::create_dir_all(node.path(directory)).unwrap();
        }
        node.write("docker/b/b-json.log", "docker\n");
        node.write("pods/a/1.log", "pod\n");
        node.write("secret", "secret\n");
        symlink(node.path("docker/b/b-json.log"), node.path("pods/a/0.log")).unwrap();
        node.link("docker.log", &node.path("pods/a/0.log"));
        node.link("pod.log", Path::new("../pods/a/1.log"));
        node
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    fn link(&self, name: &str, target: &Path) {
        symlink(target, self.path(&format!("containers/{name}"))).unwrap();
    }

    fn exposed(&self, glob: &str, allowed: &[&str]) -> ExposedFiles {
        let allowed: Vec<String> =
            allowed.iter().map(|name| self.path(name).display().to_string()).collect();
        let exposed = ExposedFiles::new(&[self.path(glob).to_str().unwrap()]).unwrap();
        exposed.following_links(&allowed).unwrap()
    }

    fn found(&self, glob: &str, allowed: &[&str]) -> FileList {
        self.exposed(glob, allowed).files(&FileFilter::default())
    }

    /// What is printed of the files, with their names, and the messages.
    fn read(&self, found: &FileList) -> (String, Vec<String>) {
        let query = Query::default().with(|query| query.pattern.patterns = vec!["".into()]);
        let (output, mut messages) = printed(&query, found);
        messages.extend(found.problems.iter().map(ToString::to_string));
        let begin = format!("{}/", self.0.path().display());
        let short = |text: &str| text.replace(&begin, "").replace("m1:", "");
        (short(&output), messages.iter().map(|message| short(message)).collect())
    }
}

const OUT: &str = "is a symbolic link that leads out of logs.follow_links, and is not followed";

#[test]
fn links_lead_over_links_into_the_allowed_directories_only() {
    let node = Node::new();
    let all = "containers/docker.log:docker\ncontainers/pod.log:pod\n".to_owned();
    for glob in ["containers/*.log", "**/containers/**", "containers/{docker,pod}.log"] {
        let found = node.found(glob, &["pods", "docker"]);
        assert_eq!(node.read(&found), (all.clone(), vec![]), "{glob}");
        assert!(found.only_links.is_empty());
    }
    // Each hop must be allowed.
    let found = node.found("containers/*.log", &["pods"]);
    let said = format!("containers/docker.log: {OUT}");
    assert_eq!(node.read(&found), ("containers/pod.log:pod\n".to_owned(), vec![said]));
    let found = node.found("containers/*.log", &["docker"]);
    assert_eq!(node.read(&found).0, "");
    assert_eq!(found.problems.len(), 2);
}

/// A link counts by its own name and by that of the file, so no link leads round a limit.
#[test]
fn links_lead_no_further_than_a_limit() {
    let node = Node::new();
    let exposed = node.exposed("containers/*.log", &["pods", "docker"]);
    let read = |only: &[&str]| {
        let only: Vec<_> = only.iter().map(|glob| node.path(glob).display().to_string()).collect();
        node.read(&exposed.files(&FileFilter::default().only(&only).unwrap()))
    };
    let said = "containers/docker.log: is a symbolic link that leads to a file which search.files \
                leaves out";
    let pod = "containers/pod.log:pod\n".to_owned();
    assert_eq!(read(&["containers/*", "pods/**"]), (pod.clone(), vec![said.to_owned()]));
    assert_eq!(read(&["containers/pod.log", "pods/**", "docker/**"]), (pod, vec![]));
    assert_eq!(read(&["pods/**", "docker/**"]), (String::new(), vec![]));
    assert_eq!(read(&["containers/*"]).0, "");
}

/// A message about a link says nothing about what lies beyond the limit.
#[test]
fn all_links_beyond_a_limit_look_the_same() {
    let node = Node::new();
    symlink(node.path("pods/a"), node.path("pods/linked")).unwrap();
    symlink(node.path("secret"), node.path("pods/a/out.log")).unwrap();
    let targets = ["pods/a/1.log", "pods/a/gone.log", "pods/a", "pods/linked/1.log"];
    for target in targets.into_iter().chain(["pods/a/out.log", "pods/none/1.log"]) {
        node.link("one.log", &node.path(target));
        let exposed = node.exposed("containers/one.log", &["pods"]);
        let filter = FileFilter::default().only(&[node.path("containers/*").display().to_string()]);
        let said = "containers/one.log: is a symbolic link that leads to a file which \
                    search.files leaves out";
        let found = node.read(&exposed.files(&filter.unwrap()));
        assert_eq!(found, (String::new(), vec![said.to_owned()]), "{target}");
        std::fs::remove_file(node.path("containers/one.log")).unwrap();
    }
}

/// The file is printed under each of its names, as `grep -R` does.
#[test]
fn a_file_with_two_names_is_searched_under_both() {
    let node = Node::new();
    let found = node.found("{containers,pods/*}/*.log", &["pods", "docker"]);
    let names = ["containers/docker", "containers/pod", "pods/a/0", "pods/a/1"];
    let texts = ["docker", "pod", "docker", "pod"];
    let lines = names.iter().zip(texts).map(|(name, text)| format!("{name}.log:{text}\n"));
    assert_eq!(node.read(&found), (lines.collect(), vec![]));
}

#[test]
fn a_glob_that_finds_only_links_is_reported() {
    let node = Node::new();
    let glob = "containers/*.log";
    let found = node.found(glob, &[]);
    assert!(found.files.is_empty() && found.problems.is_empty());
    assert_eq!(found.only_links, [node.path(glob).display().to_string()]);
    let wanted = FileFilter::new(&["pod.log"]).unwrap();
    assert_eq!(node.exposed(glob, &[]).files(&wanted).only_links.len(), 1);
    let other = FileFilter::new(&["syslog"]).unwrap();
    assert!(node.exposed(glob, &[]).files(&other).only_links.is_empty());
    // With a file beside them, links are passed over, as `grep -r` does.
    node.write("containers/file.log", "file\n");
    assert!(node.found(glob, &[]).only_links.is_empty());
}

#[test]
fn links_that_lead_out_are_reported_and_not_followed() {
    let node = Node::new();
    let outside = TempDir::new().unwrap();
    std::fs::write(outside.path().join("x.log"), "secret\n").unwrap();
    symlink(outside.path(), node.path("pods/out")).unwrap();
    let hostile = [
        ("absolute", node.path("secret")),
        ("dots", node.path("pods/../secret")),
        ("inner dots", Path::new("../pods/a/../../secret").to_owned()),
        ("relative", Path::new("../secret").to_owned()),
        ("shadow", Path::new("/etc/shadow").to_owned()),
        ("sibling", node.path("pods-of-others")),
    ];
    std::fs::remove_dir_all(node.path("containers")).unwrap();
    std::fs::create_dir(node.path("containers")).unwrap();
    for (name, target) in &hostile {
        node.link(name, target);
    }
    let said: Vec<String> =
        hostile.iter().map(|(name, _)| format!("containers/{name}: {OUT}")).collect();
    let (output, mut messages) = node.read(&node.found("containers/*", &["pods", "docker"]));
    messages.sort();
    assert_eq!((output.as_str(), messages), ("", said));
}

/// Below an allowed directory, a directory may be no link: its text is not looked at.
#[test]
fn odd_links_give_nothing() {
    let node = Node::new();
    symlink(node.path("docker"), node.path("pods/docker")).unwrap();
    std::fs::remove_dir_all(node.path("containers")).unwrap();
    std::fs::create_dir(node.path("containers")).unwrap();
    node.link("far", &node.path("pods/docker/b/b-json.log"));
    node.link("dangling", &node.path("pods/none"));
    node.link("directory", &node.path("pods/a"));
    symlink(node.path("pods/loop"), node.path("pods/loop")).unwrap();
    node.link("loop", &node.path("pods/loop"));
    assert!(
        std::process::Command::new("mkfifo")
            .arg(node.path("pods/fifo"))
            .status()
            .unwrap()
            .success()
    );
    node.link("fifo", &node.path("pods/fifo"));
    let (output, mut messages) = node.read(&node.found("containers/*", &["pods", "docker"]));
    messages.sort();
    let said = [
        "containers/far: is a symbolic link over a directory that is one, too, and is not followed",
        "containers/loop: is behind more than 8 symbolic links, and is not followed",
    ];
    assert_eq!((output.as_str(), messages), ("", said.map(str::to_owned).to_vec()));
}

/// Between being listed and being opened.
#[test]
fn a_link_that_is_swapped_leads_nowhere_else() {
    let node = Node::new();
    let found = node.found("containers/*.log", &["pods", "docker"]);
    assert_eq!(found.files.len(), 2);
    let swap = |name: &str, target: &Path| {
        std::fs::remove_file(node.path(name)).unwrap();
        symlink(target, node.path(name)).unwrap();
    };
    // The first link, and the second one.
    swap("containers/pod.log", &node.path("secret"));
    swap("pods/a/0.log", Path::new("/etc/shadow"));
    let said = ["docker", "pod"].map(|name| format!("containers/{name}.log: {OUT}"));
    assert_eq!(node.read(&found), (String::new(), said.to_vec()));
    // A directory on the way.
    let found = node.found("containers/pod.log", &["pods", ""]);
    assert_eq!(node.read(&found).0, "containers/pod.log:secret\n");
    swap("containers/pod.log", &node.path("pods/a/1.log"));
    let found = node.found("containers/pod.log", &["pods"]);
    std::fs::rename(node.path("pods/a"), node.path("pods/b")).unwrap();
    symlink(node.path(""), node.path("pods/a")).unwrap();
    let (output, said) = node.read(&found);
    assert_eq!((output.as_str(), said.len()), ("", 1));
}

#[test]
fn directories_that_links_may_not_lead_into_are_refused() {
    let none = ExposedFiles::default;
    for path in ["", "/", "//", "pods", "/a/../b", "/a/./b", "/a\0b"] {
        assert!(none().following_links(&[path]).is_err(), "{path:?}");
    }
    assert!(none().following_links(&vec!["/a"; 64]).is_ok());
    assert!(none().following_links(&vec!["/a"; 65]).is_err());
    assert!(none().following_links(&["/var/log/pods/", "/a..b/c"]).is_ok());
}
