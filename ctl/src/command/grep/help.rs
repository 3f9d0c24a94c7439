//! The help of grep. The shells' completions take their explanations from it.

/// What stands below the usage.
pub(super) const HELP: &str = "\
Prints the lines that match, as NAME:FILE:LINE. FILE is a glob over the files
that each member offers: machine.i.log, and what its settings list under [logs]
files; memberctl files shows all of them. Without a FILE, all are searched.
NAME:FILE, as it is printed, is a FILE of that member alone. Ctrl-C stops the
search on every member.

Patterns:
  -G, --basic-regexp        PATTERN is a basic regular expression (default)
  -E, --extended-regexp     PATTERN is an extended regular expression
  -F, --fixed-strings       PATTERN is a string
  -P, --perl-regexp         PATTERN is a Perl regular expression; only one
  -e, --regexp=PATTERN      use PATTERN for matching; can be given several times
  -f, --file=FILE           take patterns from FILE on this machine, one a line
                            (at most 4 MiB of strings, or 64 KiB of others)
  -i, -y, --ignore-case     ignore case distinctions in patterns and data
      --no-ignore-case      do not ignore case distinctions (default)
  -v, --invert-match        select non-matching lines
  -w, --word-regexp         match only whole words
  -x, --line-regexp         match only whole lines
  -z, --null-data           a data line ends in 0 byte, not newline

Files:
  -a, --text                equivalent to --binary-files=text
  -I                        equivalent to --binary-files=without-match
      --binary-files=TYPE   assume that binary files are TYPE;
                            TYPE is binary, text, or without-match
      --include=GLOB        search only files whose base name matches GLOB
      --exclude=GLOB        skip files whose base name matches GLOB
      --exclude-from=FILE   skip files that match any glob from FILE
  -s, --no-messages         suppress error messages about files
  -m, --max-count=NUM       stop after NUM selected lines in each file

Output:
  -c, --count               print only a count of selected lines per file
  -l, --files-with-matches  print only names of files with selected lines
  -L, --files-without-match print only names of files with no selected lines
  -o, --only-matching       show only nonempty parts of lines that match
  -q, --quiet, --silent     suppress all normal output; stop at the first match
  -n, --line-number         print line number with output lines
  -b, --byte-offset         print the byte offset with output lines
  -h, --no-filename         suppress the prefix NAME:FILE: on output
  -H, --with-filename       print NAME:FILE: with output lines (default)
  -T, --initial-tab         make tabs line up
  -Z, --null                print 0 byte after NAME:FILE
  -A, --after-context=NUM   print NUM lines of trailing context
  -B, --before-context=NUM  print NUM lines of leading context
  -C, -NUM, --context=NUM   print NUM lines of output context
      --group-separator=SEP print SEP, not --, between groups with context
      --no-group-separator  do not print a separator between such groups
      --color[=WHEN]        highlight the matching strings as GREP_COLORS says;
                            WHEN is always, never, or auto (on a terminal,
                            unless NO_COLOR is set)
      --control-chars=HOW   show control characters of lines and file names as
                            they are (raw), or as \\x1b (escape); auto, which
                            is the default, escapes them on a terminal alone
      --line-buffered       flush output on every line (default)
  -U, --binary              do not strip CR characters at EOL (default)

Members and time:
      --on=GLOB[,GLOB]...   ask only members whose name matches: 'web*',
                            'vm[01-12]', 'db{1,3}' (see memberctl list --help)
      --not-on=GLOB[,...]   do not ask members whose name matches
      --tag=KEY[=VALUE]     ask only members with this tag; of several, with all
      --no-copies           do not search what other members keep of the logs of
                            members that failed; one that left is searched like
                            this if --on names it
      --rotated             also search the rotated files of each file
      --since=T, --until=T  search only lines of that time: 10m, 2 days ago,
                            yesterday, 14:00 (for --since the last one),
                            2026-11-21 14:00 UTC, @1763688033, or RFC 3339;
                            memberctl(1) lists all, under TIMES; the order of a
                            file's lines does not matter
      --merge               print the lines of all members in the order of time
      --follow              print lines as they are written, until interrupted;
                            not with --merge
      --order=ORDER         print members in the order of their names: auto, the
                            default, lets one wait that finds nothing for 2 s;
                            name lets none; found prints lines as they are found
      --limit=NUM           stop after NUM printed lines of all members; not
                            with -c, -L
      --last=NUM            print the last NUM lines of all members by time; as
                            --merge, at the end
      --fold                print equal output of members once, under the names
                            of all: vm[1-12]
      --journal             search the journal instead of files. Then FILE can
                            be FIELD=VALUE, as in journalctl. The next options,
                            too, are those of journalctl and need --journal:
  -u, --unit=UNIT           search only this unit; can be given several times
      --user-unit=UNIT      search only this unit of users' service managers
  -t, --identifier=ID       search only what has this syslog identifier
  -p, --priority=PRIORITY   search only this priority and higher ones
      --facility=FACILITY   search only these syslog facilities
      --boot[=BOOT]         search only this boot, or the current one; -1 is the
                            one before it, for each member its own
  -k, --dmesg               search only messages of the kernel, of this boot
      --namespace=NAME      search the journal of this namespace instead
      --count-by=WHAT       print one count per member, or per file over all
      --total               with -c, print the sum as a last line
      --json                print one JSON object a line, the last with totals
      --stats               print on standard error what was searched, and how
                            long it took
      --help                display this help text and exit
  -V, --version             display version information and exit

LC_ALL, LC_CTYPE and LANG say what a character is: UTF-8, or in the C locale one
byte. On a terminal, spaces after shorter members' names align what follows.
Pipes, -h, -Z and --json get no such spaces.

Exit status: 0 a line matched, 1 none did, 2 an error occurred (bad pattern, a
file that cannot be read, memberd not reachable, with --since, --until or
--merge a time that is not understood, or the copy of a failed member's logs
ends more than 2 s before that member was last heard), 3 a member did not
answer, or its answer was dropped because it cannot be its own, and no error
occurred. A member that is known to have failed is named, and whose copy of its
logs is searched. If nobody keeps them, that changes the status only if no other
member was to be asked. After --limit, it is that of what was known by then.";
