# The commands of the project. `make help` lists them.

# The place where cargo keeps the sources of the dependencies.
CARGO_REGISTRY = $(or $(CARGO_HOME),$(HOME)/.cargo)/registry/src

# Release builds do not reveal the directory that they were built in. Their relocations are packed,
# which saves a third of a mebibyte of memory.
demo bench bench-agreement bench-copies bench-files bench-memory bench-netns bench-peers bench-streams soak deb: export RUSTFLAGS = \
	--remap-path-prefix=$(CURDIR)=/memberd \
	--remap-path-prefix=$(CARGO_REGISTRY)=/crates \
	-Clink-arg=-Wl,-z,pack-relative-relocs

# The detector of the demo: ring or swim.
DETECTOR ?= ring

demo: ## Start seven real daemons on this machine, crash three one by one, and leave the rest.
	cargo build --release --locked --bins
	target/release/memberctl demo --detector $(DETECTOR)

help: ## List every target with its purpose.
	@awk -F ':[^#]*## ' '/^[a-z-]+:[^#]*## / { printf "%-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# Root is needed for the fleets in network namespaces and on booted hosts. Without it the tests skip
# them and say so.
test: ## Run every check and test: format, lints, dependencies, simulations, fleets of daemons.
	$(MAKE) lint
	$(MAKE) deny
	tests/run

lint: ## Check the format, the lints and the rules of style.
	cargo fmt --all --check
	tests/style
	cargo clippy --workspace --all-targets --locked -- -D warnings

# deny.toml has the rules. Advisories are checked only where their database can be fetched.
deny: ## Check the licenses, sources and known faults of the dependencies.
	if command -v cargo-deny >/dev/null; then \
		cargo deny --locked check bans licenses sources; \
	else \
		echo "!!! LEFT OUT: the rules for dependencies, without cargo-deny" >&2; [ -z "$$CI" ]; \
	fi
	if command -v cargo-deny >/dev/null && timeout 60 cargo deny fetch db; then \
		cargo deny --locked check advisories; \
	else \
		echo "!!! LEFT OUT: the advisories, as their database cannot be fetched" >&2; \
	fi

bench: ## Measure ten real daemons, at rest and under greps, and a thousand simulated ones.
	cargo build --release --locked --bins
	cargo run --release --locked -p memberd-tests --example measure
	cargo run --release --locked -p memberd-tests --example grep_load
	cargo run --release --locked -p memberd-membership --example simulate -- --members 1000

bench-netns: ## Measure up to a hundred daemons in network namespaces. Root; twenty minutes.
	cargo build --release --locked --bins
	cargo build --release --locked -p memberd-membership --example simulate
	cargo run --release --locked -p memberd-tests --example netns

# Writes the tables of tests/BENCHMARKS.md and the plots of the README. It needs the packages
# clustershell, nftables, openssh-server, pdsh and serf of Debian. Options go into PEERS:
#   make bench-peers PEERS="--rounds 2 --agents 10 --directory /tmp/peers"    a short run
#   make bench-peers PEERS="--rows search,growth"    measure these rows and keep the others
#   make bench-peers PEERS="--rows crash,rest --programs swim,serf --agents 10"    these columns
#   make bench-peers PEERS=--help
bench-peers: ## Measure memberd beside Serf in network namespaces. Root; an hour and a half.
	cargo build --release --locked --bins
	cargo build --release --locked -p memberd-membership --example trade
	cargo run --release --locked -p memberd-tests --example bench_peers -- $(PEERS)

# Writes a table of tests/BENCHMARKS.md. It needs the packages default-jre-headless, etcd-server,
# nftables, strace and zookeeper of Debian. Options go into AGREEMENT:
#   make bench-agreement AGREEMENT="--rounds 3 --servers 3 --directory /tmp/agreement"    a short run
#   make bench-agreement AGREEMENT="--rows crash,rest --systems memberd,etcd"    these rows, columns
#   make bench-agreement AGREEMENT=--help
bench-agreement: ## Measure agreed views beside etcd and ZooKeeper. Root; an hour and a half.
	cargo build --release --locked --bins
	cargo run --release --locked -p memberd-tests --example bench_agreement -- $(AGREEMENT)

# Writes a section of tests/BENCHMARKS.md. It needs the packages nftables, ripgrep and zstd of Debian,
# and 3 GB below TMPDIR. Options go into COPIES:
#   make bench-copies COPIES="--megabytes 200 --log-megabytes 5 --directory /tmp/copies"   a short run
#   make bench-copies COPIES="--rows search --baseline DIRECTORY"    beside another memberd
#   make bench-copies COPIES=--help
bench-copies: ## Measure copies of logs: shipping, and searches beside ripgrep and zstdgrep. Root.
	cargo build --release --locked --bins
	cargo run --release --locked -p memberd-tests --example bench_copies -- $(COPIES)

# Writes a section of tests/BENCHMARKS.md. It needs the packages default-jdk-headless, libasm-java,
# libcommons-daemon-java, libjersey1-core-java, libjersey1-server-java, libjersey1-servlet-java,
# libjsr311-api-java, nftables, python3-pip and strace of Debian, 0.4 GB in ~/.cache/memberd for
# packages of PyPI, and 30 GB below TMPDIR, since members leave a twentieth of a disk free. Options go
# into FILES:
#   make bench-files FILES="--rounds 1 --crash-rounds 1 --megabytes 100 --directory /tmp/files"
#   make bench-files FILES="--rows put,repair --systems memberd,hdfs"    these rows, systems
#   make bench-files FILES=--help
bench-files: ## Measure replicated files beside HDFS and SeaweedFS. Root; an hour and a half.
	tests/examples/bench_files/fetch
	cargo build --release --locked --bins
	cargo run --release --locked -p memberd-tests --example bench_files -- $(FILES)

# Writes the tables of daemon/search/BENCH.md and tests/BENCHMARKS.md. It needs GNU grep and ripgrep
# (`cargo install ripgrep --locked`) in PATH, and 1.3 GB below TMPDIR. Options go into GREP:
#   make bench-grep GREP="--only '30 %'"    print some rows
#   make bench-grep GREP=--help
bench-grep: ## Measure searches beside GNU grep and ripgrep. Some minutes.
	cargo build --release --locked --bins
	cargo run --release --locked -p memberd-tests --example bench_grep -- $(GREP)

# Writes a section of tests/BENCHMARKS.md and its plot. It needs the packages default-jre-headless,
# mawk and python3-pip of Debian, 1 GB in ~/.cache/memberd for packages of PyPI, and 1 GB below
# TMPDIR. The first run compiles angle-grinder, for some minutes. Options go into STREAMS:
#   make bench-streams STREAMS="--rounds 1 --megabytes 10 --marks 20 --directory /tmp/streams"
#   make bench-streams STREAMS="--rows errors,latency --systems memberd,spark-4.3"    these alone
#   make bench-streams STREAMS=--help
bench-streams: ## Measure questions and durable jobs beside Spark, mawk, DuckDB. An hour.
	tests/examples/bench_streams/fetch
	cargo build --release --locked --bins
	cargo run --release --locked -p memberd-tests --example bench_streams -- $(STREAMS)

# Two targets run at a time, each for SECONDS.
# The peak of the searched daemon's resident memory. Options go into MEMORY:
#   make bench-memory MEMORY="--greps 64 --baseline DIRECTORY"    beside another memberd
bench-memory: ## Measure the memory of many costly greps at once. Some minutes.
	cargo build --release --locked --bins
	cargo run --release --locked -p memberd-tests --example search_memory -- $(MEMORY)

fuzz: SECONDS = 1200
fuzz: ## Fuzz every parser of untrusted input. 100 minutes, or less with SECONDS=.
	daemon/fuzz/run $(SECONDS)

# A flood lasts a minute. A thousand kills fall at random moments. Twenty members go through
# everything for half an hour, and copies of logs through five storms of two minutes. SEED=,
# SOAK_SECONDS=, FLOOD_SECONDS=, KILLS=, STORMS= and STORM_SECONDS= change that.
soak: export SOAK_SECONDS ?= 1800
soak: export FLOOD_SECONDS ?= 60
soak: export KILLS ?= 1000
soak: export STORMS ?= 5
soak: export STORM_SECONDS ?= 120
soak: ## Run the floods, the kills, the storms and the long story of twenty members. Root.
	cargo build --release --locked --bins
	cargo test --release --locked -p memberd-tests --test floods -- --nocapture --test-threads=1
	cargo test --release --locked -p memberd-tests --test loopback killed_at_any_moment -- --nocapture
	cargo test --release --locked -p memberd-tests --test netns copies_storm:: -- --nocapture

# The package has the programs, units, settings, manual and completions. It is for Debian 12 and
# later. The same sources give the same bytes anywhere: see `reproducible`.
deb: ## Build the Debian package, target/debian/memberd_*.deb. Needs cargo-deb and dpkg-dev.
	cargo build --release --locked --bins
	$(MAKE) package

# The package goes to the directory PACKAGE. Its times are that of the changelog.
package: PACKAGE = target/debian
deb package: export SOURCE_DATE_EPOCH = \
	$(shell dpkg-parsechangelog --file packaging/debian/changelog --show-field Timestamp)
# With the date, cargo would compile C sources again that the tests have compiled without it.
package: ## Put the Debian package together from programs that are already compiled.
	env -u RUSTFLAGS -u SOURCE_DATE_EPOCH cargo build --workspace --locked --example documents
	target/debug/examples/documents target/documents
	gzip -9n <packaging/debian/changelog >target/documents/changelog.gz
	cargo deb --quiet --package memberd --no-build --locked --output $(PACKAGE)/

# Time, umask, time zone and locale differ in the second run. The programs are the same files:
# `reproducible` compiles them twice as well.
package-again: ## Put the package together a second time and compare every byte.
	rm -rf target/again && mkdir -p target/again && cp target/debian/memberd_*.deb target/again
	umask 077 && TZ=Pacific/Kiritimati LC_ALL=C $(MAKE) package
	cmp target/again/memberd_*.deb target/debian/memberd_*.deb
	mv target/again/memberd_*.deb target/debian

# The second build runs in another place, with a cargo of another home, from what is committed.
reproducible: deb ## Build the package in two places and compare them. Two release builds.
	packaging/reproducible target/debian

# Packages of PyPI are installed in ~/.cache/memberd, 1.3 GB. It needs curl, python3-pip and
# default-jre-headless of Debian.
clients: ## Test WebHDFS by Spark, Hadoop's shell, fsspec, hdfs and OpenDAL. Some minutes.
	cargo build --workspace --locked --bins
	cargo test --locked -p memberd-webhdfs --test clients -- --nocapture --test-threads=1
	cargo test --locked -p memberd-tests --test clients -- --nocapture --test-threads=1

hosts: deb ## Test the package on eight booted hosts in network namespaces. Root; five minutes.
	cargo test --locked -p memberd-tests --test hosts -- --nocapture --test-threads=1

transcript: export TRANSCRIPT = $(CURDIR)/packaging/INSTALL.md
transcript: hosts ## Run the hosts and write their first session to packaging/INSTALL.md.

.PHONY: demo help test lint deny bench bench-agreement bench-copies bench-files bench-memory bench-netns bench-peers bench-grep bench-streams fuzz soak \
	clients deb package package-again reproducible hosts transcript
