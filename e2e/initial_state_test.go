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

// reconciling starts a collector that asks a platform for its open channels, and sends its
// windows to a sink. Its state is in a directory.
func reconciling(t *testing.T, platform *sim.Server, sink *windowSink, directory string) *process {
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
    limits: { requests_per_minute: 6000, dials_per_minute: 6000 }
    reconnect: { initial_interval: 20ms, max_interval: 200ms }
    initial_state: { enabled: true, settle: 2s, reconcile_interval: 2s }
    storage: file_storage
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

// latest sums up the latest windows of the series, and the first one that is complete.
func (s *windowSink) latest() (active, opened, closed int64, firstComplete map[sim.Series]reportedWindow) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	firstComplete = map[sim.Series]reportedWindow{}
	for series, windows := range s.bySeries {
		var last reportedWindow
		for _, w := range windows {
			if w.start >= last.start {
				last = w
			}
			if first, known := firstComplete[series]; w.complete && (!known || w.start < first.start) {
				firstComplete[series] = w
			}
		}
		active += last.active
		opened += last.totals.ConnectionsOpened
		closed += last.totals.ConnectionsClosed
	}
	return active, opened, closed, firstComplete
}

// A collector that starts in the middle of 5,000 open conversations: the first complete
// window has exactly the open ones, and none of them as opened.
func TestInitialState_FirstCompleteWindowHasTheOpenOnes(t *testing.T) {
	t.Parallel()
	const conversations = 5_000
	platform := startPlatform(t, func(c *sim.Config) {
		c.Tenants, c.Regions, c.ChannelTypes = []string{"acme_corp"}, []string{"us-east-1"}, []string{"webmessaging", "voice"}
		c.Sessions, c.Silent = conversations, true
	})
	sink := startWindowSink(t)
	collector := reconciling(t, platform, sink, t.TempDir())
	deadline := time.Now().Add(3 * time.Minute)
	for {
		active, opened, _, complete := sink.latest()
		if len(complete) == 2 {
			first := int64(0)
			for _, w := range complete {
				first += w.active
			}
			assert.Equal(t, int64(2*conversations), first, "two participants of each")
			assert.Equal(t, int64(2*conversations), active)
			assert.Zero(t, opened)
			break
		}
		require.True(t, time.Now().Before(deadline), "no complete window; %d active\n%s", active, collector.output.String())
		time.Sleep(200 * time.Millisecond)
	}
}

// agrees compares active, opened and closed connections with what the platform knows.
func agrees(platform *sim.Server, sink *windowSink) error {
	truth := platform.Truth()
	of := truth.APIs["notifications"]
	var opened, closed int64
	for _, counts := range [][]sim.SeriesCounts{of.Series, of.Missed.Series, of.Unsure.Series, of.Unsubscribed.Series} {
		for i := range counts {
			opened += counts[i].ConnectionsOpened
			closed += counts[i].ConnectionsClosed
		}
	}
	open := openAt(platform)
	active, gotOpened, gotClosed, _ := sink.latest()
	if active != open || gotOpened != opened || gotClosed != closed {
		return fmt.Errorf("active %d of %d, opened %d of %d, closed %d of %d", active, open, gotOpened, opened, gotClosed, closed)
	}
	return nil
}

// openAt is the number of participants that are connected: two of each conversation.
func openAt(platform *sim.Server) (open int64) {
	truth := platform.Truth()
	for i := range truth.Series {
		open += 2 * truth.Series[i].Open
	}
	return open
}

// A gap: what began and ended in it is in the totals, what
// is open is active, and no window that was emitted has changed.
func TestHeal_GapOfAPlatform(t *testing.T) {
	t.Parallel()
	platform := startPlatform(t, func(c *sim.Config) {
		c.Tenants, c.Regions, c.ChannelTypes = []string{"acme_corp"}, []string{"us-east-1"}, []string{"webmessaging"}
		c.Sessions, c.Lossy, c.Rate, c.SessionMessages, c.Duration = 300, true, 120, 4, 70*time.Second
	})
	sink := startWindowSink(t)
	directory := t.TempDir()
	collector := reconciling(t, platform, sink, directory)
	eventually(t, func() error {
		if _, _, _, complete := sink.latest(); len(complete) == 0 {
			return errors.New("no complete window yet")
		}
		return nil
	})
	require.NoError(t, platform.Trouble(func(c *sim.Trouble) { c.UpgradeFail = sim.Failure{Status: 503} }))
	platform.Reset()
	time.Sleep(8 * time.Second)
	require.NoError(t, platform.Trouble(func(c *sim.Trouble) { c.UpgradeFail = sim.Failure{} }))
	<-platform.Done()
	eventually(t, func() error { return agrees(platform, sink) })
	sink.mutex.Lock()
	contradictions := sink.contradictions
	sink.mutex.Unlock()
	assert.Empty(t, contradictions, "no window changes")
	collector.stop(t)
}

// A collector that is killed during open conversations, and starts again after others have
// begun and ended: the totals and the active connections are exact, and no window that was
// emitted has changed.
func TestHeal_RestartAfterKill(t *testing.T) {
	t.Parallel()
	platform := startPlatform(t, func(c *sim.Config) {
		c.Tenants, c.Regions, c.ChannelTypes = []string{"acme_corp"}, []string{"us-east-1"}, []string{"webmessaging"}
		c.Sessions, c.Lossy, c.Rate, c.SessionMessages, c.Duration = 300, true, 120, 4, 60*time.Second
	})
	sink := startWindowSink(t)
	directory := t.TempDir()
	collector := reconciling(t, platform, sink, directory)
	started := time.Now()
	eventually(t, func() error {
		if _, opened, _, complete := sink.latest(); len(complete) == 0 || opened == 0 || time.Since(started) < 14*time.Second {
			return errors.New("no complete window, or no saved state yet")
		}
		return nil
	})
	collector.kill(t)
	time.Sleep(6 * time.Second)
	collector = reconciling(t, platform, sink, directory)
	<-platform.Done()
	eventually(t, func() error { return agrees(platform, sink) })
	assert.Contains(t, collector.output.String(), "State restored")
	sink.mutex.Lock()
	contradictions := sink.contradictions
	sink.mutex.Unlock()
	assert.Empty(t, contradictions, "no window changes")
	collector.stop(t)
}

// A platform that loses events without a gap: conversations that ended meanwhile stay open
// here, and those that began are missing, until the comparison with its counts finds both.
func TestReconcile_LostEvents(t *testing.T) {
	t.Parallel()
	platform := startPlatform(t, func(c *sim.Config) {
		c.Tenants, c.Regions, c.ChannelTypes = []string{"acme_corp"}, []string{"us-east-1"}, []string{"webmessaging"}
		c.Sessions, c.Lossy, c.Rate, c.SessionMessages, c.Duration = 300, true, 120, 4, 25*time.Second
	})
	sink := startWindowSink(t)
	collector := reconciling(t, platform, sink, t.TempDir())
	eventually(t, func() error {
		if _, opened, _, complete := sink.latest(); len(complete) == 0 || opened == 0 {
			return errors.New("no complete window yet")
		}
		return nil
	})
	require.NoError(t, platform.Trouble(func(c *sim.Trouble) { c.Silence = true })) // shorter than a missing heartbeat
	<-platform.Done()
	require.NoError(t, platform.Trouble(func(c *sim.Trouble) { c.Silence = false }))
	missed := platform.Truth().APIs["notifications"].Missed.Series
	var opened, closed int64
	for i := range missed {
		opened += missed[i].ConnectionsOpened
		closed += missed[i].ConnectionsClosed
	}
	require.Positive(t, opened, "conversations began in the silence")
	require.Positive(t, closed, "conversations ended in the silence")
	eventually(t, func() error {
		if active, _, _, _ := sink.latest(); active != openAt(platform) {
			return fmt.Errorf("active %d of %d", active, openAt(platform))
		}
		return nil
	})
	assert.Contains(t, collector.output.String(), "Differences to the platform's counts resolved")
	collector.stop(t)
}

// A platform that lists only some of its open conversations: the log says how many are
// missing, and windows are incomplete until the numbers agree.
func TestInitialState_Truncated(t *testing.T) {
	t.Parallel()
	const conversations, listed = 400, 100
	platform := startPlatform(t, func(c *sim.Config) {
		c.Tenants, c.Regions, c.ChannelTypes = []string{"acme_corp"}, []string{"us-east-1"}, []string{"webmessaging"}
		c.Sessions, c.Silent, c.Queues = conversations, true, 1
		c.Trouble.AnalyticsTruncate = listed
	})
	sink := startWindowSink(t)
	collector := reconciling(t, platform, sink, t.TempDir())
	eventually(t, func() error {
		if active, _, _, _ := sink.latest(); active != 2*listed {
			return fmt.Errorf("active %d of %d that are listed", active, 2*listed)
		}
		return nil
	})
	assert.Contains(t, collector.output.String(), strconv.Itoa(conversations-listed), "how many are missing")
	_, _, _, complete := sink.latest()
	assert.Empty(t, complete, "the numbers do not agree")
	require.NoError(t, platform.Trouble(func(c *sim.Trouble) { c.AnalyticsTruncate = 0 }))
	eventually(t, func() error {
		if _, _, _, complete := sink.latest(); len(complete) == 0 {
			return errors.New("no complete window yet")
		}
		return nil
	})
	_, opened, _, complete := sink.latest()
	for _, first := range complete {
		assert.Equal(t, int64(2*conversations), first.active)
	}
	assert.Zero(t, opened)
	collector.stop(t)
}
