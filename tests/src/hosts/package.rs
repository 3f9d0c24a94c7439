//! The Debian package under test, and the same under other versions.

use super::outside;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

/// What the package is made of, below the workspace.
const SOURCES: [&str; 14] = [
    "daemon/Cargo.toml",
    "daemon/src",
    "daemon/copies/src",
    "daemon/council/src",
    "daemon/membership/src",
    "daemon/search/src",
    "daemon/control/src",
    "daemon/transport/src",
    "ctl/src",
    "systemd",
    "packaging/debian",
    "packaging/documents",
    "packaging/memberd.logrotate",
    "packaging/memberd.toml",
];

/// A package file.
#[derive(Debug, Clone)]
pub struct Package {
    path: PathBuf,
}

impl Package {
    /// The one that `make deb` made.
    ///
    /// # Errors
    /// When there is none, or it is older than the sources.
    pub fn built() -> Result<Self, String> {
        let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new(".."));
        let made = fs::read_dir(workspace.join("target/debian"))
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| entry.path());
        let packages =
            made.filter(|path| path.extension().is_some_and(|extension| extension == "deb"));
        let path = packages
            .max_by_key(|path| modified(path))
            .ok_or("there is no package in target/debian: make deb")?;
        let newest = SOURCES
            .iter()
            .map(|source| newest(&workspace.join(source)))
            .max()
            .unwrap_or(SystemTime::UNIX_EPOCH);
        if modified(&path) < newest {
            return Err(format!("{} is older than its sources: make deb", path.display()));
        }
        Ok(Package { path })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The version that its control file names.
    pub fn version(&self) -> String {
        outside::run(Command::new("dpkg-deb").arg("--field").arg(&self.path).arg("Version"))
            .trim()
            .to_owned()
    }

    /// The same package under another version.
    ///
    /// # Panics
    /// When it cannot be repacked.
    pub fn with_version(&self, version: &str, directory: &Path) -> Self {
        let (tree, path) = (
            directory.join(format!("tree-{version}")),
            directory.join(format!("memberd_{version}.deb")),
        );
        outside::run(Command::new("dpkg-deb").arg("--raw-extract").arg(&self.path).arg(&tree));
        let control = tree.join("DEBIAN/control");
        let text = fs::read_to_string(&control).expect("a control file");
        let old = format!("Version: {}\n", self.version());
        assert!(text.contains(&old), "{text}");
        fs::write(&control, text.replace(&old, &format!("Version: {version}\n")))
            .expect("a control file");
        outside::run(
            Command::new("dpkg-deb").args(["--build", "--root-owner-group"]).arg(&tree).arg(&path),
        );
        Package { path }
    }
}

fn modified(path: &Path) -> SystemTime {
    fs::symlink_metadata(path).and_then(|found| found.modified()).unwrap_or(SystemTime::UNIX_EPOCH)
}

/// When anything below was last changed.
fn newest(path: &Path) -> SystemTime {
    let below =
        fs::read_dir(path).into_iter().flatten().flatten().map(|entry| newest(&entry.path()));
    if path.is_dir() { below.max().unwrap_or(SystemTime::UNIX_EPOCH) } else { modified(path) }
}
