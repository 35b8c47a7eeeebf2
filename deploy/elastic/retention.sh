#!/bin/sh
# retention.sh: what the lifecycle policies do at Elasticsearch, for an OpenSearch. Run it every ten minutes, by cron or a timer. It deletes an
# index once everything in it is older than the retention, which is so when the next index of its stream is. Seconds: CCAAS_EVENTS_ROLLOVER
# (40 minutes), CCAAS_EVENTS_RETENTION (24 hours), CCAAS_WINDOWS_ROLLOVER (a day), CCAAS_WINDOWS_RETENTION (90 days).
set -eu
url=${ELASTICSEARCH_URL:-http://localhost:9200}
now=$(date +%s)
request() {
	curl -fsS ${ELASTIC_API_KEY:+-H "Authorization: ApiKey $ELASTIC_API_KEY"} "$@"
}

# keep STREAM ROLLOVER RETENTION: in seconds. A new index is begun after ROLLOVER.
keep() {
	previous='' begun=0
	request "$url/_cat/indices/.ds-$1-*?h=index,creation.date&s=index&expand_wildcards=all" >"$list"
	while read -r index created; do
		begun=$((created / 1000))
		if [ -n "$previous" ] && [ $((now - begun)) -gt "$3" ]; then
			echo "deletes $previous"
			request -X DELETE "$url/$previous" >/dev/null
		fi
		previous=$index
	done <"$list"
	if [ -n "$previous" ] && [ $((now - begun)) -gt "$2" ]; then
		request -X POST "$url/$1/_rollover" >/dev/null
	fi
}

list=$(mktemp)
trap 'rm -f "$list"' EXIT
keep logs-ccaas.events-default "${CCAAS_EVENTS_ROLLOVER:-2400}" "${CCAAS_EVENTS_RETENTION:-86400}"
keep logs-ccaas.windows-default "${CCAAS_WINDOWS_ROLLOVER:-86400}" "${CCAAS_WINDOWS_RETENTION:-7776000}"
