//! The switch between the hosts, their cables, and the cuts in them.

use super::outside;
use std::process::Command;

/// Rules on the switch: the names are those of its ports.
const FILTER: &str = "table bridge fleet {
  set cut { typeof iifname . oifname; }
  chain links { type filter hook forward priority filter; policy accept; iifname . oifname @cut \
  counter drop; }
}";

/// A bridge in a namespace of its own, without a way out, and a namespace beside it from which the
/// hosts are managed.
#[derive(Debug)]
pub(super) struct Switch {
    prefix: String,
}

impl Switch {
    pub(super) fn new(prefix: &str) -> Self {
        let switch = Switch { prefix: prefix.to_owned() };
        ip(&["netns", "add", &switch.name()]);
        switch.ip(&[
            "link",
            "add",
            "br0",
            "type",
            "bridge",
            "stp_state",
            "0",
            "forward_delay",
            "0",
            "mcast_snooping",
            "0",
        ]);
        switch.ip(&["link", "set", "br0", "up"]);
        let nft = ["netns", "exec", &switch.name(), "nft", FILTER];
        outside::run(Command::new("ip").args(nft));
        switch.plug_in("manager", 254);
        switch
    }

    fn name(&self) -> String {
        format!("{}-switch", self.prefix)
    }

    /// The namespace of a host.
    pub(super) fn namespace(&self, host: &str) -> String {
        format!("{}-{host}", self.prefix)
    }

    fn ip(&self, arguments: &[&str]) {
        ip(&[&["-n", &self.name()], arguments].concat());
    }

    /// A new namespace with a cable to the switch, at `10.88.0.NUMBER`.
    pub(super) fn plug_in(&self, host: &str, number: usize) {
        let namespace = self.namespace(host);
        ip(&["netns", "add", &namespace]);
        // With the same address after each boot, the neighbours' tables stay right.
        let hardware = format!("02:00:0a:58:00:{number:02x}");
        self.ip(&[
            "link", "add", host, "type", "veth", "peer", "name", "eth0", "address", &hardware,
            "netns", &namespace,
        ]);
        self.ip(&["link", "set", host, "master", "br0", "up"]);
        ip(&["-n", &namespace, "link", "set", "lo", "up"]);
        ip(&["-n", &namespace, "addr", "add", &format!("10.88.0.{number}/24"), "dev", "eth0"]);
        ip(&["-n", &namespace, "link", "set", "eth0", "up"]);
    }

    /// Takes the cables of these hosts away.
    pub(super) fn unplug(&self, numbers: &[usize]) {
        for number in numbers {
            self.ip(&["link", "del", &format!("vm{number}")]);
        }
    }

    /// Removes a host's namespace.
    pub(super) fn forget(&self, host: &str) {
        ip(&["netns", "delete", &self.namespace(host)]);
    }

    pub(super) fn cut(&self, one: &[usize], other: &[usize]) {
        let pairs = one.iter().flat_map(|a| {
            other.iter().map(move |b| format!("\"vm{a}\" . \"vm{b}\", \"vm{b}\" . \"vm{a}\""))
        });
        let pairs: Vec<String> = pairs.collect();
        self.nft(&format!("add element bridge fleet cut {{ {} }}", pairs.join(", ")));
    }

    pub(super) fn heal(&self) {
        self.nft("flush set bridge fleet cut");
    }

    fn nft(&self, rule: &str) {
        outside::run(Command::new("ip").args(["netns", "exec", &self.name(), "nft", rule]));
    }

    /// The words of a command that runs where the hosts are managed from.
    pub(super) fn enter_manager(&self, program: &str) -> Vec<String> {
        ["ip", "netns", "exec", &self.namespace("manager"), program].map(str::to_owned).to_vec()
    }

    /// Removes all of it.
    pub(super) fn remove(&self) {
        for name in [self.namespace("manager"), self.name()] {
            // The test is over. The next one removes what is left.
            let _ = outside::try_run(Command::new("ip").args(["netns", "delete", &name]));
        }
    }
}

fn ip(arguments: &[&str]) {
    outside::run(Command::new("ip").args(arguments));
}
