//! Runs GNU grep and this crate over the same files and compares what they print, byte for byte.

#![allow(
    unreachable_pub,
    dead_code,
    reason = "shared by several test programs, each with its own needs"
)]

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use memberd_search::{
    ExposedFile, ExposedFiles, FileFilter, FileList, GrepBinary, GrepCharacters, GrepPrint,
    GrepSyntax, Output, Plan, Query, Stopped, Totals,
};
use tempfile::TempDir;

/// What a run printed and returned.
#[derive(Debug, PartialEq, Eq)]
pub struct Outcome {
    pub output: Vec<u8>,
    pub messages: Vec<String>,
    pub status: i32,
}

impl Outcome {
    /// What this result has and `other` has not.
    fn beyond(&self, other: &Outcome) -> String {
        let lines: Vec<&[u8]> = other.output.split(|b| *b == b'\n').collect();
        let extra: Vec<String> = self
            .output
            .split(|b| *b == b'\n')
            .filter(|line| !lines.contains(line))
            .map(|line| line.escape_ascii().to_string())
            .take(5)
            .collect();
        format!(
            "status {}, {} bytes, {:?}, only here: {extra:#?}",
            self.status,
            self.output.len(),
            self.messages
        )
    }
}

/// A directory with files to search.
pub struct Bench {
    directory: TempDir,
    exposed: ExposedFiles,
    files: Vec<PathBuf>,
}

/// The machine's name. For GNU grep it is the link `m1:` to the root, so that its file names are
/// like ours.
const MACHINE: &str = "m1";

impl Bench {
    pub fn new(files: &[(&str, &[u8])]) -> Bench {
        let directory = TempDir::new().unwrap();
        symlink("/", directory.path().join(format!("{MACHINE}:"))).unwrap();
        let mut paths = Vec::new();
        for (name, content) in files {
            let path = directory.path().join(name);
            std::fs::write(&path, content).unwrap();
            paths.push(path);
        }
        paths.sort();
        let exposed = ExposedFiles::new(&[directory.path().join("*").to_str().unwrap()]).unwrap();
        Bench { directory, exposed, files: paths }
    }

    /// What GNU grep does, in the C locale where bytes are characters. None when it does not end
    /// within 20 s: for some patterns it never ends.
    pub fn theirs(&self, query: &Query) -> Option<Outcome> {
        self.theirs_with(query, None)
    }

    fn theirs_with(&self, query: &Query, colors: Option<&str>) -> Option<Outcome> {
        let mut command = Command::new("timeout");
        command
            .current_dir(self.directory.path())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env(
                "LC_ALL",
                if query.pattern.characters == GrepCharacters::Bytes { "C" } else { "C.UTF-8" },
            )
            .envs(colors.map(|colors| ("GREP_COLORS", colors)))
            .args(["20", "grep"])
            .args(arguments(query));
        for path in &self.files {
            command.arg(format!("{MACHINE}:{}", path.display()));
        }
        let result =
            command.output().expect("timeout (GNU coreutils) is needed in PATH for these tests");
        let status = result.status.code().unwrap();
        assert!(
            status <= 124,
            "GNU grep is needed in PATH for these tests: {:?}",
            result.stderr.escape_ascii()
        );
        if status == 124 {
            return None;
        }
        let messages = String::from_utf8_lossy(&result.stderr)
            .lines()
            .filter(|line| !line.starts_with("grep: warning:"))
            .map(|line| line.trim_start_matches("grep: ").to_owned())
            .collect();
        Some(Outcome { output: result.stdout, messages, status })
    }

    /// What this crate does.
    pub fn ours(&self, query: &Query) -> Outcome {
        let search = match query.compile() {
            Ok(search) => search,
            Err(error) => {
                return Outcome {
                    output: Vec::new(),
                    messages: vec![error.to_string()],
                    status: 2,
                };
            }
        };
        let files = self.exposed.files(&FileFilter::default()).files;
        assert_eq!(files.len(), self.files.len());
        let mut gathered = Gathered::default();
        let totals =
            search.run(&Plan::default(), MACHINE, &files, &mut gathered, &AtomicBool::new(false));
        assert!(!totals.interrupted);
        let quiet_success = query.printing.what == GrepPrint::Nothing && totals.lines > 0;
        let status = match (totals.errors, totals.lines) {
            (1.., _) if !quiet_success => 2,
            (_, 0) => 1,
            _ => 0,
        };
        Outcome { output: gathered.output, messages: gathered.messages, status }
    }

    /// The difference between the two, if any. None when GNU grep did not end.
    pub fn difference(&self, query: &Query) -> Option<String> {
        self.difference_with(query, None)
    }

    /// The same, with `GREP_COLORS` for GNU grep.
    pub fn difference_with(&self, query: &Query, colors: Option<&str>) -> Option<String> {
        let theirs = self.theirs_with(query, colors)?;
        let ours = self.ours(query);
        CASES.fetch_add(1, Ordering::Relaxed);
        (theirs != ours).then(|| {
            format!(
                "{:?} grep {:?}\n  grep: {}\n  ours: {}",
                query.pattern.characters,
                arguments(query),
                theirs.beyond(&ours),
                ours.beyond(&theirs)
            )
        })
    }
}

/// How many searches were compared so far.
static CASES: AtomicUsize = AtomicUsize::new(0);

/// Fails if there were differences, and says how many searches this program has compared.
pub fn assert_none(differences: &[String]) {
    eprintln!("{} searches were compared with GNU grep's", CASES.load(Ordering::Relaxed));
    assert!(
        differences.is_empty(),
        "{} differences:\n{}",
        differences.len(),
        differences.join("\n")
    );
}

/// A query for one pattern.
pub fn query_for(pattern: &(impl AsRef<[u8]> + ?Sized)) -> Query {
    Query::default().with(|query| query.pattern.patterns = vec![pattern.as_ref().to_vec()])
}

/// The options of grep's command line that ask for `query`.
pub fn arguments(query: &Query) -> Vec<OsString> {
    let mut arguments = Vec::new();
    let mut flag = |on: bool, option: &str| {
        if on {
            arguments.push(OsString::from(option));
        }
    };
    flag(query.pattern.syntax == GrepSyntax::Basic, "-G");
    flag(query.pattern.syntax == GrepSyntax::Extended, "-E");
    flag(query.pattern.syntax == GrepSyntax::Fixed, "-F");
    flag(query.pattern.syntax == GrepSyntax::Perl, "-P");
    flag(query.pattern.ignore_case, "-i");
    flag(query.pattern.invert, "-v");
    flag(query.pattern.words, "-w");
    flag(query.pattern.whole_lines, "-x");
    flag(query.pattern.null_data, "-z");
    flag(query.printing.what == GrepPrint::Matches, "-o");
    flag(query.printing.what == GrepPrint::Count, "-c");
    flag(query.printing.what == GrepPrint::FilesWithMatch, "-l");
    flag(query.printing.what == GrepPrint::FilesWithoutMatch, "-L");
    flag(query.printing.what == GrepPrint::Nothing, "-q");
    flag(query.printing.line_numbers, "-n");
    flag(query.printing.byte_offsets, "-b");
    flag(query.printing.initial_tab, "-T");
    flag(query.printing.no_names, "-h");
    flag(!query.printing.no_names, "-H");
    flag(query.printing.null_after_names, "-Z");
    flag(query.printing.no_messages, "-s");
    flag(query.printing.binary == GrepBinary::Text, "-a");
    flag(query.printing.binary == GrepBinary::Skip, "-I");
    flag(query.printing.colors.is_some(), "--color=always");
    flag(query.printing.group_separator.is_none(), "--no-group-separator");
    let separator = query.printing.group_separator.as_ref().filter(|separator| *separator != b"--");
    let separator =
        separator.map(|separator| [b"--group-separator=", separator.as_slice()].concat());
    arguments.extend(separator.map(|option| OsStr::from_bytes(&option).to_owned()));
    let numbers = [
        ("-m", query.printing.max_count),
        ("-B", query.printing.before_context.map(u64::from)),
        ("-A", query.printing.after_context.map(u64::from)),
    ];
    arguments.extend(
        numbers
            .iter()
            .filter_map(|(option, number)| number.map(|number| format!("{option}{number}").into())),
    );
    if query.pattern.patterns.is_empty() {
        arguments.push("-f/dev/null".into());
    }
    for pattern in &query.pattern.patterns {
        arguments.push("-e".into());
        arguments.push(OsStr::from_bytes(pattern).to_owned());
    }
    arguments
}

/// An output that keeps everything.
#[derive(Default)]
pub struct Gathered {
    pub output: Vec<u8>,
    pub messages: Vec<String>,
}

impl Output for Gathered {
    fn lines(&mut self, bytes: Vec<u8>) -> Result<(), Stopped> {
        assert!(matches!(bytes.last(), Some(b'\n' | 0)), "chunks end at line ends");
        self.output.extend(bytes);
        Ok(())
    }

    fn line_part(&mut self, bytes: Vec<u8>) -> Result<(), Stopped> {
        self.output.extend(bytes);
        Ok(())
    }

    fn message(&mut self, text: String) -> Result<(), Stopped> {
        self.messages.push(format!("{MACHINE}:{text}"));
        Ok(())
    }
}

/// Searches the files to the end, or until the output wants no more.
pub fn run(query: &Query, plan: &Plan, files: &[ExposedFile], output: &mut dyn Output) -> Totals {
    query.compile().unwrap().run(plan, MACHINE, files, output, &AtomicBool::new(false))
}

/// What a search of these files prints, and its messages.
pub fn printed(query: &Query, found: &FileList) -> (String, Vec<String>) {
    let mut gathered = Gathered::default();
    run(query, &Plan::default(), &found.files, &mut gathered);
    (String::from_utf8(gathered.output).unwrap(), gathered.messages)
}
