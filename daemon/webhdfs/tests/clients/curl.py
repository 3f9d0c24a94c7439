"""Runs curl on WebHDFS as a person would type it, and compares with what it must say.

    python3 curl.py HOST:PORT DIRECTORY

It writes and reads until CLIENT_SECONDS of the environment are over.
"""

import json
import os
import subprocess
import sys
import time

HOST, LOCAL = sys.argv[1:3]
BASE = f"http://{HOST}/webhdfs/v1/s/curl"
UNTIL = time.time() + float(os.environ.get("CLIENT_SECONDS", "0"))
BIG = bytes(range(256)) * 20_000


def curl(*arguments):
    """The status and the body of one request."""
    body = os.path.join(LOCAL, "body")
    command = ["curl", "-sS", "-L", "-g", "-o", body, "-w", "%{http_code}", *arguments]
    said = subprocess.run(command, check=True, capture_output=True, text=True)
    with open(body, "rb") as file:
        return int(said.stdout), file.read()


def put(name, content):
    path = os.path.join(LOCAL, "content")
    with open(path, "wb") as file:
        file.write(content)
    return curl("-T", path, f"{BASE}/{name}?op=CREATE&overwrite=true")[0]


def names():
    listed = json.loads(curl(f"{BASE}?op=LISTSTATUS")[1])
    return sorted(entry["pathSuffix"] for entry in listed["FileStatuses"]["FileStatus"])


assert curl("-X", "PUT", f"{BASE}/d?op=MKDIRS") == (200, b'{"boolean":true}')
print("begun", flush=True)
number = 0
while number < 100 or time.time() < UNTIL:
    content = f"record {number}\n".encode() * (1 + number % 100 * 100)
    assert put(f"f{number:03}", content) == 201, number
    assert curl(f"{BASE}/f{number:03}?op=OPEN") == (200, content), number
    number += 1
assert names() == sorted(["d"] + [f"f{n:03}" for n in range(number)])
assert put("big", BIG) == 201
assert curl(f"{BASE}/big?op=OPEN&offset=1000000&length=300") == (200, BIG[1_000_000:1_000_300])
assert curl("-X", "POST", "-d", "more", f"{BASE}/f000?op=APPEND")[0] == 200
assert curl(f"{BASE}/f000?op=OPEN")[1].endswith(b"\nmore")
renamed = curl("-X", "PUT", f"{BASE}/big?op=RENAME&destination=/s/curl/d/big")
assert renamed == (200, b'{"boolean":true}'), renamed
assert curl(f"{BASE}/big?op=OPEN")[0] == 404
assert curl("-X", "DELETE", f"{BASE}?op=DELETE")[0] == 403
assert curl("-X", "DELETE", f"{BASE}?op=DELETE&recursive=true") == (200, b'{"boolean":true}')
assert curl(f"{BASE}?op=GETFILESTATUS")[0] == 404
assert curl("-H", "Host: example.org", f"http://{HOST}/webhdfs/v1/?op=LISTSTATUS")[0] == 403
assert curl("-H", "Origin: http://example.org", f"http://{HOST}/webhdfs/v1/?op=LISTSTATUS")[0] == 403
print("ALL EQUAL")
