// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package influxdbexporter

import (
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/config/configoptional"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/confmap/confmaptest"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/exporter/exporterhelper"
	"go.opentelemetry.io/collector/exporter/exportertest"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-ccaas/otelcol-ccaas/exporter/influxdbexporter/internal/metadata"
)

func load(t *testing.T, name string) *Config {
	t.Helper()
	all, err := confmaptest.LoadConf(filepath.Join("testdata", "config.yaml"))
	require.NoError(t, err)
	section, err := all.Sub(name)
	require.NoError(t, err)
	config := createDefaultConfig().(*Config)
	require.NoError(t, section.Unmarshal(config))
	return config
}

func TestConfig(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"influxdb":   "http://localhost:8086/write?db=ccaas&precision=ms",
		"influxdb/1": "https://influx.example.com/prefix/write?db=ccaas&precision=ms&rp=days_90",
		"influxdb/2": "https://influx.example.com/api/v2/write?bucket=ccaas&org=acme&precision=ms",
	} {
		config := load(t, name)
		require.NoError(t, confmap.Validate(config), name)
		url, err := config.writeURL()
		require.NoError(t, err)
		assert.Equal(t, want, url)
		assert.NotContains(t, fmt.Sprintf("%+v", config), "secret")
	}
}

func TestConfig_InvalidSettingsAreNamed(t *testing.T) {
	t.Parallel()
	for name, wants := range map[string][]string{
		"nothing":              {"endpoint: must be the URL of the server", "database: set either"},
		"both":                 {"database: set either"},
		"neither":              {"database: set either"},
		"user_in_the_endpoint": {"endpoint: holds a user", "endpoint: has a query"},
		"mixed":                {"org, token: are of InfluxDB 2", "username: must be set together", "timeout: 0s: must be more than 0"},
	} {
		err := confmap.Validate(load(t, "influxdb/"+name))
		for _, want := range wants {
			require.ErrorContains(t, err, want, name)
		}
		assert.NotContains(t, err.Error(), "hunter2", name)
	}
}

func someMetrics() pmetric.Metrics {
	metrics := pmetric.NewMetrics()
	metric := metrics.ResourceMetrics().AppendEmpty().ScopeMetrics().AppendEmpty().Metrics().AppendEmpty()
	metric.SetName("ws.messages")
	metric.SetEmptyGauge().DataPoints().AppendEmpty().SetTimestamp(1e9)
	return metrics
}

// export sends one batch to a server without a queue or retries.
func export(t *testing.T, change func(*Config), handler http.HandlerFunc) error {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	config := createDefaultConfig().(*Config)
	config.ClientConfig.Endpoint, config.Database = server.URL, "ccaas"
	config.RetryConfig.Enabled = false
	config.QueueConfig = configoptional.None[exporterhelper.QueueBatchConfig]()
	change(config)
	e, err := NewFactory().CreateMetrics(t.Context(), exportertest.NewNopSettings(metadata.Type), config)
	require.NoError(t, err)
	require.NoError(t, e.Start(t.Context(), componenttest.NewNopHost()))
	t.Cleanup(func() { assert.NoError(t, e.Shutdown(t.Context())) })
	return e.ConsumeMetrics(t.Context(), someMetrics())
}

func TestPush_RequestOfEachVersion(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		change        func(*Config)
		path          string
		authorization string
	}{
		"1":          {func(*Config) {}, "/write?db=ccaas&precision=ms", ""},
		"1 password": {func(c *Config) { c.Username, c.Password = "user", "pass" }, "/write?db=ccaas&precision=ms", "Basic dXNlcjpwYXNz"},
		"2":          {func(c *Config) { c.Database, c.Bucket, c.Token = "", "b", "secret" }, "/api/v2/write?bucket=b&precision=ms", "Token secret"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.NoError(t, export(t, test.change, func(w http.ResponseWriter, r *http.Request) {
				assert.Equal(t, test.path, r.URL.String())
				assert.Equal(t, test.authorization, r.Header.Get("Authorization"))
				body, err := gzip.NewReader(r.Body)
				if assert.NoError(t, err) {
					text, err := io.ReadAll(body)
					assert.NoError(t, err)
					assert.Equal(t, "ws_messages value=0 1000\n", string(text))
				}
				w.WriteHeader(http.StatusNoContent)
			}))
		})
	}
}

// What an administrator can correct is retried; what is wrong with the lines is not.
func TestPush_Errors(t *testing.T) {
	t.Parallel()
	for status, permanent := range map[int]bool{
		302: false, 400: true, 401: false, 403: false, 404: false, 408: false, 413: true, 422: true, 429: false, 500: false, 503: false,
	} {
		err := export(t, func(*Config) {}, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "http://127.0.0.1:1/")
			w.Header().Set("Retry-After", "3")
			w.WriteHeader(status)
			_, _ = io.WriteString(w, `{"error":"because"}`)
		})
		require.ErrorContains(t, err, "because", status)
		assert.Equal(t, permanent, consumererror.IsPermanent(err), status)
		if !permanent {
			assert.ErrorContains(t, err, "Throttle", status)
		}
	}
}

// A page in the place of InfluxDB's empty response, as of a proxy with a login, is no success.
func TestPush_ResponseOfAnotherServer(t *testing.T) {
	t.Parallel()
	err := export(t, func(*Config) {}, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>log in</html>") })
	require.ErrorContains(t, err, "<html>log in")
	assert.False(t, consumererror.IsPermanent(err))
	require.NoError(t, export(t, func(*Config) {}, func(http.ResponseWriter, *http.Request) {}))
}
