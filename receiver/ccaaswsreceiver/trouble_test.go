// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package ccaaswsreceiver

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/collector/config/configopaque"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/metric/metricdata/metricdatatest"

	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/metadatatest"
	sim "github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
)

// of is an event of a tenant.
func of(tenant string, id int) []byte {
	return fmt.Appendf(nil, `{"type":"message.send","timestamp":1715623400123,"channelId":"c-1","id":"%d","tenantId":%q,"region":"us-east-1"}`, id, tenant)
}

func TestConnection_GapForEveryStream(t *testing.T) {
	t.Parallel()
	server := platformFor(t, nil)
	b := run(t, configFor(server.URL()))
	waitConnected(t, server)
	require.NoError(t, server.Send(of("globex", 1)))
	require.NoError(t, server.Send(of("initech", 2)))
	b.downstream.wait(t, wsevent.MessageSend, wsevent.MessageSend)
	server.Reset()
	b.downstream.wait(t, wsevent.StreamConnected, wsevent.StreamConnected, wsevent.StreamConnected)

	var told []string
	for _, record := range b.downstream.records() {
		told = append(told, strings.TrimSpace(fmt.Sprint(record.EventName(), " ", record.tenant, " ", record.text(wsevent.StreamCause))))
		if record.EventName() == wsevent.StreamGap {
			start, end := record.integer(t, wsevent.GapStart), record.integer(t, wsevent.GapEnd)
			assert.Less(t, start, end+1)
			assert.Equal(t, end, record.Timestamp().AsTime().UnixMilli())
			assert.Equal(t, []string{"us-east-1", "unknown"}, []string{record.region, record.channelType})
		}
	}
	assert.Equal(t, "stream.connected acme_corp", told[0])
	for _, tenant := range []string{"globex", "initech"} {
		ofTenant := slices.DeleteFunc(slices.Clone(told), func(one string) bool { return !strings.Contains(one, tenant) })
		assert.Equal(t, []string{
			"message.send " + tenant, "stream.disconnected " + tenant + " reset",
			"stream.gap " + tenant + " reset", "stream.connected " + tenant,
		}, ofTenant)
	}
	assert.Len(t, told, 9)
}

func TestConnection_GapBeforeFirstSocket(t *testing.T) {
	t.Parallel()
	server := platformFor(t, nil)
	b := run(t, configFor(server.URL()))
	b.downstream.wait(t, wsevent.StreamConnected)
	assert.Empty(t, b.downstream.records(wsevent.StreamGap))

	late := platformFor(t, func(c *sim.Config) { c.Trouble.PreflightFail = sim.Failure{Status: 503, Times: 2} })
	b = run(t, configFor(late.URL()))
	b.downstream.wait(t, wsevent.StreamGap, wsevent.StreamConnected)
	assert.Equal(t, "unavailable", b.downstream.records(wsevent.StreamGap)[0].text(wsevent.StreamCause))
}

func TestPeerCloses(t *testing.T) {
	t.Parallel()
	server := platformFor(t, nil)
	b := run(t, configFor(server.URL()))
	waitConnected(t, server)
	server.CloseSockets(1012, "maintenance")
	b.downstream.wait(t, wsevent.StreamDisconnected, wsevent.StreamGap, wsevent.StreamConnected, wsevent.StreamConnected)
	record := b.downstream.records(wsevent.StreamDisconnected)[0]
	assert.Equal(t, map[string]any{
		"ccaas.stream.cause": "closed_by_peer", "ccaas.stream.connection": int64(0), "ccaas.close.code": int64(1012),
	}, record.Attributes().AsRaw())
}

func TestReceiver_SilenceIsDetected(t *testing.T) {
	t.Parallel()
	server := platformFor(t, func(c *sim.Config) { c.Trouble.Silence = true })
	config := configFor(server.URL())
	config.Heartbeat = HeartbeatConfig{Interval: 10 * time.Millisecond, Timeout: 50 * time.Millisecond}
	b := run(t, config)
	waitAccepted(t, server, 2)
	b.downstream.wait(t, wsevent.StreamDisconnected)
	assert.Equal(t, "silence", b.downstream.records(wsevent.StreamDisconnected)[0].text(wsevent.StreamCause))
}

func TestMalformedFrames(t *testing.T) {
	t.Parallel()
	server := platformFor(t, func(c *sim.Config) {
		c.Silent, c.FullSpeed, c.Events = false, true, 5_000
		c.Frame, c.FrameEvents = sim.FrameMixed, 8
		c.Trouble.Malformed = 0.05
	})
	b := run(t, configFor(server.URL()))
	<-server.Done()
	truth := server.Truth()
	violations := 0
	for _, n := range truth.Violations {
		violations += int(n)
	}
	require.NotZero(t, violations)
	require.Eventually(t, func() bool {
		return len(b.downstream.records(events()...)) == int(truth.Events) &&
			len(b.downstream.records(wsevent.ProtocolViolation)) == violations
	}, patience, 20*time.Millisecond, "every good neighbour, and a record for each bad one: %v", truth.Violations)
}

func TestFrameTooLarge(t *testing.T) {
	t.Parallel()
	server := platformFor(t, nil)
	config := configFor(server.URL())
	config.MaxFrameSize = 8 << 10
	b := run(t, config)
	waitConnected(t, server)
	large := `{"type":"message.send","tenantId":"globex","channelType":"voice","text":"` + strings.Repeat("x", 40<<10) + `"}`
	require.NoError(t, server.Send([]byte(large)))
	require.NoError(t, server.Send(of("globex", 1)))
	b.downstream.wait(t, wsevent.ProtocolViolation, wsevent.MessageSend)
	record := b.downstream.records(wsevent.ProtocolViolation)[0]
	assert.Equal(t, "frame_too_large", record.text(wsevent.ViolationReason))
	assert.Equal(t, large[:4096], record.Body().Str())
	assert.Equal(t, []string{"globex", "eu-west-1", "voice"}, []string{record.tenant, record.region, record.channelType})
	assert.Len(t, b.downstream.records(wsevent.StreamConnected), 1, "the connection goes on")
}

func TestReceiver_NoLossWhileDownstreamRefuses(t *testing.T) {
	t.Parallel()
	server := platformFor(t, nil)
	config := configFor(server.URL())
	config.Batch.MaxEvents = 10
	b := newBench(t, config)
	b.downstream.answer(errRefused)
	require.NoError(t, b.Start(t.Context(), b.host))
	waitConnected(t, server)
	const n = 1000
	for id := range n {
		require.NoError(t, server.Send(of("globex", id)))
	}
	require.Eventually(t, func() bool { return b.downstream.offered() >= 4 }, patience, time.Millisecond)
	b.downstream.answer(nil)
	require.Eventually(t, func() bool { return len(b.downstream.records(wsevent.MessageSend)) == n }, patience, 5*time.Millisecond)
	for id, record := range b.downstream.records(wsevent.MessageSend) {
		require.Equal(t, strconv.Itoa(id), record.text(wsevent.EventID))
	}
	pressure := b.downstream.records(wsevent.StreamBackpressure)
	require.NotEmpty(t, pressure)
	assert.Equal(t, []string{"acme_corp", "eu-west-1", "unknown"}, []string{pressure[0].tenant, pressure[0].region, pressure[0].channelType})
	stood, ok := pressure[0].Attributes().Get(wsevent.BackpressureDuration)
	require.True(t, ok)
	assert.GreaterOrEqual(t, stood.Double(), 100.0)
	require.NoError(t, b.Shutdown(t.Context()))
	assert.Empty(t, b.downstream.records(wsevent.StreamGap), "our slowness is not the platform's silence")
}

func TestSeveralConnections(t *testing.T) {
	t.Parallel()
	server := platformFor(t, nil)
	config := configFor(server.URL())
	config.Connections = 3
	b := run(t, config)
	b.downstream.wait(t, slices.Repeat([]string{wsevent.StreamConnected}, 3)...)
	assert.Equal(t, int64(1), server.Truth().Requests.TokensIssued, "one token for all")
	require.NoError(t, server.Send(of("globex", 1)))
	b.downstream.wait(t, slices.Repeat([]string{wsevent.MessageSend}, 3)...)
}

func TestStatus_ConfigurationFailures(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		trouble func(*sim.Config)
		says    string
	}{
		"wrong subprotocol":  {func(c *sim.Config) { c.Trouble.AnswerSubprotocol = "v3.realtime-events" }, `"v3.realtime-events"`},
		"no subprotocol":     {func(c *sim.Config) { c.Trouble.AnswerSubprotocol = sim.AnswerNone }, "no subprotocol"},
		"no common protocol": {func(c *sim.Config) { c.SupportedProtocols = []string{sim.SubprotocolNICE} }, "no common protocol"},
		"wrong secret":       {func(c *sim.Config) { c.ClientSecret = "another" }, "invalid_client"},
		"401":                {func(c *sim.Config) { c.Trouble.UpgradeFail = sim.Failure{Status: 401} }, "401"},
		"403":                {func(c *sim.Config) { c.Trouble.PreflightFail = sim.Failure{Status: 403} }, "scopes"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := platformFor(t, test.trouble)
			b := run(t, configFor(server.URL()))
			require.Eventually(t, func() bool { return b.host.LastStatus() == componentstatus.StatusRecoverableError }, patience, time.Millisecond)
			require.Contains(t, b.host.LastEvent().Err().Error(), test.says)
			require.NotZero(t, b.logs.FilterMessageSnippet("because of the configuration").Len())
			assert.Empty(t, b.downstream.records())
		})
	}
}

func TestStatus(t *testing.T) {
	t.Parallel()
	var shown []string
	s := newStatus(func(event *componentstatus.Event) {
		text := event.Status().String()
		if event.Err() != nil {
			text += " " + event.Err().Error()
		}
		shown = append(shown, text)
	})
	s.set(0, connectTrouble, nil)
	s.set(0, connectTrouble, errRefused)
	s.set(1, connectTrouble, errRefused)
	s.set(0, connectTrouble, nil)
	s.set(1, connectTrouble, nil)
	assert.Equal(t, []string{"StatusRecoverableError downstream is full", "StatusOK"}, shown)
}

func TestTLSAndProxy(t *testing.T) {
	t.Parallel()
	server := platformFor(t, func(c *sim.Config) { c.TLS = true })
	config := configFor(server.URL())
	b := run(t, config)
	require.Eventually(t, func() bool { return b.host.LastStatus() == componentstatus.StatusRecoverableError }, patience, time.Millisecond)
	require.ErrorContains(t, b.host.LastEvent().Err(), "tls::ca_file")

	config = configFor(server.URL())
	config.TLS.CAPem = configopaque.String(server.Certificate())
	b = run(t, config)
	b.downstream.wait(t, wsevent.StreamConnected)

	var through atomic.Value
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		through.Store(r.Method)
		http.Error(w, "no", http.StatusForbidden)
	}))
	defer proxy.Close()
	config.ProxyURL = configopaque.String(strings.Replace(proxy.URL, "http://", "http://someone:"+secret+"@", 1))
	b = run(t, config)
	require.Eventually(t, func() bool { return b.logs.FilterMessageSnippet("Cannot connect").Len() > 0 }, patience, time.Millisecond)
	require.NoError(t, b.Shutdown(t.Context()))
	assert.Equal(t, http.MethodConnect, through.Load())
}

func TestOwnTelemetry(t *testing.T) {
	t.Parallel()
	server := platformFor(t, nil)
	b := run(t, configFor(server.URL()))
	waitConnected(t, server)
	require.NoError(t, server.Send(of("globex", 1)))
	require.NoError(t, server.Send([]byte("hello")))
	b.downstream.wait(t, wsevent.MessageSend, wsevent.ProtocolViolation)
	server.CloseSockets(1001, "")
	b.downstream.wait(t, wsevent.StreamGap, wsevent.StreamConnected, wsevent.StreamConnected)

	value := func(n int64, attributes ...attribute.KeyValue) []metricdata.DataPoint[int64] {
		return []metricdata.DataPoint[int64]{{Value: n, Attributes: attribute.NewSet(attributes...)}}
	}
	ignore := metricdatatest.IgnoreTimestamp()
	metadatatest.AssertEqualCcaasWsConnects(t, b.telemetry, value(2), ignore)
	metadatatest.AssertEqualCcaasWsConnections(t, b.telemetry, value(1), ignore)
	metadatatest.AssertEqualCcaasWsDisconnects(t, b.telemetry, value(1, attribute.String("cause", "closed_by_peer")), ignore)
	metadatatest.AssertEqualCcaasWsEvents(t, b.telemetry, value(1), ignore)
	metadatatest.AssertEqualCcaasWsFrames(t, b.telemetry, value(2), ignore)
	metadatatest.AssertEqualCcaasWsIo(t, b.telemetry, value(int64(len(of("globex", 1))+len("hello"))), ignore)
	metadatatest.AssertEqualCcaasWsViolations(t, b.telemetry, value(1, attribute.String("reason", "not_json")), ignore)
	_, err := b.telemetry.GetMetric("otelcol_ccaas_ws_gap_time")
	require.NoError(t, err)
	_, err = b.telemetry.GetMetric("otelcol_receiver_accepted_log_records")
	require.NoError(t, err)
}

func TestShutdown_Flushes(t *testing.T) {
	t.Parallel()
	server := platformFor(t, nil)
	config := configFor(server.URL())
	config.Batch.Timeout = time.Minute
	b := run(t, config)
	require.Eventually(t, func() bool { return b.logs.FilterMessage("Connected").Len() > 0 }, patience, time.Millisecond)
	waitConnected(t, server)
	require.NoError(t, server.Send(of("globex", 1)))
	require.NoError(t, b.Shutdown(t.Context()))
	var told []string
	for _, record := range b.downstream.records() {
		told = append(told, record.EventName()+" "+record.text(wsevent.StreamCause))
	}
	assert.Equal(t, []string{"stream.connected ", "message.send ", "stream.disconnected shutdown"}, told)
}

func TestShutdown_InEveryState(t *testing.T) {
	t.Parallel()
	t.Run("not started", func(t *testing.T) {
		t.Parallel()
		require.NoError(t, newBench(t, configFor("ws://127.0.0.1:1")).Shutdown(t.Context()))
	})
	t.Run("nobody there", func(t *testing.T) {
		t.Parallel()
		b := run(t, configFor("ws://127.0.0.1:1"))
		require.Eventually(t, func() bool { return b.logs.Len() > 3 }, patience, time.Millisecond)
	})
	t.Run("at once", func(t *testing.T) {
		t.Parallel()
		run(t, configFor(platformFor(t, nil).URL()))
	})
	t.Run("downstream refuses, and one that hangs", func(t *testing.T) {
		t.Parallel()
		for _, change := range []func(*downstream){
			func(d *downstream) { d.refuse = errRefused },
			func(d *downstream) { d.hold = make(chan struct{}) },
		} {
			server := platformFor(t, nil)
			config := configFor(server.URL())
			config.Batch.MaxEvents = 1
			b := newBench(t, config)
			change(b.downstream)
			require.NoError(t, b.Start(t.Context(), b.host))
			waitConnected(t, server)
			for id := range 10 {
				require.NoError(t, server.Send(of("globex", id)))
			}
			require.Eventually(t, func() bool { return b.downstream.offered() > 0 }, patience, time.Millisecond)
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
			defer cancel()
			require.NoError(t, b.Shutdown(ctx))
			assert.Empty(t, b.downstream.records())
			assert.NotZero(t, b.logs.FilterMessageSnippet("are lost").Len(), "what is lost is told")
		}
	})
	t.Run("twice", func(t *testing.T) {
		t.Parallel()
		b := run(t, configFor(platformFor(t, nil).URL()))
		require.NoError(t, b.Shutdown(t.Context()))
	})
}
