// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-ccaas/otelcol-ccaas/connector/alertconnector"
)

const (
	fourWeeks     = 28 * 24 * time.Hour
	pointInterval = 5 * time.Minute
)

// recordedConnections are the connections of a queue over four weeks: by day 1000 and by
// night a fifth of it, with 3 % of deterministic noise. On day 9 a campaign doubles them for
// twelve hours, on day 11 an outage ends all for three hours, from day 14 on they are
// 40 % more for good.
func recordedConnections(at time.Duration) float64 {
	day, hour := int(at/(24*time.Hour)), at%(24*time.Hour)
	level := 200.0
	if hour >= 8*time.Hour && hour < 20*time.Hour {
		level = 1000
	}
	switch {
	case day == 9 && hour >= 8*time.Hour && hour < 20*time.Hour:
		level *= 2
	case day == 11 && hour >= 10*time.Hour && hour < 13*time.Hour:
		level = 0
	case day >= 14:
		level *= 1.4
	}
	return math.Round(level * (1 + 0.03*math.Sin(float64(at/pointInterval)*1.7)))
}

// alertsOfFourWeeks are the firing alerts of a baseline by the part of the recording in which they fire.
func alertsOfFourWeeks(t *testing.T, options string) (campaign, outage, step int, last time.Duration) {
	t.Helper()
	begin := time.Date(2024, 5, 13, 0, 0, 0, 0, time.UTC)
	path := filepath.Join(t.TempDir(), "config.yaml")
	require.NoError(t, os.WriteFile(path, []byte(`
connectors:
  alert:
    rules:
      - name: ws_active_connections_high
        metric: ws.active_connections
        severity: warning
        threshold: { percent_of_baseline: 120 }
        baseline: { quantile: 0.95, lookback: 168h, min_history: 24h`+options+` }
`), 0o600))
	config, err := load(t.Context(), path, "alert")
	require.NoError(t, err)
	replay, err := alertconnector.NewReplay(config, func(alert alertconnector.ReplayedAlert) {
		at := time.UnixMilli(alert.End).Sub(begin)
		switch day := int(at / (24 * time.Hour)); {
		case alert.Status != "firing":
			if day >= 14 {
				last = at
			}
		case day == 9:
			campaign++
		case day == 11:
			outage++
		case day >= 14:
			step++
		default:
			t.Errorf("an alert on an ordinary day: %+v", alert)
		}
	})
	require.NoError(t, err)
	for at := pointInterval; at <= fourWeeks; at += pointInterval {
		metrics := pmetric.NewMetrics()
		metric := metrics.ResourceMetrics().AppendEmpty().ScopeMetrics().AppendEmpty().Metrics().AppendEmpty()
		metric.SetName("ws.active_connections")
		point := metric.SetEmptyGauge().DataPoints().AppendEmpty()
		point.Attributes().PutStr("tenant_id", "acme_corp")
		point.SetStartTimestamp(pcommon.NewTimestampFromTime(begin.Add(at - pointInterval)))
		point.SetTimestamp(pcommon.NewTimestampFromTime(begin.Add(at)))
		point.SetDoubleValue(recordedConnections(at - pointInterval))
		require.NoError(t, replay.ConsumeMetrics(context.Background(), metrics))
	}
	return campaign, outage, step, last
}

// The table of docs/alerting.md is what the rules give on the recording.
func TestFourWeeks_AlertsByIncludeFiring(t *testing.T) {
	t.Parallel()
	const exclude = ", exclude: [{ start: 2024-05-22T08:00:00Z, end: 2024-05-22T20:00:00Z }]"
	var rows []string
	steps := map[string]int{}
	for _, row := range []struct{ name, options string }{
		{"`include_firing: true` (default), campaign in `exclude`", exclude},
		{"`include_firing: false`, campaign in `exclude`", exclude + ", include_firing: false"},
		{"`include_firing: true` (default), campaign not excluded", ""},
		{"`include_firing: false`, campaign not excluded", ", include_firing: false"},
	} {
		campaign, outage, step, last := alertsOfFourWeeks(t, row.options)
		steps[row.name] = step
		rows = append(rows, fmt.Sprintf("| %s | %d | %d | %d | %s |", row.name, campaign, outage, step, sinceStep(last)))
	}
	docs, err := os.ReadFile(filepath.Join("..", "..", "docs", "alerting.md"))
	require.NoError(t, err)
	assert.Contains(t, string(docs), strings.Join(rows, "\n"))
	assert.Less(t, steps["`include_firing: true` (default), campaign in `exclude`"], steps["`include_firing: false`, campaign in `exclude`"])
}

func sinceStep(last time.Duration) string {
	if last == 0 {
		return "none"
	}
	return fmt.Sprintf("%.0f h", (last - 14*24*time.Hour).Hours())
}
