# Suites of others on a real mount, as root.
# make suites-mount [FSX_OPERATIONS=5000] [FSX_SEED=…]: pjdfstest (what POSIX says of each system call) and fsx (random reads, writes,
# mappings and truncations of one file); a part of `make test`, some minutes, with cargo.
# make suites-mount-long [STRESS_SECONDS=10]: the pjdfstest in C, which has 8,798 tests, fio with verification, PostgreSQL, and the
# stressors of stress-ng; no part of `make test`, a quarter of an hour, with git, autoconf, automake, prove (Perl), fio, stress-ng and
# PostgreSQL.

SUITES := .cache/suites
PJDFSTEST_VERSION := 0.2.2
PJDFSTEST_C := $(SUITES)/pjdfstest-c
PJDFSTEST_C_SOURCE ?= https://github.com/pjd/pjdfstest
PJDFSTEST_C_COMMIT := 85a8aea9e685999ef0540392fd80535f873d7ff7
FSX_VERSION := 0.3.2
FSX_OPERATIONS ?= 5000
STRESS_SECONDS ?= 10

.PHONY: suites-mount suites-mount-long

suites-mount: setup $(SUITES)/bin/pjdfstest-$(PJDFSTEST_VERSION) $(SUITES)/bin/fsx-$(FSX_VERSION) ## pjdfstest and fsx on a mount of a server of their own (root, cargo)
	@scripts/on-a-mount scripts/suites-mount $(SUITES)/bin/pjdfstest-$(PJDFSTEST_VERSION) $(SUITES)/bin/fsx-$(FSX_VERSION) $(FSX_OPERATIONS) $(FSX_SEED)

suites-mount-long: setup $(PJDFSTEST_C)-$(PJDFSTEST_C_COMMIT)/pjdfstest ## the long ones: pjdfstest in C, fio, stress-ng (root)
	@ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || command -v initdb >/dev/null || { echo "initdb is missing: install PostgreSQL" >&2; exit 1; }
	@for program in prove fio stress-ng; do command -v $$program >/dev/null || { echo "$$program is missing: install it" >&2; exit 1; }; done
	@scripts/on-a-mount scripts/suites-mount-long $(PJDFSTEST_C)-$(PJDFSTEST_C_COMMIT) $(STRESS_SECONDS)

$(SUITES)/bin/pjdfstest-$(PJDFSTEST_VERSION) $(SUITES)/bin/fsx-$(FSX_VERSION): $(SUITES)/bin/%:
	@command -v cargo >/dev/null || { echo "cargo is missing: install Rust (rustup.rs)" >&2; exit 1; }
	nice cargo install --quiet --locked --root $(SUITES) --force $(firstword $(subst -, ,$*)) --version $(lastword $(subst -, ,$*))
	@mv $(SUITES)/bin/$(firstword $(subst -, ,$*)) $@

$(PJDFSTEST_C)-$(PJDFSTEST_C_COMMIT)/pjdfstest:
	@command -v autoreconf >/dev/null || { echo "autoreconf is missing: install autoconf and automake" >&2; exit 1; }
	@rm -rf $(@D) && git init --quiet $(@D)
	git -C $(@D) fetch --quiet --depth 1 $(PJDFSTEST_C_SOURCE) $(PJDFSTEST_C_COMMIT)
	@git -C $(@D) checkout --quiet FETCH_HEAD
	cd $(@D) && autoreconf --install --force >build.log 2>&1 && ./configure --quiet >>build.log 2>&1 && $(MAKE) --silent pjdfstest >>build.log 2>&1
