// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"

	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent/wslog"
)

// evaluation is a collector that takes metrics and sends alerts to a sink.
type evaluation struct {
	*process
	directory string
	port      int
	url       string // of the sink

	mutex  sync.Mutex
	bodies []map[string]any  // of alerts
	usual  map[int64]float64 // ws.alert.baseline by its time
}

func startEvaluation(t *testing.T) *evaluation {
	t.Helper()
	a := &evaluation{directory: t.TempDir(), port: freePort(t), usual: map[int64]float64{}}
	mux := http.NewServeMux()
	mux.HandleFunc("/v1/logs", func(w http.ResponseWriter, r *http.Request) { respond(w, r, a.takeAlerts) })
	mux.HandleFunc("/v1/metrics", func(w http.ResponseWriter, r *http.Request) { respond(w, r, a.takePoints) })
	sink := httptest.NewServer(mux)
	t.Cleanup(sink.Close)
	a.url = sink.URL
	a.begin(t)
	return a
}

func (a *evaluation) begin(t *testing.T) {
	t.Helper()
	a.process = start(t, "otelcol-ccaas", []string{
		"STATE=" + a.directory, "SINK=" + a.url, fmt.Sprintf("OTLP_PORT=%d", a.port),
	}, "--config", "testdata/evaluation.yaml")
}

// respond takes a request of the sink.
func respond(w http.ResponseWriter, r *http.Request, take func([]byte) error) {
	content, err := io.ReadAll(r.Body)
	if err == nil {
		err = take(content)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/x-protobuf") // an empty body is an empty answer
}

func (a *evaluation) takeAlerts(content []byte) error {
	logs, err := (&plog.ProtoUnmarshaler{}).UnmarshalLogs(content)
	if err != nil {
		return err
	}
	a.mutex.Lock()
	defer a.mutex.Unlock()
	for _, resource := range logs.ResourceLogs().All() {
		a.bodies = append(a.bodies, resource.ScopeLogs().At(0).LogRecords().At(0).Body().Map().AsRaw())
	}
	return nil
}

func (a *evaluation) takePoints(content []byte) error {
	metrics, err := (&pmetric.ProtoUnmarshaler{}).UnmarshalMetrics(content)
	if err != nil {
		return err
	}
	a.mutex.Lock()
	defer a.mutex.Unlock()
	for _, metric := range metrics.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().All() {
		if metric.Name() == wsevent.MetricAlertBaseline {
			for _, point := range metric.Gauge().DataPoints().All() {
				a.usual[int64(point.Timestamp())/1e6] = point.DoubleValue()
			}
		}
	}
	return nil
}

func (a *evaluation) alerts() []map[string]any {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	return slices.Clone(a.bodies)
}

func (a *evaluation) baselines() map[int64]float64 {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	return maps.Clone(a.usual)
}

// send gives the collector a window, until it has taken it.
func (a *evaluation) send(t *testing.T, end int64, rate, connections float64) {
	t.Helper()
	metrics := pmetric.NewMetrics()
	scope := metrics.ResourceMetrics().AppendEmpty().ScopeMetrics().AppendEmpty()
	for name, value := range map[string]float64{"ws.drop_rate": rate, "ws.active_connections": connections} {
		metric := scope.Metrics().AppendEmpty()
		metric.SetName(name)
		point := metric.SetEmptyGauge().DataPoints().AppendEmpty()
		point.SetStartTimestamp(pcommon.Timestamp((end - 60_000) * 1e6))
		point.SetTimestamp(pcommon.Timestamp(end * 1e6))
		point.SetDoubleValue(value)
		wslog.PutTags(point.Attributes(), wsevent.Tags{TenantID: "acme_corp", Region: "eu-west-1", ChannelType: "voice"})
	}
	content, err := pmetricotlp.NewExportRequestFromMetrics(metrics).MarshalProto()
	require.NoError(t, err)
	eventually(t, func() error {
		response, err := http.Post(fmt.Sprintf("http://127.0.0.1:%d/v1/metrics", a.port), "application/x-protobuf", bytes.NewReader(content))
		if err != nil {
			return err
		}
		defer response.Body.Close()
		if response.StatusCode != http.StatusOK {
			return errors.New(response.Status)
		}
		return nil
	})
}

// await waits until an alert of a rule and status has come.
func (a *evaluation) await(t *testing.T, rule, status string) map[string]any {
	t.Helper()
	var found map[string]any
	eventually(t, func() error {
		for _, alert := range a.alerts() {
			if alert["metric"] == rule && alert["status"] == status {
				found = alert
				return nil
			}
		}
		return fmt.Errorf("no %s %s among %v", rule, status, a.alerts())
	})
	return found
}

// A collector that is killed after every window it has accepted emits every alert
// under one id, as if it had never been killed, and its baseline is the same.
func TestAlertsSurviveKills(t *testing.T) {
	t.Parallel()
	a, calm := startEvaluation(t), startEvaluation(t)
	end := time.Now().Add(-2*time.Hour).UnixMilli() / 60_000 * 60_000
	both := func(rate, connections float64) {
		end += 60_000
		a.send(t, end, rate, connections)
		calm.send(t, end, rate, connections)
	}
	for i := range 70 { // more than min_history
		both(0, float64(1_000+i))
	}
	for _, rate := range []float64{0.51, 0.51, 0.6, 0.5} {
		a.kill(t)
		a.begin(t)
		both(rate, 1_000)
	}
	a.kill(t)
	a.begin(t)
	both(0, 2_000) // unusual
	firing, resolved := a.await(t, "ws_connection_drop_rate", "firing"), a.await(t, "ws_connection_drop_rate", "resolved")
	assert.Equal(t, firing["alert_id"], resolved["alert_id"])
	assert.InDelta(t, 0.51, firing["value"], 0)
	unusual := a.await(t, "ws_active_connections_high", "firing")
	assert.Equal(t, calm.await(t, "ws_active_connections_high", "firing"), unusual)
	assert.Equal(t, calm.await(t, "ws_connection_drop_rate", "resolved"), resolved)
	assert.InEpsilon(t, 1_066, unusual["baseline"], 0.005)
	reported := map[string]bool{}
	for _, alert := range a.alerts() {
		reported[fmt.Sprint(alert["alert_id"], alert["status"])] = true
	}
	assert.Len(t, reported, 3, "once per episode, but for a kill between sending and saving it")
	eventually(t, func() error {
		want, got := calm.baselines(), a.baselines()
		for at, value := range got {
			if value != want[at] {
				return fmt.Errorf("the kills moved the baseline of %d from %v to %v, or it is on its way", at, want[at], value)
			}
		}
		if len(want) < 10 || len(got) == 0 {
			return errors.New("baselines are on their way")
		}
		return nil
	})
}
