//! Finds the files below a trusted directory that a glob matches.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use nix::fcntl::OFlag;

use super::directory::{self, Entry, Kind, Listed};
use super::glob::{Component, ExposedGlob};
use super::links::is_link;
use super::open::{ExposedFile, is_hidden, literal_problem, reason};
use super::root::{Root, Rules};

/// How many directories deep `**` goes.
pub(super) const MAX_DEPTH: usize = 16;

/// Receives what a walk finds, and limits the walk.
pub(crate) trait Visitor {
    /// A regular file.
    fn file(&mut self, file: ExposedFile);
    /// A link that would be exposed if it were a file.
    fn link(&mut self, path: PathBuf);
    /// A file that could not be read, and why.
    fn problem(&mut self, path: PathBuf, reason: String);
    /// A directory that could not be read, and why.
    fn unread(&mut self, directory: PathBuf, reason: String);
    /// A directory in which files were looked for. It may not be there.
    fn directory(&mut self, directory: PathBuf);
    /// A directory or one of its entries is about to be examined. False ends the walk.
    fn may_go_on(&mut self) -> bool;
}

/// Gives `visitor` every file that `glob` matches. A missing directory has none.
/// The `rules` say where links may lead.
pub(crate) fn walk(glob: &ExposedGlob, rules: &Rules, visitor: &mut dyn Visitor) {
    match Root::open(&glob.root, rules) {
        Ok(root) => {
            let mut walk = Walk { root: Arc::new(root), visitor };
            walk.below(Path::new(""), &glob.components, 0);
        }
        Err(error) => {
            visitor.directory(glob.root.clone());
            if !is_missing(&error) {
                visitor.unread(glob.root.clone(), reason(&error));
            }
        }
    }
}

struct Walk<'v> {
    root: Arc<Root>,
    visitor: &'v mut dyn Visitor,
}

impl Walk<'_> {
    /// Matches `components` in the directory `below` the root. `**` has already gone `depth`
    /// directories deep.
    fn below(&mut self, below: &Path, components: &[Component], depth: usize) {
        let Some((component, rest)) = components.split_first() else {
            return;
        };
        match component {
            Component::Name(name) if rest.is_empty() => self.literal(below.join(name)),
            Component::Name(name) => self.below(&below.join(name), rest, depth),
            Component::Matching { matcher, dot_files } => {
                for Entry { name, kind, listed } in self.entries(below) {
                    let matches = (*dot_files || !is_hidden(&name)) && matcher.is_match(&name);
                    match kind {
                        _ if !matches => {}
                        Kind::File if rest.is_empty() => self.found(below.join(name), listed),
                        Kind::Link if rest.is_empty() => self.link(below.join(name)),
                        Kind::Directory if !rest.is_empty() => {
                            self.below(&below.join(name), rest, depth);
                        }
                        _ => {}
                    }
                }
            }
            Component::AnyDepth => {
                self.below(below, rest, depth);
                for Entry { name, kind, listed } in self.entries(below) {
                    match kind {
                        _ if is_hidden(&name) => {}
                        Kind::File if rest.is_empty() => self.found(below.join(name), listed),
                        Kind::Link if rest.is_empty() => self.link(below.join(name)),
                        Kind::Directory if depth < MAX_DEPTH => {
                            self.below(&below.join(name), components, depth + 1);
                        }
                        _ => {}
                    }
                }
            }
        }
    }

    fn found(&mut self, below: PathBuf, listed: Listed) {
        let file = ExposedFile::new(Arc::clone(&self.root), below, listed);
        self.visitor.file(file);
    }

    /// A link, which may lead to a file.
    fn link(&mut self, below: PathBuf) {
        let path = self.root.path().join(&below);
        if !self.root.follows_links() {
            return self.visitor.link(path);
        }
        let opened = self.root.open_file(&below, OFlag::O_PATH);
        match opened.and_then(|descriptor| File::from(descriptor).metadata()) {
            Ok(metadata) if metadata.is_file() => self.found(below, Listed::BY_NAME),
            Ok(_) => {}
            Err(error) if is_missing(&error) && !is_link(&error) => {}
            Err(error) => self.visitor.problem(path, reason(&error)),
        }
    }

    /// A file whose last component has no wildcard.
    fn literal(&mut self, below: PathBuf) {
        let path = self.root.path().join(&below);
        self.visitor.directory(path.parent().unwrap_or(self.root.path()).to_owned());
        match literal_problem(&self.root, &below) {
            Ok(Some(listed)) => self.found(below, listed),
            Ok(None) => {}
            Err(reason) => self.visitor.problem(self.root.path().join(below), reason),
        }
    }

    /// The entries of a directory, without `.` and `..`. The visitor limits their number.
    fn entries(&mut self, below: &Path) -> Vec<Entry> {
        if !self.visitor.may_go_on() {
            return Vec::new();
        }
        self.visitor.directory(self.root.path().join(below));
        match directory::entries(&self.root, below, || self.visitor.may_go_on()) {
            Ok(entries) => entries,
            Err(error) => {
                if !is_missing(&error) {
                    self.visitor.unread(self.root.path().join(below), reason(&error));
                }
                Vec::new()
            }
        }
    }
}

/// Whether an error only means that the directory is gone or is a link.
pub(crate) fn is_missing(error: &io::Error) -> bool {
    use nix::errno::Errno;
    matches!(
        error.raw_os_error().map(Errno::from_raw),
        Some(Errno::ENOENT | Errno::ENOTDIR | Errno::ELOOP)
    )
}
