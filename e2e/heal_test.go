// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	sim "github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim"
)

// quickly are settings of a receiver that does not wait for long.
const quickly = `
    limits: { requests_per_minute: 6000, dials_per_minute: 6000 }
    initial_state: { enabled: true, settle: 2s, reconcile_interval: 2s }`

// asShipped are the defaults.
const asShipped = `
    initial_state: { enabled: true }`

// reconciling starts a collector that asks a platform for its open channels, and sends its
// windows to a sink. Its state is in a directory.
func reconciling(t *testing.T, platform *sim.Server, sink *windowSink, directory, settings string) *process {
	t.Helper()
	config := filepath.Join(t.TempDir(), "config.yaml")
	require.NoError(t, os.WriteFile(config, []byte(`
extensions:
  file_storage: { directory: `+strconv.Quote(directory)+` }
receivers:
  ccaas_ws:
    api: notifications
    endpoint: `+platform.URL()+`
    tenant_id: acme_corp
    region: us-east-1
    oauth2: { client_id: collector, client_secret: `+hushed+` }
    reconnect: { initial_interval: 20ms, max_interval: 200ms }
    storage: file_storage`+settings+`
processors:
  ws_window: { size: 2s, overlap: 0s, allowed_lateness: 500ms, idle_timeout: 1s, storage: file_storage, checkpoint_interval: 1s, pass_through: false }
exporters:
  otlp_http: { endpoint: `+sink.url+`, compression: none, tls: { insecure: true } }
service:
  extensions: [file_storage]
  telemetry: { metrics: { level: none } }
  pipelines:
    logs/events: { receivers: [ccaas_ws], processors: [ws_window], exporters: [otlp_http] }
`), 0o600))
	return start(t, "otelcol-ccaas", nil, "--config", config)
}

// connectionSums are the open connections and the totals, of all series.
type connectionSums struct{ active, opened, closed, dropped int64 }

// sums adds up the latest windows of the series, and returns the first one of each that is
// complete.
func (s *windowSink) sums() (now connectionSums, firstComplete map[sim.Series]reportedWindow) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	firstComplete = map[sim.Series]reportedWindow{}
	for series, windows := range s.bySeries {
		for _, w := range windows {
			if first, known := firstComplete[series]; w.complete && (!known || w.start < first.start) {
				firstComplete[series] = w
			}
		}
		last := latest(windows)
		now.active += last.active
		now.opened += last.totals.ConnectionsOpened
		now.closed += last.totals.ConnectionsClosed
		now.dropped += last.totals.ConnectionsDropped
	}
	return now, firstComplete
}

// watchedPlatform is a platform, and what happened there before the collector's first connection.
type watchedPlatform struct {
	*sim.Server
	before connectionSums
}

// happened are the open connections, and the totals since the first connection, whatever was
// sent of them.
func (p *watchedPlatform) happened() (all connectionSums) {
	of := p.Truth().APIs["notifications"]
	for _, counts := range [][]sim.SeriesCounts{of.Series, of.Missed.Series, of.Unsure.Series, of.Unsubscribed.Series} {
		all.add(counts)
	}
	all.opened -= p.before.opened
	all.closed -= p.before.closed
	all.dropped -= p.before.dropped
	all.active = openAt(p.Server)
	return all
}

func (c *connectionSums) add(counts []sim.SeriesCounts) {
	for i := range counts {
		c.opened += counts[i].ConnectionsOpened
		c.closed += counts[i].ConnectionsClosed
		c.dropped += counts[i].ConnectionsDropped
	}
}

// openAt is the number of participants that are connected: two of each conversation.
func openAt(platform *sim.Server) (open int64) {
	truth := platform.Truth()
	for i := range truth.Series {
		open += 2 * truth.Series[i].Open
	}
	return open
}

// agrees compares the sums with what has happened at the platform.
func agrees(platform *watchedPlatform, sink *windowSink) error {
	counted, _ := sink.sums()
	if want := platform.happened(); counted != want {
		return fmt.Errorf("happened: %+v, counted: %+v", want, counted)
	}
	return nil
}

// within waits for a check to succeed, for longer than eventually does.
func within(t *testing.T, limit time.Duration, p *process, check func() error) {
	t.Helper()
	var err error
	for end := time.Now().Add(limit); time.Now().Before(end); time.Sleep(200 * time.Millisecond) {
		if err = check(); err == nil {
			return
		}
	}
	require.NoError(t, err, p.output.String())
}

// gapLength is that of the gap of the tests below, in which 2,000 conversations begin and
// 2,000 end.
func gapLength() time.Duration { return amount(15*time.Second, 10*time.Minute) }

// busyPlatform is a platform for these tests. Its traffic ends after the gap.
func busyPlatform(t *testing.T) *sim.Server {
	t.Helper()
	return startPlatform(t, func(c *sim.Config) {
		c.Tenants, c.Regions, c.ChannelTypes = []string{"acme_corp"}, []string{"us-east-1"}, []string{"webmessaging"}
		c.Sessions, c.Lossy, c.SessionMessages, c.DropRate = 300, true, 0.5, 10
		c.Rate = 5_600 / gapLength().Seconds() // 2 of 2.5 events are an open or a close
		c.Duration = 40*time.Second + gapLength() + amount(0, time.Minute)
	})
}

// watched waits until a collector has a complete window and has counted opens.
func watched(t *testing.T, p *process, platform *sim.Server, sink *windowSink) *watchedPlatform {
	t.Helper()
	within(t, 2*time.Minute, p, func() error {
		if now, complete := sink.sums(); len(complete) == 0 || now.opened < 20 {
			return errors.New("no complete window, or nothing counted yet")
		}
		return nil
	})
	watched := &watchedPlatform{Server: platform}
	missed := platform.Truth().APIs["notifications"]
	watched.before.add(missed.Missed.Series)
	watched.before.add(missed.Unsubscribed.Series)
	return watched
}

// healedExactly waits until the sums are those of the platform, and checks that no window
// has changed, and that those of the gap are incomplete, and say that it is healed.
func healedExactly(t *testing.T, p *process, platform *watchedPlatform, sink *windowSink, from, to time.Time, settle time.Duration, before connectionSums) {
	t.Helper()
	missed := platform.happened()
	t.Logf("in the gap of %s: %d opens and %d closes of participants", to.Sub(from).Round(time.Second), missed.opened-before.opened, missed.closed-before.closed)
	assert.GreaterOrEqual(t, missed.opened-before.opened, int64(2*2_000), "each conversation has two participants")
	assert.GreaterOrEqual(t, missed.closed-before.closed, int64(2*2_000))
	<-platform.Done()
	within(t, 5*time.Minute, p, func() error { return agrees(platform, sink) })
	measured(t, "%d opens and %d closes in a gap of %s: exact %s after it, of which %s are settle", missed.opened-before.opened,
		missed.closed-before.closed, to.Sub(from).Round(time.Second), time.Since(to).Round(time.Second), settle)
	within(t, 5*time.Minute, p, func() error {
		sink.mutex.Lock()
		defer sink.mutex.Unlock()
		for _, windows := range sink.bySeries {
			if last := latest(windows); !last.healedGap(from.Add(to.Sub(from) / 2)) {
				return fmt.Errorf("the windows do not say that the gap is healed: %+v", last)
			}
		}
		return nil
	})
	// Nothing is counted once more by the last questions for the rest.
	time.Sleep(2 * time.Second)
	require.NoError(t, agrees(platform, sink))
	sink.mutex.Lock()
	defer sink.mutex.Unlock()
	assert.Empty(t, sink.contradictions, "no window changes")
	for series, windows := range sink.bySeries {
		for _, w := range windows {
			if w.start < to.UnixMilli() && w.end > from.UnixMilli() {
				assert.Falsef(t, w.complete, "%v: its messages are unknown: %+v", series, w)
			}
		}
	}
}

func healSettings() (settings string, settle time.Duration) {
	if thorough() {
		return asShipped, time.Minute
	}
	return quickly, 2 * time.Second
}

// A gap: what began and ended in it is in the totals, what is open is active, and no window
// that was emitted has changed.
func TestFaultHeal_Gap(t *testing.T) {
	t.Parallel()
	platform, sink := busyPlatform(t), startWindowSink(t)
	settings, settle := healSettings()
	collector := reconciling(t, platform, sink, t.TempDir(), settings)
	of := watched(t, collector, platform, sink)
	before, from := of.happened(), time.Now()
	require.NoError(t, platform.Trouble(func(c *sim.Trouble) { c.UpgradeFail = sim.Failure{Status: 503} }))
	platform.Reset()
	time.Sleep(gapLength())
	require.NoError(t, platform.Trouble(func(c *sim.Trouble) { c.UpgradeFail = sim.Failure{} }))
	healedExactly(t, collector, of, sink, from, time.Now(), settle, before)
	collector.stop(t)
}

// The same, where the gap is between a kill of the collector and its next start.
func TestFaultHeal_Kill(t *testing.T) {
	t.Parallel()
	platform, sink := busyPlatform(t), startWindowSink(t)
	settings, settle := healSettings()
	directory := t.TempDir()
	collector := reconciling(t, platform, sink, directory, settings)
	began := time.Now()
	of := watched(t, collector, platform, sink)
	time.Sleep(time.Until(began.Add(14 * time.Second))) // the state is saved every 10 s
	collector.kill(t)
	before, from := of.happened(), time.Now()
	time.Sleep(gapLength())
	collector = reconciling(t, platform, sink, directory, settings)
	healedExactly(t, collector, of, sink, from, time.Now(), settle, before)
	assert.Contains(t, collector.output.String(), "State restored")
	collector.stop(t)
}
