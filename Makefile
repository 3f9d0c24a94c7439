# The few commands worth remembering.

# A fleet of seven real daemons on this machine, to look at and to try.
demo:
	cargo build --release --locked --bins
	target/release/memberctl demo

# Every test there is: formatting, lints, laws, the simulated network, fleets of real daemons (some as root only).
test:
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	cargo build --workspace --locked --bins
	cargo test --workspace --locked

# Ten real daemons, measured; and what a thousand simulated ones do.
bench:
	cargo build --release --locked --bins
	cargo run --release --locked -p memberd-tests --example measure
	cargo run --release --locked -p memberd-ring --example simulate -- --members 1000

# Up to a hundred real daemons in network namespaces, beside the simulator. As root; twenty minutes.
bench-netns:
	cargo build --release --locked --bins
	cargo build --release --locked -p memberd-ring --example simulate
	cargo run --release --locked -p memberd-tests --example netns

.PHONY: demo test bench bench-netns
