// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	sim "github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim"
)

// The quick start is killed at random moments under load, every second time within
// the first second of its recovery. No counter runs backwards, what the complete windows
// say is exact, what is missing is missing in windows that say so, nothing that the
// store has shown is ever gone, and alerts have one id each.
func TestFaultStateKilledAtRandomMoments(t *testing.T) {
	t.Parallel()
	kills := amount(8, 200)
	record := filepath.Join(t.TempDir(), "truth.jsonl")
	platform := startPlatform(t, func(c *sim.Config) {
		c.Rate, c.Sessions, c.Announce, c.Record = 300, 200, true, record
		c.ChannelTypes = []string{"webmessaging"}
		c.Trouble.BurstEvery, c.Trouble.BurstDuration, c.Trouble.BurstDropRate = 5*time.Second, 3*time.Second, 60
		c.Trouble.BurstRegion = "eu-west-1"
	})
	q := startFaultQuickstart(t, platform, "kill.yaml")
	var printed strings.Builder
	shown := chronicle{}
	for i := range kills {
		if i%2 == 0 { // under load
			q.connected(t)
			time.Sleep(time.Duration(500+rand.IntN(3500)) * time.Millisecond)
			shown.add(q.chronicle(t, "ws_messages_sent_total", "10s"))
			time.Sleep(time.Duration(rand.IntN(100)) * time.Millisecond)
		} else { // while it recovers
			time.Sleep(time.Duration(rand.IntN(1000)) * time.Millisecond)
		}
		q.kill(t)
		printed.WriteString(q.output.String())
		q.restart(t)
	}
	q.connected(t)
	time.Sleep(3 * time.Second)
	require.NoError(t, platform.Trouble(func(trouble *sim.Trouble) { trouble.Silence = true }))
	silent := time.Now()
	reported := storyOf(t, record)
	eventually(t, func() error { return q.past(t, silent, len(reported)) })
	printed.WriteString(q.output.String())

	outcome := q.compare(t, reported)
	q.compareRates(t)
	assert.Empty(t, shown.missingIn(q.chronicle(t, "ws_messages_sent_total", "2h")), "samples that the store has shown")
	alerts := q.compareAlerts(t, platform)
	for line := range strings.Lines(printed.String()) {
		assert.NotContains(t, line, "\terror\t")
		assert.NotContains(t, line, "damaged")
	}
	assert.GreaterOrEqual(t, strings.Count(printed.String(), "Resumed from saved state"), kills/4)
	measured(t, "%d kills, %s; %s", kills, outcome, alerts)
}

// past is an error until all series have windows that end after a moment.
func (q faultQuickstart) past(t testing.TB, moment time.Time, series int) error {
	t.Helper()
	samples, err := q.store.query("timestamp(ws_messages_sent_total)")
	if err != nil {
		return err
	}
	if len(samples) != series {
		return fmt.Errorf("there are %d series, want %d", len(samples), series)
	}
	var errs []error
	for _, s := range samples {
		if behind := moment.Sub(time.UnixMilli(int64(s.value * 1000))); behind > 0 {
			errs = append(errs, fmt.Errorf("the last window of %v ended %v before", s.labels, behind))
		}
	}
	return errors.Join(errs...)
}
