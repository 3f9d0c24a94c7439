//! Measures the memory of nodes, at rest and while many clients write and read. It owns no state.

use super::{noise, on_machine_1};
use crate::Bench;
use crate::faces::Took;
use crate::memberd::{self, Files, SHARE};
use crate::nodes::{Nodes, Role};
use crate::options::Row;
use crate::results::{Measure, Subject};
use crate::system::{Pace, System, Way, wait};
use memberd_tests::bench::pass;
use memberd_tests::proc;
use std::env;
use std::thread;
use std::time::Duration;

/// How many clients there are at once, and how large their files are, in bytes.
const CLIENTS: usize = 64;
const BYTES: usize = 8_000_000;

/// How often each of them writes its file and reads it.
const TIMES: usize = 2;

/// How long nodes have before they are at rest.
const CALM: Duration = Duration::from_secs(15);

/// How long members without files may take to agree.
const AGREES: Duration = Duration::from_secs(60);

/// The names of the rows.
pub(crate) const REST: &str = "memory of a node at rest, resident";
pub(crate) const LOAD: &str = "memory of a node with 64 clients, at most";
pub(crate) const WITHOUT: &str = "memory of a node without files, at rest";

/// Measures a system once.
pub(crate) fn measure(bench: &mut Bench, system: System) {
    let of = Subject::new(Row::Memory, system.name());
    if system == System::Memberd {
        let mut nodes = Nodes::new(&env::temp_dir());
        memberd::start(&mut nodes, Files::Off);
        wait(AGREES, &mut nodes, memberd::is_agreed);
        pass(CALM);
        let resident = of_role(&nodes, Role::Store, proc::resident_kib);
        bench.results.add(&of, Measure::Mebibytes, WITHOUT, &resident);
    }
    let mut nodes = system.start(Pace::Default);
    pass(CALM);
    let mut add = |what: &str, samples: Vec<f64>| {
        bench.results.add(&of, Measure::Mebibytes, what, &samples);
    };
    let heads = |nodes: &Nodes, of: fn(nix::unistd::Pid) -> u64| {
        let sum: f64 = of_role(nodes, Role::Head, of).iter().sum();
        if sum > 0.0 { vec![sum] } else { Vec::new() }
    };
    let role = "of what knows the names";
    add(REST, of_role(&nodes, Role::Store, proc::resident_kib));
    let at_rest = heads(&nodes, proc::resident_kib);
    if !at_rest.is_empty() {
        add(&format!("memory {role} at rest, resident"), at_rest);
    }
    nodes.all_pids().into_iter().for_each(proc::forget_peak);
    let failures = load(&nodes, system);
    nodes.check();
    let mut add = |what: &str, samples: Vec<f64>| {
        bench.results.add(&of, Measure::Mebibytes, what, &samples);
    };
    add(LOAD, of_role(&nodes, Role::Store, proc::peak_kib));
    let peak = heads(&nodes, proc::peak_kib);
    if !peak.is_empty() {
        add(&format!("memory {role} with 64 clients, at most"), peak);
    }
    if let Some(why) = failures.first() {
        let (count, all) = (failures.len(), 2 * TIMES * CLIENTS);
        let name = system.name();
        bench.results.note(format!("{count} of {all} requests to {name} failed under load: {why}"));
    }
}

/// The memory of each process of a role, in mebibytes.
fn of_role(nodes: &Nodes, role: Role, kib: fn(nix::unistd::Pid) -> u64) -> Vec<f64> {
    nodes.pids(role).into_iter().map(|(_, pid)| kib(pid) as f64 / 1_024.0).collect()
}

/// Many clients write and read at once. Returns why some failed.
fn load(nodes: &Nodes, system: System) -> Vec<String> {
    let content = noise(BYTES);
    let way: Way = system.ways()[0];
    thread::scope(|scope| {
        let content = &content;
        let clients: Vec<_> = (0..CLIENTS)
            .map(|client| {
                let mut face = way.open(system, nodes);
                scope.spawn(move || {
                    on_machine_1(nodes, &mut *face, |face| {
                        let path = format!("{SHARE}/load/{client}");
                        let both = |_| [face.put(&path, content), face.get(&path, BYTES)];
                        let took: Vec<Took> = (0..TIMES).flat_map(both).collect();
                        took.into_iter().filter_map(Result::err).collect::<Vec<String>>()
                    })
                })
            })
            .collect();
        clients.into_iter().flat_map(|client| client.join().expect("it ends well")).collect()
    })
}
