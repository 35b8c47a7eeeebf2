// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
)

// A day of ordinary windows, then an hour for each trouble, which lasts for some windows in the middle of it: what fires is the
// rule of config/alerting.yaml on that trouble, once.
func TestShippedRules(t *testing.T) {
	t.Parallel()
	const (
		hour     = 400 // windows of 9 s
		ordinary = 27  // hours: min_history, the two of a campaign that are not learned from, and one more
	)
	troubles := []struct {
		name    string
		windows int64
		change  func(w *wsevent.Window, n int64) // n: of the windows in trouble, from 1
		want    []string
	}{
		{"none", 50, func(*wsevent.Window, int64) {}, nil},
		{"twice the messages", 22, func(w *wsevent.Window, _ int64) { w.Counts.MessagesSent *= 2 }, []string{"ws_throughput_high"}},
		{"a short peak", 19, func(w *wsevent.Window, _ int64) { w.Counts.MessagesSent *= 2 }, nil},
		{"a third of the messages", 30, func(w *wsevent.Window, _ int64) { w.Counts.MessagesSent /= 3 }, []string{"ws_throughput_low"}},
		{"twice the bytes", 22, func(w *wsevent.Window, _ int64) { w.Counts.PayloadBytes *= 2 }, []string{"ws_payload_throughput_high"}},
		{"a third of the bytes", 30, func(w *wsevent.Window, _ int64) { w.Counts.PayloadBytes /= 3 }, []string{"ws_payload_throughput_low"}},
		{"violations", 3, func(w *wsevent.Window, n int64) {
			w.Counts.ProtocolViolations, w.Totals.ProtocolViolations = 3, 3*n
		}, []string{"ws_protocol_violations"}},
		{"backpressure", 3, func(w *wsevent.Window, n int64) {
			w.Counts.BackpressureEvents, w.Totals.BackpressureEvents = 1, n
		}, []string{"ws_backpressure"}},
		{"a gap", 2, func(w *wsevent.Window, _ int64) { w.Complete = false }, nil},
		{"many gaps", 6, func(w *wsevent.Window, _ int64) { w.Complete = false }, []string{"ws_stream_incomplete"}},
		{"stuck conversations", 3, func(w *wsevent.Window, _ int64) {
			w.Reconciled = wsevent.Reconciled{Stuck: 1, StuckKnown: true, UnreconciledKnown: true}
		}, []string{"ws_connections_stuck"}},
		{"a difference that is resolved", 120, func(w *wsevent.Window, _ int64) {
			w.Reconciled = wsevent.Reconciled{Unreconciled: -40, UnreconciledKnown: true, StuckKnown: true}
		}, nil},
		{"a difference that stays", 200, func(w *wsevent.Window, _ int64) {
			w.Reconciled = wsevent.Reconciled{Unreconciled: -40, UnreconciledKnown: true, StuckKnown: true}
		}, []string{"ws_connections_unreconciled"}},
		{"events on their way", 200, func(w *wsevent.Window, _ int64) {
			w.Reconciled = wsevent.Reconciled{Unreconciled: 10, UnreconciledKnown: true, StuckKnown: true}
		}, nil},
		{"drops", 3, func(w *wsevent.Window, _ int64) { w.Counts.ConnectionsDropped, w.Counts.ConnectionsClosed = 1, 1 }, []string{"ws_connection_drop_rate"}},
		{"a crowd", 1, func(w *wsevent.Window, _ int64) { w.ActiveConnections = 130 }, []string{"ws_active_connections_high"}},
	}
	var lines strings.Builder
	for i := range int64(ordinary+len(troubles)) * hour {
		w := window(i, 0)
		w.Since = wsevent.UnixMilli(midnight)
		w.Counts.PayloadBytes = 30_000
		if at := i/hour - ordinary; at >= 0 {
			trouble := troubles[at]
			if n := i%hour - hour/2; n >= 0 && n < trouble.windows {
				trouble.change(&w, n+1)
			}
		}
		lines.WriteString(bareBody(t, w) + "\n")
	}
	var out, errs bytes.Buffer
	require.NoError(t, run(t.Context(), []string{"--config", filepath.Join("..", "..", "config", "alerting.yaml")}, strings.NewReader(lines.String()), &out, &errs), errs.String())
	fired := make([][]string, len(troubles))
	for line := range strings.Lines(out.String()) {
		fields := strings.Fields(line)
		if len(fields) < 3 || fields[1] != "firing" {
			continue
		}
		at, err := time.Parse(time.RFC3339, fields[0])
		require.NoError(t, err)
		during := (at.UnixMilli()-midnight)/(hour*9_000) - ordinary
		require.GreaterOrEqual(t, during, int64(0), "an ordinary day: %s", line)
		fired[during] = append(fired[during], fields[2])
	}
	for i, trouble := range troubles {
		assert.Equal(t, trouble.want, fired[i], trouble.name)
	}
}
