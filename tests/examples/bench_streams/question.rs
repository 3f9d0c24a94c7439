//! The questions over logs, in the words of each program. It owns no state.

use crate::options::Row;

/// A question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Question {
    /// Errors by member, path and status.
    Errors,
    /// All lines by member and status, every ten seconds.
    Windows,
    /// The ten clients with the most requests, and their bytes.
    Clients,
}

impl Question {
    /// All of them.
    pub(crate) const ALL: [Question; 3] = [Question::Errors, Question::Windows, Question::Clients];

    /// The pattern of the lines that are errors.
    pub(crate) const PATTERN: &'static str = "\" 50[023] ";

    /// Its row of the page.
    pub(crate) fn row(self) -> Row {
        match self {
            Question::Errors => Row::Errors,
            Question::Windows => Row::Windows,
            Question::Clients => Row::Clients,
        }
    }

    /// Its name in the scripts.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Question::Errors => "errors",
            Question::Windows => "windows",
            Question::Clients => "clients",
        }
    }

    /// What it is, in words.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Question::Errors => "Q1, errors by machine, path and status",
            Question::Windows => "Q2, lines by machine and status, every 10 s",
            Question::Clients => "Q3, the top 10 clients, with bytes",
        }
    }

    /// For memberctl, where the name of a machine is its member or a file.
    pub(crate) fn memberd(self, machine: &str) -> String {
        match self {
            Question::Errors => {
                let pattern = Self::PATTERN.replace('"', "\\\"");
                format!("\"{pattern}\" | nginx | count by {machine}, path, status")
            }
            Question::Windows => format!("| nginx | count by {machine}, status every 10s"),
            Question::Clients => "| nginx | count as requests, sum(bytes) by client \
                                  | top 10 by requests"
                .to_owned(),
        }
    }

    /// For awk, as a line of sh(1) that reads these logs. 19 characters of a stamp are ten seconds.
    pub(crate) fn awk(self, logs: &str) -> String {
        let program = match self {
            Question::Errors => {
                r#"/" 50[023] /{c[FILENAME"\t"$7"\t"$9]++} END{for(k in c)print k"\t"c[k]}"#
            }
            Question::Windows => {
                r#"{c[substr($4,2,19)"\t"FILENAME"\t"$9]++} END{for(k in c)print k"\t"c[k]}"#
            }
            Question::Clients => r#"{n[$1]++;b[$1]+=$10} END{for(k in n)print k"\t"n[k]"\t"b[k]}"#,
        };
        let best = match self {
            Question::Clients => " | sort -t\"$(printf '\\t')\" -k2,2nr | head -n 10",
            Question::Errors | Question::Windows => "",
        };
        format!("LC_ALL=C exec mawk '{program}' {logs}{best}").replace(
            // A pipeline has no single program to become.
            "exec mawk",
            if best.is_empty() { "exec mawk" } else { "mawk" },
        )
    }

    /// For angle-grinder, which does not know where a line comes from.
    pub(crate) fn agrind(self) -> &'static str {
        match self {
            Question::Errors => {
                r#""\" 50" | parse "\"* * *\" * " as method, path, proto, status
                   | where status == 500 or status == 502 or status == 503
                   | count by path, status"#
            }
            Question::Windows => {
                r#"* | parse "[*] \"*\" * " as stamp, request, status
                   | substring(stamp, 0, 19) as begin | count by begin, status"#
            }
            Question::Clients => {
                r#"* | parse "* - - [*] \"*\" * * " as client, stamp, request, status, bytes
                   | count, sum(bytes) by client | limit 10"#
            }
        }
    }

    /// The columns of angle-grinder's answer.
    pub(crate) fn agrind_columns(self) -> &'static str {
        match self {
            Question::Errors => "format={path}\t{status}\t{_count}",
            Question::Windows => "format={begin}\t{status}\t{_count}",
            Question::Clients => "format={client}\t{_count}\t{_sum}",
        }
    }
}
