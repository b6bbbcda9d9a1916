# make bench NAME=mount [QUICK=1] [ROUNDS=7] [SIZE=50000] [ONLY=chroma]: runs one benchmark; results in bench/results, page in
# docs/performance. SIZE is for vectors; with SIZE or ONLY it is a look, and no page is written.
.PHONY: bench
bench: setup-dev $(if $(filter sdk,$(NAME)),setup-sdk-python sdk-js) ## run one benchmark: NAME=mount [QUICK=1] [ROUNDS=7]
	@test -n "$(NAME)" || { echo "which one? make bench NAME=mount (others: ls bench/*.py)"; exit 2; }
	@.venv/bin/python -m bench $(NAME) $(if $(QUICK),--quick) $(if $(ROUNDS),--rounds $(ROUNDS)) $(foreach size,$(SIZE),--size $(size)) $(foreach system,$(ONLY),--only $(system))

# The peers of the mount benchmark, into the cache; the benchmark builds what is missing itself. passthrough_hp comes by apt,
# agentfs from its repository: VEXFS_BENCH_AGENTFS=FOLDER_OR_ADDRESS names another place to clone it from.
.PHONY: bench-peers
bench-peers: setup-dev ## build the peers of the mount benchmark from their sources
	@.venv/bin/python -m bench.peers
