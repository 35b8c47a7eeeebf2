#!/bin/sh
# setup.sh: index templates and lifecycle policies for config/elastic-bulk.yaml, once per cluster. Elasticsearch takes all of it; OpenSearch
# has no lifecycle policies of this kind: OPENSEARCH=1 leaves them out, and retention.sh deletes.
set -eu
cd "$(dirname "$0")"
url=${ELASTICSEARCH_URL:-http://localhost:9200}
put() {
	echo "$1"
	curl -fsS -X PUT ${ELASTIC_API_KEY:+-H "Authorization: ApiKey $ELASTIC_API_KEY"} -H 'Content-Type: application/json' -d "$2" "$url/$1" >/dev/null
}
for kind in events windows; do
	if [ -z "${OPENSEARCH:-}" ]; then
		put "_ilm/policy/ccaas-$kind" "@ilm-$kind.json"
		put "_component_template/ccaas-$kind-ilm" "@component-$kind-ilm.json"
	else
		put "_component_template/ccaas-$kind-ilm" '{"template":{}}'
	fi
	put "_index_template/ccaas-$kind" "@template-$kind.json"
done
