//! What stands below the help of stream.

/// Commands are above it.
pub(crate) const DETAILS: &str = "\
A job is a question over the logs of all members that is answered for as long as it runs: \
memberctl stats, but durable. Each line counts once, whatever crashes. Its rows go to a sink, a \
replicated file that memberctl file cat prints. memberctl-stats-language(7) has the language. A \
durable job needs windows, such as every 10s, or every 10s over 5m: then one begins every 10 s, \
is 5 min long and shares lines with others. It is at most 60 times as long as from one to the \
next. There is no where behind the aggregate.

With top or sort behind the aggregate, the rows of a window are a list: they come at once, in \
their order, when all parts of the job have closed the window. If late lines change the list, all \
its rows come again with a larger revision: of a window, the rows with the largest one count. A \
list has at most 512 KiB, about 5,000 rows. The rows that late lines may still bring into lists \
are kept for retain; with more than 32 MiB on a machine the job stops, and says so. So have a top, \
and a short retain if windows are short: 10m for every 1s.

It needs [streams] jobs = true, [files] and [agreement] on all machines.

A job is a file of TOML:

  name = \"shop-errors\"
  query = '''\" 50[023] \" | nginx | count by member, status every 10s'''
  files = [\"/var/log/nginx/*.log\"]  # globs over the files that members offer
  from = \"now\"                      # or \"beginning\", with rotated files; or a time
  on = { role = \"web\" }             # members with these tags; newcomers join in
  lateness = \"10s\"                  # how far behind its file's newest a line may be
  late = \"revise\"                   # late lines make rows again; \"drop\" counts them
  retain = \"1h\"                     # how long a closed window takes late lines
  commit = \"1s\"                     # how often sums are made durable
  on_failed = \"exclude\"             # or \"wait\": what failed members do to windows
  partitions = 8                    # parts of the keys, which members share: 1 to 64
  limits = { groups = 200_000, memory = \"64M\" }  # of a window in a partition
  sink = { file = \"/streams/shop-errors.tsv\", replication = 5 }

Only name, query and files have to be there. What else is shown is the default, but on: without \
it all members take part. A window that has more than limits allow stops the job; at most they are \
1,000,000 groups and 64M, since all sums of a machine have 64M.

For example:
  memberctl stream check shop-errors.toml && memberctl stream start shop-errors.toml
  memberctl stream watch shop-errors
  memberctl stream status --json shop-errors | jq .lag_bytes
  memberctl file cat /streams/shop-errors.tsv | cut -f 2-";
