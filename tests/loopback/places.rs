//! Places for connections: whoever holds many of them, and says nothing, keeps nobody else out.
//! Strangers at the members' port, users at the control sockets, and idlers at the metrics.

use memberd_control::frame::encode;
use memberd_control::message::{Hello, PROTOCOL_VERSION, Request};
use memberd_tests::binaries::memberctl;
use memberd_tests::crowd::{Crowd, Says, raise_limit};
use memberd_tests::wait::{SOON, holds};
use memberd_tests::{Fleet, Followers, left_out, process, wait_until};
use std::fs::{Permissions, set_permissions};
use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Command, Output};
use std::time::Instant;

/// How many connections strangers hold at a member's port.
const CROWD: usize = 2_000;

/// How many idle clients a user has at a control socket.
const IDLE: usize = 500;

/// A user without rights: `nobody`.
const NOBODY: &str = "65534";

/// Addresses of loopback that no daemon has.
fn strangers(count: usize) -> Vec<IpAddr> {
    let address = |number: usize| {
        let [.., high, low] = number.to_be_bytes();
        IpAddr::from(Ipv4Addr::new(127, 13, high, low))
    };
    (1..=count).map(address).collect()
}

/// A fleet of three with a key; the others are to join.
fn fleet() -> Fleet {
    Fleet::start_with(3, |daemon| daemon.set_keys("a"))
}

/// Joins two more through the pressed introducer, and greps all members, while the crowd is there.
/// Each succeeds at its first attempt, and nobody is reported failed.
fn assert_joins_and_greps(fleet: &mut Fleet, followers: &mut Followers, keys: Option<&str>) {
    for number in 4..=5 {
        let daemon = fleet.add();
        if let Some(keys) = keys {
            daemon.set_keys(keys);
        }
        daemon.start();
        let begun = Instant::now();
        let output = fleet[number].ctl(&["join"]);
        assert!(output.status.success(), "{output:?}");
        eprintln!("vm{number} joined after {:?}", begun.elapsed());
        let begun = Instant::now();
        let output = fleet[2].ctl(&["grep", "-c", "memberd starting"]);
        assert!(output.status.success(), "{output:?}");
        eprintln!("a grep took {:?}", begun.elapsed());
    }
    followers.assert_none_failed_but(&[]);
    fleet.wait_until_whole();
}

/// No join and no grep fails while this crowd is at the introducer's port.
fn withstand(from: Vec<IpAddr>, says: Says) {
    let mut fleet = fleet();
    let mut followers = fleet.follow();
    let crowd = Crowd::on_loopback(from, fleet[1].settings.address, CROWD, says);
    crowd.wait_until_opened(CROWD);
    assert_joins_and_greps(&mut fleet, &mut followers, Some("a"));
    drop(crowd);
    fleet[1].wait_until_logged("silent connections of members were ended");
}

#[test]
fn silent_connections_from_one_address_delay_nobody() {
    withstand(strangers(1), Says::Nothing);
}

#[test]
fn silent_connections_from_many_addresses_delay_nobody() {
    withstand(strangers(CROWD), Says::Nothing);
}

#[test]
fn hellos_that_come_byte_by_byte_delay_nobody() {
    // A sealed connection begins like this, with a key that the member does not have.
    withstand(strangers(1), Says::Slowly([1; 53].to_vec()));
}

/// Where there is no key, a machine has its places by its address alone.
#[test]
fn silent_connections_delay_nobody_without_a_key() {
    let mut fleet = Fleet::start(3);
    let mut followers = fleet.follow();
    let to = fleet[1].settings.address;
    let crowd = Crowd::on_loopback(strangers(1), to, CROWD, Says::Slowly(vec![0; 4]));
    crowd.wait_until_opened(CROWD);
    assert_joins_and_greps(&mut fleet, &mut followers, None);
    drop(crowd);
}

/// The beginning of a connection as a member makes it to this address, where no daemon runs yet.
fn recorded_hello(fleet: &mut Fleet) -> Vec<u8> {
    let at = TcpListener::bind(fleet[1].settings.address).unwrap();
    fleet[2].set_keys("a");
    fleet[2].start();
    let mut joining = fleet[2].memberctl(&["join"]);
    let _joining = process::Running::start(&mut joining);
    let (mut stream, _) = at.accept().unwrap();
    let mut hello = vec![0; 53];
    stream.read_exact(&mut hello).unwrap();
    hello
}

/// Everybody who listens has it, and a member answers it.
#[test]
fn a_recorded_hello_many_times_delays_nobody() {
    let mut fleet = Fleet::new(3);
    let hello = recorded_hello(&mut fleet);
    for number in [1, 3] {
        fleet[number].set_keys("a");
        fleet[number].start();
    }
    for number in 1..=3 {
        let output = fleet[number].ctl(&["join"]);
        assert!(output.status.success(), "{output:?}");
    }
    fleet.wait_until_whole();
    let mut followers = fleet.follow();
    let to = fleet[1].settings.address;
    let crowd = Crowd::on_loopback(strangers(1), to, CROWD, Says::AtOnce(hello));
    crowd.wait_until_opened(CROWD);
    assert_joins_and_greps(&mut fleet, &mut followers, Some("a"));
    drop(crowd);
}

/// What idle clients say: nothing, a hello, or the length of a request.
fn idle_words() -> [Vec<u8>; 3] {
    let hello = Hello { protocol: PROTOCOL_VERSION, program: "idle".to_owned() };
    let hello = encode(&hello).unwrap();
    [Vec::new(), hello.clone(), [&hello[..], &[0, 0, 1, 0]].concat()]
}

/// Clients that are connected and ask for nothing.
fn idle_clients(socket: &Path, words: &[u8]) -> Vec<UnixStream> {
    raise_limit(4_000);
    let client = || {
        let mut stream = UnixStream::connect(socket).unwrap();
        // The daemon may have ended it already.
        let _ = stream.write_all(words);
        stream
    };
    (0..IDLE).map(|_| client()).collect()
}

fn read_only(fleet: &Fleet) -> std::path::PathBuf {
    memberd_control::socket::read_only(&fleet[1].settings.socket)
}

/// The idle clients are of the same user as those who ask.
#[test]
fn idle_clients_keep_nobody_out_of_the_control_sockets() {
    let fleet = Fleet::start(1);
    for words in idle_words() {
        for socket in [fleet[1].settings.socket.clone(), read_only(&fleet)] {
            let idle = idle_clients(&socket, &words);
            for command in ["list", "status"] {
                let mut command = memberctl_at(&socket, command);
                let output = process::run(&mut command, SOON);
                assert!(output.status.success(), "{output:?}");
            }
            drop(idle);
        }
    }
}

fn memberctl_at(socket: &Path, command: &str) -> Command {
    let mut memberctl = Command::new(memberctl());
    memberctl.env_remove("MEMBERCTL_SOCKET").arg("--socket").arg(socket).arg(command);
    memberctl
}

/// A `memberctl` of the user nobody at the read-only socket, where this test may start one.
fn as_nobody(fleet: &Fleet, arguments: &[&str]) -> Option<Command> {
    if !nix::unistd::geteuid().is_root() {
        left_out("clients of two users: only root can start them");
        return None;
    }
    let directory = fleet[1].directory();
    for directory in [directory, directory.parent().unwrap()] {
        set_permissions(directory, Permissions::from_mode(0o755)).unwrap();
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid", NOBODY, "--regid", NOBODY, "--clear-groups", "--"]);
    command.arg(memberctl()).arg("--socket").arg(read_only(fleet)).args(arguments);
    Some(command)
}

fn runs(command: &mut Command) -> Output {
    process::run(command, SOON)
}

/// Followers that never read stay for as long as nothing happens. They are of one user.
#[test]
fn followers_that_never_read_keep_no_other_user_out() {
    let fleet = Fleet::start(1);
    let arguments = ["events", "--since", "1h", "--until", "now"];
    let Some(mut events) = as_nobody(&fleet, &arguments) else { return };
    let hello = Hello { protocol: PROTOCOL_VERSION, program: "never reads".to_owned() };
    let words = [encode(&hello).unwrap(), encode(&Request::Events).unwrap()].concat();
    let socket = read_only(&fleet);
    let silent: Vec<UnixStream> = (0..64)
        .map(|_| {
            let mut stream = UnixStream::connect(&socket).unwrap();
            stream.write_all(&words).unwrap();
            stream
        })
        .collect();
    // Those beyond its share are refused, in words, once the others were heard.
    wait_until("another one is refused", SOON, || {
        let output = runs(memberctl_at(&socket, "events").args(["--until", "now"]));
        let said = String::from_utf8_lossy(&output.stderr);
        let words = "32 clients follow events already: end one of them";
        holds(!output.status.success() && said.contains(words), || format!("{output:?}"))
    });
    let output = runs(&mut events);
    assert!(output.status.success(), "{output:?}");
    drop(silent);
}

/// A thousand scrapers say nothing, or garbage, or a head byte by byte. Another one is answered.
#[test]
fn idle_garbled_and_slow_scrapers_keep_no_other_out() {
    let fleet = Fleet::start_with(1, |daemon| {
        daemon.settings.metrics = Some(SocketAddr::new(daemon.settings.address.ip(), 9946));
    });
    let at = fleet[1].settings.metrics.unwrap();
    let head = b"GET /metrics HTTP/1.1\r\nX: ".to_vec();
    for says in [Says::Nothing, Says::AtOnce(vec![7; 4_000]), Says::Slowly(head)] {
        // The last have the address of the one who asks.
        for from in [strangers(1), strangers(500), vec![at.ip()]] {
            let crowd = Crowd::on_loopback(from, at, 1_000, says.clone());
            crowd.wait_until_opened(1_000);
            let begun = Instant::now();
            let reply = scrape(at);
            assert!(reply.starts_with("HTTP/1.1 200 "), "{reply}");
            eprintln!("a scrape took {:?}", begun.elapsed());
            drop(crowd);
        }
    }
    let reply = scrape(at);
    assert!(!reply.contains("memberd_connections_ended_total{socket=\"metrics\"} 0"), "{reply}");
    assert!(reply.contains("memberd_connections_refused_total{socket=\"metrics\"} 0"), "{reply}");
}

fn scrape(at: SocketAddr) -> String {
    let mut stream = TcpStream::connect(at).unwrap();
    stream.set_read_timeout(Some(SOON)).unwrap();
    stream.write_all(b"GET /metrics HTTP/1.1\r\n\r\n").unwrap();
    let mut reply = String::new();
    stream.read_to_string(&mut reply).unwrap();
    reply
}
