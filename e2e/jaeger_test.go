// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	sim "github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim"
)

// jaeger is a running Jaeger that keeps traces in memory.
type jaeger struct{ otlp, query string }

func startJaeger(t testing.TB) jaeger {
	t.Helper()
	otlp, query, grpc := freePort(t), freePort(t), freePort(t)
	config := filepath.Join(t.TempDir(), "jaeger.yaml")
	require.NoError(t, os.WriteFile(config, fmt.Appendf(nil, `
service:
  extensions: [jaeger_storage, jaeger_query]
  telemetry: { metrics: { level: none } }
  pipelines:
    traces: { receivers: [otlp], exporters: [jaeger_storage_exporter] }
extensions:
  jaeger_storage: { backends: { memory: { memory: { max_traces: 100000 } } } }
  jaeger_query:
    storage: { traces: memory }
    http: { endpoint: "127.0.0.1:%d" }
    grpc: { endpoint: "127.0.0.1:%d" }
receivers:
  otlp: { protocols: { http: { endpoint: "127.0.0.1:%d" } } }
exporters:
  jaeger_storage_exporter: { trace_storage: memory }
`, query, grpc, otlp), 0o600))
	start(t, "jaeger", nil, "--config", config)
	j := jaeger{otlp: fmt.Sprintf("http://127.0.0.1:%d", otlp), query: fmt.Sprintf("http://127.0.0.1:%d", query)}
	eventually(t, func() error {
		status, _, err := get(j.query + "/api/services")
		if err == nil && status != 200 {
			err = fmt.Errorf("Jaeger is not ready: %d", status)
		}
		return err
	})
	return j
}

// jaegerSpan is what a test reads of a span.
type jaegerSpan struct {
	TraceID       string `json:"traceID"`
	OperationName string `json:"operationName"`
	Duration      int64  `json:"duration"` // µs
	Tags          []struct {
		Key   string `json:"key"`
		Value any    `json:"value"`
	} `json:"tags"`
	Logs []json.RawMessage `json:"logs"`
}

func (s jaegerSpan) tag(key string) any {
	for _, tag := range s.Tags {
		if tag.Key == key {
			return tag.Value
		}
	}
	return nil
}

// trace returns the spans of a trace.
func (j jaeger) trace(id string) ([]jaegerSpan, error) {
	status, body, err := get(j.query + "/api/traces/" + id)
	if err != nil {
		return nil, err
	}
	var answer struct {
		Data []struct {
			Spans []jaegerSpan `json:"spans"`
		} `json:"data"`
	}
	if err := json.Unmarshal([]byte(body), &answer); err != nil || status != 200 || len(answer.Data) != 1 {
		return nil, fmt.Errorf("trace %s: %d %s", id, status, body)
	}
	return answer.Data[0].Spans, nil
}

// The alert of a burst of drops leads to a trace in a real Jaeger.
func TestReal_JaegerHasTheTraceOfAnAlert(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat("../bin/jaeger"); err != nil {
		t.Skip("no bin/jaeger, which make e2e-real builds: nothing is tested with Jaeger")
	}
	platform := startPlatform(t, func(c *sim.Config) {
		c.Rate, c.Events, c.Announce, c.Sessions, c.DropRate = 300, 6_000, true, 200, 20
	})
	traces, sessions := startJaeger(t), startSessionSink(t)
	alerts, firing := startLinkSink(t)
	shipped(t, "traces.yaml", []string{
		"TRACES_URL=" + traces.otlp, "LOKI_URL=" + sessions.URL, "PROMETHEUS_URL=" + sessions.URL, "CCAAS_WEBHOOK=" + alerts,
		"CCAAS_WEBHOOK_SECRET=" + webhookSecret, "TRACE_PAGE=" + traces.query + "/trace", socketURL(platform),
	}, append([]string{noOwnMetrics}, shortWindows...)...)

	var found linkedAlert
	eventually(t, func() (err error) {
		found, err = firing()
		return err
	})
	fired := time.Now()
	assert.Equal(t, traces.query+"/trace/"+found.Alert.Traces[0], found.Traces[0])
	var spans []jaegerSpan
	eventually(t, func() (err error) {
		spans, err = traces.trace(found.Alert.Traces[0])
		return err
	})
	measured(t, "trace of an alert in Jaeger %v after the alert", time.Since(fired).Round(time.Millisecond))
	require.Len(t, spans, 1)
	assert.Equal(t, "ws.session", spans[0].OperationName)
	assert.Equal(t, "dropped", spans[0].tag("ccaas.session.outcome"))
	assert.Equal(t, true, spans[0].tag("error"))
	assert.NotEmpty(t, spans[0].Logs, "its events")
}
