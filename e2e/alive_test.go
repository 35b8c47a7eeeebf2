// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	sim "github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
)

// apart is a receiver in one process and the windows in another.
type apart struct {
	windows *windowSink
	// ingest starts what reads a platform's stream, for a tenant.
	ingest func(t *testing.T, platform *sim.Server, tenant string) *process
}

// startGateway starts a gateway that sidecars reach by an address.
func startGateway(t *testing.T, by func(listen string) (address string)) apart {
	t.Helper()
	windows := startWindowSink(t)
	listen := fmt.Sprintf("127.0.0.1:%d", freePort(t))
	start(t, "otelcol-ccaas", []string{
		"GATEWAY_LISTEN=" + listen, "GATEWAY_TOKEN=of-the-house", "PROMETHEUS_URL=" + windows.url, "SINK=" + windows.url,
		"CCAAS_STATE=" + t.TempDir(), fmt.Sprintf("CCAAS_HEALTH=127.0.0.1:%d", freePort(t)),
		"CCAAS_WEBHOOK_SECRET=whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
	}, "--config", "../config/gateway.yaml", "--config", "testdata/alive.yaml")
	address := by(listen)
	states := map[string]string{}
	return apart{windows: windows, ingest: func(t *testing.T, platform *sim.Server, tenant string) *process {
		if states[tenant] == "" {
			states[tenant] = t.TempDir()
		}
		return start(t, "otelcol-ccaas", []string{
			"GATEWAY_ENDPOINT=http://" + address, "GATEWAY_TOKEN=of-the-house", "CCAAS_STATE=" + states[tenant],
			"CCAAS_TENANT_ID=" + tenant, "CCAAS_CLIENT_ID=id", "CCAAS_CLIENT_SECRET=secret", socketURL(platform),
			fmt.Sprintf("CCAAS_HEALTH=127.0.0.1:%d", freePort(t)),
		}, "--config", "../config/sidecar.yaml", "--config", "yaml:service::telemetry::metrics::level: none",
			"--config", "yaml:exporters::otlp_http/gateway::retry_on_failure: {initial_interval: 200ms, max_interval: 1s}")
	}}
}

// quiet is a platform whose stream is quiet but for one open channel.
func quiet(t *testing.T) *sim.Server {
	t.Helper()
	return startPlatform(t, func(c *sim.Config) { c.Silent = true })
}

// say lets the platform send an event of a tenant's one channel.
func say(t *testing.T, platform *sim.Server, event, tenant string) {
	t.Helper()
	require.NoError(t, platform.Send(fmt.Appendf(nil,
		`{"type":%q,"timestamp":%d,"channelId":"quiet","tenantId":%q,"region":"us-east-1","channelType":"voice"}`, event, time.Now().UnixMilli(), tenant)))
}

func connected(t *testing.T, platform *sim.Server, sockets int64) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	require.NoError(t, platform.WaitAccepted(ctx, sockets))
	require.NoError(t, platform.WaitConnected(ctx))
}

// of are the windows of a tenant, in order.
func (s *windowSink) of(tenant string) []reportedWindow {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	windows := s.bySeries[sim.Series{TenantID: tenant, Region: "us-east-1", ChannelType: "voice"}]
	return slices.SortedFunc(maps.Values(windows), func(a, b reportedWindow) int { return int(a.start - b.start) })
}

// calm waits for a window of a tenant that began after a moment and says that nothing happened.
func (s *windowSink) calm(t *testing.T, tenant string, after time.Time) {
	t.Helper()
	eventually(t, func() error {
		windows := s.of(tenant)
		if !slices.ContainsFunc(windows, func(w reportedWindow) bool {
			return w.start >= after.UnixMilli() && w.complete && w.active == 1 && w.counts == wsevent.Counts{}
		}) {
			return fmt.Errorf("no zero window of %s after %v: %+v", tenant, after, windows)
		}
		return nil
	})
}

// A collector that reads a quiet stream is killed, while another one goes on. From
// then on no window of the stream is emitted as zero, until it is back.
func testKilledIsNotCalm(t *testing.T, set apart) {
	t.Helper()
	victim, witness := quiet(t), quiet(t)
	killed := set.ingest(t, victim, "acme_corp")
	set.ingest(t, witness, "globex")
	connected(t, victim, 1)
	connected(t, witness, 1)
	say(t, victim, wsevent.ConnectionOpen, "acme_corp")
	say(t, witness, wsevent.ConnectionOpen, "globex")
	began := time.Now()
	set.windows.calm(t, "acme_corp", began)
	set.windows.calm(t, "globex", began)

	killed.kill(t)
	gone := time.Now()
	set.windows.calm(t, "globex", gone.Add(12*time.Second)) // the gateway goes on
	for _, w := range set.windows.of("acme_corp") {
		assert.LessOrEqual(t, w.end, gone.UnixMilli(), "emitted without a connection: %+v", w)
	}

	set.ingest(t, victim, "acme_corp")
	connected(t, victim, 2)
	back := time.Now()
	say(t, victim, wsevent.MessageSend, "acme_corp") // it is active again
	set.windows.calm(t, "acme_corp", back)
	for _, w := range set.windows.of("acme_corp") {
		switch {
		case w.end <= gone.Add(-1500*time.Millisecond).UnixMilli() || w.start >= back.UnixMilli():
			if w.start > began.UnixMilli() {
				assert.True(t, w.complete, "%+v", w)
			}
		case w.end > gone.UnixMilli() && w.start < back.Add(-time.Second).UnixMilli():
			assert.False(t, w.complete, "%+v", w)
		}
		assert.Zero(t, w.counts.LateEvents, "%+v", w)
	}
	assert.Empty(t, set.windows.contradictions)
}

func TestAKilledSidecarIsNotCalm(t *testing.T) {
	t.Parallel()
	testKilledIsNotCalm(t, startGateway(t, func(listen string) string { return listen }))
}

func TestAKilledIngestCollectorIsNotCalm(t *testing.T) {
	t.Parallel()
	set := tier{broker: startBroker(t), windows: startWindowSink(t)}
	set.broker.create(t, "ccaas_events", 4)
	has(t, set.startWindows(t))
	testKilledIsNotCalm(t, apart{windows: set.windows, ingest: func(t *testing.T, platform *sim.Server, tenant string) *process {
		return start(t, "otelcol-ccaas", []string{
			"KAFKA_BROKERS=" + set.broker.address, "CCAAS_TENANT_ID=" + tenant, "CCAAS_STATE=" + t.TempDir(), socketURL(platform),
			"CCAAS_CLIENT_ID=id", "CCAAS_CLIENT_SECRET=secret", fmt.Sprintf("CCAAS_HEALTH=127.0.0.1:%d", freePort(t)),
		}, "--config", "../config/kafka-ingest.yaml", "--config", "yaml:service::telemetry::metrics::level: none")
	}})
}

// While the way to the gateway is cut, no zero is emitted. What stood in the queue then
// comes late, and its windows are as complete as all others.
func TestASidecarThatIsCutOffIsLateAndComplete(t *testing.T) {
	t.Parallel()
	var way *road
	set := startGateway(t, func(listen string) string {
		way = startRoad(t, listen)
		return way.address
	})
	platform := quiet(t)
	set.ingest(t, platform, "acme_corp")
	connected(t, platform, 1)
	say(t, platform, wsevent.ConnectionOpen, "acme_corp")
	began := time.Now()
	set.windows.calm(t, "acme_corp", began)

	way.close()
	cut := time.Now()
	var broke, restored time.Time
	for i := range int64(3) {
		time.Sleep(3 * time.Second) // the outage itself
		if i == 1 {
			broke = time.Now()
			platform.Reset() // meanwhile the platform has its own trouble
			connected(t, platform, 2)
			restored = time.Now()
		}
		say(t, platform, wsevent.MessageSend, "acme_corp")
	}
	for _, w := range set.windows.of("acme_corp") {
		assert.LessOrEqual(t, w.end, cut.UnixMilli()+1_000, "emitted while cut off: %+v", w)
	}
	way.open()
	healed := time.Now()
	set.windows.calm(t, "acme_corp", healed)

	sent, expected := int64(0), int64(0)
	for _, w := range set.windows.of("acme_corp") {
		// Of the time since the platform's last word before its trouble nothing is known.
		known := w.end <= broke.Add(-4*time.Second).UnixMilli() || w.start >= restored.Add(2*time.Second).UnixMilli()
		assert.Truef(t, expected == 0 || w.start == expected || !known, "no window from %d to %d", expected, w.start)
		assert.Truef(t, w.complete || !known || w.start < began.UnixMilli(), "%+v", w)
		expected = w.end
		sent += w.counts.MessagesSent
		assert.Zero(t, w.counts.LateEvents, "%+v", w)
	}
	assert.Equal(t, int64(3), sent)
}
