#!/usr/bin/env bash
# DuckDB's read_json silently has no column for a key that only the 33rd file of a fleet logs.
#
# Version: duckdb 2.0.1 from PyPI.
# Expected: read_json over `*.json`, one small file a machine, has a column for every key, and NULL
#   where a machine never logs it. At 40 machines of three lines, far fewer than its sample of
#   20,480 lines, it looks at all of them. If a line does not fit, it raises an error.
# Behavior: the columns come from the first 32 files in the order of their names. A key that occurs
#   only in a later file is dropped: its lines count, but without the column, and nothing warns. The
#   documentation has maximum_sample_files in a table of options. `union_by_name = true` and
#   `maximum_sample_files = -1` bring the column back.
# Seen: a key in file 32 is a column, and the same key in file 33 is none, with all 120 lines there.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q duckdb==2.0.1

cat >"$folder/query.py" <<'PYTHON'
import json
import os
import sys

import duckdb


def fleet(folder, special):
    """Writes the logs of 40 machines. Only one of them logs the key `oom_kills`."""
    os.makedirs(folder)
    for number in range(1, 41):
        with open(f"{folder}/web{number:02}.json", "w") as log:
            for line in range(3):
                record = {"host": f"web{number:02}", "line": line}
                if number == special:
                    record["oom_kills"] = 1
                log.write(json.dumps(record) + "\n")


for special in (32, 33):
    folder = f"{sys.argv[1]}/{special}"
    fleet(folder, special)
    for option in ("", ", union_by_name = true", ", maximum_sample_files = -1"):
        logs = duckdb.sql(f"SELECT * FROM read_json('{folder}/*.json'{option})")
        print(f"{special}{option}: {len(logs.fetchall())} lines of", " ".join(logs.columns))
PYTHON

seen=$("$folder/venv/bin/python" "$folder/query.py" "$folder/logs")
expected="32: 120 lines of host line oom_kills
32, union_by_name = true: 120 lines of host line oom_kills
32, maximum_sample_files = -1: 120 lines of host line oom_kills
33: 120 lines of host line
33, union_by_name = true: 120 lines of host line oom_kills
33, maximum_sample_files = -1: 120 lines of host line oom_kills"
echo "$seen"
[ "$seen" = "$expected" ] || { printf 'CHANGED. It was:\n%s\n' "$expected" >&2; exit 1; }
echo "As before: what only the 33rd machine logs is not there."
