#!/usr/bin/env bash
# ClusterShell refuses the names that pdsh's dshbak folds, once a fleet grows past its padding.
#
# Version: pdsh 2.34-0.2 of Debian 12, ClusterShell 1.10.1 and python-hostlist 2.3.0 from PyPI.
# Expected: `n[01-100]` is the common language of cluster shells. What dshbak prints over the output
#   of a group of machines can be given to clush or nodeset, as ClusterShell's own names can.
# Behavior: to dshbak and python-hostlist the padding is a least width: n01 to n99, then n100.
#   ClusterShell wants both ends of a range at one width if either is padded, and refuses this one.
#   Its own fold of the same machines is `n[01-99,100]`. Up to 99 machines all agree. ClusterShell
#   1.8.4 still took and printed `n[01-100]`. The changelog of 1.9 only says that paddings of mixed
#   lengths are supported since.
# Seen: 99 machines pass between all three tools. At 100, nodeset fails with "padding length
#   mismatch" on dshbak's name, and python-hostlist finds 100 machines in both names.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
chmod 755 "$folder"
cd "$folder"
apt-get download -qq pdsh=2.34-0.2 2>errors || { cat errors >&2; exit 1; }
dpkg -x pdsh_*.deb package
python3 -m venv venv
venv/bin/pip install -q ClusterShell==1.10.1 PyYAML==6.0.4 python-hostlist==2.3.0

# fold COUNT: the name that dshbak prints over equal output of so many machines.
fold() {
    seq -f 'n%02g: up' "$1" | sort -R | package/usr/bin/dshbak -c | sed -n 2p
}

# answers WHO NAME: how many machines each reader finds in a name, or why it finds none.
answers() {
    local nodeset
    nodeset=$(venv/bin/nodeset -c "$2" 2>&1) || nodeset=${nodeset#*: }
    echo "$1 $2: hostlist $(venv/bin/hostlist -n "$2"), nodeset $nodeset"
}

seen=$(
    answers dshbak "$(fold 99)"
    answers dshbak "$(fold 100)"
    answers nodeset "$(seq -f 'n%02g' 100 | venv/bin/nodeset -f)"
)
expected='dshbak n[01-99]: hostlist 99, nodeset 99
dshbak n[01-100]: hostlist 100, nodeset Parse error: bad range: "padding length mismatch : "01-100""
nodeset n[01-99,100]: hostlist 100, nodeset 100'
echo "$seen"
[ "$seen" = "$expected" ] || { printf 'CHANGED. It was:\n%s\n' "$expected" >&2; exit 1; }
echo "As before: a name that one cluster shell prints is an error to another."
