# Makes main.go, main_windows.go and components.go from builder-config.yaml. They are committed, so that building the collector
# neither compiles ocb nor resolves modules a second time.
set -eu
output=$(mktemp -d)
trap 'rm -rf "$output"' EXIT
sed "s|^  output_path:.*|  output_path: $output/distribution|" ../builder-config.yaml >"$output/config.yaml"
go tool builder --config "$output/config.yaml" --skip-compilation --skip-get-modules --skip-strict-versioning >"$output/log" 2>&1 || { cat "$output/log" >&2; exit 1; }
for file in main.go main_windows.go components.go; do
	gofmt "$output/distribution/$file" >"$file"
done
