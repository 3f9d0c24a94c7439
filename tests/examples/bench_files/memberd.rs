//! Starts five members, with replicated files or without. It owns no state.

use crate::hdfs::COPIES;
use crate::nodes::{Nodes, Program, Role};
use crate::system::{Pace, machines};
use memberd_tests::block::PORT;
use memberd_tests::control::Control;
use memberd_tests::process;
use memberd_tests::{Settings, binaries};
use serde_json::Value;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::time::Duration;

/// Where each member answers WebHDFS, on its own machine.
pub(crate) const WEBHDFS: &str = "127.0.0.1:9870";

/// The share that everything is in.
pub(crate) const SHARE: &str = "/bench";

/// How long a memberctl may run.
const LIMIT: Duration = Duration::from_secs(120);

/// Whether members keep files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Files {
    /// They do not.
    Off,
    /// They do.
    Kept(Pace),
}

/// Starts five members, who all founded the agreed views.
pub(crate) fn start(nodes: &mut Nodes, files: Files) {
    let names: Vec<String> = machines().map(|machine| format!("vm{machine}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let introducer = format!("{}:{PORT}", nodes.address(1));
    for (machine, name) in machines().zip(&names) {
        let place = nodes.place(name);
        let mut settings = Settings::new(&place, name, nodes.network.address(machine));
        settings.introducers = vec![introducer.clone()];
        settings.join_on_start = true;
        settings.allow_plaintext = true;
        settings.set_agreement(&names, &[]);
        if let Files::Kept(pace) = files {
            settings.file_store = lines(pace);
        }
        let config = place.join("memberd.toml");
        fs::write(&config, settings.to_toml()).expect("the settings can be written");
        let arguments = vec!["--config".to_owned(), config.display().to_string()];
        let (role, name, path) = (Role::Store, (*name).to_owned(), binaries::memberd());
        nodes.start(Program { machine, role, name, path, arguments });
    }
}

/// What `[files]` has.
fn lines(pace: Pace) -> Vec<String> {
    let mut lines = vec![
        "enabled = true".to_owned(),
        "space = \"20GiB\"".to_owned(),
        format!("webhdfs = \"{WEBHDFS}\""),
        "webhdfs_may = \"write\"".to_owned(),
    ];
    if pace == Pace::Quick {
        lines.push("repair_after = \"0s\"".to_owned());
    }
    lines
}

/// A member's control socket.
pub(crate) fn socket(nodes: &Nodes, machine: u8) -> PathBuf {
    nodes.directory().join(format!("vm{machine}")).join("control.sock")
}

/// Whether all have one view of all.
pub(crate) fn is_agreed(nodes: &Nodes) -> Result<(), String> {
    let mut number = None;
    for machine in machines() {
        let view = Control::new(&socket(nodes, machine)).view();
        let view = view.map_err(|error| error.to_string())?;
        let whole = view.members.len() == machines().count() && !view.record.stale;
        let same = *number.get_or_insert(view.record.number) == view.record.number;
        if !whole || !same {
            return Err(format!("vm{machine} has view {}", view.record.number));
        }
    }
    Ok(())
}

/// Whether all have one view of all, and the share can be written.
pub(crate) fn is_ready(nodes: &Nodes) -> Result<(), String> {
    is_agreed(nodes)?;
    let made = ctl(nodes, &["file", "mkdir", SHARE]);
    if made.status.success() { Ok(()) } else { Err(said(&made)) }
}

/// Whether each of the files in this directory has three copies, none on the machine that is gone.
pub(crate) fn is_whole(nodes: &Nodes, directory: &str, gone: Option<u8>) -> Result<(), String> {
    let gone = gone.map(|machine| format!("vm{machine}"));
    let told = ctl(nodes, &["file", "ls", "-l", "--json", directory]);
    let list: Value = serde_json::from_slice(&told.stdout)
        .map_err(|error| format!("{error}: {}", said(&told)))?;
    for file in list["entries"].as_array().ok_or("no entries")? {
        let members = file["members"].as_array().map(Vec::as_slice).unwrap_or_default();
        let copies = file["copies"].as_u64().unwrap_or_default();
        // The extents of a file are on more than three members. Who is dead is named until it is
        // noticed, and counts until then.
        let is_noticed = !members.iter().any(|name| name.as_str() == gone.as_deref());
        if copies < COPIES as u64 || !is_noticed {
            return Err(format!("{} has {copies} copies on {members:?}", file["name"]));
        }
    }
    Ok(())
}

/// Runs a memberctl on machine 1 to its end.
fn ctl(nodes: &Nodes, arguments: &[&str]) -> Output {
    let mut command = Command::new(binaries::memberctl());
    command.arg("--socket").arg(socket(nodes, 1)).args(arguments);
    process::run(command.env_remove("MEMBERCTL_SOCKET"), LIMIT)
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).trim().to_owned()
}
