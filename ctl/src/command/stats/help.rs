//! What stands below the help of stats.

/// Options are above it.
pub(super) const DETAILS: &str = "\
A QUERY is a pattern of grep, and then stages with a | before each: a format that takes lines \
apart, perhaps conditions and new fields, and what is counted or summed, by which keys and in \
windows of which length. '| nginx | count by member, status' has no pattern and reads all lines. \
memberctl-stats-language(7) has every stage with an example. Each machine sums its own lines in a \
small program of its own, memberd-worker, and only sums cross the network.

On a terminal, rows are an aligned table below the names of the columns. Elsewhere there is a tab \
between columns and no line but rows, for sort, cut and awk -F'\\t'; --header has the names first. \
In a text, a tab is \\t, a newline \\n, a backslash \\\\, and other control characters and bytes \
that are not UTF-8 are \\xNN. What a row does not have is - in a table, and an empty column \
elsewhere. ~ marks a number of different values above 10,000, which is near and not exact. \
Windows begin at the time shown, in the zone of the caller: TZ=UTC has them in UTC.

An object of --json has schema, type (row) and row, with a field for each column: texts, numbers \
with all their digits, times in milliseconds since 1970, or null. A text that is not UTF-8 is an \
object with bytes in base64. estimates has the names of columns with a ~. The last object has \
type (totals), rows, lines, unparsed, without_time, not_numbers, and as that of grep the files, \
bytes, errors and each of the members.

A member counts wholly or not at all. Standard error names those that are missing, and says how \
many lines the query did not understand. A member that failed is missing, since copies of its logs \
are not counted yet. So is one whose sums cannot be read, name another member, or take more than \
--memory. Neither --groups nor --memory ever cuts an answer: more is an error. On a member, \
--memory is the most for the table of a thread, and its worker may have less. Here it is the most \
for the table of all members, and sums that wait for their member's end may take up to four times \
as much, or 256 MiB.

With --follow, lines count that are written from then on, as grep --follow finds them: through \
rotation, in new files, and on members that join. On a terminal the table is drawn anew in place; \
if not all rows fit, those of the newest windows are shown, or the first ones without windows, \
and a line says how many are out of sight. Elsewhere, and with --json, each row is printed that \
is new or has changed since it was printed last: the last line of a key is exact, and no line \
says that a row has left the answer, such as one that is no longer in top. An object of type \
counts follows the rows of each interval of --json, with lines, unparsed, without_time, \
not_numbers and late. Each line counts once, also if a member's memberd or worker ends and comes \
back: its sums come in rounds that count wholly or not at all, and go on from where they were. \
While a member is gone, its lines are missing, and standard error says so. A window leaves once \
--keep has passed since its end, by the time of the newest line that is not of the future. Lines \
that come for it later are counted as late. Without windows, rows are sums since the start. To \
know which rows have changed takes up to 100 bytes a row beside --memory. Interrupt it to end it; \
the last table stays.

Exit status: 0 there is a row, 1 there is none, 2 an error occurred (bad query, a file that cannot \
be read, memberd not reachable, a limit), or a member is missing in the sums.

Examples:
  memberctl stats --on vm1,vm2 'member joined | count by member'  joins that each saw
  memberctl stats --on vm1 --since 1h '| count by file'  how many lines each log got
  memberctl stats --follow --on vm1,vm2 '| count by member every 10s'  the same, live";
