// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package promapi

import (
	"compress/gzip"
	"context"
	"io"
	"log/slog"
	"math"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/prometheus/model/exemplar"
	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/metadata"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

type database struct {
	*tsdb.DB
	*prometheus.Registry
}

func (d database) Stats(byLabel string, limit int) *tsdb.Stats {
	return d.DB.Head().Stats(byLabel, limit)
}

func (database) Families() map[string]metadata.Metadata {
	return map[string]metadata.Metadata{
		"ws_drop_rate_percent": {Type: "gauge", Unit: "%"},
		"ws_payload_bytes":     {Type: "counter", Help: "bytes"},
	}
}

// at is the time of the samples, ms.
const at = 1_700_000_000_250

func newTestAPI(t *testing.T) http.Handler {
	t.Helper()
	registry := prometheus.NewRegistry()
	options := tsdb.DefaultOptions()
	options.EnableExemplarStorage, options.MaxExemplars = true, 10
	db, err := tsdb.Open(t.TempDir(), slog.New(slog.DiscardHandler), registry, options, nil)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, db.Close()) })
	appender := db.Appender(t.Context())
	add := func(value float64, of ...string) storage.SeriesRef {
		ref, err := appender.Append(0, labels.FromStrings(of...), at, value)
		require.NoError(t, err)
		return ref
	}
	add(0.5, "__name__", "ws_drop_rate_percent", "tenant_id", `acme "<é>"`)
	add(math.NaN(), "__name__", "ws_drop_rate_percent", "tenant_id", "globex")
	add(math.Inf(1), "__name__", "infinite")
	add(1e-7, "__name__", "tiny")
	ref := add(3, "__name__", "dropped")
	_, err = appender.AppendExemplar(ref, labels.FromStrings("__name__", "dropped"), exemplar.Exemplar{
		Labels: labels.FromStrings("trace_id", "abc"), Value: 1, Ts: at, HasTs: true,
	})
	require.NoError(t, err)
	_, err = appender.AppendHistogram(0, labels.FromStrings("__name__", "duration"), at, &histogram.Histogram{
		Count: 3, Sum: 4.5, ZeroCount: 1, ZeroThreshold: 0.001, Schema: 0,
		PositiveSpans: []histogram.Span{{Offset: 0, Length: 2}}, PositiveBuckets: []int64{1, 0},
	}, nil)
	require.NoError(t, err)
	require.NoError(t, appender.Commit())
	language := parser.NewParser(parser.Options{})
	return New(Options{
		Engine:    promql.NewEngine(promql.EngineOpts{MaxSamples: 1000, Timeout: time.Minute, LookbackDelta: 5 * time.Minute, Parser: language}),
		Parser:    language,
		Storage:   database{db, registry},
		Version:   "1.2.3",
		Retention: 90 * 24 * time.Hour,
		Logger:    slog.New(slog.DiscardHandler),
	})
}

func TestAnswers(t *testing.T) {
	t.Parallel()
	handler := newTestAPI(t)
	for name, c := range map[string]struct {
		path   string
		form   url.Values
		status int
		want   string
	}{
		"vector": {
			"/query",
			url.Values{"query": {`ws_drop_rate_percent{tenant_id=~"acme.*"}`}, "time": {"1700000001"}},
			200,
			`{"status":"success","data":{"resultType":"vector","result":[{"metric":{"__name__":"ws_drop_rate_percent","tenant_id":"acme \"<é>\""},"value":[1700000001,"0.5"]}]}}`,
		},
		"NaN": {
			"/query",
			url.Values{"query": {`ws_drop_rate_percent{tenant_id="globex"}[1m]`}, "time": {"2023-11-14T22:13:21Z"}},
			200,
			`{"status":"success","data":{"resultType":"matrix","result":[{"metric":{"__name__":"ws_drop_rate_percent","tenant_id":"globex"},"values":[[1700000000.25,"NaN"]]}]}}`,
		},
		"infinity": {
			"/query",
			url.Values{"query": {`infinite`}, "time": {"1700000000.25"}},
			200,
			`{"status":"success","data":{"resultType":"vector","result":[{"metric":{"__name__":"infinite"},"value":[1700000000.25,"+Inf"]}]}}`,
		},
		"tiny": {
			"/query",
			url.Values{"query": {`tiny`}, "time": {"1700000001"}},
			200,
			`{"status":"success","data":{"resultType":"vector","result":[{"metric":{"__name__":"tiny"},"value":[1700000001,"1e-07"]}]}}`,
		},
		"scalar": {
			"/query",
			url.Values{"query": {`1`}, "time": {"-1.005"}},
			200,
			`{"status":"success","data":{"resultType":"scalar","result":[-1.005,"1"]}}`,
		},
		"string": {
			"/query",
			url.Values{"query": {`"a"`}, "time": {"0.05"}},
			200,
			`{"status":"success","data":{"resultType":"string","result":[0.050,"a"]}}`,
		},
		"histogram": {
			"/query",
			url.Values{"query": {`duration`}, "time": {"1700000001"}},
			200,
			`{"status":"success","data":{"resultType":"vector","result":[{"metric":{"__name__":"duration"},"histogram":[1700000001,{"count":"3","sum":"4.5",` +
				`"buckets":[[3,"-0.001","0.001","1"],[0,"0.5","1","1"],[0,"1","2","1"]]}]}]}}`,
		},
		"histograms in a matrix": {
			"/query_range",
			url.Values{"query": {`duration`}, "start": {"1700000001"}, "end": {"1700000001"}, "step": {"9s"}},
			200,
			`{"status":"success","data":{"resultType":"matrix","result":[{"metric":{"__name__":"duration"},"histograms":[[1700000001,{"count":"3","sum":"4.5",` +
				`"buckets":[[3,"-0.001","0.001","1"],[0,"0.5","1","1"],[0,"1","2","1"]]}]]}]}}`,
		},
		"nothing": {
			"/query",
			url.Values{"query": {`missing`}, "time": {"1"}},
			200,
			`{"status":"success","data":{"resultType":"vector","result":[]}}`,
		},
		"truncated": {
			"/query_range",
			url.Values{"query": {`ws_drop_rate_percent`}, "start": {"1700000001"}, "end": {"1700000010"}, "step": {"9"}, "limit": {"1"}},
			200,
			`{"status":"success","data":{"resultType":"matrix","result":[{"metric":{"__name__":"ws_drop_rate_percent","tenant_id":"acme \"<é>\""},` +
				`"values":[[1700000001,"0.5"],[1700000010,"0.5"]]}]},"warnings":["results truncated due to limit"]}`,
		},
		"notes": {
			"/query",
			url.Values{"query": {`quantile(2, tiny)`}, "time": {"1700000001"}},
			200,
			`{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1700000001,"+Inf"]}]},` +
				`"warnings":["PromQL warning: quantile value should be between 0 and 1, got 2 (1:10)"]}`,
		},
		"exemplars": {
			"/query_exemplars",
			url.Values{"query": {`dropped`}},
			200,
			`{"status":"success","data":[{"seriesLabels":{"__name__":"dropped"},"exemplars":[{"labels":{"trace_id":"abc"},"value":"1","timestamp":1700000000.250}]}]}`,
		},
		"no exemplars": {
			"/query_exemplars", url.Values{"query": {`1`}}, 200, `{"status":"success"}`,
		},
		"label names": {
			"/labels", url.Values{}, 200, `{"status":"success","data":["__name__","tenant_id"]}`,
		},
		"values of several selectors": {
			"/label/__name__/values",
			url.Values{"match[]": {"tiny", "infinite", `{__name__=~"t.*"}`}, "start": {"-1e300"}, "end": {"1e300"}},
			200,
			`{"status":"success","data":["infinite","tiny"]}`,
		},
		"values, truncated": {
			"/label/tenant_id/values",
			url.Values{"limit": {"1"}},
			200,
			`{"status":"success","data":["acme \"<é>\""],"warnings":["results truncated due to limit"]}`,
		},
		"values before all samples": {
			"/label/tenant_id/values", url.Values{"end": {"1000"}}, 200, `{"status":"success","data":[]}`,
		},
		"series": {
			"/series",
			url.Values{"match[]": {"tiny", `{__name__=~"t.*|i.*"}`}},
			200,
			`{"status":"success","data":[{"__name__":"infinite"},{"__name__":"tiny"}]}`,
		},
		"series, truncated": {
			"/series",
			url.Values{"match[]": {`{__name__=~"t.*|i.*"}`, "tiny"}, "limit": {"1"}},
			200,
			`{"status":"success","data":[{"__name__":"infinite"}],"warnings":["results truncated due to limit"]}`,
		},
		"metadata": {
			"/metadata",
			url.Values{"limit": {"1"}},
			200,
			`{"status":"success","data":{"ws_drop_rate_percent":[{"type":"gauge","help":"","unit":"%"}]}}`,
		},
		"metadata of one": {
			"/metadata",
			url.Values{"metric": {"ws_payload_bytes"}},
			200,
			`{"status":"success","data":{"ws_payload_bytes":[{"type":"counter","help":"bytes","unit":""}]}}`,
		},
		"metadata of none": {"/metadata", url.Values{"metric": {"x"}}, 200, `{"status":"success","data":{}}`},
		"rules":            {"/rules", nil, 200, `{"status":"success","data":{"groups":[]}}`},
		"alerts":           {"/alerts", nil, 200, `{"status":"success","data":{"alerts":[]}}`},
		"flags":            {"/status/flags", nil, 200, `{"status":"success","data":{"storage.tsdb.retention.time":"90d"}}`},

		"bad expression": {
			"/query",
			url.Values{"query": {`sum(`}},
			400,
			`{"status":"error","errorType":"bad_data","error":"invalid parameter \"query\": 1:5: parse error: unclosed left parenthesis"}`,
		},
		"bad time": {
			"/query",
			url.Values{"query": {`1`}, "time": {"yesterday"}},
			400,
			`{"status":"error","errorType":"bad_data","error":"invalid parameter \"time\": cannot parse \"yesterday\" to a valid timestamp"}`,
		},
		"no start": {
			"/query_range",
			url.Values{"query": {`1`}, "end": {"2"}, "step": {"1"}},
			400,
			`{"status":"error","errorType":"bad_data","error":"invalid parameter \"start\": cannot parse \"\" to a valid timestamp"}`,
		},
		"end before start": {
			"/query_range",
			url.Values{"query": {`1`}, "start": {"3"}, "end": {"2"}, "step": {"1"}},
			400,
			`{"status":"error","errorType":"bad_data","error":"invalid parameter \"end\": end timestamp must not be before start time"}`,
		},
		"no step": {
			"/query_range",
			url.Values{"query": {`1`}, "start": {"1"}, "end": {"2"}},
			400,
			`{"status":"error","errorType":"bad_data","error":"invalid parameter \"step\": zero or negative query resolution step widths are not accepted. Try a positive integer"}`,
		},
		"bad limit": {
			"/query",
			url.Values{"query": {`1`}, "limit": {"-1"}},
			400,
			`{"status":"error","errorType":"bad_data","error":"invalid parameter \"limit\": must not be negative"}`,
		},
		"no selector": {
			"/series", url.Values{}, 400, `{"status":"error","errorType":"bad_data","error":"no match[] parameter provided"}`,
		},
		"selector of everything": {
			"/series",
			url.Values{"match[]": {`{a=~".*"}`}},
			400,
			`{"status":"error","errorType":"bad_data","error":"invalid parameter \"match[]\": match[] must contain at least one non-empty matcher"}`,
		},
		"many to many": {
			"/query",
			url.Values{"query": {`ws_drop_rate_percent + on () ws_drop_rate_percent`}, "time": {"1700000001"}},
			422,
			`{"status":"error","errorType":"execution","error":"found duplicate series for the match group {} on the right hand-side of the operation: ` +
				`[{__name__=\"ws_drop_rate_percent\", tenant_id=\"globex\"}, {__name__=\"ws_drop_rate_percent\", tenant_id=\"acme \\\"<é>\\\"\"}];many-to-many matching not allowed: matching labels must be unique on one side"}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			recorder := httptest.NewRecorder()
			request := httptest.NewRequest(http.MethodPost, "/api/v1"+c.path, strings.NewReader(c.form.Encode()))
			request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			handler.ServeHTTP(recorder, request)
			assert.Equal(t, c.status, recorder.Code)
			assert.Equal(t, "application/json", recorder.Header().Get("Content-Type"))
			assert.JSONEq(t, c.want, recorder.Body.String())
		})
	}
}

func TestStatus(t *testing.T) {
	t.Parallel()
	handler := newTestAPI(t)
	for path, wants := range map[string][]string{
		"/status/buildinfo":    {`"version":"1.2.3"`, `"goVersion":"go1`},
		"/status/runtimeinfo":  {`"storageRetention":"90d"`, `"reloadConfigSuccess":true`},
		"/status/config":       {`"yaml":"global:`},
		"/status/walreplay":    {`"max":0`},
		"/status/tsdb?limit=1": {`"numSeries":6`, `"chunkCount":6`, `"seriesCountByMetricName":[{"name":"ws_drop_rate_percent","value":2}]`},
	} {
		recorder := httptest.NewRecorder()
		handler.ServeHTTP(recorder, httptest.NewRequest(http.MethodGet, "/api/v1"+path, nil))
		assert.Equal(t, http.StatusOK, recorder.Code, path)
		for _, want := range wants {
			assert.Contains(t, recorder.Body.String(), want, path)
		}
	}
	recorder := httptest.NewRecorder()
	handler.ServeHTTP(recorder, httptest.NewRequest(http.MethodGet, "/api/v1/status/tsdb?limit=20000", nil))
	assert.Equal(t, http.StatusBadRequest, recorder.Code)
}

// A client that has left, and one that takes gzip.
func TestClients(t *testing.T) {
	t.Parallel()
	handler := newTestAPI(t)
	gone, leave := context.WithCancel(t.Context())
	leave()
	recorder := httptest.NewRecorder()
	handler.ServeHTTP(recorder, httptest.NewRequest(http.MethodGet, "/api/v1/query?query=tiny", nil).WithContext(gone))
	assert.Equal(t, statusCanceled, recorder.Code)

	request := httptest.NewRequest(http.MethodGet, "/api/v1/query_range?query=vector(1)&start=0&end=999&step=1", nil)
	plain := httptest.NewRecorder()
	handler.ServeHTTP(plain, request)
	request.Header.Set("Accept-Encoding", "gzip")
	packed := httptest.NewRecorder()
	handler.ServeHTTP(packed, request)
	assert.Equal(t, "gzip", packed.Header().Get("Content-Encoding"))
	assert.Less(t, packed.Body.Len(), plain.Body.Len()/2)
	reader, err := gzip.NewReader(packed.Body)
	require.NoError(t, err)
	body, err := io.ReadAll(reader)
	require.NoError(t, err)
	assert.Equal(t, plain.Body.String(), string(body))
}
