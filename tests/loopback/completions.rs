//! Completions as a user of each shell gets them: options from the command line's definitions,
//! members from the daemon.

#[path = "../../packaging/documents/completions.rs"]
mod generated;

use clap_complete::{Generator, Shell};
use memberd_tests::binaries::{memberctl, mortal};
use memberd_tests::terminal::Terminal;
use memberd_tests::wait::SOON;
use memberd_tests::{Fleet, process, tools};
use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long a shell may take that ends by itself.
const LIMIT: Duration = SOON;

/// The text that is typed before the TAB, and the words that the line has afterwards. db1 has
/// crashed.
const LINES: [(&str, &str); 32] = [
    ("memberctl grep --on w", "<memberctl><grep><--on><web1>"),
    ("memberctl grep --on=w", "<memberctl><grep><--on=web1>"),
    ("memberctl grep -c --not-on web1,d", "<memberctl><grep><-c><--not-on><web1,db1>"),
    ("memberctl wait --name d", "<memberctl><wait><--name><db1>"),
    ("memberctl list --name w", "<memberctl><list><--name><web1>"),
    ("memberctl top --member w", "<memberctl><top><--member><web1>"),
    ("memberctl grep --files-without", "<memberctl><grep><--files-without-match>"),
    ("memberctl events --unt", "<memberctl><events><--until>"),
    ("memberctl wait --status f", "<memberctl><wait><--status><failed>"),
    ("memberctl log de", "<memberctl><log><debug>"),
    ("memberctl list w", "<memberctl><list><web1>"),
    ("memberctl list --all web1 d", "<memberctl><list><--all><web1><db1>"),
    ("memberctl list --format pro", "<memberctl><list><--format><prometheus-sd>"),
    ("memberctl list --sort inc", "<memberctl><list><--sort><incarnation>"),
    ("memberctl status --sock", "<memberctl><status><--socket>"),
    ("memberctl events --color al", "<memberctl><events><--color><always>"),
    ("memberctl che", "<memberctl><check>"),
    ("memberctl forget ", "<memberctl><forget><db1>"),
    ("memberctl key gen", "<memberctl><key><generate>"),
    ("memberctl view reco", "<memberctl><view><recover>"),
    ("memberctl file che", "<memberctl><file><check>"),
    ("memberctl file put --par", "<memberctl><file><put><--parents>"),
    ("memberctl view recover --lost web1,d", "<memberctl><view><recover><--lost><web1,db1>"),
    ("memberctl leader hand-over w", "<memberctl><leader><hand-over><web1>"),
    ("memberctl leader --che", "<memberctl><leader><--check>"),
    ("memberctl run --lea", "<memberctl><run><--leader>"),
    ("memberctl stats --on w", "<memberctl><stats><--on><web1>"),
    ("memberctl stats --head", "<memberctl><stats><--header>"),
    ("memberctl stats --fol", "<memberctl><stats><--follow>"),
    ("memberctl stream che", "<memberctl><stream><check>"),
    ("memberctl stream watch --fr", "<memberctl><stream><watch><--from>"),
    ("memberctl stream forget ", "<memberctl><stream><forget><db1>"),
];

struct Shop {
    fleet: Fleet,
    path: OsString,
    directory: tempfile::TempDir,
}

/// Two members of which one has crashed, and a directory with the completions of a shell.
fn shop(shell: Shell) -> Shop {
    let mut names = ["web1", "db1"].into_iter();
    let mut fleet =
        Fleet::start_with(2, |daemon| daemon.settings.name = names.next().unwrap().to_owned());
    fleet.crash(&[2]);
    fleet.wait_until_whole();
    let directory = tempfile::tempdir().unwrap();
    let text = generated::of_memberctl(shell, ::memberctl::completed_line());
    fs::write(directory.path().join(shell.file_name("memberctl")), text).unwrap();
    let programs = memberctl().parent().unwrap().to_owned();
    let path = env::join_paths(
        [programs].into_iter().chain(env::split_paths(&env::var_os("PATH").unwrap())),
    )
    .unwrap();
    Shop { fleet, path, directory }
}

impl Shop {
    fn socket(&self) -> PathBuf {
        self.fleet[1].settings.socket.clone()
    }

    /// Types all lines at a shell's prompt, and has it show the words that each has become.
    fn try_at_the_prompt(&self, shell: &str, source: &str) {
        let environment = [
            ("PATH", Path::new(&self.path)),
            ("MEMBERCTL_SOCKET", &self.socket()),
            ("HOME", self.directory.path()),
        ];
        let mut terminal =
            Terminal::run(&format!("stty rows 24 cols 200; cd; exec {shell}"), &environment);
        terminal.type_keys(&format!("{source}; echo rea''dy\r"));
        terminal.wait_until_shown("ready");
        for (typed, words) in LINES {
            // Ctrl-A goes to the line's begin.
            terminal.type_keys(&format!("{typed}\t\u{1}printf '<%s>' \r"));
            terminal.wait_until_shown(words);
        }
        // Without a daemon the typed text stays, and nothing is printed.
        terminal.type_keys("export MEMBERCTL_SOCKET=/nowhere; clear\r");
        terminal.type_keys("memberctl wait --name d\t\u{1}printf '[%s]' \r");
        terminal.wait_until_shown("[memberctl][wait][--name][d]");
        terminal.type_keys("exit\r");
        assert!(terminal.wait().success());
        assert!(!terminal.seen().contains("not running"), "{}", terminal.seen());
    }
}

#[test]
fn bash_completes_the_names_of_members() {
    shop(Shell::Bash).try_at_the_prompt("bash --norc --noprofile", "source memberctl.bash");
}

#[test]
fn zsh_completes_the_names_of_members() {
    if tools::is_there("zsh", "zsh") {
        let source = "fpath=($PWD $fpath); autoload -U compinit; compinit -u -D";
        shop(Shell::Zsh).try_at_the_prompt("zsh -f", source);
    }
}

#[test]
fn fish_completes_the_names_of_members() {
    if !tools::is_there("fish", "fish") {
        return;
    }
    let shop = shop(Shell::Fish);
    let complete = |line: &str, socket: &Path| {
        let mut fish = mortal(Path::new("fish"), None);
        fish.args(["--no-config", "-c", &format!("source memberctl.fish; complete -C '{line}'")])
            .current_dir(shop.directory.path());
        fish.env("PATH", &shop.path)
            .env("HOME", shop.directory.path())
            .env("MEMBERCTL_SOCKET", socket);
        let output = process::run(&mut fish, LIMIT);
        assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
        // The candidate, and after a tab what it is.
        let text = String::from_utf8(output.stdout).unwrap();
        text.lines()
            .map(|line| line.split('\t').next().unwrap_or_default().to_owned())
            .collect::<Vec<_>>()
    };
    for (typed, words) in LINES {
        let expected = words.rsplit_once('<').unwrap().1.trim_end_matches('>');
        assert_eq!(complete(typed, &shop.socket()), [expected], "{typed}");
    }
    assert_eq!(complete("memberctl wait --name d", Path::new("/nowhere")), [""; 0]);
}
