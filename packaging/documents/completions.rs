//! Generates the completions of memberctl: clap's, and members' names from the daemon's list.

use clap::{Arg, Command, ValueHint};
use clap_complete::{Shell, generate};

/// Fetches the names, with a short timeout. Without a daemon or a group there are none.
const ASK: &str = "memberctl --timeout 1 list --all --format names 2>/dev/null";

/// Fetches the names of those that failed or left.
const ASK_GONE: &str = "memberctl --timeout 1 list --status failed,left --format names 2>/dev/null";

/// The completions for one shell. Arguments with the hint `Hostname` are members' names, and those
/// with the hint `Username` are names of members that failed or left.
pub(super) fn of_memberctl(shell: Shell, mut command: Command) -> String {
    let mut text = Vec::new();
    generate(shell, &mut command, "memberctl", &mut text);
    let text = String::from_utf8_lossy(&text);
    match shell {
        Shell::Bash => text.into_owned() + &bash(&command),
        Shell::Zsh => text
            .replacen("\n\n", &with_names(ZSH), 1)
            .replace(":_hosts", ":_memberctl_members")
            .replace(":_users", ":_memberctl_gone"),
        Shell::Fish => {
            with_names(FISH)
                + &text.replace("(__fish_print_hostnames)", "(__memberctl_members)")
                + &fish_operands(&command)
        }
        // Other shells complete options, and no members' names.
        _ => text.into_owned(),
    }
}

fn with_names(script: &str) -> String {
    script.replace("ASK_GONE", ASK_GONE).replace("ASK", ASK)
}

fn is_member(arg: &&Arg) -> bool {
    arg.get_value_hint() == ValueHint::Hostname
}

fn is_gone(arg: &&Arg) -> bool {
    arg.get_value_hint() == ValueHint::Username
}

fn is_option(arg: &Arg) -> bool {
    !arg.is_positional() && arg.get_action().takes_values()
}

/// The commands, each with the words that name it: `list`, `leader`, `leader hand-over`.
fn named<'c>(command: &'c Command) -> Vec<(String, &'c Command)> {
    let each = |command: &'c Command| {
        let name = command.get_name();
        let nested = command.get_subcommands();
        let nested = nested.map(move |nested| (format!("{name} {}", nested.get_name()), nested));
        std::iter::once((name.to_owned(), command)).chain(nested)
    };
    command.get_subcommands().flat_map(each).collect()
}

fn bash(command: &Command) -> String {
    let mut subcommands = Vec::new();
    let (mut options, mut others) = (Vec::new(), Vec::new());
    let (mut operands, mut gone) = (Vec::new(), Vec::new());
    for (name, subcommand) in named(command) {
        // In a pattern of the shell.
        let name = name.replace(' ', "\\ ");
        for arg in subcommand.get_arguments().filter(|arg| is_option(arg)) {
            let longs = arg.get_long().map(|long| format!("{name},--{long}"));
            let written = longs.into_iter().chain(arg.get_short().map(|s| format!("{name},-{s}")));
            if is_member(&arg) { options.extend(written) } else { others.extend(written) }
        }
        operands.extend(subcommand.get_positionals().find(is_member).map(|_| format!("{name},*")));
        gone.extend(subcommand.get_positionals().find(is_gone).map(|_| format!("{name},*")));
        subcommands.push(name);
    }
    with_names(BASH)
        .replace("SUBCOMMANDS", &subcommands.join(" | "))
        .replace("OPTIONS", &options.join(" | "))
        .replace("OTHERS", &others.join(" | "))
        .replace("OPERANDS", &operands.join(" | "))
        .replace("GONE", &gone.join(" | "))
}

/// clap has no completion of operands for fish. A nested command's condition is that its name was
/// typed as well.
fn fish_operands(command: &Command) -> String {
    let mut text = String::new();
    for (name, subcommand) in named(command) {
        for operand in subcommand.get_positionals() {
            let values: Vec<String> = operand
                .get_possible_values()
                .iter()
                .map(|value| value.get_name().to_owned())
                .collect();
            let candidates = match operand.get_value_hint() {
                ValueHint::Hostname => "(__memberctl_members)".to_owned(),
                ValueHint::Username => "(__memberctl_gone)".to_owned(),
                _ if values.is_empty() => continue,
                _ => values.join(" "),
            };
            let (first, nested) = name.split_once(' ').unwrap_or((&name, ""));
            let nested = match nested {
                "" => String::new(),
                nested => format!("; and __fish_seen_subcommand_from {nested}"),
            };
            text += &format!(
                "complete -c memberctl -n \"__fish_memberctl_using_subcommand {first}{nested}\" -f \
                -a \"{candidates}\"\n"
            );
        }
    }
    text
}

/// Wraps clap's function, which completes everything but members' names. bash splits words at `=`,
/// and commas separate names.
const BASH: &str = r#"
_memberctl_names() {
    local name before=
    COMPREPLY=()
    [[ $1 == *,* ]] && before=${1%,*},
    while IFS= read -r name; do
        [[ $name == "${1##*,}"* ]] && COMPREPLY+=("$before$name")
    done
}

_memberctl_members() {
    local current=$2 option=$3 word subcommand=
    if [[ ${COMP_WORDS[COMP_CWORD]} == = ]]; then
        current=
    elif [[ $option == = ]]; then
        option=${COMP_WORDS[COMP_CWORD - 2]}
    fi
    for word in "${COMP_WORDS[@]:1:COMP_CWORD - 1}"; do
        case ${subcommand:+$subcommand }$word in
            SUBCOMMANDS)
                subcommand=${subcommand:+$subcommand }$word
                ;;
        esac
    done
    case $subcommand,$option in
        OPTIONS)
            _memberctl_names "$current" < <(ASK)
            ;;
        OTHERS)
            _memberctl "$@"
            ;;
        OPERANDS)
            if [[ $current == -* ]]; then
                _memberctl "$@"
            else
                _memberctl_names "$current" < <(ASK)
            fi
            ;;
        GONE)
            if [[ $current == -* ]]; then
                _memberctl "$@"
            else
                _memberctl_names "$current" < <(ASK_GONE)
            fi
            ;;
        *)
            _memberctl "$@"
            ;;
    esac
}
complete -F _memberctl_members -o nosort -o bashdefault -o default memberctl
"#;

/// Follows clap's first line, which has `#compdef`.
const ZSH: &str = r#"

_memberctl_members() {
    local -a names
    names=(${(f)"$(ASK)"})
    compset -P '*,'
    compadd -a names
}

_memberctl_gone() {
    local -a names
    names=(${(f)"$(ASK_GONE)"})
    compadd -a names
}

"#;

/// Candidates are whole words, including the part before the last comma.
const FISH: &str = r#"function __memberctl_members
    set -l before (commandline -ct | string match -rg '^(?:--[a-z-]+=)?(.*,)')
    for name in (ASK)
        echo "$before$name"
    end
end

function __memberctl_gone
    ASK_GONE
end

"#;
