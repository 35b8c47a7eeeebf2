// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package dashboardextension

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gogo/protobuf/proto"
	"github.com/golang/snappy"
	"github.com/prometheus/prometheus/prompb"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/config/configopaque"
	"go.opentelemetry.io/collector/extension/extensiontest"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/metric/metricdata/metricdatatest"

	"github.com/otelcol-ccaas/otelcol-ccaas/extension/dashboardextension/internal/metadata"
	"github.com/otelcol-ccaas/otelcol-ccaas/extension/dashboardextension/internal/metadatatest"
	owntest "github.com/otelcol-ccaas/otelcol-ccaas/internal/componenttest"
)

type running struct {
	*dashboard
	url       string
	host      *owntest.Host
	telemetry *componenttest.Telemetry
}

func configure(t *testing.T) *Config {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	config := createDefaultConfig().(*Config)
	config.ServerConfig.NetAddr.Endpoint = listener.Addr().String()
	return config
}

func withStore(t *testing.T) *Config {
	t.Helper()
	config := configure(t)
	config.Store.GetOrInsertDefault().Directory = t.TempDir()
	return config
}

func run(t *testing.T, config *Config) *running {
	t.Helper()
	require.NoError(t, config.Validate())
	telemetry := componenttest.NewTelemetry()
	set := extensiontest.NewNopSettings(metadata.Type)
	set.TelemetrySettings = telemetry.NewTelemetrySettings()
	set.BuildInfo.Version = "1.2.3"
	d, err := newDashboard(set, config)
	require.NoError(t, err)
	h := owntest.NewHost(nil)
	require.NoError(t, d.Start(t.Context(), h))
	t.Cleanup(func() {
		ctx := context.WithoutCancel(t.Context())
		require.NoError(t, d.Shutdown(ctx))
		require.NoError(t, telemetry.Shutdown(ctx))
	})
	return &running{dashboard: d, url: "http://" + config.ServerConfig.NetAddr.Endpoint, host: h, telemetry: telemetry}
}

func (r *running) do(t *testing.T, method, path string, header http.Header, body []byte) (int, http.Header, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, r.url+path, bytes.NewReader(body))
	require.NoError(t, err)
	maps.Copy(request.Header, header)
	request.Host = header.Get("Host")
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return response.StatusCode, response.Header, string(text)
}

func (r *running) get(t *testing.T, path string) (int, string) {
	t.Helper()
	code, _, body := r.do(t, http.MethodGet, path, http.Header{}, nil)
	return code, body
}

// otlpJSON is one gauge, as OTLP in JSON.
func otlpJSON(name string, at time.Time, value float64) []byte {
	return fmt.Appendf(nil, `{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"name":%q,"unit":"%%",
		"gauge":{"dataPoints":[{"timeUnixNano":"%d","asDouble":%v}]}}]}]}]}`, name, at.UnixNano(), value)
}

func TestFromWriterToViewer(t *testing.T) {
	t.Parallel()
	config := withStore(t)
	config.Window.Size = time.Hour // no new window meanwhile, which would make an answer old
	r := run(t, config)
	now := time.Now().Truncate(time.Second)
	code, _, body := r.do(t, http.MethodPost, "/api/v1/otlp/v1/metrics", http.Header{"Content-Type": {"application/json"}},
		otlpJSON("ws.drop_rate", now, 0.7))
	require.Equal(t, http.StatusOK, code, body)
	code, _, body = r.do(t, http.MethodPost, "/api/v1/otlp/v1/metrics", http.Header{"Content-Type": {"application/json"}},
		otlpJSON("ws.drop_rate", now.Add(time.Hour), 1))
	require.Equal(t, http.StatusOK, code, body)
	require.Contains(t, body, "future: 1")

	written, err := proto.Marshal(&prompb.WriteRequest{Timeseries: []prompb.TimeSeries{{
		Labels:  []prompb.Label{{Name: "__name__", Value: "remote"}},
		Samples: []prompb.Sample{{Value: 3, Timestamp: now.UnixMilli()}},
	}}})
	require.NoError(t, err)
	code, _, body = r.do(t, http.MethodPost, "/api/v1/write",
		http.Header{"Content-Type": {"application/x-protobuf"}, "Content-Encoding": {"snappy"}}, snappy.Encode(nil, written))
	require.Equal(t, http.StatusNoContent, code, body)

	for expression, want := range map[string]string{"ws_drop_rate_percent": "0.7", "remote": "3"} {
		_, body = r.get(t, "/api/v1/query?query="+expression+"&time="+strconv.FormatInt(now.Unix(), 10))
		assert.Contains(t, body, fmt.Sprintf(`"value":[%d,%q]`, now.Unix(), want))
	}
	code, _, body = r.do(t, http.MethodPost, "/api/v1/query", http.Header{"Content-Type": {"application/x-www-form-urlencoded"}},
		[]byte(url.Values{"query": {"remote"}, "time": {strconv.FormatInt(now.Unix(), 10)}}.Encode()))
	assert.Equal(t, http.StatusOK, code)
	assert.Contains(t, body, `"3"`)

	metadatatest.AssertEqualDashboardSamples(t, r.telemetry, []metricdata.DataPoint[int64]{{Value: 2}}, metricdatatest.IgnoreTimestamp(), metricdatatest.IgnoreExemplars())
	metadatatest.AssertEqualDashboardRefusedSamples(t, r.telemetry, []metricdata.DataPoint[int64]{
		{Attributes: attribute.NewSet(attribute.String("reason", "future")), Value: 1},
	}, metricdatatest.IgnoreTimestamp(), metricdatatest.IgnoreExemplars())
	metadatatest.AssertEqualDashboardQueries(t, r.telemetry, []metricdata.DataPoint[int64]{
		{Attributes: attribute.NewSet(attribute.String("endpoint", "/query"), attribute.Int("code", 200)), Value: 3},
	}, metricdatatest.IgnoreTimestamp(), metricdatatest.IgnoreExemplars())
	metadatatest.AssertEqualDashboardCacheHits(t, r.telemetry, []metricdata.DataPoint[int64]{{Value: 1}}, metricdatatest.IgnoreTimestamp(), metricdatatest.IgnoreExemplars())
	metadatatest.AssertEqualDashboardSeries(t, r.telemetry, []metricdata.DataPoint[int64]{{Value: 2}}, metricdatatest.IgnoreTimestamp(), metricdatatest.IgnoreExemplars())
	metadatatest.AssertEqualDashboardSeriesLimit(t, r.telemetry, []metricdata.DataPoint[int64]{{Value: 400_000}}, metricdatatest.IgnoreTimestamp(), metricdatatest.IgnoreExemplars())
}

func TestDescription(t *testing.T) {
	t.Parallel()
	r := run(t, withStore(t))
	code, header, body := r.do(t, http.MethodGet, "/api/page", http.Header{}, nil)
	require.Equal(t, http.StatusOK, code)
	assert.Equal(t, "no-store", header.Get("Cache-Control"))
	var described map[string]any
	require.NoError(t, json.Unmarshal([]byte(body), &described))
	assert.InDelta(t, time.Now().UnixMilli(), described["now"], 60_000)
	assert.Zero(t, (int64(described["newest"].(float64))-10_000)%9_000, "the end of a window")
	delete(described, "now")
	delete(described, "newest")
	assert.Equal(t, map[string]any{
		"version": "1.2.3", "windowSeconds": 10.0, "stepSeconds": 9.0, "offsetSeconds": 2.0, "source": "embedded", "troubles": []any{},
		"alertmanager": false, "silence": false, "eventsSeconds": 0.0, "links": []any{},
	}, described)
}

func (r *running) described(t *testing.T) (described description) {
	t.Helper()
	code, body := r.get(t, "/api/page")
	require.Equal(t, http.StatusOK, code)
	require.NoError(t, json.Unmarshal([]byte(body), &described))
	return described
}

// The page knows the geometry of windows from their metrics, once there are some.
func TestGeometryIsThatOfTheWindows(t *testing.T) {
	t.Parallel()
	config := withStore(t)
	config.Window = WindowConfig{Size: time.Second, Offset: 0}
	r := run(t, config)
	assert.InDelta(t, 1, r.described(t).WindowSeconds, 0, "of the configuration")
	gauge := func(name string, value float64) {
		body := bytes.ReplaceAll(otlpJSON(name, time.Now(), value), []byte(`"unit":"%"`), []byte(`"unit":"s"`))
		code, _, answer := r.do(t, http.MethodPost, "/api/v1/otlp/v1/metrics", http.Header{"Content-Type": {"application/json"}}, body)
		require.Equal(t, http.StatusOK, code, answer)
	}
	gauge("ws.window.size", 5)
	gauge("ws.window.step", 4.5)
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		described := r.described(t)
		assert.InDelta(c, 5, described.WindowSeconds, 0)
		assert.InDelta(c, 4.5, described.StepSeconds, 0)
	}, 10*time.Second, 100*time.Millisecond)
}

// While a receiver of this collector is in trouble, the page says so: there may be no window
// that could.
func TestTroublesOfReceivers(t *testing.T) {
	t.Parallel()
	r := run(t, withStore(t))
	receiver := componentstatus.NewInstanceID(component.MustNewID("ccaas_ws"), component.KindReceiver)
	exporter := componentstatus.NewInstanceID(component.MustNewID("otlp_http"), component.KindExporter)
	first := componentstatus.NewRecoverableErrorEvent(errors.New("not reading: downstream refuses events"))
	r.ComponentStatusChanged(exporter, componentstatus.NewRecoverableErrorEvent(errors.New("down")))
	r.ComponentStatusChanged(receiver, first)
	r.ComponentStatusChanged(receiver, componentstatus.NewRecoverableErrorEvent(errors.New("not reading: still")))
	assert.Equal(t, []trouble{{"ccaas_ws", first.Timestamp().UnixMilli(), "not reading: still"}}, r.described(t).Troubles)
	r.ComponentStatusChanged(receiver, componentstatus.NewEvent(componentstatus.StatusOK))
	assert.Empty(t, r.described(t).Troubles)
}

// Only what reads is there, and what writes by the two ways in.
func TestReadOnly(t *testing.T) {
	t.Parallel()
	r := run(t, withStore(t))
	for path, want := range map[string]int{
		"GET /":                                     http.StatusOK,
		"GET /healthz":                              http.StatusOK,
		"GET /api/v1/labels":                        http.StatusOK,
		"GET /api/v1/label/region/values":           http.StatusOK,
		"GET /api/v1/status/buildinfo":              http.StatusOK,
		"GET /api/v1/metadata":                      http.StatusOK,
		"POST /api/v1/labels":                       http.StatusOK,
		"POST /api/v1/admin/tsdb/delete_series":     http.StatusNotFound,
		"PUT /api/v1/admin/tsdb/delete_series":      http.StatusNotFound,
		"POST /api/v1/admin/tsdb/clean_tombstones":  http.StatusNotFound,
		"POST /api/v1/admin/tsdb/snapshot":          http.StatusNotFound,
		"POST /api/v1/read":                         http.StatusNotFound,
		"GET /api/v1/targets":                       http.StatusNotFound,
		"GET /api/v1/format_query":                  http.StatusNotFound,
		"POST /api/v1/parse_query":                  http.StatusNotFound,
		"GET /api/v1/notifications/live":            http.StatusNotFound,
		"GET /api/v1/label/../../admin/values":      http.StatusNotFound,
		"DELETE /api/v1/series":                     http.StatusNotFound,
		"GET /api/v1/write":                         http.StatusNotFound,
		"POST /-/quit":                              http.StatusNotFound,
		"GET /debug/pprof/":                         http.StatusNotFound,
		"GET /api/v1/status/tsdb/blocks/../../read": http.StatusNotFound,
	} {
		method, path, _ := strings.Cut(path, " ")
		code, _, body := r.do(t, method, path, http.Header{}, nil)
		assert.Equal(t, want, code, "%s %s: %s", method, path, body)
	}
}

func TestGuard(t *testing.T) {
	t.Parallel()
	config := withStore(t)
	config.AllowedHosts = []string{"dashboard.example.com"}
	r := run(t, config)
	for h, want := range map[string]int{
		"":                           http.StatusOK,
		"localhost":                  http.StatusOK,
		"localhost:3080":             http.StatusOK,
		"[::1]:3080":                 http.StatusOK,
		"127.0.0.2":                  http.StatusOK,
		"dashboard.example.com:8443": http.StatusOK,
		"rebound.example.org":        http.StatusMisdirectedRequest,
		"rebound.example.org:3080":   http.StatusMisdirectedRequest,
		"localhost.example.org":      http.StatusMisdirectedRequest,
	} {
		code, _, _ := r.do(t, http.MethodGet, "/api/v1/labels", http.Header{"Host": {h}}, nil)
		assert.Equal(t, want, code, h)
	}
	for _, path := range []string{"/", "/api/page", "/api/v1/labels"} {
		_, header, _ := r.do(t, http.MethodGet, path, http.Header{"Origin": {"https://example.org"}}, nil)
		assert.Contains(t, header.Get("Content-Security-Policy"), "default-src 'self'")
		assert.Contains(t, header.Get("Content-Security-Policy"), "frame-ancestors 'none'")
		assert.Equal(t, "nosniff", header.Get("X-Content-Type-Options"))
		assert.Equal(t, "no-referrer", header.Get("Referrer-Policy"))
		assert.Empty(t, header.Get("Access-Control-Allow-Origin"))
	}
	code, _, _ := r.do(t, http.MethodPost, "/api/v1/otlp/v1/metrics", http.Header{
		"Content-Type": {"application/json"}, "Origin": {"https://example.org"},
	}, otlpJSON("forged", time.Now(), 1))
	assert.Equal(t, http.StatusForbidden, code, "another site's page writes")
}

// Off loopback nobody knows our names but allowed_hosts; where it is set, it holds.
func TestGuard_OffLoopback(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		allowed      []string
		path, host   string
		wantReaching bool
	}{
		"nothing said":      {nil, "/api/v1/labels", "anything.example.org", true},
		"allowed":           {[]string{"dashboard.example.com"}, "/api/v1/labels", "dashboard.example.com:3080", true},
		"in another case":   {[]string{"dashboard.example.com"}, "/", "Dashboard.Example.com", true},
		"on this machine":   {[]string{"dashboard.example.com"}, "/", "localhost:3080", true},
		"another name":      {[]string{"dashboard.example.com"}, "/api/v1/labels", "rebound.example.org", false},
		"another address":   {[]string{"dashboard.example.com"}, "/", "192.0.2.7:3080", false},
		"a probe's address": {[]string{"dashboard.example.com"}, "/healthz", "192.0.2.7:3080", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			config := createDefaultConfig().(*Config)
			config.ServerConfig.NetAddr.Endpoint = "0.0.0.0:3080"
			config.AllowedHosts = c.allowed
			d := &dashboard{config: config}
			reached := false
			guarded := d.guard(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached = true }))
			r := httptest.NewRequest(http.MethodGet, c.path, nil)
			r.Host = c.host
			recorder := httptest.NewRecorder()
			guarded.ServeHTTP(recorder, r)
			assert.Equal(t, c.wantReaching, reached)
			assert.Equal(t, !c.wantReaching, recorder.Code == http.StatusMisdirectedRequest)
		})
	}
}

// A page of another site makes the API do nothing, unless CORS allows its origin.
func TestGuard_CrossSite(t *testing.T) {
	t.Parallel()
	plain, allowing := withStore(t), withStore(t)
	allowing.ServerConfig.CORS.GetOrInsertDefault().AllowedOrigins = []string{"https://*.example.com"}
	servers := map[string]*running{"plain": run(t, plain), "allowing": run(t, allowing)}
	for _, c := range []struct {
		server, path, site, origin string
		want                       int
	}{
		{"plain", "/api/v1/query?query=1", "cross-site", "", http.StatusForbidden},
		{"plain", "/api/v1/labels", "cross-site", "https://example.org", http.StatusForbidden},
		{"plain", "/api/page", "cross-site", "", http.StatusForbidden},
		{"plain", "/", "cross-site", "", http.StatusOK}, // a link to the page
		{"plain", "/api/v1/query?query=1", "same-origin", "", http.StatusOK},
		{"plain", "/api/v1/query?query=1", "none", "", http.StatusOK},
		{"plain", "/api/v1/query?query=1", "", "", http.StatusOK}, // no browser
		{"allowing", "/api/v1/query?query=1", "cross-site", "https://wall.example.com", http.StatusOK},
		{"allowing", "/api/v1/query?query=1", "cross-site", "https://example.org", http.StatusForbidden},
		{"allowing", "/api/v1/query?query=1", "cross-site", "", http.StatusForbidden},
	} {
		header := http.Header{}
		for name, value := range map[string]string{"Sec-Fetch-Site": c.site, "Origin": c.origin} {
			if value != "" {
				header.Set(name, value)
			}
		}
		code, _, _ := servers[c.server].do(t, http.MethodGet, c.path, header, nil)
		assert.Equal(t, c.want, code, "%+v", c)
	}
}

// All parameters together are bounded, in an address and in a form.
func TestParametersAreBounded(t *testing.T) {
	t.Parallel()
	r := run(t, withStore(t))
	long := "query=1&match[]=" + strings.Repeat("a", maxFormBytes)
	code, _ := r.get(t, "/api/v1/query?"+long)
	assert.Equal(t, http.StatusRequestHeaderFieldsTooLarge, code)
	code, _, body := r.do(t, http.MethodPost, "/api/v1/query", http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}, []byte(long))
	assert.Equal(t, http.StatusBadRequest, code)
	assert.Contains(t, body, "the parameters are longer than 131072 bytes")
}

// Bodies are bounded before and after decompression.
func TestRequestSize(t *testing.T) {
	t.Parallel()
	config := withStore(t)
	config.ServerConfig.MaxRequestBodySize = 10_000
	r := run(t, config)
	large := make([]byte, 20_000)
	header := http.Header{"Content-Type": {"application/x-protobuf"}}
	for _, path := range []string{"/api/v1/write", "/api/v1/otlp/v1/metrics"} {
		code, _, _ := r.do(t, http.MethodPost, path, header, large)
		assert.Equal(t, http.StatusRequestEntityTooLarge, code, path)
		bomb := header.Clone()
		bomb.Set("Content-Encoding", "snappy")
		code, _, _ = r.do(t, http.MethodPost, path, bomb, snappy.Encode(nil, large))
		assert.Equal(t, http.StatusRequestEntityTooLarge, code, path)
		unknown := header.Clone()
		unknown.Set("Content-Encoding", "br")
		code, _, _ = r.do(t, http.MethodPost, path, unknown, []byte("x"))
		assert.Equal(t, http.StatusUnsupportedMediaType, code, path)
	}
}

// While the disk is full, health says so, in both places.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	config := withStore(t)
	config.Store.Get().MinFreeBytes = 1 << 62
	r := run(t, config)
	code, header, body := r.do(t, http.MethodPost, "/api/v1/otlp/v1/metrics", http.Header{"Content-Type": {"application/json"}},
		otlpJSON("a", time.Now(), 1))
	assert.Equal(t, http.StatusServiceUnavailable, code)
	assert.NotEmpty(t, header.Get("Retry-After"))
	assert.Contains(t, body, "store::min_free_bytes")
	code, body = r.get(t, "/healthz")
	assert.Equal(t, http.StatusServiceUnavailable, code)
	assert.Contains(t, body, "store::min_free_bytes")
	assert.Equal(t, componentstatus.StatusRecoverableError, r.host.Next().Status())
	code, _ = r.get(t, "/api/v1/query?query=a")
	assert.Equal(t, http.StatusOK, code)
}

func TestSecondOnTheDirectory(t *testing.T) {
	t.Parallel()
	config := withStore(t)
	r := run(t, config)
	second := configure(t)
	second.Store.GetOrInsertDefault().Directory = config.Store.Get().Directory
	d, err := newDashboard(extensiontest.NewNopSettings(metadata.Type), second)
	require.NoError(t, err)
	err = d.Start(t.Context(), r.host)
	require.ErrorContains(t, err, "store::directory: "+config.Store.Get().Directory+": another process has this store open")
	require.NoError(t, d.Shutdown(t.Context()))
}

// When the endpoint is taken, the store is left to others again. The Collector calls Shutdown after
// a Start that failed, too.
func TestEndpointTaken(t *testing.T) {
	t.Parallel()
	r := run(t, withStore(t))
	config := withStore(t)
	directory := config.Store.Get().Directory
	config.ServerConfig.NetAddr = r.config.ServerConfig.NetAddr
	d, err := newDashboard(extensiontest.NewNopSettings(metadata.Type), config)
	require.NoError(t, err)
	require.ErrorContains(t, d.Start(t.Context(), r.host), "endpoint")
	require.NoError(t, d.Shutdown(t.Context()))
	again := configure(t)
	again.Store.GetOrInsertDefault().Directory = directory
	run(t, again)
}

// An outside Prometheus is asked below its path, with what the configuration adds, and
// is not written to.
func TestPrometheus(t *testing.T) {
	t.Parallel()
	asked := make(chan *http.Request, 10)
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		asked <- r
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"status":"success","data":["eu"]}`))
	}))
	t.Cleanup(upstream.Close)
	config := configure(t)
	outside := config.Prometheus.GetOrInsertDefault()
	outside.Endpoint = upstream.URL + "/prometheus/"
	outside.Headers = configopaque.MapList{{Name: "X-Scope-OrgID", Value: "acme"}}
	r := run(t, config)

	code, body := r.get(t, "/api/v1/label/region/values?match[]=up")
	require.Equal(t, http.StatusOK, code, body)
	assert.JSONEq(t, `{"status":"success","data":["eu"]}`, body)
	request := <-asked
	assert.Equal(t, "/prometheus/api/v1/label/region/values", request.URL.Path)
	assert.Equal(t, "acme", request.Header.Get("X-Scope-OrgID"))
	assert.Equal(t, "up", request.Form.Get("match[]"))

	for _, name := range []string{"..%2f..%2fadmin", "..%252fstatus", "region%2f..%2f..%2fquery", "a%3fb", "%2e%2e", "1", "a.b"} {
		code, body = r.get(t, "/api/v1/label/"+name+"/values")
		assert.Equal(t, http.StatusBadRequest, code, "%s: %s", name, body)
	}

	long := strings.Repeat("up or ", 2000) + "up"
	code, body = r.get(t, "/api/v1/query?time=1&query="+url.QueryEscape(long))
	require.Equal(t, http.StatusOK, code, body)
	request = <-asked
	assert.Equal(t, http.MethodPost, request.Method)
	assert.Equal(t, long, request.Form.Get("query"))

	code, _ = r.get(t, "/api/v1/query_range?query=up&start=0&end=253402300799&step=1e9")
	assert.Equal(t, http.StatusBadRequest, code)
	for _, path := range []string{"/api/v1/write", "/api/v1/otlp/v1/metrics", "/api/v1/admin/tsdb/delete_series"} {
		code, _, _ = r.do(t, http.MethodPost, path, http.Header{"Content-Type": {"application/json"}}, []byte("{}"))
		assert.Equal(t, http.StatusNotFound, code, path)
	}
	_, body = r.get(t, "/api/page")
	assert.Contains(t, body, `"source":"prometheus"`)
	assert.Contains(t, (<-asked).Form.Get("query"), "ws_window_step_seconds", "how far windows are apart")
	assert.Contains(t, (<-asked).Form.Get("query"), "[9s]", "the query for the readiness of the newest window")

	upstream.Close()
	code, body = r.get(t, "/api/v1/query?query=up")
	assert.Equal(t, http.StatusBadGateway, code)
	assert.Contains(t, body, `"errorType":"unavailable"`)
	code, _ = r.get(t, "/healthz")
	assert.Equal(t, http.StatusOK, code)
}

// read_timeout is for reading a request. An answer may take longer.
func TestAnswerMayTakeLongerThanReading(t *testing.T) {
	t.Parallel()
	config := configure(t)
	config.ServerConfig.ReadTimeout = 100 * time.Millisecond
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		time.Sleep(5 * config.ServerConfig.ReadTimeout)
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"status":"success"}`))
	}))
	t.Cleanup(upstream.Close)
	config.Prometheus.GetOrInsertDefault().Endpoint = upstream.URL
	r := run(t, config)
	code, body := r.get(t, "/api/v1/query?query=up")
	assert.Equal(t, http.StatusOK, code, body)
	code, _, body = r.do(t, http.MethodPost, "/api/v1/query", http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}, []byte("query=down"))
	assert.Equal(t, http.StatusOK, code, body)
}

// An answer that breaks off is not taken for one, and what may be a secret is not sent
// to where the outside Prometheus points.
func TestPrometheusThatMisbehaves(t *testing.T) {
	t.Parallel()
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("asked elsewhere") }))
	t.Cleanup(elsewhere.Close)
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.FormValue("query") == "moved" {
			http.Redirect(w, r, elsewhere.URL, http.StatusFound)
			return
		}
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		_, _ = w.Write([]byte(`{"status":"success","data":{"result":[`))
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}))
	t.Cleanup(upstream.Close)
	config := configure(t)
	config.Prometheus.GetOrInsertDefault().Endpoint = upstream.URL
	r := run(t, config)
	code, body := r.get(t, "/api/v1/query?query=up")
	assert.Equal(t, http.StatusBadGateway, code, body)
	assert.Contains(t, body, "the response is truncated")
	code, _ = r.get(t, "/api/v1/query?query=moved")
	assert.Equal(t, http.StatusBadGateway, code)
}
