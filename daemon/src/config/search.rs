//! Checks the section `[search]`: the socket for searches, and what its clients may search. It owns
//! no state.

use super::parse::{check_file_globs, socket_path, texts};
use super::problems::Problems;
use super::raw;
use crate::search::Restriction;
use memberd_control::grep::{MAX_ONLY_BYTES, ONLY_GLOB_BYTES, only_bytes};
use memberd_control::socket::read_only;
use memberd_control::tags::TagFilter;
use memberd_membership::{TagKey, TagValue, Tags};
use memberd_search::FileFilter;
use std::path::{Path, PathBuf};
use toml::Spanned;

/// The group for whose users the socket is.
const GROUP: &str = "memberd-search";

/// The socket for searches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SearchSocket {
    /// Its path. Without one there is no such socket, unless systemd opens it.
    pub socket: Option<PathBuf>,
    /// The name or the number of the group that owns it.
    pub group: String,
    /// What its clients may search.
    pub restriction: Restriction,
}

/// Reads the section. `control` is the path of the socket for all requests.
pub(super) fn search(raw: raw::Search, control: &Path, problems: &mut Problems) -> SearchSocket {
    let is_taken = |path: &PathBuf| path == control || *path == read_only(control);
    if let Some(set) = raw.socket.as_ref().filter(|set| is_taken(set.get_ref())) {
        let problem = "another control socket has this path: set one of its own";
        problems.add(set, "search.socket", problem);
    }
    if let Some(set) = raw.group.as_ref().filter(|set| set.get_ref().is_empty()) {
        problems.add(set, "search.group", "is empty: name a group");
    }
    let restriction = Restriction {
        files: files(raw.files.as_ref(), problems),
        tags: tags(raw.tags.as_ref(), problems),
        journal: raw.journal.is_some_and(Spanned::into_inner),
    };
    SearchSocket {
        socket: raw.socket.map(|set| socket_path(set, "search.socket", problems)),
        group: raw.group.map_or_else(|| GROUP.to_owned(), Spanned::into_inner),
        restriction,
    }
}

fn files(set: Option<&Spanned<Vec<Spanned<String>>>>, problems: &mut Problems) -> Vec<String> {
    let (key, before) = ("search.files", problems.count());
    let Some(set) = set else { return Vec::new() };
    check_file_globs(set, key, problems);
    let globs = texts(set);
    let bytes = only_bytes(&globs);
    if problems.count() > before {
        return globs;
    }
    if let Err(error) = FileFilter::new(&globs) {
        problems.add(set, key, error);
    } else if bytes > MAX_ONLY_BYTES {
        let problem = format!(
            "these globs have {bytes} bytes, with {ONLY_GLOB_BYTES} more for each, and go along \
            with each search, which takes {MAX_ONLY_BYTES} at most: write fewer or shorter ones"
        );
        problems.add(set, key, problem);
    }
    globs
}

fn tags(set: Option<&Spanned<Vec<Spanned<String>>>>, problems: &mut Problems) -> Vec<TagFilter> {
    let key = "search.tags";
    if let Some(set) = set.filter(|set| set.get_ref().len() > Tags::MAX_COUNT) {
        problems.add(set, key, format!("a member has at most {} tags", Tags::MAX_COUNT));
    }
    let mut tags = Vec::new();
    for tag in set.into_iter().flat_map(Spanned::get_ref) {
        let filter = match tag.get_ref().parse::<TagFilter>() {
            Ok(filter) => filter,
            Err(error) => {
                problems.add(tag, key, format!("{:?}: {error}", tag.get_ref()));
                continue;
            }
        };
        // No member can have any other.
        let possible = TagKey::new(&filter.key).map(drop);
        let possible = possible.and_then(|()| {
            filter.value.as_ref().map_or(Ok(()), |value| TagValue::new(value).map(drop))
        });
        match possible {
            Ok(()) => tags.push(filter),
            Err(error) => problems.add(tag, key, error),
        }
    }
    tags
}
