// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	sim "github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim"
)

const (
	ratedEvents = 2_000 // a second, of one collector
	loadTenants = 10_000
	loadSeries  = 2_000 // max_series in load.yaml
	// Every session opens, closes, and has this many messages.
	loadMessages = 2
)

// Twice the rated events for half an hour, in which a million channels and ten
// thousand tenants come by: memory, goroutines and files stay as they are, series are
// at their bound, and what was counted is what the platform sent.
func TestFaultLoadOfTwiceTheRatedEvents(t *testing.T) {
	t.Parallel()
	length := amount(20*time.Second, 30*time.Minute)
	platform := startPlatform(t, func(c *sim.Config) {
		c.Rate, c.Duration = 2*ratedEvents, length
		c.TenantCount, c.Regions, c.ChannelTypes = loadTenants, []string{"us-east-1"}, []string{"webmessaging"}
		c.Announce, c.SessionMessages = true, loadMessages
		c.Sessions = amount(10_000, 100_000)
	})
	q := startFaultQuickstart(t, platform, "load.yaml", "GODEBUG=gctrace=1")
	g := startGauge(t, q)
	q.connected(t)
	before, begin := q.cpu(t), time.Now()
	g.until(t, platform.Done(), length/300)
	used := q.cpu(t) - before
	wall := time.Since(begin)
	truth := platform.Truth()

	eventually(t, func() error { return q.disagreementWithOverflow(truth) })
	resets, err := q.store.query(`sum(resets(ws_messages_sent_total[1h]))`)
	require.NoError(t, err)
	require.Len(t, resets, 1)
	assert.Zero(t, resets[0].value, "counters ran backwards")
	assert.Zero(t, truth.Sockets.Left, "the collector left its socket")
	assert.NotContains(t, q.output.String(), "Downstream refuses events")
	if thorough() {
		assert.GreaterOrEqual(t, truth.Total.ConnectionsOpened, int64(1_000_000), "distinct channels")
		g.noGrowth(t)
	}
	measured(t, "%d events in %s (%.0f a second), %d channels, %d tenants, %d series and the overflow; CPU %.0f %% of a core, %.1f µs an event; %s; %d totals exact",
		truth.Events, wall.Round(time.Second), float64(truth.Events)/wall.Seconds(), truth.Total.ConnectionsOpened, len(truth.Series), loadSeries,
		100*used.Seconds()/wall.Seconds(), float64(used.Microseconds())/float64(truth.Events), g, len(counters)*(loadSeries+1))
}

// disagreementWithOverflow says where the store has other totals than the platform,
// where tenants beyond the bound share one series.
func (q faultQuickstart) disagreementWithOverflow(truth sim.Truth) error {
	sent := map[string]sim.Counts{}
	for _, series := range truth.Series {
		sent[series.TenantID] = series.Counts
	}
	var errs []error
	for name, of := range counters {
		samples, err := q.store.query(fmt.Sprintf(`last_over_time(%s[1h])`, name))
		if err != nil {
			return err
		}
		if len(samples) != loadSeries+1 {
			errs = append(errs, fmt.Errorf("%s has %d series, want %d and the overflow", name, len(samples), loadSeries))
		}
		rest, overflow := of(truth.Total), int64(-1)
		for _, s := range samples {
			if s.labels["otel_metric_overflow"] == "true" {
				overflow = int64(s.value)
				continue
			}
			want := of(sent[s.labels["tenant_id"]])
			rest -= want
			if int64(s.value) != want {
				errs = append(errs, fmt.Errorf("%s of %s is %.0f, the platform sent %d", name, s.labels["tenant_id"], s.value, want))
			}
		}
		if overflow != rest {
			errs = append(errs, fmt.Errorf("%s of the overflow is %d, the platform sent %d", name, overflow, rest))
		}
	}
	return errors.Join(errs[:min(len(errs), 5)]...)
}
