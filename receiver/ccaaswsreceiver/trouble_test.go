// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package ccaaswsreceiver

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"
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
	inMemory(t, nil, func(t *testing.T, b *bench, p *memoryPlatform, socket *websocket.Conn) {
		send(t, socket, of("globex", 1))
		send(t, socket, of("initech", 2))
		time.Sleep(10 * time.Second)
		lost := time.Now()
		_ = socket.Close()
		<-p.sockets
		time.Sleep(time.Second)
		all := summary(b.downstream.records())
		assert.Equal(t, "stream.connected acme_corp", all[0], "before the first event")
		for _, tenant := range []string{"globex", "initech"} {
			assert.Equal(t, []string{
				"message.send " + tenant, "stream.disconnected " + tenant + " reset",
				"stream.gap " + tenant + " reset", "stream.connected " + tenant,
			}, slices.DeleteFunc(slices.Clone(all), func(one string) bool { return !strings.Contains(one, tenant) }))
		}
		assert.Len(t, all, 9)
		for _, record := range b.downstream.records(wsevent.StreamGap) {
			assert.Equal(t, lost.Add(-10*time.Second).UnixMilli(), record.integer(t, wsevent.GapStart), "the last inbound data")
			end := record.integer(t, wsevent.GapEnd)
			assert.Greater(t, end, lost.UnixMilli())
			assert.Equal(t, end, record.Timestamp().AsTime().UnixMilli())
			assert.Equal(t, []string{"us-east-1", "unknown"}, []string{record.region, record.channelType})
		}
	})
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

func TestConnection_PeerCloses(t *testing.T) {
	t.Parallel()
	inMemory(t, nil, func(t *testing.T, b *bench, p *memoryPlatform, socket *websocket.Conn) {
		closeSocket(t, socket, 1012, "maintenance")
		<-p.sockets
		time.Sleep(time.Second)
		assert.Equal(t, []string{
			"stream.connected acme_corp", "stream.disconnected acme_corp closed_by_peer", "stream.gap acme_corp closed_by_peer", "stream.connected acme_corp",
		}, summary(b.downstream.records()))
		assert.Equal(t, map[string]any{
			"ccaas.stream.cause": "closed_by_peer", "ccaas.stream.connection": int64(0), "ccaas.close.code": int64(1012),
		}, b.downstream.records(wsevent.StreamDisconnected)[0].Attributes().AsRaw())
	})
}

func TestReceiver_SilenceIsDetected(t *testing.T) {
	t.Parallel()
	inMemory(t, func(_ *Config, p *memoryPlatform) { p.silent = true }, func(t *testing.T, b *bench, _ *memoryPlatform, _ *websocket.Conn) {
		time.Sleep(34 * time.Second)
		assert.Empty(t, b.downstream.records(wsevent.StreamDisconnected))
		time.Sleep(2 * time.Second)
		down := b.downstream.records(wsevent.StreamDisconnected)
		require.Len(t, down, 1, "after heartbeat::timeout")
		assert.Equal(t, "silence", down[0].text(wsevent.StreamCause))
	})
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
	}, patience, 100*time.Millisecond, "every good neighbour, and a record for each bad one: %v", truth.Violations)
}

func TestConnection_FrameTooLarge(t *testing.T) {
	t.Parallel()
	inMemory(t, func(c *Config, _ *memoryPlatform) { c.MaxFrameSize = 8 << 10 }, func(t *testing.T, b *bench, _ *memoryPlatform, socket *websocket.Conn) {
		large := `{"type":"message.send","tenantId":"globex","channelType":"voice","text":"` + strings.Repeat("x", 40<<10) + `"}`
		send(t, socket, []byte(large))
		send(t, socket, of("globex", 1))
		time.Sleep(time.Second)
		violations := b.downstream.records(wsevent.ProtocolViolation)
		require.Len(t, violations, 1)
		assert.Equal(t, "frame_too_large", violations[0].text(wsevent.ViolationReason))
		assert.Equal(t, large[:4096], violations[0].Body().Str())
		assert.Equal(t, []string{"globex", "eu-west-1", "voice"}, []string{violations[0].tenant, violations[0].region, violations[0].channelType})
		assert.Len(t, b.downstream.records(wsevent.MessageSend), 1, "the connection stays open")
		assert.Len(t, b.downstream.records(wsevent.StreamConnected), 1)
	})
}

func TestReceiver_NoLossWhileDownstreamRefuses(t *testing.T) {
	t.Parallel()
	inMemory(t, func(c *Config, _ *memoryPlatform) { c.Batch.MaxEvents = 10 }, func(t *testing.T, b *bench, _ *memoryPlatform, socket *websocket.Conn) {
		time.Sleep(time.Second)
		b.downstream.answer(errRefused)
		const n = 1000
		var sending sync.WaitGroup
		sending.Go(func() {
			for id := range n {
				send(t, socket, of("globex", id))
			}
		})
		time.Sleep(2 * time.Minute)
		assert.Empty(t, b.downstream.records(wsevent.MessageSend))
		assert.Greater(t, b.downstream.offered(), 20, "the batch is retried")
		assert.Equal(t, componentstatus.StatusRecoverableError, b.host.LastStatus())
		b.downstream.answer(nil)
		sending.Wait()
		time.Sleep(time.Second)
		sent := b.downstream.records(wsevent.MessageSend)
		require.Len(t, sent, n)
		for id, record := range sent {
			require.Equal(t, strconv.Itoa(id), record.text(wsevent.EventID))
		}
		pressure := b.downstream.records(wsevent.StreamBackpressure)
		require.Len(t, pressure, 1)
		assert.Equal(t, []string{"acme_corp", "eu-west-1", "unknown"}, []string{pressure[0].tenant, pressure[0].region, pressure[0].channelType})
		blocked, known := pressure[0].Attributes().Get(wsevent.BackpressureDuration)
		require.True(t, known)
		assert.InDelta(t, 120_000, blocked.Double(), 10_000, "in ms")
		assert.Equal(t, componentstatus.StatusOK, b.host.LastStatus())
		assert.Empty(t, b.downstream.records(wsevent.StreamGap), "backpressure is not silence of the platform")
	})
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

func TestSubprotocol_NewerVersionWhereConfigured(t *testing.T) {
	t.Parallel()
	server := platformFor(t, func(c *sim.Config) { c.SupportedProtocols = []string{"v4.realtime-events", "v3.realtime-events"} })
	config := configFor(server.URL())
	config.Subprotocols = []string{"v3.realtime-events", "v4.realtime-events"}
	b := run(t, config)
	b.downstream.wait(t, wsevent.StreamConnected)

	config = configFor(server.URL())
	b = run(t, config)
	require.Eventually(t, func() bool { return b.host.LastStatus() == componentstatus.StatusRecoverableError }, patience, time.Millisecond)
	require.ErrorContains(t, b.host.LastEvent().Err(), `the platform supports "v4.realtime-events", "v3.realtime-events", the receiver "v2.realtime-events"`)
}

// The status has the error of a connection that is down, not that of one that recovered.
func TestStatus_ErrorOfAConnectionThatIsDown(t *testing.T) {
	t.Parallel()
	var reported []string
	s := newStatus(func(event *componentstatus.Event) {
		text := event.Status().String()
		if event.Err() != nil {
			text += " " + event.Err().Error()
		}
		reported = append(reported, text)
	})
	first, second := errors.New("first is down"), errors.New("second is down")
	s.set(0, connectTrouble, nil)
	s.set(0, connectTrouble, first)
	s.set(1, connectTrouble, second)
	s.set(0, connectTrouble, nil)
	s.set(0, connectTrouble, first)
	s.set(0, connectTrouble, nil)
	s.set(1, connectTrouble, nil)
	assert.Equal(t, []string{
		"StatusRecoverableError first is down", "StatusRecoverableError second is down", "StatusRecoverableError first is down",
		"StatusRecoverableError second is down", "StatusOK",
	}, reported)
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
	inMemory(t, func(c *Config, _ *memoryPlatform) { c.Batch.Timeout = time.Minute }, func(t *testing.T, b *bench, _ *memoryPlatform, socket *websocket.Conn) {
		send(t, socket, of("globex", 1))
		synctest.Wait()
		assert.Empty(t, b.downstream.records())
		require.NoError(t, b.Shutdown(t.Context()))
		assert.Equal(t, []string{"stream.connected acme_corp", "message.send globex", "stream.disconnected globex shutdown"}, summary(b.downstream.records()))
	})
}

func TestShutdown_InEveryState(t *testing.T) {
	t.Parallel()
	t.Run("not started", func(t *testing.T) {
		t.Parallel()
		require.NoError(t, newBench(t, configFor("ws://127.0.0.1:1")).Shutdown(t.Context()))
	})
	t.Run("unreachable", func(t *testing.T) {
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
			assert.NotZero(t, b.logs.FilterMessageSnippet("are lost").Len(), "what is lost is logged")
		}
	})
	t.Run("twice", func(t *testing.T) {
		t.Parallel()
		b := run(t, configFor(platformFor(t, nil).URL()))
		require.NoError(t, b.Shutdown(t.Context()))
	})
}
