//! Starts HDFS 2.7.3: a name node and five data nodes, from the jars of PySpark 2.4.8 and of
//! Debian. It owns no state.

use crate::faces::http::Http;
use crate::nodes::{Nodes, Program, Role};
use crate::system::{Pace, machines};
use memberd_tests::bench::machine::peers;
use memberd_tests::binaries;
use memberd_tests::namespaces::within;
use memberd_tests::process;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The jars of PySpark that a name node, a data node and a client need, by how they begin.
const JARS: [&str; 31] = [
    "activation-",
    "commons-cli-",
    "commons-codec-",
    "commons-collections-",
    "commons-configuration-",
    "commons-io-",
    "commons-lang-",
    "commons-logging-",
    "commons-math3-",
    "commons-net-",
    "guava-",
    "hadoop-annotations-",
    "hadoop-auth-",
    "hadoop-common-",
    "hadoop-hdfs-",
    "htrace-core-",
    "httpclient-",
    "httpcore-",
    "jackson-core-asl-",
    "jackson-mapper-asl-",
    "javax.servlet-api-",
    "jaxb-api-",
    "jetty-6",
    "jetty-util-",
    "leveldbjni-all-",
    "log4j-1",
    "netty-",
    "protobuf-java-",
    "slf4j-api-",
    "slf4j-log4j12-",
    "xmlenc-",
];

/// The jars of Debian that PySpark leaves out, and their packages.
pub(crate) const DEBIAN_JARS: [(&str, &str); 6] = [
    ("jersey1-core", "libjersey1-core-java"),
    ("jersey1-server", "libjersey1-server-java"),
    ("jersey1-servlet", "libjersey1-servlet-java"),
    ("jsr311-api", "libjsr311-api-java"),
    ("commons-daemon", "libcommons-daemon-java"),
    ("asm", "libasm-java"),
];

/// What Hadoop of that age wants to look into, and Java 17 hides.
const OPENED: [&str; 4] = ["java.lang", "java.util", "java.nio", "java.net"];

/// How many copies a file has.
pub(crate) const COPIES: usize = 3;

/// How long the making of an empty name space may take.
const FORMATS: Duration = Duration::from_secs(60);

/// The jars of PySpark.
pub(crate) fn jars() -> PathBuf {
    peers().join("pyspark-2.4.8-jars")
}

/// The name node's address for HTTP.
pub(crate) fn http(nodes: &Nodes) -> String {
    format!("{}:50070", nodes.address(1))
}

/// The arguments of `java` before a class or a source file.
pub(crate) fn java(nodes: &Nodes) -> Vec<String> {
    let opened =
        OPENED.iter().map(|package| format!("--add-opens=java.base/{package}=ALL-UNNAMED"));
    let mut path = vec![nodes.directory().join("conf").display().to_string()];
    let mut found: Vec<String> = fs::read_dir(jars())
        .expect("the jars of PySpark")
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| JARS.iter().any(|jar| name.starts_with(jar)))
        .collect();
    found.sort();
    path.extend(found.iter().map(|name| jars().join(name).display().to_string()));
    path.extend(DEBIAN_JARS.iter().map(|(jar, _)| format!("/usr/share/java/{jar}.jar")));
    let rest = ["-Xmx512m".to_owned(), "-cp".to_owned(), path.join(":")];
    opened.chain(rest).collect()
}

/// Starts all of it.
pub(crate) fn start(nodes: &mut Nodes, syncs: bool, pace: Pace) {
    configure(nodes, syncs, pace);
    let java_path = PathBuf::from("java");
    let name_node = "org.apache.hadoop.hdfs.server.namenode.NameNode".to_owned();
    let mut format = binaries::mortal(&java_path, Some(&nodes.network.namespace(1)));
    format.args(java(nodes)).args([name_node.as_str(), "-format", "-nonInteractive"]);
    let formatted = process::run(&mut format, FORMATS);
    assert!(formatted.status.success(), "{}", String::from_utf8_lossy(&formatted.stderr));
    let arguments = [java(nodes), vec![name_node]].concat();
    let (role, name) = (Role::Head, "name".to_owned());
    nodes.start(Program { machine: 1, role, name, path: java_path.clone(), arguments });
    for machine in machines() {
        let name = format!("data{machine}");
        let own = vec![
            "org.apache.hadoop.hdfs.server.datanode.DataNode".to_owned(),
            format!("-Ddfs.datanode.data.dir=file://{}", nodes.place(&name).display()),
            format!("-Ddfs.datanode.hostname={}", nodes.address(machine)),
        ];
        let arguments = [java(nodes), own].concat();
        let (role, path) = (Role::Store, java_path.clone());
        nodes.start(Program { machine, role, name, path, arguments });
    }
}

/// The settings. What is not here has its default.
fn configure(nodes: &Nodes, syncs: bool, pace: Pace) {
    let conf = nodes.place("conf");
    for application in ["hdfs", "datanode", "secondary", "static"] {
        let place = conf.join("webapps").join(application).join("WEB-INF");
        fs::create_dir_all(&place).expect("a directory");
        write(&place.join("web.xml"), "<web-app/>\n");
    }
    write(
        &conf.join("log4j.properties"),
        "log4j.rootLogger=WARN, CONSOLE\n\
         log4j.appender.CONSOLE=org.apache.log4j.ConsoleAppender\n\
         log4j.appender.CONSOLE.target=System.err\n\
         log4j.appender.CONSOLE.layout=org.apache.log4j.PatternLayout\n\
         log4j.appender.CONSOLE.layout.ConversionPattern=%d{ISO8601} %-5p %c{1} %m%n\n",
    );
    let address = nodes.address(1);
    let names = format!("file://{}", nodes.place("names").display());
    let mut settings = vec![
        ("fs.defaultFS", format!("hdfs://{address}:8020")),
        ("hadoop.tmp.dir", nodes.place("tmp").display().to_string()),
        ("dfs.namenode.name.dir", names),
        ("dfs.namenode.http-address", format!("{address}:50070")),
        ("dfs.permissions.enabled", "false".to_owned()),
        ("dfs.namenode.datanode.registration.ip-hostname-check", "false".to_owned()),
        ("dfs.datanode.synconclose", syncs.to_string()),
    ];
    if pace == Pace::Quick {
        // Dead after 2 x 5 s + 10 x 1 s, instead of 10.5 min. A client gives a node up after 5 s,
        // instead of a minute.
        settings.push(("dfs.namenode.heartbeat.recheck-interval", "5000".to_owned()));
        settings.push(("dfs.heartbeat.interval", "1".to_owned()));
        settings.push(("dfs.client.socket-timeout", "5000".to_owned()));
    }
    let properties: String = settings
        .iter()
        .map(|(name, value)| {
            format!("<property><name>{name}</name><value>{value}</value></property>\n")
        })
        .collect();
    let text = format!("<configuration>\n{properties}</configuration>\n");
    write(&conf.join("core-site.xml"), &text);
    write(&conf.join("hdfs-site.xml"), &text);
}

fn write(path: &Path, text: &str) {
    fs::write(path, text).expect("room for the settings");
}

/// Whether all data nodes are known, and files can be written.
pub(crate) fn is_ready(nodes: &Nodes) -> Result<(), String> {
    let state = get(nodes, "/jmx?qry=Hadoop:service=NameNode,name=FSNamesystemState")?;
    let live = state["beans"][0]["NumLiveDataNodes"].as_u64();
    if live != Some(machines().count() as u64) {
        return Err(format!("{live:?} live data nodes"));
    }
    let safe = get(nodes, "/jmx?qry=Hadoop:service=NameNode,name=NameNodeInfo")?;
    match safe["beans"][0]["Safemode"].as_str() {
        Some("") => Ok(()),
        other => Err(format!("safe mode: {other:?}")),
    }
}

/// Whether each block of these files is on three machines that are there. The name node forgets a
/// machine when it calls it dead.
pub(crate) fn is_whole(nodes: &Nodes, files: &[String], gone: Option<u8>) -> Result<(), String> {
    let gone = gone.map(|machine| nodes.address(machine));
    for file in files {
        let path = format!("/webhdfs/v1{file}?op=GET_BLOCK_LOCATIONS&user.name=root");
        let located = get(nodes, &path)?;
        let blocks = located["LocatedBlocks"]["locatedBlocks"].as_array().cloned();
        for block in blocks.ok_or_else(|| format!("no blocks of {file}"))? {
            let places = block["locations"].as_array().cloned().unwrap_or_default();
            let places = places.iter().filter_map(|place| place["ipAddr"].as_str());
            let there = places.filter(|address| Some(*address) != gone.as_deref()).count();
            if there < COPIES {
                return Err(format!("a block of {file} has {there} copies"));
            }
        }
    }
    Ok(())
}

fn get(nodes: &Nodes, target: &str) -> Result<Value, String> {
    let address = http(nodes);
    let answer = within(&nodes.network.namespace(1), || Http::new(&address).get(target));
    serde_json::from_slice(&answer?.body).map_err(|error| error.to_string())
}
