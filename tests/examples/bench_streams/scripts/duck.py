"""Asks DuckDB a question over the logs in this directory.

    python3 duck.py CORES QUESTION
"""

import sys

import duckdb

COLUMNS = "client ident user stamp zone request status bytes referer agent rt rid"
TYPES = ", ".join(f"'{name}': 'VARCHAR'" for name in COLUMNS.split())
LOGS = (
    "read_csv('vm*', delim=' ', quote='\"', escape='\"', header=false, auto_detect=false, "
    f"filename=true, columns={{{TYPES}}})"
)
QUESTIONS = {
    "errors": "SELECT filename, split_part(request, ' ', 2) AS path, status, count(*) FROM logs "
    "WHERE status IN ('500', '502', '503') GROUP BY ALL",
    "windows": "SELECT substr(stamp, 2, 19) AS begin, filename, status, count(*) FROM logs "
    "GROUP BY ALL",
    "clients": "SELECT client, count(*) AS requests, sum(bytes::BIGINT) FROM logs "
    "GROUP BY client ORDER BY requests DESC LIMIT 10",
}

duckdb.sql(f"SET threads = {sys.argv[1]}")
answer = duckdb.sql(QUESTIONS[sys.argv[2]].replace("FROM logs", f"FROM {LOGS}"))
for row in answer.fetchall():
    print(*row, sep="\t")
