// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	sim "github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim"
)

// byRoad is the endpoint of a platform at the end of a road.
func byRoad(r *road) string { return "endpoint: ws://" + r.address + "\n" }

func roadTo(t testing.TB, platform *sim.Server) *road {
	t.Helper()
	return startRoad(t, strings.TrimPrefix(platform.URL(), "http://"))
}

// Between us and the platform everything vanishes, and no connection is closed.
// Events that happen meanwhile are delivered, once, or fall into a gap.
func TestFaultBlackHole(t *testing.T) {
	t.Parallel()
	record := filepath.Join(t.TempDir(), "truth.jsonl")
	platform := lively(t, func(c *sim.Config) { c.Rate, c.Lossy, c.Record = 400, true, record })
	r := roadTo(t, platform)
	w := watch(t, byRoad(r)+"heartbeat: { interval: 200ms, timeout: 1s }")
	w.connected(t)
	holes := amount(3, 30)
	for range holes {
		before := len(named(w.records(t), "stream.gap"))
		time.Sleep(time.Duration(200+rand.IntN(800)) * time.Millisecond)
		r.block()
		eventually(t, func() error { return w.lostStream(before + 1) })
		r.unblock()
		eventually(t, func() error { return w.regained(before + 1) })
	}
	w.stop(t)
	require.NoError(t, platform.Close())
	delivered, lost := w.accounts(t, record)
	var slowest time.Duration
	for _, gap := range named(w.records(t), "stream.gap") {
		assert.Contains(t, []string{"silence", "reset"}, gap.cause)
		slowest = max(slowest, time.Duration(gap.gapEnd-gap.gapStart)*time.Millisecond)
	}
	measured(t, "%d black holes, %d events delivered once, %d in gaps, none elsewhere; the longest gap %v with a timeout of 1 s", holes, delivered, lost, slowest)
}

// lostStream is an error unless the stream was lost a number of times.
func (w *watcher) lostStream(times int) error {
	return w.enough("stream.disconnected", times)
}

// regained is an error unless the stream is back, with its gaps on record.
func (w *watcher) regained(times int) error {
	return errors.Join(w.enough("stream.gap", times), w.enough("stream.connected", times+1))
}

// An outage in which every attempt is turned away: one gap, no attempt sooner
// than the waits allow, no memory or file descriptor kept.
func TestFaultLongOutage(t *testing.T) {
	t.Parallel()
	record := filepath.Join(t.TempDir(), "truth.jsonl")
	platform := lively(t, func(c *sim.Config) { c.Rate, c.Lossy, c.Record = 400, true, record })
	r := roadTo(t, platform)
	w := watch(t, byRoad(r)+"reconnect: { initial_interval: 10ms, max_interval: 500ms }")
	w.connected(t)
	time.Sleep(time.Second)
	memory, files := w.memory(t, "VmRSS"), w.files(t)
	began := time.Now()
	r.close()
	time.Sleep(amount(5*time.Second, 5*time.Minute))
	attempts := len(r.since(began))
	assert.LessOrEqual(t, w.files(t), files, "no file descriptor is kept")
	grown := w.memory(t, "VmRSS") - memory
	r.open()
	eventually(t, func() error { return w.regained(1) })
	w.stop(t)
	require.NoError(t, platform.Close())
	delivered, lost := w.accounts(t, record)
	gaps := named(w.records(t), "stream.gap")
	require.Len(t, gaps, 1)
	assert.Less(t, grown, int64(64<<20))
	lasted := time.Duration(gaps[0].gapEnd-gaps[0].gapStart) * time.Millisecond
	assert.LessOrEqual(t, attempts, int(lasted/(100*time.Millisecond)), "waits of 167 ms and more, once they have grown")
	measured(t, "an outage of %v: %d attempts with waits of up to 500 ms, %d events delivered once, %d in the one gap, RSS %+d MiB", lasted.Round(time.Second), attempts, delivered, lost, grown>>20)
}

// Many receivers lose one platform at the same instant. They do not come back at
// the same instant.
func TestFaultHerd(t *testing.T) {
	t.Parallel()
	herd := amount(60, 400)
	platform := lively(t, func(c *sim.Config) { c.Rate = 50 })
	r := roadTo(t, platform)
	const first, slots = 4 * time.Second, 10 // waits of 2 to 6 s
	collector := startHerd(t, herd, byRoad(r)+`tenant_id: acme_corp
region: us-east-1
preflight: { enabled: false }
oauth2: { client_id: collector, client_secret: `+hushed+` }
reconnect: { initial_interval: `+first.String()+` }
`)
	eventually(t, func() error { return allConnected(platform, herd) })
	lost := time.Now()
	r.crash()
	eventually(t, func() error {
		if back := len(r.since(lost)); back < herd {
			return fmt.Errorf("%d of %d are back", back, herd)
		}
		return nil
	})
	var slot [slots]int
	for _, wait := range waitsAfterDisconnect(t, collector)[:herd] { // as logged: a slow machine keeps some of them longer
		slot[min(int(max(wait-first/2, 0)*slots/first), slots-1)]++
	}
	even := herd / slots
	for i, came := range slot {
		assert.LessOrEqual(t, came, 3*even+3, "in tenth %d of the waits: %v", i, slot)
	}
	eventually(t, func() error { return allConnected(platform, herd) })
	measured(t, "%d receivers lost at once came back over the waits of 2 to 6 s; in each tenth of them %v", herd, slot)
}

// waitsAfterDisconnect are the waits that receivers began when they lost a socket.
func waitsAfterDisconnect(t testing.TB, collector *process) (waits []time.Duration) {
	t.Helper()
	for line := range strings.Lines(collector.output.String()) {
		if found := nextAttempt.FindStringSubmatch(line); found != nil && strings.Contains(line, "Disconnected; reconnecting") {
			seconds, err := strconv.ParseFloat(found[1], 64)
			require.NoError(t, err)
			waits = append(waits, time.Duration(seconds*float64(time.Second)))
		}
	}
	return waits
}

// startHerd starts a collector with many receivers of one configuration.
func startHerd(t testing.TB, size int, receiver string) *process {
	t.Helper()
	var receivers, names strings.Builder
	for i := range size {
		fmt.Fprintf(&receivers, "  ccaas_ws/%d:\n%s\n", i, indent(receiver))
		fmt.Fprintf(&names, "ccaas_ws/%d, ", i)
	}
	config := filepath.Join(t.TempDir(), "config.yaml")
	require.NoError(t, os.WriteFile(config, []byte("receivers:\n"+receivers.String()+`
exporters: { debug: }
service:
  telemetry: { metrics: { level: none }, logs: { sampling: { enabled: false } } }
  pipelines: { logs/events: { receivers: [`+names.String()+`], exporters: [debug] } }
`), 0o600))
	return start(t, "otelcol-ccaas", nil, "--config", config)
}

// allConnected is an error unless a number of sockets is connected.
func allConnected(platform *sim.Server, sockets int) error {
	if connected := platform.Truth().Sockets.Connected; connected != int64(sockets) {
		return fmt.Errorf("%d of %d are connected", connected, sockets)
	}
	return nil
}

// A platform that answers 429 for long gets what it asks for: no request before
// its Retry-After, whatever step it refuses.
func TestFaultThrottleStorm(t *testing.T) {
	t.Parallel()
	refusals := amount(4, 60)
	storm := sim.Failure{Status: 429, Times: refusals, RetryAfter: time.Second}
	for name, test := range map[string]struct {
		of     string
		change func(*sim.Trouble)
	}{
		"token":        {"", func(trouble *sim.Trouble) { trouble.TokenFail = storm }},
		"upgrade":      {"", func(trouble *sim.Trouble) { trouble.UpgradeFail = storm }},
		"channel":      {"api: notifications\n", func(trouble *sim.Trouble) { trouble.ChannelFail = storm }},
		"subscription": {"api: notifications\n", func(trouble *sim.Trouble) { trouble.SubscriptionFail = storm }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			platform := lively(t, func(c *sim.Config) { test.change(&c.Trouble) })
			began := time.Now()
			w := watch(t, endpoint(platform)+test.of)
			w.connected(t)
			took := time.Since(began)
			assert.GreaterOrEqual(t, took, time.Duration(refusals)*time.Second, "no request is made before its time")
			assert.Equal(t, refusals, strings.Count(w.output.String(), "Cannot connect"), "one refusal, one attempt")
			measured(t, "%d answers of 429 with a Retry-After of 1 s, %d attempts, connected after %v", refusals, refusals+1, took.Round(100*time.Millisecond))
		})
	}
}
