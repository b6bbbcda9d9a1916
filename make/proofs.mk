# The proofs of durability: power cuts, mutants of every sync, kills, the store against its model (server/tests/power,
# server/tests/store_model); and of searches beside writes (server/tests/races). The short form is part of `make test`; the long
# one goes through every write point, 200 kills and thousands of random operations, and takes more than an hour on two cores.

PROOFS := server/tests/power server/tests/store_model server/tests/races

.PHONY: proofs-short proofs-long

proofs-short: setup-dev ## power cuts, kills, mutants, the model and races, as `make test` runs them
	@$(BIN)/python -m pytest $(PROOFS) $(PYTEST_ARGS)

proofs-long: setup-dev ## the same in full: every write point, 200 kills, long random runs
	@VEXFS_PROOFS=long $(BIN)/python -m pytest $(PROOFS) --timeout 0 $(PYTEST_ARGS)
