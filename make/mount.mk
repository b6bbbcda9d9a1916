# Suites of others on a real mount: pjdfstest (what POSIX says of each system call) and fsx (random reads, writes, mappings and
# truncations of one file). They need root, cargo and some minutes, and are no part of `make test`.
# make suites-mount [FSX_OPERATIONS=5000] [FSX_SEED=…]

SUITES := .cache/suites
PJDFSTEST_VERSION := 0.2.2
FSX_VERSION := 0.3.2
FSX_OPERATIONS ?= 5000

.PHONY: suites-mount

suites-mount: setup $(SUITES)/bin/pjdfstest-$(PJDFSTEST_VERSION) $(SUITES)/bin/fsx-$(FSX_VERSION) ## pjdfstest and fsx on a mount of a server of their own (root, cargo)
	@scripts/suites-mount $(SUITES)/bin/pjdfstest-$(PJDFSTEST_VERSION) $(SUITES)/bin/fsx-$(FSX_VERSION) $(FSX_OPERATIONS) $(FSX_SEED)

$(SUITES)/bin/pjdfstest-$(PJDFSTEST_VERSION) $(SUITES)/bin/fsx-$(FSX_VERSION): $(SUITES)/bin/%:
	@command -v cargo >/dev/null || { echo "cargo is missing: install Rust (rustup.rs)" >&2; exit 1; }
	nice cargo install --quiet --locked --root $(SUITES) --force $(firstword $(subst -, ,$*)) --version $(lastword $(subst -, ,$*))
	@mv $(SUITES)/bin/$(firstword $(subst -, ,$*)) $@
