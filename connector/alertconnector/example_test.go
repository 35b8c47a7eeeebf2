// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package alertconnector

import (
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-ccaas/otelcol-ccaas/connector/alertconnector/internal/engine"
)

// The page docs/alerting.md is worked through by hand; this holds it to account.
func TestWorkedExample(t *testing.T) {
	t.Parallel()
	config := configured(t, `
repeat_interval: 1m
rules:
  - name: drops
    metric: ws.drop_rate
    severity: critical
    threshold: { above: 0.5 }
    for: 2
    clear: { below: 0.3, for: 2 }
    mute: [{ start: 2026-11-25T12:02:00Z, end: 2026-11-25T12:02:20Z }]
`)
	rules, _, err := config.rules()
	require.NoError(t, err)
	e := engine.New(rules)
	page, err := os.ReadFile("../../docs/alerting.md")
	require.NoError(t, err)
	rows := 0
	for line := range strings.Lines(string(page)) {
		if !strings.HasPrefix(line, "| 12:") {
			continue
		}
		cells := strings.Split(strings.TrimSpace(line), "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		end, err := time.Parse(time.DateTime, "2026-11-25 "+cells[1])
		require.NoError(t, err)
		value, err := strconv.ParseFloat(cells[2], 64)
		require.NoError(t, err)
		ms := end.UnixMilli()
		out := e.Observe([]engine.Window{{Start: ms - 10_000, End: ms, Values: []engine.Value{{Metric: "ws.drop_rate", Value: value}}}}, ms)
		require.Len(t, out.Evaluations, 1)
		assert.Equal(t, cells[3], out.Evaluations[0].Reason.String(), cells[1])
		emitted := ""
		for i := range out.Alerts {
			emitted = status(&out.Alerts[i])
		}
		assert.Equal(t, cells[4], emitted, cells[1])
		rows++
	}
	assert.Equal(t, 16, rows)
}
