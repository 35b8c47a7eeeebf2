#!/bin/sh
# Fails when the embedded bundle is not what the sources give, or the sources have errors. Where npm or its
# registry is absent it cannot tell, and says so; in CI, that fails.
set -eu
cd "$(dirname "$0")"

skip() {
	echo "$1, so whether the page's bundle is current is not checked here"
	[ -z "${CI:-}" ]
	exit
}
command -v npm >/dev/null || skip "npm is not installed"
if ! cmp -s package-lock.json node_modules/.checked-lock.json; then
	npm ci --silent --fetch-retries=1 || skip "npm ci has failed"
	cp package-lock.json node_modules/.checked-lock.json
fi
npm run --silent check
npm run --silent test >build.log 2>&1 || { cat build.log; exit 1; }
node build.mjs build/assets
diff -r build/assets ../internal/page/assets || {
	echo "the page's bundle is not current: run make page, and commit"
	exit 1
}
