#!/bin/sh
# Fails when the embedded bundle is not what the sources give, or the sources have errors. Where npm or its
# registry is absent it prints that the check is skipped.
set -eu
cd "$(dirname "$0")"

skip() {
	echo "$1, so whether the page's bundle is current is not checked here"
	exit 0
}
command -v npm >/dev/null || skip "npm is not installed"
if ! cmp -s package-lock.json node_modules/.cache/package-lock.json; then
	npm ci --silent --fetch-retries=1 || skip "npm ci has failed"
	mkdir -p node_modules/.cache
	cp package-lock.json node_modules/.cache/package-lock.json
fi
npm run --silent check
npm run --silent test >node_modules/.cache/test.log 2>&1 || { cat node_modules/.cache/test.log; exit 1; }
node build.mjs node_modules/.cache/assets
diff -r node_modules/.cache/assets ../internal/page/assets || {
	echo "the page's bundle is not current: run make page, and commit"
	exit 1
}
