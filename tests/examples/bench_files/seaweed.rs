//! Starts SeaweedFS 4.48: a master, a filer and five volume servers. It owns no state.

use crate::faces::http::Http;
use crate::hdfs::COPIES;
use crate::nodes::{Nodes, Program, Role};
use crate::system::machines;
use memberd_tests::bench::machine::peers;
use memberd_tests::namespaces::within;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// The program, as PyPI has it.
pub(crate) fn program() -> PathBuf {
    peers().join("weed-4.48")
}

/// The filer's address for HTTP.
pub(crate) fn filer(nodes: &Nodes) -> String {
    format!("{}:8888", nodes.address(1))
}

fn master(nodes: &Nodes) -> String {
    format!("{}:9333", nodes.address(1))
}

/// Starts all of it. Each file is on two more servers of the same rack: `002`.
pub(crate) fn start(nodes: &mut Nodes) {
    let address = nodes.address(1);
    let place = |nodes: &Nodes, name: &str| nodes.place(name).display().to_string();
    let arguments = vec![
        "master".to_owned(),
        format!("-ip={address}"),
        format!("-mdir={}", place(nodes, "master")),
        "-defaultReplication=002".to_owned(),
        "-volumeSizeLimitMB=1024".to_owned(),
        "-telemetry=false".to_owned(),
    ];
    begin(nodes, 1, Role::Head, "master", arguments);
    for machine in machines() {
        let name = format!("volume{machine}");
        let arguments = vec![
            "volume".to_owned(),
            format!("-ip={}", nodes.address(machine)),
            "-port=8080".to_owned(),
            format!("-dir={}", place(nodes, &name)),
            "-max=60".to_owned(),
            format!("-mserver={}", master(nodes)),
        ];
        begin(nodes, machine, Role::Store, &name, arguments);
    }
    let arguments = vec![
        "filer".to_owned(),
        format!("-ip={address}"),
        format!("-master={}", master(nodes)),
        format!("-defaultStoreDir={}", place(nodes, "filer")),
        "-defaultReplicaPlacement=002".to_owned(),
    ];
    begin(nodes, 1, Role::Head, "filer", arguments);
}

fn begin(nodes: &mut Nodes, machine: u8, role: Role, name: &str, arguments: Vec<String>) {
    let (name, path) = (name.to_owned(), program());
    nodes.start(Program { machine, role, name, path, arguments });
}

/// Whether all volume servers are known, and the filer takes a file.
pub(crate) fn is_ready(nodes: &Nodes) -> Result<(), String> {
    let known = servers(&status(nodes)?).len();
    if known != machines().count() {
        return Err(format!("{known} volume servers"));
    }
    let address = filer(nodes);
    within(&nodes.network.namespace(1), || Http::new(&address).put("/bench/ready", b"ready"))?;
    Ok(())
}

/// Whether each volume that has files is on three servers that are there.
pub(crate) fn is_whole(nodes: &Nodes, gone: Option<u8>) -> Result<(), String> {
    let gone = gone.map(|machine| format!("{}:8080", nodes.address(machine)));
    let mut copies: BTreeMap<u64, usize> = BTreeMap::new();
    for (server, volumes) in servers(&status(nodes)?) {
        let is_there = usize::from(Some(&server) != gone.as_ref());
        for volume in volumes.as_array().into_iter().flatten() {
            if volume["FileCount"].as_u64().unwrap_or_default() > 0 {
                *copies.entry(volume["Id"].as_u64().unwrap_or_default()).or_default() += is_there;
            }
        }
    }
    match copies.iter().find(|(_, copies)| **copies < COPIES) {
        Some((volume, copies)) => Err(format!("volume {volume} has {copies} copies")),
        None => Ok(()),
    }
}

fn status(nodes: &Nodes) -> Result<Value, String> {
    let address = master(nodes);
    let answer = within(&nodes.network.namespace(1), || Http::new(&address).get("/vol/status"));
    serde_json::from_slice(&answer?.body).map_err(|error| error.to_string())
}

/// The servers and their volumes. They are all in one rack.
fn servers(status: &Value) -> BTreeMap<String, Value> {
    let rack = &status["Volumes"]["DataCenters"]["DefaultDataCenter"]["DefaultRack"];
    let servers = rack.as_object().into_iter().flatten();
    servers.map(|(server, volumes)| (server.clone(), volumes.clone())).collect()
}
