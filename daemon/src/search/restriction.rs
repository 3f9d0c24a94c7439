//! What the clients of a socket may search, beyond what members offer. It owns no state.

use memberd_control::files::FilesRequest;
use memberd_control::grep::GrepRequest;
use memberd_control::tags::TagFilter;

/// Which searches are allowed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restriction {
    /// Globs over the files that members expose. An empty list allows all of them.
    pub files: Vec<String>,
    /// The tags that a member must have, all of them.
    pub tags: Vec<TagFilter>,
    /// Whether the journal may be searched.
    pub journal: bool,
}

impl Restriction {
    /// All searches are allowed.
    pub const NONE: Restriction =
        Restriction { files: Vec::new(), tags: Vec::new(), journal: true };

    /// Restricts a search to the allowed files. A request may not bring such a limit itself.
    ///
    /// # Errors
    /// When it is for the journal, and that is not allowed: one line.
    pub(super) fn restrict(&self, request: &mut GrepRequest) -> Result<(), String> {
        if request.files.journal.is_none() {
            request.files.only.clone_from(&self.files);
            return Ok(());
        }
        request.files.only.clear();
        match self.journal {
            true => Ok(()),
            false => Err("--journal: this socket is for searching files only, since \
                          search.journal is not set on this machine"
                .to_owned()),
        }
    }

    /// Restricts a listing to the allowed files.
    pub(super) fn restrict_listing(&self, request: &mut FilesRequest) {
        request.only.clone_from(&self.files);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use memberd_control::grep::GrepJournal;

    /// What the client sends does not matter.
    #[test]
    fn a_search_has_the_limit_of_its_socket() {
        let files = vec!["/a/*".to_owned()];
        let only_files = Restriction { files: files.clone(), tags: Vec::new(), journal: false };
        let mut request = GrepRequest::default();
        request.files.only = vec!["**".to_owned()];
        only_files.restrict(&mut request).unwrap();
        assert_eq!(request.files.only, files);
        Restriction::NONE.restrict(&mut request).unwrap();
        assert!(request.files.only.is_empty());
        request.files.journal = Some(GrepJournal::default());
        Restriction::NONE.restrict(&mut request).unwrap();
        assert!(only_files.restrict(&mut request).unwrap_err().starts_with("--journal: "));
        let mut listing = FilesRequest { only: vec!["**".to_owned()], ..FilesRequest::default() };
        only_files.restrict_listing(&mut listing);
        assert_eq!(listing.only, files);
    }
}
