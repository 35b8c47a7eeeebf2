#!/bin/sh
# The quick start: a simulated platform and the collector, until Ctrl-C. `make run` builds both and calls this.
set -eu
cd "$(dirname "$0")/.."

address=127.0.0.1:${CCAASSIM_PORT:-8080}
page=${CCAAS_DASHBOARD:-localhost:3080}
data=${CCAAS_DATA:-./data}
alertmanager=${CCAAS_ALERTMANAGER_API:-localhost:9093}

# Three tenants in three regions. Connections drop in bulk in one of them, a campaign triples one tenant's traffic, the
# clock of one region is ahead, and now and then the socket is reset.
bin/ccaassim --listen "$address" --sink --announce --rate 120 --sessions 600 --reconnect-rate 60 \
	--tenants acme_corp,globex,initech --regions us-east-1,eu-west-1,ap-southeast-2 \
	--burst-every 3m --burst-duration 40s --burst-drop-rate 20 --burst-region eu-west-1 \
	--campaign-every 5m --campaign-duration 2m --campaign-tenant globex \
	--skew 350ms --skew-region ap-southeast-2 --malformed 0.002 --malformed-kinds not_json,missing_timestamp --reset-every 7m &
simulator=$!
collector=
# The collector ends first, since it delivers to the simulator until then; a second signal changes nothing.
trap 'for process in $collector $simulator; do kill "$process" 2>/dev/null || true; wait "$process" 2>/dev/null || true; done' EXIT
trap 'trap "" INT TERM; exit 0' INT TERM

sleep 1
if ! kill -0 "$simulator" 2>/dev/null; then
	echo "The simulator could not start, see above. Is $address in use? Choose another port: CCAASSIM_PORT=18080 make run" >&2
	exit 1
fi

cat <<-END

	The collector monitors a simulated contact centre. Open

	    http://$page

	The first windows appear within 20 seconds. Every few minutes connections drop, or a campaign begins, and alerts
	are printed here: one notification for all alerts of a rule in a region. Silence one on the page, or for an hour:

	    curl -H 'Content-Type: application/json' http://$alertmanager/api/v2/silences -d '{"createdBy":"me","comment":"known",
	      "matchers":[{"name":"alertname","value":"ws_clock_skew","isRegex":false}],"startsAt":"$(date -u +%FT%TZ)","endsAt":"$(date -u -d '+1 hour' +%FT%TZ 2>/dev/null || date -u -v+1H +%FT%TZ)"}'
	    amtool --alertmanager.url http://$alertmanager silence add alertname=ws_clock_skew --comment known

	Also:

	    http://${CCAAS_HEALTH:-localhost:13133}/?verbose    status of each component
	    http://$address/truth      ground truth of the simulator

	In Grafana, a Prometheus data source with the URL http://$page has the same numbers.

	Ctrl-C stops both. The measurements stay in $data, and are shown again the next time.

END
CCAAS_ENDPOINT=ws://$address CCAAS_WEBHOOK=http://$address/sink/alerts bin/otelcol-ccaas --config config/quickstart.yaml &
collector=$!
wait "$collector" || {
	echo "The collector stopped, see above. Is an address in use? Choose others:" \
		"CCAAS_DASHBOARD=localhost:13080 CCAAS_HEALTH=localhost:23133 CCAAS_ALERTMANAGER_API=localhost:19093 make run" >&2
	exit 1
}
