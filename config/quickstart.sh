#!/bin/sh
# The quick start: a simulated platform and the collector, until Ctrl-C. `make run` builds both and calls this.
set -eu
cd "$(dirname "$0")/.."

address=127.0.0.1:${CCAASSIM_PORT:-8080}
bin/ccaassim --listen "$address" --rate 60 --sessions 300 --announce \
	--burst-every 2m --burst-duration 20s --burst-drop-rate 20 --burst-region eu-west-1 --malformed 0.002 &
simulator=$!
trap 'kill "$simulator" 2>/dev/null || true; wait "$simulator" 2>/dev/null || true' EXIT
trap 'exit 0' INT TERM

sleep 1
if ! kill -0 "$simulator" 2>/dev/null; then
	echo "The simulator could not start, see above. Is $address in use? Choose another port: CCAASSIM_PORT=18080 make run" >&2
	exit 1
fi

cat <<-END

	The collector watches a simulated contact centre. Every 9 seconds the window of each tenant, region and channel
	type is printed here; the first comes within 20 seconds. Beside it, open:

	    http://localhost:9464/metrics   the windows as metrics, for a Prometheus to scrape
	    http://localhost:13133          whether the stream can be watched
	    http://$address/truth     what the simulator says it has sent

	Ctrl-C stops both.

END
CCAAS_ENDPOINT=ws://$address bin/otelcol-ccaas --config config/quickstart.yaml
