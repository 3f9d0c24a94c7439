//! Turns the values of `[logs]` into valid settings, or into one line for each invalid value. It
//! owns no state.

use super::parse::texts;
use super::problems::Problems;
use super::raw;
use crate::log::Level;
use memberd_control::grep::GrepJournal;
use memberd_search::ExposedFiles;

/// The exposed files, and the level of the daemon's own log.
pub(super) fn files_and_level(logs: &raw::Logs, problems: &mut Problems) -> (Vec<String>, Level) {
    let before = problems.count();
    for glob in logs.files.iter().flat_map(toml::Spanned::get_ref) {
        if let Err(error) = ExposedFiles::new(&[glob.get_ref()]) {
            problems.add(glob, "logs.files", error);
        }
    }
    let files = logs.files.as_ref().map(texts).unwrap_or_default();
    if let Some(set) = &logs.files
        && problems.count() == before
        && let Err(error) =
            ExposedFiles::new(&[files.as_slice(), &["/own.log".to_owned()]].concat())
    {
        problems.add(set, "logs.files", format!("with the daemon's own log, {error}"));
    }
    let Some(set) = &logs.level else { return (files, Level::default()) };
    let level =
        Level::NAMES.iter().find(|(name, _)| name == set.get_ref()).map(|(_, level)| *level);
    if level.is_none() {
        problems.add(
            set,
            "logs.level",
            format!("{:?} is not one of error, warn, info, debug, trace", set.get_ref()),
        );
    }
    (files, level.unwrap_or_default())
}

/// The directories into which links may lead.
pub(super) fn follow_links(logs: &raw::Logs, problems: &mut Problems) -> Vec<String> {
    let Some(set) = &logs.follow_links else { return Vec::new() };
    let (directories, none) = (texts(set), ExposedFiles::default());
    let before = problems.count();
    for directory in set.get_ref() {
        if let Err(error) = none.clone().following_links(&[directory.get_ref()]) {
            problems.add(directory, "logs.follow_links", error);
        }
    }
    if problems.count() == before
        && let Err(error) = none.following_links(&directories)
    {
        problems.add(set, "logs.follow_links", error);
    }
    directories
}

/// The namespaces of the journal that members may search.
pub(super) fn journal_namespaces(logs: &raw::Logs, problems: &mut Problems) -> Vec<String> {
    let set = logs.journal_namespaces.as_ref();
    for name in set.iter().flat_map(|names| names.get_ref()) {
        if name.get_ref() != "*" && !GrepJournal::is_namespace_name(name.get_ref()) {
            let problem = format!("{:?} is not the name of a namespace, or *", name.get_ref());
            problems.add(name, "logs.journal_namespaces", problem);
        }
    }
    set.map(texts).unwrap_or_default()
}
