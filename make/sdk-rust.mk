# The Rust SDK: generating, checking and testing it. Included by the root Makefile; needs Rust (cargo, clippy, rustfmt), and
# buf to generate. The tests run against the server of this folder (VEXFS_COMMAND names another).

SDK_RUST := sdk-rust
SDK_RUST_TARGET := $(SDK_RUST)/target
# A build takes all there is: at low priority.
CARGO := nice cargo

.PHONY: generate-sdk-rust check-generated-sdk-rust api-sdk-rust lint-sdk-rust test-sdk-rust docs-sdk-rust rust-toolchain

rust-toolchain:
	@command -v cargo >/dev/null || { echo "cargo is missing: install Rust 1.89 or later with clippy and rustfmt (rustup.rs)" >&2; exit 1; }

$(SDK_RUST_TARGET)/contract.binpb: $(BUF) $(wildcard proto/vexfs/v1/*.proto) proto/vexfs/conformance/v1/adapter.proto
	@mkdir -p $(@D)
	@$(BUF) build --path proto/vexfs/v1 --path proto/vexfs/conformance/v1/adapter.proto --as-file-descriptor-set -o $@

# Writes the folders `generated` in sdk-rust/src, sdk-rust/tests/it and sdk-rust/conformance/src; no protoc.
generate-sdk-rust: rust-toolchain $(SDK_RUST_TARGET)/contract.binpb ## the generated part of the Rust SDK
	@cd $(SDK_RUST) && $(CARGO) run --quiet --locked -p vexfs-client-generate -- target/contract.binpb .

# What is checked in is what the contract makes.
check-generated-sdk-rust: rust-toolchain $(SDK_RUST_TARGET)/contract.binpb
	@rm -rf $(SDK_RUST_TARGET)/generated
	@cd $(SDK_RUST) && $(CARGO) run --quiet --locked -p vexfs-client-generate -- target/contract.binpb target/generated
	@for folder in src tests/it conformance/src; do \
	  diff -r --exclude mod.rs $(SDK_RUST)/$$folder/generated $(SDK_RUST_TARGET)/generated/$$folder/generated \
	    || { echo "the generated part of the Rust SDK is not the contract's: make generate-sdk-rust" >&2; exit 1; }; \
	done

docs-sdk-rust: rust-toolchain ## the API documentation of the Rust SDK, into sdk-rust/target/doc; a warning fails
	@rm -rf $(SDK_RUST_TARGET)/doc/vexfs_client
	@cd $(SDK_RUST) && RUSTDOCFLAGS=-Dwarnings $(CARGO) doc --quiet --locked --no-deps --all-features -p vexfs-client

$(SDK_RUST_TARGET)/public-api.txt: docs-sdk-rust
	@cd $(SDK_RUST) && $(CARGO) run --quiet --locked -p vexfs-client-generate --bin public-api -- target/doc/vexfs_client >target/public-api.txt
.PHONY: $(SDK_RUST_TARGET)/public-api.txt

# After a change of the public API that is meant: look at the difference, and keep it.
api-sdk-rust: $(SDK_RUST_TARGET)/public-api.txt
	@cp $< $(SDK_RUST)/public-api.txt

# Format, clippy with every feature and with none, documentation without a warning, and a public API that did not change.
lint-sdk-rust: check-generated-sdk-rust $(SDK_RUST_TARGET)/public-api.txt
	@cd $(SDK_RUST) && cargo fmt --all --check
	@cd $(SDK_RUST) && $(CARGO) clippy --quiet --locked --workspace --all-targets --all-features -- -D warnings
	@cd $(SDK_RUST) && $(CARGO) clippy --quiet --locked -p vexfs-client --lib --no-default-features -- -D warnings
	@diff $(SDK_RUST)/public-api.txt $(SDK_RUST_TARGET)/public-api.txt \
	  || { echo "the public API of the Rust SDK changed: if that is meant, make api-sdk-rust" >&2; exit 1; }

# A crate that depends on the packed SDK is built, and run by the tests beside the README's example.
test-sdk-rust: $(STAMPS)/runtime lint-sdk-rust ## check the Rust SDK and test it with a server
	@program=$$(nice $(SDK_RUST)/scripts/packed $(SDK_RUST_TARGET)/packed) && cd $(SDK_RUST) \
	  && VEXFS_QUICKSTART=$$program $(CARGO) test --quiet --locked --all-features -p vexfs-client
	@cd $(SDK_RUST) && $(CARGO) build --quiet --locked -p vexfs-client-conformance
