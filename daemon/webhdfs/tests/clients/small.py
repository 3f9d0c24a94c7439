"""Runs one client of Python on WebHDFS and compares with a local disk.

    python3 small.py fsspec|hdfs|opendal HOST:PORT DIRECTORY

It begins again until CLIENT_SECONDS of the environment are over.
"""

import os
import sys
import time

CLIENT, HOST, LOCAL = sys.argv[1:4]
UNTIL = time.time() + float(os.environ.get("CLIENT_SECONDS", "0"))
BIG = bytes(range(256)) * 50_000
NAMES = ["plain", "with space", "ä€", "x+y;z=1,%25"]


def use_fsspec(name):
    import fsspec

    host, port = HOST.split(":")
    remote = fsspec.filesystem("webhdfs", host=host, port=int(port), user="ann")
    local = fsspec.filesystem("file", auto_mkdir=True)

    def run(files, base):
        files.makedirs(f"{base}/d/e", exist_ok=True)
        for name in NAMES:
            files.pipe_file(f"{base}/d/{name}", name.encode())
        # Several blocks to one location.
        with files.open(f"{base}/big", "wb", block_size=5 << 20) as file:
            for start in range(0, len(BIG), 1 << 20):
                file.write(BIG[start : start + (1 << 20)])
        with files.open(f"{base}/big", "rb", block_size=1 << 20) as file:
            file.seek(7_000_000)
            middle = file.read(1000)
        said = [
            files.cat_file(f"{base}/big") == BIG,
            middle == BIG[7_000_000:7_001_000],
            files.cat_file(f"{base}/big", start=10, end=20),
            [files.cat_file(f"{base}/d/{name}") for name in NAMES],
            sorted(os.path.basename(p) for p in files.ls(f"{base}/d", detail=False)),
            files.info(f"{base}/big")["size"],
            files.isdir(f"{base}/d"),
            files.exists(f"{base}/none"),
        ]
        files.mv(f"{base}/d/plain", f"{base}/d/moved")
        said.append(sorted(os.path.relpath(p, base) for p in files.find(base)))
        for missing in [lambda: files.info(f"{base}/none"), lambda: files.cat_file(f"{base}/none")]:
            try:
                missing()
                said.append("there")
            except FileNotFoundError:
                said.append("missing")
        files.rm(f"{base}/d", recursive=True)
        said.append(files.exists(f"{base}/d"))
        return said

    return run(remote, f"/s/{name}"), run(local, f"{LOCAL}/{name}")


def use_hdfs(name):
    from hdfs import HdfsError, InsecureClient

    client = InsecureClient(f"http://{HOST}", user="ann")
    base, there = f"/s/{name}", f"{LOCAL}/{name}"
    os.makedirs(f"{there}/d")
    for name in NAMES:
        with open(f"{there}/d/{name}", "wb") as file:
            file.write(BIG)
    client.upload(base, there)
    client.write(f"{base}/text", data="one\n", encoding="utf-8")
    client.write(f"{base}/text", data="two\n", encoding="utf-8", append=True)
    client.write(f"{base}/parts", data=(b"x" * 1000 for _ in range(100)))
    with client.read(f"{base}/text", encoding="utf-8") as reader:
        text = reader.read()
    with client.read(f"{base}/d/plain", offset=100, length=10) as reader:
        part = reader.read()
    fetched = f"{LOCAL}/{name}-fetched"
    client.download(f"{base}/d", fetched)
    same = [open(f"{fetched}/{name}", "rb").read() == BIG for name in NAMES]
    client.rename(f"{base}/text", f"{base}/renamed")
    missing = client.status(f"{base}/text", strict=False)
    walked = sorted((path[len(base) :], sorted(files)) for path, _, files in client.walk(base))
    summary = client.content(base)
    checksum = client.checksum(f"{base}/renamed")
    client.set_permission(f"{base}/renamed", "600")
    client.set_times(f"{base}/renamed", modification_time=1_000)
    refused = []
    for attempt in [
        lambda: client.write(f"{base}/renamed", data="x"),
        lambda: client.rename(f"{base}/none", f"{base}/x"),
        lambda: client.list(f"{base}/none"),
    ]:
        try:
            attempt()
            refused.append(False)
        except HdfsError:
            refused.append(True)
    status = client.status(f"{base}/renamed")
    deleted = client.delete(f"{base}/d", recursive=True), client.delete(f"{base}/d")
    remote = [text, part, same, missing, walked, summary["fileCount"], checksum["length"]]
    remote += [refused, status["permission"], status["modificationTime"], deleted]
    local = ["one\ntwo\n", BIG[100:110], [True] * 4, None]
    local.append([("", ["parts", "renamed"]), ("/d", sorted(os.listdir(f"{there}/d")))])
    local += [6, 28, [True] * 3, "600", 1_000, (True, False)]
    return remote, local


def use_opendal(name):
    import opendal

    root = {"endpoint": f"http://{HOST}", "user_name": "ann"}
    remote = opendal.Operator("webhdfs", root=f"/s/{name}", **root)
    parts = opendal.Operator("webhdfs", root=f"/s/{name}", atomic_write_dir=".parts", **root)
    local = opendal.Operator("fs", root=f"{LOCAL}/{name}")

    def run(files, in_parts):
        files.create_dir("d/e/")
        for name in NAMES:
            files.write(f"d/{name}", name.encode())
        with in_parts.open("big", "wb") as file:
            for start in range(0, len(BIG), 1 << 20):
                file.write(BIG[start : start + (1 << 20)])
        said = [
            bytes(files.read("big")) == BIG,
            [bytes(files.read(f"d/{name}")) for name in NAMES],
            sorted(entry.path for entry in files.list("d/")),
            files.stat("big").content_length,
            files.stat("d/").mode.is_dir(),
        ]
        with files.open("big", "rb") as file:
            file.seek(1_000_000)
            said.append(bytes(file.read(100)))
        for missing in ["none", "d/none"]:
            try:
                files.stat(missing)
                said.append("there")
            except opendal.exceptions.NotFound:
                said.append("missing")
        files.delete("d/plain")
        said.append(sorted(entry.path for entry in files.list("d/")))
        return said

    return run(remote, parts), run(local, local)


use = {"fsspec": use_fsspec, "hdfs": use_hdfs, "opendal": use_opendal}[CLIENT]
rounds = 0
while rounds == 0 or time.time() < UNTIL:
    remote, local = use(f"{CLIENT}{rounds}")
    for one, other in zip(remote, local, strict=True):
        assert one == other, f"{one!r} is not {other!r}"
    rounds += 1
    print(f"round {rounds}", flush=True)
print("ALL EQUAL")
