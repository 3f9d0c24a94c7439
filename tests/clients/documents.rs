//! The page `Spark on memberd`: its programs run as they stand there, and its sessions print what
//! they show.

use crate::run::{Client, JAVA};
use crate::{LIMIT, SCRIPTS, fleet_with_webhdfs};
use memberd_tests::{left_out, process};
use std::fs;
use std::path::Path;

/// The page.
const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../daemon/webhdfs/SPARK.md");

/// Where the page has the interface.
const SERVED: &str = "localhost:9870";

/// What stands before a line that is typed.
const PROMPT: &str = "vm1$ ";

/// A block of the page: its language, its lines, and the words before it.
struct Block<'a> {
    language: &'a str,
    text: &'a str,
    before: &'a str,
}

fn blocks(page: &str) -> Vec<Block<'_>> {
    let parts: Vec<&str> = page.split("\n```").collect();
    parts
        .chunks_exact(2)
        .filter_map(|pair| {
            let (language, text) = pair[1].split_once('\n')?;
            Some(Block { language, text, before: pair[0] })
        })
        .collect()
}

/// The file that the words before a program name last.
fn file_name(before: &str) -> &str {
    let quoted = before.split('`').skip(1).step_by(2);
    quoted.filter(|word| word.ends_with(".py")).last().expect("a program has a name")
}

#[test]
fn the_page_on_spark_shows_what_happens() {
    let packages = match Client::spark(Path::new(SCRIPTS), "spark-4.3").prepare() {
        Ok(packages) => packages,
        Err(why) => return left_out(&why),
    };
    let page = fs::read_to_string(PAGE).unwrap();
    let (fleet, host) = fleet_with_webhdfs(3);
    let page = page.replace(SERVED, &host.replace("127.0.0.1", "localhost"));
    let directory = tempfile::tempdir().unwrap();
    let mut typed = 0;
    for Block { language, text, before } in blocks(&page) {
        match language {
            "python" => fs::write(directory.path().join(file_name(before)), text).unwrap(),
            "console" => {
                for (line, shown) in session(text) {
                    let line = format!(
                        "exec 2>&1; export PATH={0}/bin:$PATH PYTHONPATH={0} \
                         JDK_JAVA_OPTIONS='{JAVA}' SPARK_LOCAL_IP=127.0.0.1; {line}",
                        packages.display()
                    );
                    let output = process::run(
                        fleet[1].shell(&line).current_dir(directory.path()),
                        LIMIT * 3,
                    );
                    let said = String::from_utf8_lossy(&output.stdout);
                    assert!(output.status.success(), "{line}: {said}");
                    assert_eq!(words(&said), words(&shown), "{line}");
                    typed += 1;
                }
            }
            _ => {}
        }
    }
    assert!(typed >= 9, "only {typed} lines of the page are typed");
}

/// Each line that is typed, and what is shown below it.
fn session(text: &str) -> Vec<(String, String)> {
    let mut lines: Vec<(String, String)> = Vec::new();
    for line in text.lines() {
        match (line.strip_prefix(PROMPT), lines.last_mut()) {
            (Some(line), _) => lines.push((line.to_owned(), String::new())),
            (None, Some((_, shown))) => *shown = format!("{shown}{line}\n"),
            (None, None) => panic!("nothing is typed before {line}"),
        }
    }
    lines
}

/// The lines that are not empty, each without needless blanks.
fn words(text: &str) -> Vec<String> {
    let line = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    text.lines().map(line).filter(|line| !line.is_empty()).collect()
}
