# The Rust SDK: generating, checking and testing it. Included by the root Makefile; needs Rust (cargo, clippy, rustfmt), and
# buf to generate. The tests run against the server of this folder.

SDK_RUST := sdk-rust
SDK_RUST_TARGET := $(SDK_RUST)/target
# The machine is also used by others: low priority.
CARGO := nice cargo

.PHONY: generate-sdk-rust check-generated-sdk-rust lint-sdk-rust test-sdk-rust rust-toolchain

rust-toolchain:
	@command -v cargo >/dev/null || { echo "cargo is missing: install Rust 1.89 or later with clippy and rustfmt (rustup.rs)" >&2; exit 1; }

# Writes the folders `generated` in sdk-rust/src, sdk-rust/tests/it and sdk-rust/conformance/src; no protoc.
generate-sdk-rust: $(BUF) rust-toolchain ## the generated part of the Rust SDK
	@mkdir -p $(SDK_RUST_TARGET)
	@$(BUF) build --path proto/vexfs/v1 --path proto/vexfs/conformance/v1/adapter.proto --as-file-descriptor-set -o $(SDK_RUST_TARGET)/contract.binpb
	@cd $(SDK_RUST) && $(CARGO) run --quiet -p vexfs-client-generate -- target/contract.binpb $(or $(SDK_RUST_OUT),.)
