//! A network of this test's own: namespaces of machines around one switch that has no way out. It
//! loses, cuts and heals at will.
//!
//! The switch is a bridge in a namespace. Each machine is a namespace with one cable to it.
//! Networks with the same addresses run side by side. The switch drops what is lost or cut, for UDP
//! and TCP alike, as in nft(8)'s table below.

use crate::block::PORT;
use crate::left_out;
use crate::namespaces::{CommandError, Namespaces, enter};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

/// The namespace of the switch.
const SWITCH: &str = "switch";

/// The rules for frames between cables. Cables are named after their machines.
const RULES: &str = "
table bridge links {
    set cut { typeof iifname . oifname; }
    chain loss { }
    chain links {
        type filter hook forward priority filter; policy accept;
        iifname . oifname @cut drop
        jump loss
    }
}
";

/// Machines 1, 2, ... and the switch between them.
#[derive(Debug)]
pub struct Network {
    machines: u8,
    namespaces: Namespaces,
}

impl Network {
    /// Makes a network of this many machines.
    ///
    /// # Errors
    /// When that needs rights or tools that are not there.
    pub fn new(machines: u8) -> Result<Self, CommandError> {
        let network = Network { machines, namespaces: Namespaces::take()? };
        let names: Vec<String> = (1..=machines).map(machine).collect();
        network.namespaces.add(names.iter().map(String::as_str).chain([SWITCH]))?;
        network.namespaces.ip(SWITCH, &network.switch())?;
        for i in 1..=machines {
            network.namespaces.ip(&machine(i), &network.host(i))?;
        }
        network.namespaces.nft(SWITCH, RULES)?;
        Ok(network)
    }

    /// As [`Network::new`]. Where there cannot be a network, that is reported. With `CI=true` in
    /// the environment it is a failure.
    ///
    /// # Panics
    /// In CI, when there cannot be one.
    pub fn if_possible(machines: u8) -> Option<Self> {
        let error = match Self::new(machines) {
            Ok(network) => return Some(network),
            Err(error) => error,
        };
        left_out(&format!(
            "no network namespaces: {error}\n  \
             They need root, iproute2, nftables and util-linux. As root: cargo test -p \
             memberd-tests --test netns"
        ));
        None
    }

    /// How many machines it has.
    pub fn machines(&self) -> u8 {
        self.machines
    }

    /// Where a machine's daemon is reached.
    pub fn address(&self, i: u8) -> SocketAddr {
        ([10, 88, 0, i], PORT).into()
    }

    /// A machine's namespace.
    pub fn namespace(&self, i: u8) -> PathBuf {
        self.namespaces.path(&machine(i))
    }

    /// Runs lines of ip(8) on a machine, whose one interface is `eth0`.
    ///
    /// # Panics
    /// When one fails.
    pub fn ip(&self, number: usize, lines: &str) {
        self.namespaces
            .ip(&format!("vm{number}"), &format!("{lines}\n"))
            .expect("ip takes these lines");
    }

    /// Runs a script of nft(8) on a machine.
    ///
    /// # Panics
    /// When it fails.
    pub fn nft(&self, number: usize, script: &str) {
        self.namespaces.nft(&format!("vm{number}"), script).expect("nft takes this script");
    }

    /// The bytes and packets that each machine has sent so far. IP headers count, and those of
    /// Ethernet do not. The one machine of a network of one has sent them to itself.
    ///
    /// # Panics
    /// When it cannot be read.
    pub fn sent(&self) -> Vec<(u64, u64)> {
        let alone = self.machines == 1;
        // loopback_xmit() counts none, veth_xmit() does.
        let ethernet = if alone { 0 } else { 14 };
        let namespace = if alone { self.namespace(1) } else { self.namespaces.path(SWITCH) };
        let output =
            enter(&namespace).args(["cat", "/proc/net/dev"]).output().expect("nsenter runs");
        let text = String::from_utf8_lossy(&output.stdout);
        let received = |line: &str| {
            let (name, counts) = line.split_once(':')?;
            let mut counts = counts.split_whitespace().map_while(|count| count.parse::<u64>().ok());
            let (bytes, packets) = (counts.next()?, counts.next()?);
            Some((name.trim().to_owned(), (bytes.saturating_sub(ethernet * packets), packets)))
        };
        let cables: BTreeMap<String, (u64, u64)> = text.lines().filter_map(received).collect();
        let names =
            if alone { vec!["lo".to_owned()] } else { (1..=self.machines).map(machine).collect() };
        names
            .iter()
            .map(|name| cables.get(name).copied().expect("a cable to each machine"))
            .collect()
    }

    /// From now on this many percent of all frames are lost.
    ///
    /// # Panics
    /// When nft fails.
    pub fn lose(&self, percent: u8) {
        self.rule(&format!(
            "flush chain bridge links loss\nadd rule bridge links loss numgen \
        random mod 100 < {percent} drop\n"
        ));
    }

    /// From now on nothing gets from any of these machines to any of those.
    ///
    /// # Panics
    /// When nft fails, or there are no such machines.
    pub fn cut_one_way(&self, from: &[usize], to: &[usize]) {
        let pairs = from
            .iter()
            .flat_map(|from| to.iter().map(move |to| format!("\"vm{from}\" . \"vm{to}\"")));
        let pairs: Vec<String> = pairs.collect();
        self.rule(&format!("add element bridge links cut {{ {} }}\n", pairs.join(", ")));
    }

    /// From now on nothing gets from either of these groups to the other.
    ///
    /// # Panics
    /// As [`Network::cut_one_way`].
    pub fn cut(&self, one: &[usize], other: &[usize]) {
        self.cut_one_way(one, other);
        self.cut_one_way(other, one);
    }

    /// Nothing is lost or cut any more.
    ///
    /// # Panics
    /// When nft fails.
    pub fn heal(&self) {
        self.rule("flush set bridge links cut\nflush chain bridge links loss\n");
    }

    fn rule(&self, script: &str) {
        self.namespaces.nft(SWITCH, script).expect("nft takes a rule as it took those before");
    }

    /// Lines of ip(8) that make the bridge and a cable to each machine. There are no IPv6 link
    /// addresses, because nothing but the daemons may send here.
    fn switch(&self) -> String {
        let bridge = "link add br0 type bridge stp_state 0 forward_delay 0 mcast_snooping 0\n\
                      link set br0 addrgenmode none\nlink set br0 up\n";
        let cable = |i| {
            let (name, hardware, namespace) =
                (machine(i), hardware(i), self.namespaces.full(&machine(i)));
            format!(
                "link add {name} type veth peer name eth0 address {hardware} netns {namespace}\n\
                 link set {name} addrgenmode none\nlink set {name} master br0 up\n"
            )
        };
        [bridge.to_owned()].into_iter().chain((1..=self.machines).map(cable)).collect()
    }

    /// Lines of ip(8) that give a machine its address, and the hardware addresses of the others.
    /// The kernel's table of learnt ones is shared by all namespaces, and too small for many
    /// machines (`gc_thresh3` in arp(7)).
    fn host(&self, i: u8) -> String {
        let own = format!(
            "link set lo up\nlink set eth0 addrgenmode none\naddress add {}/24 dev eth0\nlink set \
            eth0 up\n",
            self.address(i).ip()
        );
        let others = (1..=self.machines).filter(|other| *other != i);
        let known = others.map(|other| {
            format!(
                "neigh add {} lladdr {} dev eth0 nud permanent\n",
                self.address(other).ip(),
                hardware(other)
            )
        });
        [own].into_iter().chain(known).collect()
    }
}

fn machine(i: u8) -> String {
    format!("vm{i}")
}

fn hardware(i: u8) -> String {
    format!("02:00:0a:58:00:{i:02x}")
}
