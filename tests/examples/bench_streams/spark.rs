//! Runs Spark and DuckDB by scripts of Python. It owns no state.

use memberd_tests::bench::machine;
use memberd_tests::binaries;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where the scripts are.
const SCRIPTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/bench_streams/scripts");

/// What installs Spark, as for memberd's tests of WebHDFS, and prints where it is.
const INSTALL: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/../daemon/webhdfs/tests/clients/install");

/// A Spark that is installed.
#[derive(Debug, Clone)]
pub(crate) struct Spark {
    packages: PathBuf,
}

impl Spark {
    /// The one whose packages have this name.
    ///
    /// # Errors
    /// When it cannot be installed.
    pub(crate) fn find(name: &str) -> Result<Self, String> {
        let installed =
            Command::new(INSTALL).arg(name).output().map_err(|error| error.to_string())?;
        if !installed.status.success() {
            return Err(String::from_utf8_lossy(&installed.stderr).into_owned());
        }
        let packages = PathBuf::from(String::from_utf8_lossy(&installed.stdout).trim_end());
        Ok(Spark { packages })
    }

    /// A script that has it, and all processors. Temporary files go to this directory.
    pub(crate) fn script(&self, name: &str, directory: &Path) -> Command {
        let mut command = script(name, &self.packages);
        command.env("SPARK_LOCAL_IP", "127.0.0.1").env("SPARK_LOCAL_DIRS", directory);
        // A driver that is killed leaves files there.
        let temporary = format!("-Djava.io.tmpdir={}", directory.display());
        command.env("JAVA_TOOL_OPTIONS", temporary).env("TZ", "UTC").current_dir(directory);
        command
    }
}

/// A script of Python that has these packages. Python is the program itself, and no wrapper.
pub(crate) fn script(name: &str, packages: &Path) -> Command {
    let mut python = Command::new("python3");
    let python = machine::first_line(python.args(["-c", "import sys; print(sys.executable)"]));
    let mut command = binaries::mortal(Path::new(&python), None);
    command.arg(Path::new(SCRIPTS).join(name)).env("PYTHONPATH", packages);
    command
}
