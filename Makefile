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

# What an hour of a thousand members costs, and how soon four crashes are seen.
bench:
	cargo run --release --locked -p memberd-ring --example simulate -- --members 1000

.PHONY: demo test bench
