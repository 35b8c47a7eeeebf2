// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	sim "github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim"
)

// smallPlatform is a platform of few conversations.
func smallPlatform(t *testing.T, change func(*sim.Config)) *sim.Server {
	t.Helper()
	return startPlatform(t, func(c *sim.Config) {
		c.Tenants, c.Regions, c.ChannelTypes = []string{"acme_corp"}, []string{"us-east-1"}, []string{"webmessaging"}
		c.Sessions, c.Lossy, c.SessionMessages, c.DropRate, c.Rate = 60, true, 2, 10, 40
		change(c)
	})
}

// lastWindow is the latest window of the only series.
func (s *windowSink) lastWindow() reportedWindow {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	for _, windows := range s.bySeries {
		return latest(windows)
	}
	return reportedWindow{}
}

// counts waits for messages that a collector counts from now on.
func counts(t *testing.T, p *process, sink *windowSink) {
	t.Helper()
	before := sink.lastWindow()
	within(t, 2*time.Minute, p, func() error {
		if now := sink.lastWindow(); now.end <= before.end || now.totals.Messages() <= before.totals.Messages() {
			return errors.New("no message is counted")
		}
		return nil
	})
}

// anyComplete reports whether a window that begins after a time is complete.
func (s *windowSink) anyComplete(after time.Time) bool {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	for _, windows := range s.bySeries {
		for _, w := range windows {
			if w.complete && w.start >= after.UnixMilli() {
				return true
			}
		}
	}
	return false
}

func completeAfter(t *testing.T, p *process, sink *windowSink, after time.Time) {
	t.Helper()
	within(t, 2*time.Minute, p, func() error {
		if !sink.anyComplete(after) {
			return errors.New("no complete window")
		}
		return nil
	})
}

// interrupt makes a gap, and returns a time in its middle.
func interrupt(t *testing.T, platform *sim.Server) time.Time {
	t.Helper()
	require.NoError(t, platform.Trouble(func(c *sim.Trouble) { c.UpgradeFail = sim.Failure{Status: http.StatusServiceUnavailable} }))
	platform.Reset()
	time.Sleep(2 * time.Second)
	middle := time.Now()
	time.Sleep(2 * time.Second)
	require.NoError(t, platform.Trouble(func(c *sim.Trouble) { c.UpgradeFail = sim.Failure{} }))
	return middle
}

// healedAt waits until the windows say that a gap is healed.
func healedAt(t *testing.T, p *process, sink *windowSink, middle time.Time) {
	t.Helper()
	within(t, 3*time.Minute, p, func() error {
		if last := sink.lastWindow(); !last.healedGap(middle) {
			return fmt.Errorf("the gap is not healed: %+v", last)
		}
		return nil
	})
}

// While a request of the platform's history fails, what it is for is unknown, and the windows
// say so; everything else goes on. It is made good when the request succeeds.
func TestHeal_RequestsThatFail(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		path         string
		start, heals bool // the state at start, and the gap, need it
	}{
		"who is open":           {"/activity/query", true, false},
		"details by id":         {"/conversations/details", true, true},
		"what happened between": {"/details/query", false, true},
		"counts":                {"/observations/query", false, false},
		"all":                   {"", true, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			failing := func(status int) func(*sim.Trouble) {
				return func(c *sim.Trouble) {
					c.AnalyticsFailPath, c.AnalyticsFail = test.path, sim.Failure{Status: status, RetryAfter: time.Second}
					if status == http.StatusInternalServerError {
						c.AnalyticsFail.RetryAfter = 0
					}
				}
			}
			works := func(c *sim.Trouble) { c.AnalyticsFail = sim.Failure{} }
			platform, sink := smallPlatform(t, func(c *sim.Config) {
				failing(http.StatusInternalServerError)(&c.Trouble)
				c.Duration = 100 * time.Second
			}), startWindowSink(t)
			collector := reconciling(t, platform, sink, t.TempDir(), quickly)
			counts(t, collector, sink)
			counts(t, collector, sink)
			if test.start {
				assert.False(t, sink.anyComplete(time.Time{}), "who is open is unknown")
				require.NoError(t, platform.Trouble(works))
			}
			of := watched(t, collector, platform, sink)

			require.NoError(t, platform.Trouble(failing(http.StatusTooManyRequests)))
			middle := interrupt(t, platform)
			after := time.Now().Add(2 * time.Second)
			completeAfter(t, collector, sink, after)
			counts(t, collector, sink)
			if test.heals {
				time.Sleep(time.Until(after.Add(6 * time.Second))) // longer than settle, twice
				assert.False(t, sink.lastWindow().healedGap(middle), "what happened in the gap is unknown")
				require.NoError(t, platform.Trouble(works))
			}
			healedAt(t, collector, sink, middle)
			if !test.heals {
				require.NoError(t, platform.Trouble(works))
			}
			<-platform.Done()
			within(t, 2*time.Minute, collector, func() error { return agrees(of, sink) })
			sink.mutex.Lock()
			assert.Empty(t, sink.contradictions)
			sink.mutex.Unlock()
			assert.NotContains(t, collector.output.String(), "The platform refuses a request", "it is not for an administrator to resolve")
			collector.stop(t)
		})
	}
}

// Without a permission what needs it is off, the log names it, and everything else goes on.
func TestHeal_MissingPermissions(t *testing.T) {
	t.Parallel()
	for permission, heals := range map[string]bool{"analytics:queueObservation:view": true, "analytics:conversationDetail:view": false} {
		t.Run(permission, func(t *testing.T) {
			t.Parallel()
			platform, sink := smallPlatform(t, func(c *sim.Config) {
				c.Trouble.MissingPermissions = []string{permission}
				c.Duration = 90 * time.Second
			}), startWindowSink(t)
			collector := reconciling(t, platform, sink, t.TempDir(), quickly)
			counts(t, collector, sink)
			of := watched(t, collector, platform, sink)
			middle := interrupt(t, platform)
			completeAfter(t, collector, sink, time.Now().Add(2*time.Second))
			if heals {
				healedAt(t, collector, sink, middle)
			}
			<-platform.Done()
			want := of.happened()
			within(t, time.Minute, collector, func() error {
				counted, _ := sink.sums()
				switch {
				case heals && (counted.opened != want.opened || counted.closed != want.closed || counted.dropped != want.dropped),
					!heals && (counted.opened > want.opened || counted.closed > want.closed || counted.opened == 0),
					!heals && (counted.opened == want.opened || counted.closed == want.closed): // those of the gap are unknown
					return fmt.Errorf("happened: %+v, counted: %+v", want, counted)
				}
				return nil
			})
			assert.Equal(t, heals, sink.lastWindow().healedGap(middle))
			for line := range strings.Lines(collector.output.String()) {
				if strings.Contains(line, "The platform refuses a request") {
					assert.Contains(t, line, permission)
				}
			}
			for function, off := range map[string]bool{
				"state at start": true, "reconciliation of counts": heals, "lookup of channels": !heals, "healing of gaps": !heals,
			} {
				lines := strings.Count(collector.output.String(), `"function": "`+function+`", "missing_permission"`)
				assert.Equal(t, map[bool]int{true: 1}[off], lines, function)
			}
			collector.stop(t)
		})
	}
}
