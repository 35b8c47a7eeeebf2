// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	sim "github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim"
)

// countedWindow is what a total rose by between the ends of two windows.
type countedWindow struct {
	start, end int64
	count      int64
	complete   bool // no window is missing between the two
}

func windowsOf(totals map[int64]float64) (windows []countedWindow) {
	before, total := int64(0), 0.0
	for _, end := range slices.Sorted(maps.Keys(totals)) {
		w := countedWindow{start: before, end: end, count: int64(totals[end] - total)}
		if before == 0 {
			w.start = end - second
		}
		w.complete = w.end-w.start == second
		windows = append(windows, w)
		before, total = end, totals[end]
	}
	return windows
}

// compareAlerts holds the alerts that were delivered against those that the store
// draws: whenever ws_alert_firing is 1 for a series, the latest of its alerts is a
// firing one.
func (q faultQuickstart) compareAlerts(t testing.TB, platform *sim.Server) string {
	t.Helper()
	received, webhooks := platform.Webhooks()
	require.Len(t, webhooks, int(received), "the simulator has kept them all")
	delivered := map[string]map[int64]alert{} // by rule and series, and end of the window
	ids := map[string]map[string]bool{}
	for _, webhook := range webhooks {
		var a alert
		require.NoError(t, json.Unmarshal([]byte(webhook.Body), &a), webhook.Body)
		key := a.Metric + "/" + a.TenantID + "/" + a.Region
		if delivered[key] == nil {
			delivered[key] = map[int64]alert{}
		}
		if before, again := delivered[key][a.WindowEnd]; again {
			assert.Equal(t, before, a, "what is delivered twice is the same")
		}
		delivered[key][a.WindowEnd] = a
		if ids[a.AlertID] == nil {
			ids[a.AlertID] = map[string]bool{}
		}
		ids[a.AlertID][key] = true
	}
	for id, keys := range ids {
		assert.Lenf(t, keys, 1, "%s is the id of one series", id)
	}
	for key, alerts := range delivered {
		open := ""
		for _, end := range slices.Sorted(maps.Keys(alerts)) {
			a := alerts[end]
			if a.Status == "firing" {
				assert.Emptyf(t, open, "%s fires again at %d before it was resolved", key, end)
				open = a.AlertID
				continue
			}
			assert.Equalf(t, open, a.AlertID, "%s is resolved at %d under the id that it fired with", key, end)
			open = ""
		}
	}
	drawn := 0
	for _, s := range q.samples(t, "ws_alert_firing", "2h") {
		key := s.labels["rule"] + "/" + s.labels["tenant_id"] + "/" + s.labels["region"]
		fires := latestAlert(delivered[key], s.at).Status == "firing"
		assert.Equalf(t, fires, s.value == 1, "%s at %d: delivered, and drawn", key, s.at)
		drawn++
	}
	return fmt.Sprintf("%d alerts under %d ids, %d deliveries, agree with %d samples of what fired", alertsIn(delivered), len(ids), received, drawn)
}

func alertsIn(delivered map[string]map[int64]alert) (n int) {
	for _, alerts := range delivered {
		n += len(alerts)
	}
	return n
}

// latestAlert is the latest alert up to a moment.
func latestAlert(alerts map[int64]alert, at int64) (latest alert) {
	for end, a := range alerts {
		if end <= at && end > latest.WindowEnd {
			latest = a
		}
	}
	return latest
}
