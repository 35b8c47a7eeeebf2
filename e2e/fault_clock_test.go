// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	sim "github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim"
)

// Windows of a second that do not overlap, so that they add up to what was sent.
const clockConfig = `
receivers:
  ccaas_ws:
    platform: genesys_cloud
    endpoint: %q
    tenant_id: acme_corp
    region: us-east-1
    oauth2: { client_id: collector, client_secret: secret }
processors:
  drift: { correct: %t, interval: 1s }
  ws_window: { size: 1s, overlap: 0s, allowed_lateness: 500ms, idle_timeout: 700ms, pass_through: false }
exporters:
  otlp_http: { logs_endpoint: %s/v1/logs, compression: none, sending_queue: { enabled: false } }
service:
  telemetry: { metrics: { level: none } }
  pipelines:
    logs/events: { receivers: [ccaas_ws], processors: [drift, ws_window], exporters: [otlp_http] }
`

var clockSeries = sim.Series{TenantID: "acme_corp", Region: "us-east-1", ChannelType: "webmessaging"}

// clockwork is a platform whose clock is the test's, and the windows of it.
type clockwork struct {
	t        *testing.T
	platform *sim.Server
	windows  *windowSink
	correct  bool
	sent     sim.Counts
	future   int64 // of those sent: too far ahead for any window
}

// maxFuture is the processor's default.
const maxFuture = 5 * time.Minute

func startClockwork(t *testing.T, correct bool) *clockwork {
	t.Helper()
	c := &clockwork{t: t, correct: correct, platform: startPlatform(t, func(c *sim.Config) { c.Silent = true }), windows: startWindowSink(t)}
	config := filepath.Join(t.TempDir(), "config.yaml")
	require.NoError(t, os.WriteFile(config, fmt.Appendf(nil, clockConfig, c.platform.URL(), correct, c.windows.url), 0o600))
	start(t, "otelcol-ccaas", nil, "--config", config)
	require.NoError(t, c.platform.WaitConnected(t.Context()))
	return c
}

// send sends messages that the platform says happened at these times.
func (c *clockwork) send(at ...time.Time) {
	c.t.Helper()
	frame := bytes.NewBufferString("[")
	for i, moment := range at {
		if i > 0 {
			frame.WriteByte(',')
		}
		fmt.Fprintf(frame, `{"type":"message.send","timestamp":%s,"channelId":"c-%d","channelType":%q,"payloadSize":10,"id":"%d"}`,
			strconv.FormatInt(moment.UnixNano(), 10), i%5, clockSeries.ChannelType, c.sent.MessagesSent)
		c.sent.MessagesSent++
		if time.Until(moment) > maxFuture {
			c.future++
		}
		c.sent.PayloadBytes += 10
	}
	frame.WriteByte(']')
	require.NoError(c.t, c.platform.Send(frame.Bytes()))
}

// live sends messages for a while, by a clock that is ahead of ours.
func (c *clockwork) live(during time.Duration, ahead func(since time.Duration) time.Duration) {
	c.t.Helper()
	began := time.Now()
	for time.Since(began) < during {
		now := time.Now()
		at := now.Add(ahead(now.Sub(began)))
		c.send(at, at, at)
		time.Sleep(20 * time.Millisecond)
	}
}

func by(ahead time.Duration) func(time.Duration) time.Duration {
	return func(time.Duration) time.Duration { return ahead }
}

// exact waits until the totals are what was sent. What is in no window is counted
// as late, or was too far ahead; where time is corrected, it may not be.
func (c *clockwork) exact() (late int64) {
	c.t.Helper()
	eventually(c.t, func() error {
		c.windows.mutex.Lock()
		defer c.windows.mutex.Unlock()
		var total sim.Counts
		var inWindows int64
		late = 0
		for _, w := range c.windows.bySeries[clockSeries] {
			if w.totals.MessagesSent > total.MessagesSent {
				total = simCounts(w.totals)
			}
			late = max(late, w.totals.LateEvents)
			inWindows += w.counts.MessagesSent
		}
		want := c.sent
		if total != want {
			return fmt.Errorf("the totals are %+v, sent were %+v", total, want)
		}
		if nowhere := want.MessagesSent - inWindows - late; nowhere != c.future && (!c.correct || nowhere < 0 || nowhere > c.future) {
			return fmt.Errorf("%d messages are in windows, %d are late and %d too far ahead, of %d", inWindows, late, c.future, want.MessagesSent)
		}
		return nil
	})
	assert.Empty(c.t, c.windows.contradictions, "each window is emitted once")
	return late
}

// The platform's clock steps, drifts, repeats the past and sends the future. The
// totals are what was sent, and what is in no window is counted.
func TestFaultClocks(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		correct bool
		run     func(*clockwork)
		late    bool // whether any may be
	}{
		{"steps", false, steps, true},
		{"steps, corrected", true, steps, true},
		{"drift", false, drifts, false},
		{"drift, corrected", true, drifts, false},
		{"replay", false, replay, false},
		{"replay within a live stream", false, replayLive, true},
		{"far future", false, future, true},
		{"edges of windows", false, edges, false},
		{"idle and return", false, pauses, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			c := startClockwork(t, test.correct)
			test.run(c)
			late := c.exact()
			if !test.late {
				assert.Zero(t, late)
			}
			measured(t, "%d messages, %d of them late and %d too far ahead, %d windows, totals exact", c.sent.MessagesSent, late, c.future, c.windows.reported)
		})
	}
}

// steps goes ahead and back by up to an hour. What is less than max_future ahead is
// in the totals once its window has ended.
func steps(c *clockwork) {
	for _, ahead := range []time.Duration{0, 10 * time.Second, -10 * time.Second, 0, time.Hour, -time.Hour, 0} {
		c.live(amount(time.Second, 10*time.Second), by(ahead))
	}
	for range amount(0, 60) {
		c.live(time.Second, by(time.Duration(rand.IntN(21)-10)*(maxFuture/10-time.Second)))
	}
	c.live(amount(3*time.Second, maxFuture), by(0))
}

// drifts runs fast and then slow, by 20 ms in a second.
func drifts(c *clockwork) {
	during := amount(4*time.Second, 2*time.Minute)
	c.live(during, func(since time.Duration) time.Duration { return since / 50 })
	c.live(during, func(since time.Duration) time.Duration { return (during - since) / 50 })
}

// replay is of the past, as fast as it can be sent, to a stream that has not had
// anything else.
func replay(c *clockwork) {
	past := amount(10*time.Minute, 24*time.Hour)
	begin := time.Now().Add(-past - time.Hour)
	for at := time.Duration(0); at < past; at += time.Second {
		c.send(begin.Add(at), begin.Add(at+300*time.Millisecond), begin.Add(at+600*time.Millisecond))
	}
}

// replayLive is of the past, in between.
func replayLive(c *clockwork) {
	for range amount(3, 30) {
		c.live(time.Second, by(0))
		begin := time.Now().Add(-24 * time.Hour)
		for i := range 1000 {
			c.send(begin.Add(time.Duration(i) * time.Minute))
		}
	}
	c.live(2*time.Second, by(0))
}

// future is of a time that windows wait for, or do not.
func future(c *clockwork) {
	for _, ahead := range []time.Duration{time.Second, 5*time.Minute + 10*time.Second, 24 * time.Hour, 200 * 365 * 24 * time.Hour} {
		c.live(time.Second, by(0))
		c.send(time.Now().Add(ahead))
	}
	c.send(time.Date(2262, 1, 1, 0, 0, 0, 0, time.UTC))
	c.live(3*time.Second, by(0))
}

// edges are the first and the last nanosecond of windows.
func edges(c *clockwork) {
	for range amount(4, 60) {
		window := time.Now().Truncate(time.Second)
		time.Sleep(time.Until(window.Add(time.Second)))
		c.send(window, window.Add(time.Second-time.Nanosecond))
	}
	c.exact()
	c.windows.mutex.Lock()
	defer c.windows.mutex.Unlock()
	for _, w := range c.windows.bySeries[clockSeries] {
		assert.Contains(c.t, []int64{0, 2}, w.counts.MessagesSent, "an event at an edge is in one window, and in the right one: %+v", w)
	}
}

// pauses are shorter and longer than what makes a stream idle.
func pauses(c *clockwork) {
	for range amount(4, 40) {
		c.live(300*time.Millisecond, by(0))
		time.Sleep(time.Duration(rand.Int64N(int64(amount(2*time.Second, 6*time.Second)))))
	}
	c.live(time.Second, by(0))
}
