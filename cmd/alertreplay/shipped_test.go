// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
)

// The rules of config/alerting.yaml, on a day of ordinary windows and then each trouble in turn: what fires is the rule on it.
func TestShippedRules(t *testing.T) {
	t.Parallel()
	const ordinary = 26 * 60 // windows of a minute
	for name, trouble := range map[string]struct {
		change  func(w *wsevent.Window, n int64) // n: of the windows in trouble, from 1
		windows int64
		want    string // "" : none
	}{
		"nothing":                 {func(*wsevent.Window, int64) {}, 60, ""},
		"twice the messages":      {func(w *wsevent.Window, _ int64) { w.Counts.MessagesSent *= 2 }, 25, "ws_throughput_high"},
		"a short peak":            {func(w *wsevent.Window, _ int64) { w.Counts.MessagesSent *= 2 }, 19, ""},
		"a third of the messages": {func(w *wsevent.Window, _ int64) { w.Counts.MessagesSent /= 3 }, 25, "ws_throughput_low"},
		"violations": {func(w *wsevent.Window, n int64) {
			w.Counts.ProtocolViolations, w.Totals.ProtocolViolations = 3, 3*n
		}, 3, "ws_protocol_violations"},
		"backpressure": {func(w *wsevent.Window, n int64) {
			w.Counts.BackpressureEvents, w.Totals.BackpressureEvents = 1, n
		}, 3, "ws_backpressure"},
		"one gap":   {func(w *wsevent.Window, _ int64) { w.Complete = false }, 2, ""},
		"many gaps": {func(w *wsevent.Window, _ int64) { w.Complete = false }, 6, "ws_stream_incomplete"},
		"drops":     {func(w *wsevent.Window, _ int64) { w.Counts.ConnectionsDropped, w.Counts.ConnectionsClosed = 1, 1 }, 3, "ws_connection_drop_rate"},
		"crowd":     {func(w *wsevent.Window, _ int64) { w.ActiveConnections = 130 }, 1, "ws_active_connections_high"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var lines strings.Builder
			for i := range ordinary + trouble.windows {
				w := window(i, 0)
				w.Since, w.Start, w.End = midnight, midnight+(i-1)*60_000, midnight+i*60_000
				if i >= ordinary {
					trouble.change(&w, i-ordinary+1)
				}
				lines.WriteString(bareBody(t, w) + "\n")
			}
			var out, errs bytes.Buffer
			require.NoError(t, run(t.Context(), []string{"--config", filepath.Join("..", "..", "config", "alerting.yaml")}, strings.NewReader(lines.String()), &out, &errs), errs.String())
			var fired []string
			for line := range strings.Lines(out.String()) {
				if fields := strings.Fields(line); len(fields) > 2 && fields[1] == "firing" {
					fired = append(fired, fields[2])
				}
			}
			if trouble.want == "" {
				assert.Empty(t, fired)
				return
			}
			assert.Equal(t, []string{trouble.want}, fired)
		})
	}
}
