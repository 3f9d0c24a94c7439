//! Installs packages of PyPI in a directory outside the repository, once.

use std::env;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Reports that something is not tested, and why. With `CI=true` in the environment it is a
/// failure.
pub(crate) fn left_out(why: &str) {
    assert!(!env::var("CI").is_ok_and(|value| value == "true"), "{why}");
    // The test harness swallows eprintln. Nothing can be done if standard error cannot be written.
    let _ = std::io::stderr().write_all(format!("\nNOT TESTED: {why}\n\n").as_bytes());
}

/// The directory with these packages, for `PYTHONPATH`. If they cannot be installed, it says why.
pub(crate) fn packages(wanted: &[&str]) -> Result<PathBuf, String> {
    let name = wanted.join(",").replace("==", "-");
    let place = cache()?.join(&name);
    if place.is_dir() {
        return Ok(place);
    }
    let above = place.parent().ok_or("no cache")?;
    fs::create_dir_all(above).map_err(|error| error.to_string())?;
    let unfinished = above.join(format!(".{name}.{}", std::process::id()));
    let installed = Command::new("python3")
        .args(["-m", "pip", "install", "--quiet", "--no-cache-dir", "--target"])
        .arg(&unfinished)
        .args(wanted)
        .stdin(Stdio::null())
        .output();
    let outcome = match installed {
        Ok(output) if output.status.success() => keep(&unfinished, &place),
        Ok(output) => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
        Err(error) => Err(format!("python3: {error}")),
    };
    let _ = fs::remove_dir_all(&unfinished);
    outcome.map(|()| place)
}

/// Another test may have installed the same meanwhile.
fn keep(unfinished: &Path, place: &Path) -> Result<(), String> {
    match fs::rename(unfinished, place) {
        Err(error) if !place.is_dir() => Err(error.to_string()),
        _ => Ok(()),
    }
}

fn cache() -> Result<PathBuf, String> {
    let cache = env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let home = || env::var_os("HOME").map(|home| Path::new(&home).join(".cache"));
    let cache = cache.or_else(home).ok_or("neither XDG_CACHE_HOME nor HOME is set")?;
    Ok(cache.join("memberd").join("clients"))
}
