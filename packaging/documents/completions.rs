//! Generates the completions of memberctl: clap's, and members' names from the daemon's list.

use clap::{Arg, Command, ValueHint};
use clap_complete::{Shell, generate};

/// Fetches the names, with a short timeout. Without a daemon or a group there are none.
const ASK: &str = "memberctl --timeout 1 list --all --format names 2>/dev/null";

/// The completions for one shell. Arguments with the hint `Hostname` are members' names.
pub(super) fn of_memberctl(shell: Shell, mut command: Command) -> String {
    let mut text = Vec::new();
    generate(shell, &mut command, "memberctl", &mut text);
    let text = String::from_utf8_lossy(&text);
    match shell {
        Shell::Bash => text.into_owned() + &bash(&command),
        Shell::Zsh => text
            .replacen("\n\n", &ZSH.replace("ASK", ASK), 1)
            .replace(":_hosts", ":_memberctl_members"),
        Shell::Fish => {
            FISH.replace("ASK", ASK)
                + &text.replace("(__fish_print_hostnames)", "(__memberctl_members)")
        }
        // Other shells complete options, and no members' names.
        _ => text.into_owned(),
    }
}

fn bash(command: &Command) -> String {
    let is_member = |arg: &&Arg| arg.get_value_hint() == ValueHint::Hostname;
    let (mut subcommands, mut options) = (Vec::new(), Vec::new());
    for subcommand in command.get_subcommands() {
        subcommands.push(subcommand.get_name());
        let longs = subcommand.get_arguments().filter(is_member).filter_map(Arg::get_long);
        options.extend(longs.map(|long| format!("{},--{long}", subcommand.get_name())));
    }
    BASH.replace("SUBCOMMANDS", &subcommands.join(" | "))
        .replace("OPTIONS", &options.join(" | "))
        .replace("ASK", ASK)
}

/// Wraps clap's function, which completes everything but members' names. bash splits words at `=`,
/// and commas separate names.
const BASH: &str = r#"
_memberctl_members() {
    local current=$2 option=$3 word subcommand= name before=
    if [[ ${COMP_WORDS[COMP_CWORD]} == = ]]; then
        current=
    elif [[ $option == = ]]; then
        option=${COMP_WORDS[COMP_CWORD - 2]}
    fi
    for word in "${COMP_WORDS[@]:1:COMP_CWORD}"; do
        case $word in
            SUBCOMMANDS)
                subcommand=$word
                break
                ;;
        esac
    done
    case $subcommand,$option in
        OPTIONS)
            COMPREPLY=()
            [[ $current == *,* ]] && before=${current%,*},
            while IFS= read -r name; do
                [[ $name == "${current##*,}"* ]] && COMPREPLY+=("$before$name")
            done < <(ASK)
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

"#;

/// Candidates are whole words, including the part before the last comma.
const FISH: &str = r#"function __memberctl_members
    set -l before (commandline -ct | string match -rg '^(?:--[a-z-]+=)?(.*,)')
    for name in (ASK)
        echo "$before$name"
    end
end

"#;
