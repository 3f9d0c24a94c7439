# The few commands worth remembering.

# A fleet of seven real daemons on this machine, to look at and to try.
demo:
	cargo build --release --locked --bins
	target/release/memberctl demo

# Every test there is: formatting, lints, laws, the simulated network, fleets of real daemons.
test:
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	cargo build --workspace --locked --bins
	cargo test --workspace --locked

# Ten real daemons, measured, at rest and while they are grepped; and what a thousand simulated ones do.
bench:
	cargo build --release --locked --bins
	cargo run --release --locked -p memberd-tests --example measure
	cargo run --release --locked -p memberd-tests --example grep_load
	cargo run --release --locked -p memberd-ring --example simulate -- --members 1000

# Searches beside GNU grep and ripgrep (`cargo install ripgrep --locked`), both in PATH; takes some minutes, and 1.3 GB below TMPDIR.
bench-grep:
	cargo build --release --locked --bins
	cargo run --release --locked -p memberd-tests --example bench_grep

.PHONY: demo test bench bench-grep
