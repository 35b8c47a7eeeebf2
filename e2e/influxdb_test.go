// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/config/configoptional"
	"go.opentelemetry.io/collector/exporter/exporterhelper"
	"go.opentelemetry.io/collector/exporter/exportertest"

	"github.com/otelcol-ccaas/otelcol-ccaas/exporter/influxdbexporter"
	sim "github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim"
)

// influxdb is a running InfluxDB 1.
type influxdb struct {
	url    string
	server *process
	serve  func() *process // starts it again, where it was
}

func startInfluxDB(t testing.TB) *influxdb {
	t.Helper()
	program := installed(t, "InfluxDB 1", "influxd")
	folder := serverFolder(t)
	config := filepath.Join(folder, "influxdb.conf")
	address := fmt.Sprintf("127.0.0.1:%d", freePort(t))
	require.NoError(t, os.WriteFile(config, fmt.Appendf(nil, `
reporting-disabled = true
bind-address = "127.0.0.1:%d"
[meta]
  dir = "%[2]s/meta"
[data]
  dir = "%[2]s/data"
  wal-dir = "%[2]s/wal"
[monitor]
  store-enabled = false
[retention]
  check-interval = "1s"
[http]
  bind-address = "%[3]s"
`, freePort(t), folder, address), 0o644)) //nolint:gosec // read by another user
	i := &influxdb{url: "http://" + address}
	i.serve = func() *process {
		return startCommand(t, "influxd", unprivileged(t, exec.CommandContext(context.Background(), program, "-config", config), folder))
	}
	i.server = i.serve()
	eventually(t, func() error {
		status, _, err := get(i.url + "/ping")
		if err == nil && status != http.StatusNoContent {
			err = fmt.Errorf("InfluxDB is not ready: %d", status)
		}
		return err
	})
	return i
}

// influxSeries is one of a result; its columns are time and value.
type influxSeries struct {
	Name   string
	Tags   map[string]string
	Values [][2]float64
}

func (i *influxdb) query(database, text string) ([]influxSeries, error) {
	response, err := http.PostForm(i.url+"/query", url.Values{"db": {database}, "epoch": {"ms"}, "q": {text}})
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	var found struct {
		Error   string
		Results []struct {
			Error  string
			Series []influxSeries
		}
	}
	if err := json.NewDecoder(response.Body).Decode(&found); err != nil {
		return nil, err
	}
	if len(found.Results) != 1 || found.Error+found.Results[0].Error != "" {
		return nil, fmt.Errorf("%s: %+v", text, found)
	}
	return found.Results[0].Series, nil
}

// measurements are the totals' names where Prometheus's are used.
var measurements = map[string]string{
	"ws.connections.opened": "ws_connections_opened_total", "ws.connections.closed": "ws_connections_closed_total",
	"ws.connections.dropped": "ws_connections_dropped_total", "ws.messages.sent": "ws_messages_sent_total",
	"ws.messages.received": "ws_messages_received_total", "ws.payload": "ws_payload_bytes_total",
}

func (i *influxdb) totals(database string) (seriesTotals, error) {
	found := seriesTotals{}
	for name, measurement := range measurements {
		series, err := i.query(database, `SELECT last("value") FROM "`+measurement+`" GROUP BY "region", "tenant_id", "channel_type"`)
		if err != nil {
			return nil, err
		}
		for _, s := range series {
			found.put(name, sim.Series{Region: s.Tags["region"], TenantID: s.Tags["tenant_id"], ChannelType: s.Tags["channel_type"]}, int64(s.Values[0][1]))
		}
	}
	return found, nil
}

func (i *influxdb) create(t testing.TB, database, duration string) {
	t.Helper()
	_, err := i.query("", fmt.Sprintf("CREATE DATABASE %s WITH DURATION %s SHARD DURATION 1d NAME days", database, duration))
	require.NoError(t, err)
}

// InfluxDB is killed in the middle of the traffic: nothing is missing, nothing is counted twice, by either way in.
func TestInfluxDB_TotalsSurviveAnOutage(t *testing.T) {
	t.Parallel()
	server := startInfluxDB(t)
	server.create(t, "lines", "90d")
	server.create(t, "remote_write", "90d")
	lines, remoteWrite := testTraffic(t), testTraffic(t)
	shipped(t, "influxdb.yaml", []string{"INFLUXDB_URL=" + server.url, "INFLUXDB_DATABASE=lines", socketURL(lines)}, append(shortWindows, noOwnMetrics)...)
	shipped(t, "prometheus-remote-write.yaml", []string{"REMOTE_WRITE_URL=" + server.url + "/api/v1/prom/write?db=remote_write", socketURL(remoteWrite)},
		append(shortWindows, noOwnMetrics)...)
	eventually(t, func() error {
		series, err := server.query("lines", `SELECT last("value") FROM "ws_messages_sent_total"`)
		if err == nil && len(series) == 0 {
			err = errors.New("no points yet")
		}
		return err
	})
	require.NoError(t, server.server.Process.Kill())
	_ = server.server.Wait()
	truths := map[string]sim.Truth{"lines": sent(t, lines), "remote_write": sent(t, remoteWrite)}
	server.serve()
	for database, truth := range truths {
		eventually(t, func() error {
			found, err := server.totals(database)
			if err == nil {
				err = found.disagreement(truth)
			}
			if err != nil {
				err = fmt.Errorf("%s: %w", database, err)
			}
			return err
		})
	}
}

func TestInfluxDB_PointsRangesAndRetention(t *testing.T) {
	t.Parallel()
	server := startInfluxDB(t)
	server.create(t, "ccaas", "100d")
	factory := influxdbexporter.NewFactory()
	config := factory.CreateDefaultConfig().(*influxdbexporter.Config)
	config.ClientConfig.Endpoint, config.Database = server.url, "ccaas"
	config.RetryConfig.Enabled = false
	config.QueueConfig = configoptional.None[exporterhelper.QueueBatchConfig]()
	e, err := factory.CreateMetrics(t.Context(), exportertest.NewNopSettings(factory.Type()), config)
	require.NoError(t, err)
	require.NoError(t, e.Start(t.Context(), componenttest.NewNopHost()))
	t.Cleanup(func() { assert.NoError(t, e.Shutdown(context.Background())) })

	const n = 50
	end := time.Now().UTC().Truncate(time.Second).Add(123 * time.Millisecond)
	for range 2 { // the second changes nothing
		require.NoError(t, e.ConsumeMetrics(t.Context(), someWindows(n, end)))
	}
	values := func(text string) (found []float64) {
		series, err := server.query("ccaas", text)
		require.NoError(t, err, text)
		for _, s := range series {
			for _, value := range s.Values {
				found = append(found, value[1])
			}
		}
		return found
	}
	assert.Equal(t, []float64{2 * n}, values(`SELECT count("value") FROM "ws_messages_sent_total"`))
	assert.Equal(t, []float64{4 * n}, values(`SELECT count("value") FROM "ws_alert_firing"`))
	assert.Equal(t, []float64{7 * 2 * n}, values(`SELECT sum("sum") FROM "ws_session_duration"`))
	in := func(from, to time.Time) []float64 {
		return values(fmt.Sprintf(`SELECT "value" FROM "ws_messages_sent_total" WHERE "tenant_id" = 'globex' AND time >= %dms AND time < %dms`, from.UnixMilli(), to.UnixMilli()))
	}
	assert.Equal(t, []float64{n}, in(end, end.Add(time.Millisecond)))
	assert.Empty(t, in(end.Add(-time.Millisecond), end))
	assert.Equal(t, []float64{n - 2, n - 1}, in(end.Add(-2*time.Second), end))

	// What is older than 90 days is deleted when the policy says so, and rejected from then on.
	old := time.Now().Add(-92 * 24 * time.Hour)
	require.NoError(t, e.ConsumeMetrics(t.Context(), someWindows(1, old)))
	assert.Equal(t, []float64{2*n + 2}, values(`SELECT count("value") FROM "ws_messages_sent_total"`))
	_, err = server.query("ccaas", "ALTER RETENTION POLICY days ON ccaas DURATION 90d")
	require.NoError(t, err)
	eventually(t, func() error {
		if found := values(`SELECT count("value") FROM "ws_messages_sent_total"`); len(found) != 1 || found[0] != 2*n {
			return fmt.Errorf("%v points", found)
		}
		return nil
	})
	require.ErrorContains(t, e.ConsumeMetrics(t.Context(), someWindows(1, old)), "points beyond retention policy dropped")
}
