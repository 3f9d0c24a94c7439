//! The exposed files: those of this machine that members may search.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::circle::{self, Heads};
use super::filter::{FileFilter, Limit, Tracker};
use super::glob::ExposedGlob;
use super::glob_error::GlobError;
use super::links::Links;
use super::moved::{Beside, Chain};
use super::never::{NeverPlace, NeverSearched};
use super::open::{ExposedFile, reason};
use super::root::Rules;
use super::rotated::{self, Age, Rotated};
use super::walk::{Visitor, is_missing, walk};

/// The most files of one search. If there are more, the first in order are searched.
pub const MAX_FILES: usize = 10_000;

/// The most globs of one machine's exposed files, with braces expanded.
const MAX_GLOBS: usize = 1024;

/// The most directory entries that are examined for one search.
const MAX_ENTRIES: usize = 1_000_000;

/// The message about a glob that finds only links.
pub const ONLY_LINKS: &str =
    "finds only symbolic links, which are not followed: set logs.follow_links there";

/// The most directories into which links may lead.
const MAX_LINK_DIRECTORIES: usize = 64;

/// The most directories that are named in a list.
const MAX_DIRECTORIES: usize = 256;

/// The most problems that a list reports.
pub const MAX_PROBLEMS: usize = 100;

/// The files of this machine that members may search, as its administrator listed them.
#[derive(Debug, Clone, Default)]
pub struct ExposedFiles {
    globs: Vec<ExposedGlob>,
    /// The directories into which links may lead.
    links: Vec<PathBuf>,
    /// What is not searched, whatever the globs say.
    never: Arc<NeverSearched>,
}

/// The exposed files that a search wants.
#[derive(Debug, Clone, Default)]
pub struct FileList {
    /// The files in order of their paths, each once. Rotated files come directly before theirs, the
    /// oldest first.
    pub files: Vec<ExposedFile>,
    /// What could not be read.
    pub problems: Vec<Problem>,
    /// The directories in which files were looked for, each once, whether they are there or not: as
    /// long as nothing in them is created, renamed or removed, a listing finds the same files. None
    /// where links are followed, which lead elsewhere, or there are too many of them.
    pub directories: Option<Vec<PathBuf>>,
    /// The globs of exposed files, as written, that find only links which are not followed, and the
    /// filter selects such a link.
    pub only_links: Vec<String>,
    /// The FILE globs that matched no exposed file, as written.
    pub unmatched: Vec<String>,
    /// Whether files are missing: there are more than [`MAX_FILES`], or too many directory entries
    /// to examine them all.
    pub cut: bool,
}

/// An exposed file or directory that could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {reason}", path.display())]
pub struct Problem {
    /// Its path.
    pub path: PathBuf,
    /// The system's reason.
    pub reason: String,
}

impl ExposedFiles {
    /// Parses absolute globs with `*`, `?`, `[...]` and `{a,b}` as in a shell. `*` crosses no `/`,
    /// and hidden files must be named with their dot. `**` is any number of directories, up to 16.
    /// A glob without any of these is one file.
    ///
    /// # Errors
    /// When a glob is not valid, or there are too many.
    pub fn new<S: AsRef<str>>(globs: &[S]) -> Result<ExposedFiles, GlobError> {
        let mut parsed = Vec::new();
        for glob in globs {
            parsed.extend(ExposedGlob::parse(glob.as_ref())?);
            if parsed.len() > MAX_GLOBS {
                return Err(GlobError::TooMany { limit: MAX_GLOBS });
            }
        }
        Ok(ExposedFiles { globs: parsed, ..ExposedFiles::default() })
    }

    /// Lets links whose names match a glob lead to regular files below these directories, also over
    /// further links. The path of such a file is that of the first link. Directories that are links
    /// are not followed. Without a directory, no link is followed.
    ///
    /// # Errors
    /// When a path is not absolute, is `/`, or has `.` or `..` as a component, or when there are
    /// too many.
    pub fn following_links<S: AsRef<str>>(
        self,
        directories: &[S],
    ) -> Result<ExposedFiles, GlobError> {
        if directories.len() > MAX_LINK_DIRECTORIES {
            return Err(GlobError::TooManyDirectories { limit: MAX_LINK_DIRECTORIES });
        }
        let links = directories.iter().map(|path| link_directory(path.as_ref()));
        Ok(ExposedFiles { links: links.collect::<Result<_, _>>()?, ..self })
    }

    /// Leaves these files out of every search, whatever their names are, and however a glob finds
    /// them. The search tells it as an error of the file where the place says what it holds.
    pub fn but_never(self, places: Vec<NeverPlace>) -> ExposedFiles {
        ExposedFiles { never: Arc::new(NeverSearched::new(places)), ..self }
    }

    /// Whether a file at this absolute path would be exposed, by its name alone: nothing is looked
    /// at, so links and what is never searched do not count.
    pub fn covers(&self, path: &Path) -> bool {
        self.globs.iter().any(|glob| glob.covers(path))
    }

    /// The exposed files that `filter` selects, as they are now. Reads directories, so it blocks.
    pub fn files(&self, filter: &FileFilter) -> FileList {
        self.files_unless(&AtomicBool::new(false), filter)
    }

    /// As [`ExposedFiles::files`], but ends once `cancel` is set. Then files are missing.
    pub fn files_unless(&self, cancel: &AtomicBool, filter: &FileFilter) -> FileList {
        self.files_within(MAX_ENTRIES, filter, cancel)
    }

    /// As [`ExposedFiles::files_unless`], but examines at most this many directory entries.
    fn files_within(&self, entries: usize, filter: &FileFilter, cancel: &AtomicBool) -> FileList {
        let mut collector = Collector {
            cancel,
            tracker: filter.tracker(),
            limit: filter.limit(),
            files: BTreeMap::new(),
            beyond: filter.wants_rotated().then(BTreeSet::new),
            finds_files: false,
            finds_links: false,
            problems: Vec::new(),
            directories: self.links.is_empty().then(BTreeSet::new),
            entries_left: entries,
            cut: false,
        };
        let links =
            (!self.links.is_empty()).then(|| Arc::new(Links::into(&self.links, filter.limit())));
        let rules = Rules { links, never: Arc::clone(&self.never) };
        let mut only_links = Vec::new();
        for glob in &self.globs {
            (collector.finds_files, collector.finds_links) = (false, false);
            walk(glob, &rules, &mut collector);
            if collector.finds_links && !collector.finds_files {
                only_links.push(glob.written.clone());
            }
        }
        only_links.dedup();
        only_links.truncate(MAX_PROBLEMS);
        let files = if filter.wants_rotated() {
            collector.chains(&Arc::new(filter.clone()))
        } else {
            collector.files.into_values().collect()
        };
        FileList {
            files,
            problems: collector.problems,
            directories: collector.directories.map(|all| all.into_iter().collect()),
            only_links,
            unmatched: collector.tracker.unmatched(),
            cut: collector.cut,
        }
    }
}

/// Checks a directory into which links may lead.
fn link_directory(path: &str) -> Result<PathBuf, GlobError> {
    let mut names = path.split('/').filter(|name| !name.is_empty()).peekable();
    let is_plain = path.starts_with('/') && !path.contains('\0') && names.peek().is_some();
    if !is_plain || names.any(|name| matches!(name, "." | "..")) {
        return Err(GlobError::NotDirectory { path: path.to_owned() });
    }
    Ok(PathBuf::from(path))
}

/// A file that was rotated away: when, whether it is compressed, and the file.
type Member = (Age, bool, ExposedFile);

struct Collector<'n> {
    cancel: &'n AtomicBool,
    tracker: Tracker<'n>,
    /// Of what lies beyond it, nothing is said.
    limit: &'n Limit,
    files: BTreeMap<PathBuf, ExposedFile>,
    /// With `--rotated`: the files beyond the limit that are named like rotated files of some
    /// within it. If there are more than [`MAX_FILES`], one is left over to tell it.
    beyond: Option<BTreeSet<PathBuf>>,
    /// Whether the current glob has found any file, and any link that is wanted.
    finds_files: bool,
    finds_links: bool,
    problems: Vec<Problem>,
    /// None when there are too many, or links are followed.
    directories: Option<BTreeSet<PathBuf>>,
    entries_left: usize,
    cut: bool,
}

impl Collector<'_> {
    /// The files that were found. The files rotated away from each come before it.
    fn chains(&mut self, filter: &Arc<FileFilter>) -> Vec<ExposedFile> {
        let mut live = std::mem::take(&mut self.files);
        let mut chains: BTreeMap<PathBuf, Vec<Member>> = BTreeMap::new();
        let directories: BTreeMap<PathBuf, ExposedFile> =
            live.values().map(|file| (file.directory().to_owned(), file.clone())).collect();
        let mut listed: BTreeMap<PathBuf, Arc<Beside>> = BTreeMap::new();
        // A file with rotated files of its own is not a rotated file, even if it is named like one.
        let mut origins = BTreeSet::new();
        let beyond = self.beyond.take().unwrap_or_default();
        let knows_beyond = beyond.len() <= MAX_FILES;
        for (directory, file) in directories {
            let siblings = self.siblings(&file);
            listed.insert(directory, Arc::new(Beside::new(&siblings, filter)));
            for sibling in siblings {
                let is_wanted = !filter.excludes(sibling.path())
                    && (knows_beyond || self.limit.allows(sibling.path()));
                for (from, Rotated { age, compressed, .. }) in rotated::parse_path(sibling.path()) {
                    if beyond.contains(&from) {
                        origins.insert(from);
                    } else if is_wanted && live.contains_key(&from) {
                        let member = sibling.rotated_from(&from);
                        chains.entry(from).or_default().push((age, compressed, member));
                    }
                }
            }
        }
        origins.extend(chains.keys().cloned());
        for chain in chains.values_mut() {
            chain.retain(|(_, _, rotated)| !origins.contains(rotated.path()));
        }
        for (_, _, rotated) in chains.values().flatten() {
            live.remove(rotated.path());
        }
        let heads = Heads::new(self.cancel);
        let mut files = Vec::new();
        for (path, file) in live {
            if files.len() > MAX_FILES || self.is_cancelled() {
                break;
            }
            let mut chain = chains.remove(&path).unwrap_or_default();
            chain.sort_by(|(age, compressed, _), (other, also, _)| {
                (age, compressed).cmp(&(other, also))
            });
            // While a file is being compressed, it is there twice.
            let mut unfinished = BTreeMap::new();
            chain.dedup_by(|(age, _, file), (kept_age, _, kept)| {
                let is_twice = age == kept_age;
                if is_twice {
                    unfinished.insert(file.listed.number, kept.listed.number);
                }
                is_twice
            });
            let Some(beside) = listed.get(file.directory()) else { continue };
            let listed = Arc::new(Chain::new(beside, unfinished));
            let ordered = in_order(chain, file, &heads).into_iter();
            files.extend(ordered.map(|file| file.in_chain(&listed)));
        }
        self.cut |= files.len() > MAX_FILES;
        files.truncate(MAX_FILES);
        files
    }

    fn is_cancelled(&self) -> bool {
        self.cancel.load(Ordering::Relaxed)
    }

    /// The regular files in the directory of a file, also those that are excluded.
    fn siblings(&mut self, file: &ExposedFile) -> Vec<ExposedFile> {
        match file.siblings(|| self.may_go_on()) {
            Ok(siblings) => siblings,
            Err(error) => {
                if !is_missing(&error) {
                    self.unread(file.directory().to_owned(), reason(&error));
                }
                Vec::new()
            }
        }
    }

    /// Remembers a file that is not wanted, if it lies beyond the limit and may be taken for a
    /// rotated file of one within it.
    fn note_beyond(&mut self, path: &Path) {
        let Some(beyond) = self.beyond.as_mut().filter(|beyond| beyond.len() <= MAX_FILES) else {
            return;
        };
        if self.limit.allows(path) {
            return;
        }
        if rotated::parse_path(path).any(|(from, _)| self.limit.allows(&from)) {
            beyond.insert(path.to_owned());
            self.cut |= beyond.len() > MAX_FILES;
        }
    }

    fn report(&mut self, path: PathBuf, reason: String) {
        let problem = Problem { path, reason };
        if self.problems.len() < MAX_PROBLEMS && !self.problems.contains(&problem) {
            self.problems.push(problem);
        }
    }
}

/// Puts the files of a chain in the order of writing. `chain` is in the order of ages.
fn in_order(chain: Vec<Member>, live: ExposedFile, heads: &Heads<'_>) -> Vec<ExposedFile> {
    let mut ordered = Vec::new();
    let mut numbered = Vec::new();
    let mut has_compressed = false;
    for (age, compressed, rotated) in chain {
        match age {
            Age::Dated(_) => ordered.push(rotated),
            Age::Numbered(Reverse(number)) => {
                has_compressed |= compressed;
                numbered.push((number, rotated));
            }
        }
    }
    if has_compressed {
        // No program that fills its files in turn compresses them.
        ordered.extend(numbered.into_iter().map(|(_, rotated)| rotated));
        ordered.push(live);
    } else {
        ordered.extend(circle::in_order(numbered, live, heads));
    }
    ordered
}

impl Visitor for Collector<'_> {
    fn link(&mut self, path: PathBuf) {
        self.finds_links |= self.tracker.selects(&path);
    }

    fn file(&mut self, file: ExposedFile) {
        self.finds_files = true;
        if !self.tracker.wants(file.path()) {
            return self.note_beyond(file.path());
        }
        match file.never_searched() {
            None => {}
            Some(Ok(())) => return,
            Some(Err(error)) => return self.problem(file.path().to_owned(), error.to_string()),
        }
        self.files.insert(file.path().to_owned(), file);
        if self.files.len() > MAX_FILES {
            self.files.pop_last();
            self.cut = true;
        }
    }

    fn problem(&mut self, path: PathBuf, reason: String) {
        if self.limit.allows(&path) {
            self.report(path, reason);
        }
    }

    fn unread(&mut self, directory: PathBuf, reason: String) {
        if self.limit.reaches(&directory) {
            self.report(directory, reason);
        }
    }

    fn directory(&mut self, directory: PathBuf) {
        self.directories.as_mut().map(|all| all.insert(directory));
        self.directories.take_if(|all| all.len() > MAX_DIRECTORIES);
    }

    fn may_go_on(&mut self) -> bool {
        if self.is_cancelled() {
            return false;
        }
        let left = self.entries_left.checked_sub(1);
        self.cut |= left.is_none();
        self.entries_left = left.unwrap_or(0);
        left.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_names_the_directories_in_which_files_may_appear() {
        let directory = tempfile::TempDir::new().unwrap();
        let at = |name: &str| directory.path().join(name);
        std::fs::create_dir_all(at("d/e")).unwrap();
        let globs = ["d/*/x.log", "*.log", "n/m/*.log", "**/y"]
            .map(|glob| at(glob).to_str().unwrap().to_owned());
        let exposed = ExposedFiles::new(&globs).unwrap();
        let found = exposed.files(&FileFilter::default()).directories.unwrap();
        assert_eq!(found, [at(""), at("d"), at("d/e"), at("n/m")]);
        let links = ExposedFiles::new(&globs).unwrap().following_links(&["/srv"]).unwrap();
        assert_eq!(links.files(&FileFilter::default()).directories, None);
    }

    #[test]
    fn the_limit_of_entries_is_used_up_and_then_reported() {
        let directory = tempfile::TempDir::new().unwrap();
        let paths = ["a.log", "b.log", "c.log"].map(|name| directory.path().join(name));
        paths.iter().for_each(|path| std::fs::write(path, "").unwrap());
        let exposed =
            ExposedFiles::new(&[directory.path().join("*.log").to_str().unwrap()]).unwrap();
        let cancel = AtomicBool::new(false);
        let within = |entries, filter| exposed.files_within(entries, &filter, &cancel);
        let found = |entries| within(entries, FileFilter::default());
        // The directory itself counts as one.
        assert_eq!((found(4).files.len(), found(4).cut), (3, false));
        assert_eq!((found(3).files.len(), found(3).cut), (2, true));
        assert_eq!((found(0).files.len(), found(0).cut), (0, true));
        let rotated = |entries| within(entries, FileFilter::default().rotated(true));
        assert_eq!((rotated(7).files.len(), rotated(7).cut), (3, false));
        assert_eq!((rotated(6).files.len(), rotated(6).cut), (3, true));
        // A listing that is cancelled is not cut by a limit.
        cancel.store(true, Ordering::Relaxed);
        assert_eq!((rotated(7).files.len(), rotated(7).cut), (0, false));
    }
    /// A path is covered exactly if a walk would find a file there.
    #[test]
    fn a_path_is_covered_where_a_file_would_be_found() {
        let directory = tempfile::TempDir::new().unwrap();
        let at = |name: &str| directory.path().join(name);
        let names = [
            "a.log",
            ".a.log",
            "b.txt",
            "d/a.log",
            "d/e/a.log",
            "d/.e/a.log",
            "d/e/b.txt",
            "x/y/z",
        ];
        for name in names {
            std::fs::create_dir_all(at(name).parent().unwrap()).unwrap();
            std::fs::write(at(name), "").unwrap();
        }
        for glob in
            ["*.log", "a.log", "**/*.log", "d/**", "**", "*/*.log", ".*", "d/**/e/*", "{x,d}/*/?*"]
        {
            let exposed = ExposedFiles::new(&[at(glob).to_str().unwrap()]).unwrap();
            let found: Vec<_> = exposed.files(&FileFilter::default()).files;
            let found: BTreeSet<&Path> = found.iter().map(ExposedFile::path).collect();
            for name in names {
                let path = at(name);
                assert_eq!(exposed.covers(&path), found.contains(path.as_path()), "{glob} {name}");
            }
            assert!(!exposed.covers(Path::new("/")) && !exposed.covers(directory.path()));
        }
    }

    /// Then none of them is taken for a rotated file.
    #[test]
    fn too_many_files_beyond_the_limit_bring_out_none() {
        let directory = tempfile::TempDir::new().unwrap();
        std::fs::write(directory.path().join("x.log"), "").unwrap();
        for number in 0..=MAX_FILES {
            std::fs::write(directory.path().join(format!("x.{number}.log")), "").unwrap();
        }
        let exposed =
            ExposedFiles::new(&[directory.path().join("*.log").to_str().unwrap()]).unwrap();
        let list = exposed.files(&FileFilter::default().only(&["x.log"]).unwrap().rotated(true));
        assert!(list.cut);
        let paths: Vec<_> = list.files.iter().map(ExposedFile::path).collect();
        assert_eq!(paths, [directory.path().join("x.log")]);
    }
}
