// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package alertmanagerexporter

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	webhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/config/confighttp"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/metric/metricdata/metricdatatest"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/otelcol-ccaas/otelcol-ccaas/exporter/alertmanagerexporter/internal/metadatatest"
	owntest "github.com/otelcol-ccaas/otelcol-ccaas/internal/componenttest"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
)

const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

// sink is a webhook receiver whose answers a test sets.
type sink struct {
	*httptest.Server

	received chan received
}

type received struct {
	header http.Header
	body   []byte
}

func newSink(t *testing.T, status func() int) *sink {
	t.Helper()
	s := &sink{received: make(chan received, 100)}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.WriteHeader(status())
		s.received <- received{r.Header, body}
	}))
	t.Cleanup(s.Close)
	return s
}

type fixture struct {
	exporter.Logs

	config    *Config
	host      *owntest.Host
	telemetry *componenttest.Telemetry
}

// begin starts an exporter that notifies a signed webhook at once.
func begin(t *testing.T, endpoint string, change func(*Config)) *fixture {
	t.Helper()
	config := createDefaultConfig().(*Config)
	config.Directory = t.TempDir()
	config.ConfigFile = filepath.Join(t.TempDir(), "alertmanager.yml")
	write(t, config.ConfigFile, "oncall")
	config.ReloadInterval = 10 * time.Millisecond
	api := config.API.Get()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	api.ServerConfig.NetAddr.Endpoint = listener.Addr().String()
	require.NoError(t, listener.Close())
	client := confighttp.NewDefaultClientConfig()
	client.Endpoint = endpoint
	config.Webhooks = map[string]WebhookConfig{"oncall": {
		ClientConfig: client, Secret: secret,
		DeadLetter: DeadLetterConfig{Path: filepath.Join(t.TempDir(), "letters"), MaxMegabytes: 1},
	}}
	if change != nil {
		change(config)
	}
	telemetry := componenttest.NewTelemetry()
	set := exporter.Settings{ID: component.MustNewID("alertmanager"), TelemetrySettings: telemetry.NewTelemetrySettings()}
	made, err := createLogs(t.Context(), set, config)
	require.NoError(t, err)
	f := &fixture{
		Logs: made, config: config, telemetry: telemetry,
		host: owntest.NewHost(nil),
	}
	require.NoError(t, f.Start(t.Context(), f.host))
	t.Cleanup(func() {
		assert.NoError(t, f.Shutdown(context.WithoutCancel(t.Context())))
		assert.NoError(t, telemetry.Shutdown(context.WithoutCancel(t.Context())))
	})
	return f
}

func write(t *testing.T, path, receiver string) {
	t.Helper()
	require.NoError(t, os.WriteFile(path+".new", fmt.Appendf(nil,
		"route: { receiver: %s, group_wait: 0s, group_interval: 1s, repeat_interval: 1h }\nreceivers: [{ name: oncall }]\n", receiver), 0o600))
	require.NoError(t, os.Rename(path+".new", path))
}

func (f *fixture) send(t *testing.T, status string, ids ...string) {
	t.Helper()
	logs := plog.NewLogs()
	records := logs.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords()
	now := time.Now()
	for _, id := range ids {
		record := records.AppendEmpty()
		record.SetEventName("alert." + status)
		record.Attributes().PutStr(wsevent.AlertID, id)
		require.NoError(t, record.Body().FromRaw(map[string]any{
			"metric": "m", "tenant_id": id, "status": status, "alert_type": "critical",
			"window_start": now.Add(-11 * time.Second).UnixMilli(), "window_end": now.Add(-time.Second).UnixMilli(),
		}))
	}
	require.NoError(t, f.ConsumeLogs(t.Context(), logs))
}

func (f *fixture) request(t *testing.T, method, path, body string, header map[string]string) (int, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, "http://"+f.config.API.Get().ServerConfig.NetAddr.Endpoint+path, strings.NewReader(body))
	require.NoError(t, err)
	request.Header.Set("Content-Type", "application/json")
	for name, value := range header {
		request.Header.Set(name, value)
		if name == "Host" {
			request.Host = value
		}
	}
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	http.DefaultClient.CloseIdleConnections()
	return response.StatusCode, string(text)
}

func always(status int) func() int { return func() int { return status } }

func TestExporter_SignedNotification(t *testing.T) {
	t.Parallel()
	s := newSink(t, always(http.StatusOK))
	f := begin(t, s.URL, nil)
	f.send(t, "firing", "a")
	got := <-s.received
	verifier, err := webhooks.NewWebhook(secret)
	require.NoError(t, err)
	require.NoError(t, verifier.Verify(got.body, got.header))
	var body struct {
		Version string           `json:"version"`
		Status  string           `json:"status"`
		Alerts  []map[string]any `json:"alerts"`
	}
	require.NoError(t, json.Unmarshal(got.body, &body))
	assert.Equal(t, "4", body.Version)
	assert.Equal(t, "firing", body.Status)
	require.Len(t, body.Alerts, 1)
	assert.Equal(t, map[string]any{"alertname": "m", "tenant_id": "a", "severity": "critical"}, body.Alerts[0]["labels"])
	f.send(t, "resolved", "a")
	require.NoError(t, json.Unmarshal((<-s.received).body, &body))
	assert.Equal(t, "resolved", body.Status)
}

func TestExporter_RetriedWithTheSameID(t *testing.T) {
	t.Parallel()
	statuses := make(chan int, 3)
	for _, status := range []int{http.StatusInternalServerError, http.StatusUnauthorized, http.StatusOK} {
		statuses <- status
	}
	s := newSink(t, func() int { return <-statuses })
	f := begin(t, s.URL, nil)
	f.send(t, "firing", "a")
	first := (<-s.received).header.Get(webhooks.HeaderWebhookID)
	require.NotEmpty(t, first)
	for range 2 {
		assert.Equal(t, first, (<-s.received).header.Get(webhooks.HeaderWebhookID))
	}
}

func TestExporter_RefusedIsADeadLetter(t *testing.T) {
	t.Parallel()
	s := newSink(t, always(http.StatusBadRequest))
	f := begin(t, s.URL, nil)
	f.send(t, "firing", "a")
	got := <-s.received
	require.Eventually(t, func() bool {
		text, err := os.ReadFile(f.config.Webhooks["oncall"].DeadLetter.Path)
		return err == nil && strings.Contains(string(text), got.header.Get(webhooks.HeaderWebhookID)) && strings.Contains(string(text), `"status":400`)
	}, 10*time.Second, 10*time.Millisecond)
	metadatatest.AssertEqualAlertmanagerDeadLetters(t, f.telemetry,
		[]metricdata.DataPoint[int64]{{Value: 1, Attributes: attribute.NewSet(attribute.String("receiver_name", "oncall"))}}, metricdatatest.IgnoreTimestamp())
	event := f.host.Next()
	assert.Equal(t, componentstatus.StatusRecoverableError, event.Status())
	require.ErrorContains(t, event.Err(), "receiver oncall: signed_webhook[0]: refused by the receiver: ")
}

// What a receiver of alertmanager.yml refuses shows at once in the status and in the metrics of that receiver. It
// is attempted again at each group_interval, so that it is notified once the receiver accepts it.
func TestExporter_RefusedByAReceiverOfTheFile(t *testing.T) {
	t.Parallel()
	var accepts atomic.Bool
	s := newSink(t, func() int {
		if accepts.Load() {
			return http.StatusOK
		}
		return http.StatusBadRequest
	})
	f := begin(t, s.URL, func(c *Config) {
		c.Webhooks = nil
		require.NoError(t, os.WriteFile(c.ConfigFile, fmt.Appendf(nil, `
route: { receiver: oncall, group_wait: 0s, group_interval: 1s, repeat_interval: 1h }
receivers: [{ name: oncall, webhook_configs: [{ url: "%s" }] }]
`, s.URL), 0o600))
	})
	f.send(t, "firing", "a")
	<-s.received
	event := f.host.Next()
	assert.Equal(t, componentstatus.StatusRecoverableError, event.Status())
	require.ErrorContains(t, event.Err(), "receiver oncall: webhook[0]: unexpected status code 400")
	require.Eventually(t, func() bool {
		got, err := f.telemetry.GetMetric("otelcol_alertmanager_notifications_failed")
		if err != nil {
			return false
		}
		return slices.ContainsFunc(got.Data.(metricdata.Sum[int64]).DataPoints, func(point metricdata.DataPoint[int64]) bool {
			want := attribute.NewSet(attribute.String("receiver_name", "oncall"), attribute.String("integration", "webhook"))
			return point.Value >= 1 && point.Attributes.Equals(&want)
		})
	}, 10*time.Second, 50*time.Millisecond)
	accepts.Store(true)
	assert.Equal(t, componentstatus.StatusOK, f.host.Next().Status())
}

// A receiver that fails is not in the status of a configuration that is without it.
func TestStatus_ClearedByPrefix(t *testing.T) {
	t.Parallel()
	s, now := newStatus(), time.Now()
	host := owntest.NewHost(nil)
	s.host = host
	s.set(receiverSource+"a/slack[0]", errors.New("slack is gone"), true, now)
	require.ErrorContains(t, host.Next().Err(), "slack is gone")
	s.set("state", errors.New("disk full"), true, now)
	host.Next()
	s.clear(receiverSource, now)
	require.EqualError(t, host.Next().Err(), "disk full")
	s.set("state", nil, true, now)
	assert.Equal(t, componentstatus.StatusOK, host.Next().Status())
}

func TestExporter_NotAnAlertIsDropped(t *testing.T) {
	t.Parallel()
	f := begin(t, "http://127.0.0.1:1", nil)
	logs := plog.NewLogs()
	logs.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords().AppendEmpty().Body().SetStr("text")
	require.NoError(t, f.ConsumeLogs(t.Context(), logs))
	got, err := f.telemetry.GetMetric("otelcol_alertmanager_dropped_records")
	require.NoError(t, err)
	assert.Len(t, got.Data.(metricdata.Sum[int64]).DataPoints, 1)
}

func TestExporter_LimitIsReported(t *testing.T) {
	t.Parallel()
	s := newSink(t, always(http.StatusOK))
	f := begin(t, s.URL, func(c *Config) { c.Limits.Alerts = 1 })
	f.send(t, "firing", "a", "b")
	event := f.host.Next()
	assert.Equal(t, componentstatus.StatusRecoverableError, event.Status())
	require.ErrorContains(t, event.Err(), "alert b: limit of alerts reached: 1 (limits::alerts)")
}

func TestExporter_Reload(t *testing.T) {
	t.Parallel()
	s := newSink(t, always(http.StatusOK))
	f := begin(t, s.URL, nil)
	write(t, f.config.ConfigFile, "nobody") // is no receiver
	event := f.host.Next()
	assert.Equal(t, componentstatus.StatusRecoverableError, event.Status())
	require.ErrorContains(t, event.Err(), `undefined receiver "nobody"`)
	f.send(t, "firing", "a")
	<-s.received // the last good configuration is in force
	write(t, f.config.ConfigFile, "oncall")
	assert.Equal(t, componentstatus.StatusOK, f.host.Next().Status())
}

func TestExporter_ReloadIsBounded(t *testing.T) {
	t.Parallel()
	s := newSink(t, always(http.StatusOK))
	f := begin(t, s.URL, nil)
	text, err := os.ReadFile(f.config.ConfigFile)
	require.NoError(t, err)
	replace := func(content []byte) { // at once, as an editor does
		next := f.config.ConfigFile + ".next"
		require.NoError(t, os.WriteFile(next, content, 0o600))
		require.NoError(t, os.Rename(next, f.config.ConfigFile))
	}
	replace(append(text, "#"+strings.Repeat("x", 1<<20)...))
	event := f.host.Next()
	assert.Equal(t, componentstatus.StatusRecoverableError, event.Status())
	require.ErrorContains(t, event.Err(), "more than 1048576 bytes")
	f.send(t, "firing", "a")
	<-s.received // the last good configuration is in force
	replace(text)
	assert.Equal(t, componentstatus.StatusOK, f.host.Next().Status())
}

func TestExporter_API(t *testing.T) {
	t.Parallel()
	s := newSink(t, always(http.StatusOK))
	f := begin(t, s.URL, nil)
	f.send(t, "firing", "a")
	<-s.received
	silence := fmt.Sprintf(`{"matchers":[{"name":"tenant_id","value":"a","isRegex":false}],"startsAt":%q,"endsAt":%q,"createdBy":"me","comment":"c"}`,
		time.Now().UTC().Format(time.RFC3339), time.Now().Add(time.Hour).UTC().Format(time.RFC3339))
	for _, one := range []struct {
		name, method, path, body string
		header                   map[string]string
		status                   int
		says                     string
	}{
		{"status", http.MethodGet, "/api/v2/status", "", nil, http.StatusOK, `"cluster"`},
		{"alerts", http.MethodGet, "/api/v2/alerts", "", nil, http.StatusOK, `"alertname":"m"`},
		{"groups", http.MethodGet, "/api/v2/alerts/groups", "", nil, http.StatusOK, `"receiver"`},
		{"silence", http.MethodPost, "/api/v2/silences", silence, nil, http.StatusOK, "silenceID"},
		{"nothing else", http.MethodGet, "/metrics", "", nil, http.StatusNotFound, ""},
		{"no page", http.MethodGet, "/", "", nil, http.StatusNotFound, ""},
		{"rebound host", http.MethodGet, "/api/v2/status", "", map[string]string{"Host": "attacker.example"}, http.StatusMisdirectedRequest, "allowed_hosts"},
		{"other origin", http.MethodPost, "/api/v2/silences", silence, map[string]string{"Origin": "https://attacker.example"}, http.StatusForbidden, ""},
		{"other origin reads", http.MethodGet, "/api/v2/alerts", "", map[string]string{"Origin": "https://attacker.example"}, http.StatusForbidden, ""},
		{"other site", http.MethodGet, "/api/v2/alerts", "", map[string]string{"Sec-Fetch-Site": "cross-site"}, http.StatusForbidden, ""},
		{"bad silence", http.MethodPost, "/api/v2/silences", "{", nil, http.StatusBadRequest, ""},
		{"large body", http.MethodPost, "/api/v2/alerts", `[{"labels":{"alertname":"` + strings.Repeat("x", 5<<20) + `"}}]`, nil, http.StatusBadRequest, ""},
	} {
		status, text := f.request(t, one.method, one.path, one.body, one.header)
		assert.Equal(t, one.status, status, "%s: %.200s", one.name, text)
		assert.Contains(t, text, one.says, one.name)
	}
}

func TestExporter_Telemetry(t *testing.T) {
	t.Parallel()
	s := newSink(t, always(http.StatusOK))
	f := begin(t, s.URL, nil)
	f.send(t, "firing", "a", "b")
	<-s.received
	require.Eventually(t, func() bool {
		got, err := f.telemetry.GetMetric("otelcol_alertmanager_notifications")
		if err != nil {
			return false
		}
		for _, point := range got.Data.(metricdata.Sum[int64]).DataPoints {
			if by, _ := point.Attributes.Value("integration"); by.AsString() == "signed_webhook" && point.Value >= 1 {
				return true
			}
		}
		return false
	}, 10*time.Second, 50*time.Millisecond)
}

func TestLimited(t *testing.T) {
	t.Parallel()
	entered, release := make(chan struct{}), make(chan struct{})
	h := limited(1, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { entered <- struct{}{}; <-release }))
	done := make(chan struct{})
	go func() {
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", http.NoBody))
		close(done)
	}()
	<-entered
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", http.NoBody))
	assert.Equal(t, http.StatusServiceUnavailable, w.Code)
	close(release)
	<-done
}

func TestRecovered(t *testing.T) {
	t.Parallel()
	core, logs := observer.New(zap.DebugLevel)
	h := recovered(zap.New(core), http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("odd") }))
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/api/v2/alerts", http.NoBody))
	assert.Equal(t, http.StatusInternalServerError, w.Code)
	require.Equal(t, 1, logs.Len())
	assert.Equal(t, "odd", logs.All()[0].ContextMap()["cause"])
}

func TestUpstreamLogger(t *testing.T) {
	t.Parallel()
	core, logs := observer.New(zap.DebugLevel)
	upstreamLogger(zap.New(core)).Error("Failed to create silence: end time can't be in the past")
	require.Equal(t, 1, logs.Len())
	assert.Empty(t, logs.All()[0].Stack)
}
