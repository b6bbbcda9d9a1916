# The weights of the embedding model: `make setup` fetches and converts them into the user's cache (VEXFS_CACHE_DIR or
# ~/.cache/vexfs). Without network the rest of the setup goes on: search then works by words until `make model` succeeds.
.PHONY: model
model: $(STAMPS)/runtime ## fetch the weights of the embedding model and convert them
	@$(BIN)/python -m vexfs.views.embedding.fetch
	@touch $(STAMPS)/model

$(STAMPS)/model: | $(STAMPS)/runtime
	@$(BIN)/python -m vexfs.views.embedding.fetch && touch $@ || \
	  echo "the embedding model is missing: searches by meaning wait until 'make model' succeeds; everything else runs"

setup: $(STAMPS)/model
