// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package webhookexporter

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/otelcol-ccaas/otelcol-ccaas/exporter/webhookexporter/internal/metadatatest"
	owntest "github.com/otelcol-ccaas/otelcol-ccaas/internal/componenttest"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent/wslog"
)

const (
	secret      = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	otherSecret = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
)

// received is a request that has arrived.
type received struct {
	at     time.Time
	url    string
	header http.Header
	body   string
}

func (r received) id() string { return r.header.Get("webhook-id") }

// reply is what a receiver does with a request.
type reply struct {
	status int // 0: it hangs
	header http.Header
	body   string
	err    error // instead of a response
}

// receiver is a receiver without a network, so that tests run in synctest.
type receiver struct {
	response func(n int, r received) reply // n counts from 0

	mutex sync.Mutex
	got   []received
}

func (r *receiver) RoundTrip(request *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(request.Body)
	if err != nil {
		return nil, err
	}
	if trace := httptrace.ContextClientTrace(request.Context()); trace != nil && trace.WroteHeaders != nil {
		trace.WroteHeaders()
	}
	one := received{at: time.Now(), url: request.URL.String(), header: request.Header.Clone(), body: string(body)}
	response := r.response(r.add(one), one)
	switch {
	case response.err != nil:
		return nil, response.err
	case response.status == 0:
		<-request.Context().Done()
		return nil, request.Context().Err()
	default:
		return &http.Response{
			StatusCode: response.status, Header: response.header, Body: io.NopCloser(strings.NewReader(response.body)), Request: request,
		}, nil
	}
}

func (r *receiver) add(one received) (n int) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	r.got = append(r.got, one)
	return len(r.got) - 1
}

func (r *receiver) all() []received {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	return append([]received(nil), r.got...)
}

// bodies are what was received, in order.
func (r *receiver) bodies() (bodies []string) {
	for _, one := range r.all() {
		bodies = append(bodies, one.body)
	}
	return bodies
}

// says is a response with a status.
func says(status int, header ...string) reply {
	response := reply{status: status, header: http.Header{}}
	for i := 0; i+1 < len(header); i += 2 {
		response.header.Set(header[i], header[i+1])
	}
	return response
}

func always(status int, header ...string) func(int, received) reply {
	return func(int, received) reply { return says(status, header...) }
}

// then responds with each of the statuses once, and with the last from then on.
func then(statuses ...int) func(int, received) reply {
	return func(n int, _ received) reply { return says(statuses[min(n, len(statuses)-1)]) }
}

// errReset is what a client sees of a receiver that resets after it has read.
var errReset = errors.New("read: connection reset by peer")

// running is an exporter with its receiver, log, telemetry and host.
type running struct {
	*webhookExporter

	t        *testing.T
	receiver *receiver
	logs     *observer.ObservedLogs
	tel      *componenttest.Telemetry
	host     *owntest.Host
}

// startExporter starts an exporter whose receiver responds by a function; nil: with a network.
func startExporter(t *testing.T, response func(int, received) reply, change func(*Config)) *running {
	t.Helper()
	return startOn(t, owntest.NewHost(nil), response, change)
}

func startOn(t *testing.T, on *owntest.Host, response func(int, received) reply, change func(*Config)) *running {
	t.Helper()
	config := createDefaultConfig().(*Config)
	config.ClientConfig.Endpoint = "https://alerts.example.com/hook/T0P-SECRET"
	config.RetryConfig.RandomizationFactor = 0
	if change != nil {
		change(config)
	}
	require.NoError(t, config.Validate())
	b := &running{t: t, receiver: &receiver{response: response}, tel: componenttest.NewTelemetry(), host: on}
	t.Cleanup(func() { require.NoError(t, b.tel.Shutdown(context.WithoutCancel(t.Context()))) })
	set := metadatatest.NewSettings(b.tel)
	set.ID = component.NewID(component.MustNewType("webhook"))
	set.BuildInfo.Command, set.BuildInfo.Version = "otelcol-ccaas", "1.2.3"
	core, logs := observer.New(zapcore.InfoLevel)
	set.Logger, b.logs = zap.New(core), logs
	e, err := newExporter(t.Context(), set, config)
	require.NoError(t, err)
	b.webhookExporter = e.(*webhookExporter)
	if response != nil { // else there is a network
		b.transport = b.receiver
	}
	require.NoError(t, e.Start(t.Context(), on))
	return b
}

func (b *running) send(logs plog.Logs) {
	b.t.Helper()
	require.NoError(b.t, b.ConsumeLogs(b.t.Context(), logs))
}

func (b *running) stop() {
	b.t.Helper()
	require.NoError(b.t, b.Shutdown(b.t.Context()))
}

// count is the value of a counter of own telemetry for one of its attributes.
func (b *running) count(name, key, value string) (sum int64) {
	b.t.Helper()
	metric, err := b.tel.GetMetric(name)
	if err != nil {
		return 0
	}
	for _, point := range metric.Data.(metricdata.Sum[int64]).DataPoints {
		if got, _ := point.Attributes.Value(attribute.Key(key)); got.AsString() == value {
			sum += point.Value
		}
	}
	return sum
}

// total is the value of a counter of own telemetry.
func (b *running) total(name string) (sum int64) {
	b.t.Helper()
	metric, err := b.tel.GetMetric(name)
	if err != nil {
		return 0
	}
	for _, point := range metric.Data.(metricdata.Sum[int64]).DataPoints {
		sum += point.Value
	}
	return sum
}

// alerts is a batch of alerts, each an alert_id and a status.
func alerts(states ...[2]string) plog.Logs {
	logs := plog.NewLogs()
	resource := logs.ResourceLogs().AppendEmpty()
	wslog.PutTags(resource.Resource().Attributes(), acme)
	records := resource.ScopeLogs().AppendEmpty().LogRecords()
	for i, one := range states {
		alert(records.AppendEmpty(), one[0], one[1], int64(i))
	}
	return logs
}

var acme = wsevent.Tags{TenantID: "acme_corp", Region: "eu-west-1", ChannelType: "webmessaging"}

const windowEnd = 1_715_623_410_000

// alert writes an alert record as the alert connector does.
func alert(record plog.LogRecord, id, status string, window int64) {
	end := windowEnd + window*9000
	record.SetEventName("alert." + status)
	record.SetTimestamp(pcommon.Timestamp(end * 1e6))
	record.SetSeverityNumber(plog.SeverityNumberError)
	record.Attributes().PutStr(wsevent.AlertID, id)
	body := record.Body().SetEmptyMap()
	body.PutStr("alert_type", "critical")
	body.PutStr("metric", "ws_connection_drop_rate")
	body.PutDouble("value", 0.68)
	body.PutDouble("threshold", 0.5)
	body.PutStr("region", acme.Region)
	body.PutStr("tenant_id", acme.TenantID)
	body.PutStr("channel_type", acme.ChannelType)
	body.PutInt("window_start", end-10_000)
	body.PutInt("window_end", end)
	body.PutStr("context", "Look into it.")
	body.PutStr("status", status)
	body.PutStr("alert_id", id)
	body.PutEmpty("baseline")
	body.PutEmptyMap("snapshot").PutInt("ws.active_connections", 142)
}

// texts is a batch of plain log records.
func texts(bodies ...string) plog.Logs {
	logs := plog.NewLogs()
	records := logs.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords()
	for _, body := range bodies {
		records.AppendEmpty().Body().SetStr(body)
	}
	return logs
}

// statesOf returns the alert_id and the status of each body.
func statesOf(t *testing.T, bodies []string) (all [][2]string) {
	t.Helper()
	for _, body := range bodies {
		var one struct {
			AlertID string `json:"alert_id"`
			Status  string `json:"status"`
		}
		require.NoError(t, json.Unmarshal([]byte(body), &one))
		all = append(all, [2]string{one.AlertID, one.Status})
	}
	return all
}
