//! Lists the files of this machine that are never searched, whatever `logs.files` says. It owns no
//! state.

use super::Config;
use super::parse::KEY_FILE;
use crate::copies::DIRECTORY;
use crate::state;
use memberd_search::{NeverFiles, NeverPlace};
use std::path::PathBuf;

const KEYS: &str = "keys of the group";
const CREDENTIALS: &str = "credentials of memberd";
const STATE: &str = "the state of memberd";

/// Key files, credentials and the state are errors of a search that meets them. The file of
/// searches is not, because globs over /var/log are common, and neither are copies, which are many.
pub(super) fn never_searched(config: &Config) -> Vec<NeverPlace> {
    let place = |files, holds| NeverPlace { files, holds };
    let keys = config.key_file.iter().cloned().chain([PathBuf::from(KEY_FILE)]);
    let credentials = std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from);
    let state = state::FILES.iter().map(|name| config.state_dir.join(name));
    keys.map(|path| place(NeverFiles::At(path), Some(KEYS)))
        .chain(credentials.map(|path| place(NeverFiles::In(path), Some(CREDENTIALS))))
        .chain(state.map(|path| place(NeverFiles::Beginning(path), Some(STATE))))
        .chain([
            place(NeverFiles::Beginning(config.log_paths().searches), None),
            place(NeverFiles::Below(config.state_dir.join(DIRECTORY)), None),
        ])
        .collect()
}
