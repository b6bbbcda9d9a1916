# Suites of others on a real mount, as root.
# make suites-mount [FSX_OPERATIONS=5000] [FSX_SEED=…]: pjdfstest (what POSIX says of each system call) and fsx (random reads, writes,
# mappings and truncations of a file, 10,000 with each seed); a part of `make test`, some minutes, with cargo.
# make suites-mount-long [STRESS_SECONDS=10]: the pjdfstest in C, which has 8,798 tests, fio with verification, PostgreSQL, LTP's file
# system tests, and the stressors of stress-ng; no part of `make test`, half an hour, with git, autoconf, automake, pkg-config, prove
# (Perl), fio, stress-ng and PostgreSQL.

SUITES := .cache/suites
PJDFSTEST_VERSION := 0.2.2
PJDFSTEST_C := $(SUITES)/pjdfstest-c
PJDFSTEST_C_SOURCE ?= https://github.com/pjd/pjdfstest
PJDFSTEST_C_COMMIT := 85a8aea9e685999ef0540392fd80535f873d7ff7
LTP := .cache/suites/ltp
LTP_SOURCE ?= https://github.com/linux-test-project/ltp
LTP_COMMIT := 695827725f4fc14fe583043127e0335c29bbd52d
FSX_VERSION := 0.3.2
FSX_OPERATIONS ?= 5000
STRESS_SECONDS ?= 10

.PHONY: suites-mount suites-mount-long

suites-mount: setup $(SUITES)/bin/pjdfstest-$(PJDFSTEST_VERSION) $(SUITES)/bin/fsx-$(FSX_VERSION) ## pjdfstest and fsx on a mount of a server of their own (root, cargo)
	@scripts/on-a-mount scripts/suites-mount $(SUITES)/bin/pjdfstest-$(PJDFSTEST_VERSION) $(SUITES)/bin/fsx-$(FSX_VERSION) $(FSX_OPERATIONS) $(FSX_SEED)

suites-mount-long: setup $(PJDFSTEST_C)-$(PJDFSTEST_C_COMMIT)/pjdfstest $(LTP)-$(LTP_COMMIT)/runtest ## the long ones: pjdfstest in C, fio, PostgreSQL, LTP, stress-ng (root)
	@ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || command -v initdb >/dev/null || { echo "initdb is missing: install PostgreSQL" >&2; exit 1; }
	@for program in prove fio stress-ng; do command -v $$program >/dev/null || { echo "$$program is missing: install it" >&2; exit 1; }; done
	@scripts/on-a-mount scripts/suites-mount-long $(PJDFSTEST_C)-$(PJDFSTEST_C_COMMIT) $(LTP)-$(LTP_COMMIT) $(STRESS_SECONDS)

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

# Installed beside its sources; what is there last, says that all is there.
$(LTP)-$(LTP_COMMIT)/runtest:
	@for program in autoreconf pkg-config; do command -v $$program >/dev/null || { echo "$$program is missing: install autoconf, automake and pkg-config" >&2; exit 1; }; done
	@rm -rf $(LTP)-source $(@D) && git init --quiet $(LTP)-source && mkdir -p $(@D)
	git -C $(LTP)-source fetch --quiet --depth 1 $(LTP_SOURCE) $(LTP_COMMIT)
	@git -C $(LTP)-source checkout --quiet FETCH_HEAD
	cd $(LTP)-source && { $(MAKE) --silent autotools && ./configure --quiet --prefix=$(CURDIR)/$(@D) && \
	  for folder in lib testcases/lib testcases/kernel/fs; do $(MAKE) --silent -C $$folder || exit 1; done && \
	  for folder in testcases/lib testcases/kernel/fs runtest; do $(MAKE) --silent -C $$folder install || exit 1; done; } >../ltp-build.log 2>&1
