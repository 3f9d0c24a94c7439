//! Metrics: as text, over HTTP, by promtool, and in a real Prometheus that raises an alert.

use memberd_tests::binaries::mortal;
use memberd_tests::process::Running;
use memberd_tests::wait::{SOON, holds};
use memberd_tests::{Daemon, Fleet, tools, wait_until};
use std::collections::BTreeSet;
use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

/// The port of every daemon's metrics: each has an address of its own.
const METRICS_PORT: u16 = 9946;

/// Prometheus takes a few seconds to start on a busy machine.
const LIMIT: Duration = Duration::from_secs(60);

fn measured(n: u8) -> Fleet {
    Fleet::start_with(n, |daemon| {
        daemon.settings.metrics = Some(SocketAddr::new(daemon.settings.address.ip(), METRICS_PORT));
    })
}

fn metrics(daemon: &Daemon) -> String {
    let output = daemon.ctl(&["metrics"]);
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn value(text: &str, sample: &str) -> Option<f64> {
    text.lines().find_map(|line| line.strip_prefix(sample)?.strip_prefix(' ')?.parse().ok())
}

/// One request as it is, and all that comes back.
fn http(daemon: &Daemon, request: &str) -> String {
    let mut stream = TcpStream::connect(daemon.settings.metrics.unwrap()).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut reply = String::new();
    stream.read_to_string(&mut reply).unwrap();
    reply
}

fn shipped(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../packaging/prometheus").join(name)
}

fn promtool(arguments: &[&str], stdin: Stdio) {
    let mut command = mortal(Path::new("promtool"), None);
    command.args(arguments).stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped());
    let output = command.spawn().unwrap().wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn a_crash_and_a_grep_are_in_the_figures_of_whoever_noticed() {
    let mut fleet = measured(4);
    fleet[1].ctl(&["grep", "-c", "joined"]);
    fleet.crash(&[4]);
    wait_until("the crash is in all figures", SOON, || {
        let texts: Vec<String> = fleet.running().map(metrics).collect();
        let failed =
            texts.iter().all(|text| value(text, "memberd_members{state=\"failed\"}") == Some(1.0));
        holds(failed, || texts.concat())?;
        let detected: f64 =
            texts.iter().filter_map(|text| value(text, "memberd_detection_seconds_count")).sum();
        let accused: f64 =
            texts.iter().filter_map(|text| value(text, "memberd_accusations_total")).sum();
        holds(detected >= 1.0 && detected == accused, || {
            format!("{detected} detections, {accused} accusations")
        })
    });
    let text = metrics(&fleet[1]);
    assert_eq!(value(&text, "memberd_members{state=\"alive\"}"), Some(3.0));
    assert_eq!(value(&text, "memberd_in_group"), Some(1.0));
    assert!(value(&text, "memberd_heartbeats_sent_total") > Some(1.0), "{text}");
    assert!(value(&text, "memberd_heartbeats_received_total") > Some(1.0), "{text}");
    assert_eq!(value(&text, "memberd_greps_total"), Some(1.0));
    assert_eq!(value(&text, "memberd_searches_total"), Some(1.0));
    assert!(value(&text, "memberd_searched_bytes_total") > Some(0.0), "{text}");
    // vm1 founded the group, so it has seen the others join.
    assert_eq!(value(&text, "memberd_join_dissemination_seconds_count"), Some(3.0));
}

#[test]
fn what_is_no_message_is_counted_by_its_cause() {
    let fleet = measured(1);
    let count = |text: &str, cause| {
        value(text, &format!("memberd_datagrams_refused_total{{cause=\"{cause}\"}}"))
    };
    // Prometheus needs the 0 to see the first one as an increase.
    let text = metrics(&fleet[1]);
    let counts = ["malformed", "version", "too_long"].map(|cause| count(&text, cause));
    assert_eq!(counts, [Some(0.0); 3]);
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    // An array that begins with the version 99, and six bytes of incarnation behind it.
    let newer = [&[0x82, 0x18, 99, 0][..], &[0; 6]].concat();
    for bytes in [&b"nonsense"[..], &newer, &[0; 1_300]] {
        socket.send_to(bytes, fleet[1].settings.address).unwrap();
    }
    wait_until("all three are counted", SOON, || {
        let text = metrics(&fleet[1]);
        let counts = ["malformed", "version", "too_long"].map(|cause| count(&text, cause));
        holds(counts == [Some(1.0); 3], || format!("{counts:?}"))
    });
}

#[test]
fn metrics_are_served_over_http_and_nothing_else_is() {
    let fleet = measured(1);
    let reply = http(&fleet[1], "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
    let (head, body) = reply.split_once("\r\n\r\n").unwrap();
    assert!(
        head.starts_with(
            "HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n"
        ),
        "{head}"
    );
    assert!(head.contains(&format!("Content-Length: {}", body.len())), "{head}");
    assert_eq!(value(body, "memberd_members{state=\"alive\"}"), Some(1.0));
    let names = |text: &str| -> BTreeSet<String> {
        text.lines().filter_map(|line| line.strip_prefix("# TYPE ")).map(str::to_owned).collect()
    };
    assert_eq!(names(body), names(&metrics(&fleet[1])), "memberctl metrics has the same");

    let head = http(&fleet[1], "HEAD /metrics HTTP/1.1\r\n\r\n");
    assert!(head.starts_with("HTTP/1.1 200 OK") && head.ends_with("\r\n\r\n"), "{head}");
    assert!(http(&fleet[1], "GET /etc/passwd HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 404 "));
    assert!(http(&fleet[1], "POST /metrics HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 405 "));
    assert!(http(&fleet[1], "nonsense\r\n\r\n").starts_with("HTTP/1.1 400 "));
}

#[test]
fn idle_connections_do_not_keep_a_scraper_out_for_long() {
    let fleet = measured(1);
    let address = fleet[1].settings.metrics.unwrap();
    let _idle: Vec<TcpStream> = (0..8).map(|_| TcpStream::connect(address).unwrap()).collect();
    let begun = std::time::Instant::now();
    assert!(http(&fleet[1], "GET /metrics HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 200 "));
    assert!(begun.elapsed() < SOON, "{:?}", begun.elapsed());
}

#[test]
fn promtool_finds_nothing_wrong_with_metrics_and_alerts() {
    if !tools::is_there("promtool", "prometheus") {
        return;
    }
    let mut fleet = measured(3);
    fleet.crash(&[3]);
    fleet.wait_until_whole();
    let path = fleet[1].directory().join("metrics.txt");
    fs::write(&path, metrics(&fleet[1])).unwrap();
    promtool(&["check", "metrics"], fs::File::open(&path).unwrap().into());
    promtool(&["check", "rules", &shipped("alerts.yml").display().to_string()], Stdio::null());
}

#[test]
fn each_alert_fires_when_it_should_and_only_then() {
    if !tools::is_there("promtool", "prometheus") {
        return;
    }
    // promtool looks for the rules beside the tests of them.
    let directory = tempfile::tempdir().unwrap();
    fs::copy(shipped("alerts.yml"), directory.path().join("alerts.yml")).unwrap();
    let path = directory.path().join("alerts.test.yml");
    fs::write(&path, include_str!("alerts.test.yml")).unwrap();
    promtool(&["test", "rules", &path.display().to_string()], Stdio::null());
}

#[test]
fn alerts_and_dashboard_name_only_metrics_that_there_are() {
    let mut fleet = Fleet::new(2);
    for daemon in fleet.daemons_mut() {
        daemon.settings.set_agreement(&["vm1"], &[]);
        daemon.settings.logs = vec!["copies = 2".to_owned()];
    }
    fleet[1].start();
    let text = metrics(&fleet[1]);
    let there: BTreeSet<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE "))
        .filter_map(|line| line.split(' ').next())
        .collect();
    let alerts = fs::read_to_string(shipped("alerts.yml")).unwrap();
    let dashboard = fs::read_to_string(shipped("dashboard.json")).unwrap();
    let dashboard: serde_json::Value = serde_json::from_str(&dashboard).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    assert!(panels.len() >= 10);
    let queries = panels
        .iter()
        .flat_map(|panel| panel["targets"].as_array().unwrap())
        .map(|target| target["expr"].as_str().unwrap());
    let mut named = 0;
    for query in queries.chain(alerts.lines()) {
        let words =
            query.split(|character: char| !character.is_ascii_alphanumeric() && character != '_');
        for word in words.filter(|word| word.starts_with("memberd_")) {
            let name = word.strip_suffix("_bucket").unwrap_or(word);
            assert!(there.contains(name), "{name} is no metric: {query}");
            named += 1;
        }
    }
    assert!(named > 20, "{named}");
}

#[test]
fn a_real_prometheus_raises_an_alert_at_a_crash() {
    if !tools::is_there("prometheus", "prometheus") {
        return;
    }
    let mut fleet = measured(3);
    let directory = tempfile::tempdir().unwrap();
    let targets =
        fleet[1].ctl(&["list", "--format", "prometheus-sd", "--port", &METRICS_PORT.to_string()]);
    fs::write(directory.path().join("fleet.json"), targets.stdout).unwrap();
    fs::copy(shipped("alerts.yml"), directory.path().join("alerts.yml")).unwrap();
    let config = "global: {scrape_interval: 500ms, scrape_timeout: 500ms, evaluation_interval: \
    500ms}\n\
                  rule_files: [alerts.yml]\n\
                  scrape_configs:\n  - job_name: memberd\n    file_sd_configs: [{files: \
                  [fleet.json]}]\n";
    fs::write(directory.path().join("prometheus.yml"), config).unwrap();
    // An address of the first daemon's, at a port that nobody else has there.
    let listen = SocketAddr::new(fleet[1].settings.address.ip(), 9090);
    let mut command = mortal(Path::new("prometheus"), None);
    command
        .current_dir(directory.path())
        .args(["--config.file=prometheus.yml", "--storage.tsdb.path=data", "--log.level=warn"])
        .arg(format!("--web.listen-address={listen}"))
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let _prometheus = Running::start(&mut command);
    let ask = |path: &str| -> Result<serde_json::Value, String> {
        let mut stream = TcpStream::connect(listen).map_err(|error| error.to_string())?;
        stream
            .write_all(format!("GET {path} HTTP/1.0\r\n\r\n").as_bytes())
            .map_err(|error| error.to_string())?;
        let mut reply = String::new();
        stream.read_to_string(&mut reply).map_err(|error| error.to_string())?;
        serde_json::from_str(reply.split("\r\n\r\n").nth(1).unwrap_or_default())
            .map_err(|error| error.to_string())
    };
    wait_until("Prometheus has three members up, with their names", LIMIT, || {
        let up = ask("/api/v1/query?query=up")?;
        let results = up["data"]["result"].as_array().cloned().unwrap_or_default();
        let members: BTreeSet<&str> = results
            .iter()
            .filter(|result| result["value"][1] == "1")
            .filter_map(|result| result["metric"]["member"].as_str())
            .collect();
        holds(members == BTreeSet::from(["vm1", "vm2", "vm3"]), || up.to_string())
    });
    let firing = |name: &str| -> Result<bool, String> {
        let alerts = ask("/api/v1/alerts")?;
        let alerts = alerts["data"]["alerts"].as_array().cloned().unwrap_or_default();
        Ok(alerts
            .iter()
            .any(|alert| alert["labels"]["alertname"] == name && alert["state"] == "firing"))
    };
    assert_eq!(firing("MemberFailed"), Ok(false));
    fleet.crash(&[3]);
    wait_until("the alert fires", LIMIT, || {
        holds(firing("MemberFailed")?, || "it does not".to_owned())
    });
    fleet[3].start();
    wait_until("the member is back, and the alert is over", LIMIT, || {
        holds(!firing("MemberFailed")?, || "it fires".to_owned())
    });
}
