// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package alertconnector

import (
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	owntest "github.com/otelcol-ccaas/otelcol-ccaas/internal/componenttest"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent/wslog"
)

// BenchmarkConsume is a window of each series on its way through the connector, with
// a storage that costs nothing: reading, judging, and writing the state out.
func BenchmarkConsume(b *testing.B) {
	for _, series := range []int{2_000, 6_000} {
		b.Run("series="+strconv.Itoa(series), func(b *testing.B) { benchmarkConsume(b, series) })
	}
}

func benchmarkConsume(b *testing.B, series int) {
	b.Helper()
	r := begin(b, configured(b, usualRule+dropRule[len("\nrules:"):]), owntest.NewStorage(), nil)
	metrics := pmetric.NewMetrics()
	scope := metrics.ResourceMetrics().AppendEmpty().ScopeMetrics().AppendEmpty()
	for _, name := range []string{"ws.active_connections", "ws.drop_rate", "ws.messages", wsevent.CompleteMetric} {
		metric := scope.Metrics().AppendEmpty()
		metric.SetName(name)
		points := metric.SetEmptyGauge().DataPoints()
		for i := range series {
			point := points.AppendEmpty()
			point.SetDoubleValue(0.1)
			wslog.PutTags(point.Attributes(), wsevent.Tags{TenantID: strconv.Itoa(i), Region: "eu-west-1", ChannelType: "voice"})
		}
	}
	end := start() - 30*day
	b.ReportAllocs()
	for b.Loop() {
		end += 9_000
		for _, metric := range scope.Metrics().All() {
			for _, point := range metric.Gauge().DataPoints().All() {
				point.SetStartTimestamp(pcommon.Timestamp((end - 10_000) * 1e6))
				point.SetTimestamp(pcommon.Timestamp(end * 1e6))
			}
		}
		require.NoError(b, r.logs.ConsumeMetrics(b.Context(), metrics))
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*series*2), "ns/evaluation")
	r.end(b)
}
