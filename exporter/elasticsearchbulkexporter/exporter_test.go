// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package elasticsearchbulkexporter

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/config/configoptional"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/exporter/exporterhelper"
	"go.opentelemetry.io/collector/exporter/exportertest"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/otelcol-ccaas/otelcol-ccaas/exporter/elasticsearchbulkexporter/internal/metadata"
	hosts "github.com/otelcol-ccaas/otelcol-ccaas/internal/componenttest"
)

func TestConfig_InvalidSettingsAreNamed(t *testing.T) {
	t.Parallel()
	config := createDefaultConfig().(*Config)
	config.ClientConfig.Endpoint = "https://localhost:9200"
	require.NoError(t, confmap.Validate(config))
	config.ClientConfig.Endpoint = "https://elastic:hunter2@localhost:9200"
	config.EventsIndex, config.WindowsIndex, config.ClientConfig.Timeout = "A", "B", 0
	err := confmap.Validate(config)
	for _, want := range []string{"endpoint: must be", `events_index: "A"`, `windows_index: "B"`, "timeout: 0s"} {
		require.ErrorContains(t, err, want)
	}
	assert.NotContains(t, err.Error(), "hunter2")
	config.EventsIndex, config.WindowsIndex = "", ""
	require.ErrorContains(t, confmap.Validate(config), "events_index, windows_index: one of them must be given")
}

// An exporter of windows alone does not queue raw events, and one of raw events does not write windows.
func TestIndices_OneOfThem(t *testing.T) {
	t.Parallel()
	logs := plog.NewLogs()
	records := logs.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords()
	records.AppendEmpty().SetEventName("message.send")
	window := records.AppendEmpty()
	window.SetEventName("ws_throughput")
	window.Body().SetEmptyMap().PutStr("metric", "ws_throughput")
	events := plog.NewLogs()
	events.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords().AppendEmpty().SetEventName("message.send")
	for name, test := range map[string]struct {
		change   func(*Config)
		input    plog.Logs
		requests int
		index    string
	}{
		"windows":           {func(c *Config) { c.EventsIndex = "" }, logs, 1, "logs-ccaas.windows-default"},
		"windows, no input": {func(c *Config) { c.EventsIndex = "" }, events, 0, ""},
		"events":            {func(c *Config) { c.WindowsIndex = "" }, logs, 1, "logs-ccaas.events-default"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var bodies []string
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				body, err := io.ReadAll(r.Body)
				assert.NoError(t, err)
				bodies = append(bodies, string(body))
				_, _ = io.WriteString(w, `{"items":[{"create":{"status":201}}]}`)
			}))
			t.Cleanup(server.Close)
			config := createDefaultConfig().(*Config)
			config.ClientConfig.Endpoint, config.ClientConfig.Compression = server.URL, ""
			config.QueueConfig = configoptional.None[exporterhelper.QueueBatchConfig]()
			test.change(config)
			e, err := NewFactory().CreateLogs(t.Context(), exportertest.NewNopSettings(metadata.Type), config)
			require.NoError(t, err)
			require.NoError(t, e.Start(t.Context(), componenttest.NewNopHost()))
			require.NoError(t, e.ConsumeLogs(t.Context(), test.input))
			require.NoError(t, e.Shutdown(t.Context()))
			require.Len(t, bodies, test.requests)
			for _, body := range bodies {
				assert.Equal(t, 2, strings.Count(body, "\n"), "one document")
				assert.Contains(t, body, test.index)
			}
			assert.Equal(t, 2, logs.LogRecordCount(), "the input is unchanged")
		})
	}
}

// export sends one record to a server without a queue or retries.
func export(t *testing.T, handler http.HandlerFunc) error {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	config := createDefaultConfig().(*Config)
	config.ClientConfig.Endpoint = server.URL
	config.RetryConfig.Enabled = false
	config.QueueConfig = configoptional.None[exporterhelper.QueueBatchConfig]()
	e, err := NewFactory().CreateLogs(t.Context(), exportertest.NewNopSettings(metadata.Type), config)
	require.NoError(t, err)
	require.NoError(t, e.Start(t.Context(), componenttest.NewNopHost()))
	t.Cleanup(func() { assert.NoError(t, e.Shutdown(t.Context())) })
	logs := plog.NewLogs()
	logs.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords().AppendEmpty().SetEventName("message.send")
	return e.ConsumeLogs(t.Context(), logs)
}

func TestPush_Errors(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		status    int
		body      string
		permanent bool
		want      string
	}{
		"written":            {200, `{"items":[{"create":{"status":201}}]}`, false, ""},
		"a duplicate":        {200, `{"items":[{"create":{"status":409,"error":{"type":"version_conflict"}}}]}`, false, ""},
		"rejected":           {200, `{"items":[{"create":{"status":400,"error":{"type":"mapper_parsing"}}}]}`, false, ""},
		"one is to be sent":  {200, `{"items":[{"create":{"status":201}},{"create":{"status":429,"error":{"type":"rejected_execution"}}}]}`, false, "rejected_execution"},
		"no bulk response":   {200, `<html>`, false, "not valid"},
		"another server":     {302, ``, false, "302"},
		"a request too long": {413, `because`, true, "because"},
		"no permission":      {403, `because`, false, "because"},
		"busy":               {429, `because`, false, "Throttle"},
		"down":               {503, `because`, false, "because"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := export(t, func(w http.ResponseWriter, r *http.Request) {
				assert.Equal(t, "/_bulk", r.URL.Path)
				if test.status == http.StatusTooManyRequests {
					w.Header().Set("Retry-After", "3")
				}
				w.Header().Set("Location", "http://127.0.0.1:1/")
				w.WriteHeader(test.status)
				_, _ = io.WriteString(w, test.body)
			})
			if test.want == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, test.want)
			assert.Equal(t, test.permanent, consumererror.IsPermanent(err))
		})
	}
}

// Documents that are rejected are lost without an error of the exporter: the status has them.
func TestPush_RejectedDocumentsAreInTheStatus(t *testing.T) {
	t.Parallel()
	status := make(chan int, 2)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprintf(w, `{"items":[{"create":{"status":%d,"error":{"type":"mapper_parsing"}}}]}`, <-status)
	}))
	t.Cleanup(server.Close)
	config := createDefaultConfig().(*Config)
	config.ClientConfig.Endpoint = server.URL
	config.QueueConfig = configoptional.None[exporterhelper.QueueBatchConfig]()
	e, err := NewFactory().CreateLogs(t.Context(), exportertest.NewNopSettings(metadata.Type), config)
	require.NoError(t, err)
	host := hosts.NewHost(nil)
	require.NoError(t, e.Start(t.Context(), host))
	t.Cleanup(func() { assert.NoError(t, e.Shutdown(t.Context())) })
	logs := plog.NewLogs()
	logs.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords().AppendEmpty().SetEventName("message.send")
	status <- http.StatusBadRequest
	require.NoError(t, e.ConsumeLogs(t.Context(), logs))
	require.ErrorContains(t, host.LastEvent().Err(), "rejected 1 of 1 documents")
	status <- http.StatusCreated
	require.NoError(t, e.ConsumeLogs(t.Context(), logs))
	assert.NoError(t, host.LastEvent().Err())
}
