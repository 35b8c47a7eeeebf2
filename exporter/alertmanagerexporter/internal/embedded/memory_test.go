// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package embedded

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-ccaas/otelcol-ccaas/internal/promalert"
)

// An active alert that was notified takes at most maxBytesPerAlert of heap, after a restart as well. The two maps of
// its labels and annotations are almost half of that. It does not run beside other tests, whose heap would count.
func TestEngine_BytesPerAlert(t *testing.T) {
	const maxBytesPerAlert, regions, series = 1900, 10, 1000
	initMatchers()
	directory := t.TempDir()
	for _, state := range []string{"put", "restored"} {
		synctest.Test(t, func(t *testing.T) {
			before := heapInUse()
			r := open(t, directory, func(o *Options) { o.MaxAlerts = regions * series })
			require.NoError(t, r.Apply(Source{Content: configuration}))
			for region := range regions {
				if state == "restored" {
					break
				}
				var all []promalert.Alert
				for i := range series {
					all = append(all, ofOutage(t, fmt.Sprintf("tenant%d", i), fmt.Sprintf("region%d", region)))
				}
				rejected, err := r.Put(t.Context(), all)
				require.NoError(t, err)
				require.Empty(t, rejected)
			}
			time.Sleep(10 * time.Second)
			r.take(t)
			require.Equal(t, regions*series, r.kept())
			perAlert := (heapInUse() - before) / (regions * series)
			t.Logf("%s: %d B per alert", state, perAlert)
			assert.LessOrEqual(t, perAlert, int64(maxBytesPerAlert), state)
		})
	}
}

func heapInUse() int64 {
	runtime.GC()
	runtime.GC() // what the first has left to finalizers
	var now runtime.MemStats
	runtime.ReadMemStats(&now)
	return int64(now.HeapAlloc) //nolint:gosec // it fits
}

// ofOutage is an alert as the connector emits it, whose texts are not shared with another.
func ofOutage(t *testing.T, tenant, region string) promalert.Alert {
	t.Helper()
	now := time.Now()
	one, err := promalert.New(tenant+region, map[string]any{
		"metric": strings.Clone("ws_connection_drop_rate"), "alert_type": strings.Clone("critical"), "status": "firing",
		"tenant_id": tenant, "region": strings.Clone(region), "channel_type": strings.Clone("webmessaging"),
		"window_start": now.Add(-12 * time.Second).UnixMilli(), "window_end": now.Add(-2 * time.Second).UnixMilli(), "value": 1.5, "threshold": 0.5,
		"context": strings.Clone("WebSocket gateway experiencing elevated drop rate. Immediate investigation required."),
		"traces":  []any{strings.Clone("5b8a1c0e9d3f4a62b7c81d2e3f405162")}, "fault_domain": strings.Clone("platform"),
	}, now, 24*time.Hour)
	require.NoError(t, err)
	return one
}
