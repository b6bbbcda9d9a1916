# The client for JavaScript, in sdk-js. Needs Node.js 20 or later, .venv for the server its tests run against, openssl, and Chromium
# for the test in a browser.

SDK_JS := sdk-js
SDK_JS_MODULES := $(SDK_JS)/node_modules/.package-lock.json

.PHONY: sdk-js generate-sdk-js lint-sdk-js test-sdk-js docs-sdk-js

# Not `npm ci`: it insists on the packages of every platform, and the lock file has those of Linux.
$(SDK_JS_MODULES): $(SDK_JS)/package-lock.json $(SDK_JS)/package.json
	@command -v npm >/dev/null || { echo "npm is missing: install Node.js 20 or later (Debian: apt install npm)" >&2; exit 1; }
	cd $(SDK_JS) && npm install --no-save --ignore-scripts
	@touch $@

sdk-js: $(SDK_JS_MODULES) ## build the client for JavaScript into sdk-js/dist
	@cd $(SDK_JS) && npm run --silent build

generate-sdk-js: $(BUF) $(SDK_JS_MODULES) ## make sdk-js/src/gen and sdk-js/conformance/gen again from proto/
	$(BUF) generate --template $(SDK_JS)/buf.gen.yaml
	$(BUF) generate --template $(SDK_JS)/conformance/buf.gen.yaml

lint-sdk-js: $(SDK_JS_MODULES)
	@cd $(SDK_JS) && npm run --silent lint

test-sdk-js: setup $(BUF) lint-sdk-js sdk-js docs-sdk-js ## check and test the client for JavaScript
	@cd $(SDK_JS) && npm run --silent test

docs-sdk-js: $(SDK_JS_MODULES) ## the API documentation of the client for JavaScript, into sdk-js/docs
	@cd $(SDK_JS) && npm run --silent docs
