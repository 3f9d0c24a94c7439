//! Paths of files of the group, as they are typed. It owns no state.

use std::path::Path;

use crate::exit::Failure;

/// The most bytes of a path.
const MAX_BYTES: usize = 4096;

/// A path of the command line. The daemon checks the names in it.
///
/// # Errors
/// When it cannot be one, in one line.
pub(super) fn parse(text: &str) -> Result<String, String> {
    match text.starts_with('/') && text.len() <= MAX_BYTES {
        true => Ok(text.to_owned()),
        false => Err("a path is /SHARE/NAME, such as /apps/web.tar".to_owned()),
    }
}

/// The path of a file that a local file is copied to. If it ends with a slash, the local name is
/// added.
pub(super) fn target(path: &str, local: &Path) -> Result<String, Failure> {
    if !path.ends_with('/') {
        return Ok(path.to_owned());
    }
    match local.file_name().and_then(|name| name.to_str()) {
        Some(name) if !is_stream(local) => Ok(format!("{path}{name}")),
        _ => Err(Failure::usage(format!(
            "{path}: say how the file is to be called: {path}NAME instead of {path}"
        ))),
    }
}

/// The last name of a path, under which it is copied to here.
pub(super) fn name(path: &str) -> Option<&str> {
    path.trim_end_matches('/').rsplit('/').next().filter(|name| !name.is_empty())
}

/// Whether a local file is a standard stream.
pub(super) fn is_stream(local: &Path) -> bool {
    local.as_os_str() == "-"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_begins_with_a_slash() {
        assert_eq!(parse("/apps/x y").as_deref(), Ok("/apps/x y"));
        assert_eq!(parse("/").as_deref(), Ok("/"));
        for text in ["", "apps/x", "-", "./apps", &("/".to_owned() + &"x".repeat(4096))] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_slash_at_the_end_stands_for_the_local_name() {
        let target = |path, local: &str| target(path, Path::new(local)).ok();
        assert_eq!(target("/apps/", "/srv/web.tar").as_deref(), Some("/apps/web.tar"));
        assert_eq!(target("/apps/web", "/srv/web.tar").as_deref(), Some("/apps/web"));
        assert_eq!(target("/apps/web", "-").as_deref(), Some("/apps/web"));
        assert_eq!((target("/apps/", "-"), target("/apps/", "..")), (None, None));
    }

    #[test]
    fn a_file_is_copied_here_under_its_last_name() {
        assert_eq!(name("/apps/conf/web.toml"), Some("web.toml"));
        assert_eq!(name("/apps/"), Some("apps"));
        assert_eq!(name("/"), None);
    }
}
