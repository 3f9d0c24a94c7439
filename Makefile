# The few commands worth remembering.

# Where cargo keeps the sources of the dependencies.
CARGO_REGISTRY = $(or $(CARGO_HOME),$(HOME)/.cargo)/registry/src

# Programs do not tell where they were built; and their relocations are packed, which saves a third of a mebibyte of memory.
demo bench bench-netns bench-peers soak deb: export RUSTFLAGS = --remap-path-prefix=$(CURDIR)=/memberd --remap-path-prefix=$(CARGO_REGISTRY)=/crates -Clink-arg=-Wl,-z,pack-relative-relocs

# A fleet of seven real daemons on this machine, to look at and to try.
demo:
	cargo build --release --locked --bins
	target/release/memberctl demo

# Every test there is: formatting, lints, laws, the simulated network, fleets of real daemons (some as root only).
test:
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	$(MAKE) deny
	cargo build --workspace --locked --bins
	if [ "$$(id -u)" = 0 ] && command -v cargo-deb >/dev/null; then $(MAKE) deb && $(MAKE) package-again; fi
	cargo test --workspace --locked

# What the dependencies may be (deny.toml); and what is known against them, where the database of that can be had.
deny:
	if command -v cargo-deny >/dev/null; then cargo deny --locked check bans licenses sources; \
	else echo "!!! LEFT OUT: what the dependencies may be, without cargo-deny" >&2; [ -z "$$CI" ]; fi
	if command -v cargo-deny >/dev/null && timeout 60 cargo deny fetch db; then cargo deny --locked check advisories; \
	else echo "!!! LEFT OUT: what is known against the dependencies, as its database cannot be had" >&2; fi

# Ten real daemons, measured, at rest and while they are grepped; and what a thousand simulated ones do.
bench:
	cargo build --release --locked --bins
	cargo run --release --locked -p memberd-tests --example measure
	cargo run --release --locked -p memberd-tests --example grep_load
	cargo run --release --locked -p memberd-membership --example simulate -- --members 1000

# Up to a hundred real daemons in network namespaces, beside the simulator. As root; twenty minutes.
bench-netns:
	cargo build --release --locked --bins
	cargo build --release --locked -p memberd-membership --example simulate
	cargo run --release --locked -p memberd-tests --example netns

# memberd beside Serf, in network namespaces: the README's table and plots. As root; three quarters of an hour. With clustershell, nftables, openssh-server, pdsh
# and serf of Debian. `make bench-peers PEERS="--rounds 2 --agents 10 --directory /tmp/peers"` is a short one, PEERS="--rows search,growth"
# measures these rows anew and keeps the rest; PEERS=--help.
bench-peers:
	cargo build --release --locked --bins
	cargo run --release --locked -p memberd-tests --example bench_peers -- $(PEERS)

# Searches beside GNU grep and ripgrep (`cargo install ripgrep --locked`), both in PATH; takes some minutes, and 1.3 GB below TMPDIR.
# Writes the tables of BENCH.md and of the README. `make bench-grep GREP="--only '30 %'"` prints some rows; GREP=--help.
bench-grep:
	cargo build --release --locked --bins
	cargo run --release --locked -p memberd-tests --example bench_grep -- $(GREP)

# Whatever reads bytes from outside, fuzzed: each target for SECONDS, two at a time; 100 minutes by default.
fuzz: SECONDS = 1200
fuzz:
	daemon/fuzz/run $(SECONDS)

# Floods of a minute each with their figures, a thousand kills at random moments, and twenty members put through everything for half an
# hour. As root. SEED=, SOAK_SECONDS=, FLOOD_SECONDS= and KILLS= on the command line say otherwise.
soak: export SOAK_SECONDS ?= 1800
soak: export FLOOD_SECONDS ?= 60
soak: export KILLS ?= 1000
soak:
	cargo build --release --locked --bins
	cargo test --release --locked -p memberd-tests --test floods -- --nocapture --test-threads=1
	cargo test --release --locked -p memberd-tests --test loopback killed_at_any_moment -- --nocapture

# The Debian package, target/debian/memberd_*.deb, for Debian 12 and later: programs, units, settings, manual, completions.
# The same sources give the same bytes, wherever they lie: `make reproducible`. Needs cargo-deb and dpkg-dev.
deb:
	cargo build --release --locked --bins
	$(MAKE) package

# The same without the compilation, to the directory PACKAGE. The time in it is the changelog's.
package: PACKAGE = target/debian
deb package: export SOURCE_DATE_EPOCH = $(shell dpkg-parsechangelog --file packaging/debian/changelog --show-field Timestamp)
package:
	env -u RUSTFLAGS cargo run --locked -p memberd --example documents -- target/documents
	gzip -9n <packaging/debian/changelog >target/documents/changelog.gz
	cargo deb --quiet --package memberd --no-build --locked --output $(PACKAGE)/

# Put together once more, at another time and under another umask, time zone and locale, the package is the same to the byte. The programs
# in it are the same files: that compiling gives the same ones anywhere takes two release builds, `make reproducible`.
package-again:
	rm -rf target/again && mkdir -p target/again && cp target/debian/memberd_*.deb target/again
	umask 077 && TZ=Pacific/Kiritimati LC_ALL=C $(MAKE) package
	cmp target/again/memberd_*.deb target/debian/memberd_*.deb
	mv target/again/memberd_*.deb target/debian

# The package twice, all of it compiled in two places by cargos of two homes, is one. What is committed; two release builds take a while.
reproducible: deb
	packaging/reproducible target/debian

# The package on eight booted hosts, in network namespaces: needs root, and says what else. Five minutes.
hosts: deb
	cargo test --locked -p memberd-tests --test hosts -- --nocapture --test-threads=1

# The same, and what was typed on the first of them and printed goes to the README.
transcript: export TRANSCRIPT = $(CURDIR)/README.md
transcript: hosts

.PHONY: demo test deny bench bench-netns bench-peers bench-grep fuzz soak deb package package-again reproducible hosts transcript
