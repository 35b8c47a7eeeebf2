// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package rows

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

var all = Range{Newest: math.MaxInt64}

func one(name string) (pmetric.Metrics, pmetric.Metric) {
	metrics := pmetric.NewMetrics()
	metric := metrics.ResourceMetrics().AppendEmpty().ScopeMetrics().AppendEmpty().Metrics().AppendEmpty()
	metric.SetName(name)
	return metrics, metric
}

func dimensions(attributes pcommon.Map) {
	attributes.PutStr("region", "us-east-1")
	attributes.PutStr("tenant_id", "acme_corp")
	attributes.PutStr("channel_type", "voice")
}

func TestRows_PointHasTheCompositeKey(t *testing.T) {
	t.Parallel()
	metrics, metric := one("ws.messages.sent")
	for _, value := range []int64{1, 2} { // the same key twice
		point := metric.SetEmptySum().DataPoints().AppendEmpty()
		dimensions(point.Attributes())
		point.SetStartTimestamp(1_000_999_999)
		point.SetTimestamp(1_715_623_410_123_456_789)
		point.SetIntValue(value)
	}
	assert.Equal(t, Rows{
		Points: []Point{{
			Key:   Key{Metric: "ws.messages.sent", Region: "us-east-1", TenantID: "acme_corp", ChannelType: "voice", Time: 1_715_623_410_123},
			Start: 1_000, Value: 2,
		}},
		Dropped: map[Reason]int{},
	}, From(metrics, all))
}

func TestRows_LastPointOfAKeyWins(t *testing.T) {
	t.Parallel()
	metrics, metric := one("ws.messages")
	points := metric.SetEmptyGauge().DataPoints()
	for _, value := range []float64{1, 2} {
		points.AppendEmpty().SetDoubleValue(value)
	}
	rows := From(metrics, all)
	require.Len(t, rows.Points, 1)
	assert.InDelta(t, 2, rows.Points[0].Value, 0)
}

func TestRows_OtherAttributesArePartOfTheKey(t *testing.T) {
	t.Parallel()
	metrics, metric := one("ws.alert.firing")
	points := metric.SetEmptyGauge().DataPoints()
	for _, rule := range []string{"a", "b"} {
		point := points.AppendEmpty()
		dimensions(point.Attributes())
		point.Attributes().PutStr("rule", rule)
		point.Attributes().PutDouble("nan", math.NaN())
		point.Attributes().PutInt("n", 1)
	}
	rows := From(metrics, all)
	assert.Empty(t, rows.Points)
	require.Len(t, rows.Extra, 2)
	assert.JSONEq(t, `{"rule":"a","nan":"NaN","n":1}`, rows.Extra[0].Attributes)
}

func TestRows_OverflowIsAmongTheSeries(t *testing.T) {
	t.Parallel()
	metrics, metric := one("ws.messages.sent")
	point := metric.SetEmptySum().DataPoints().AppendEmpty()
	point.Attributes().PutBool("otel.metric.overflow", true)
	rows := From(metrics, all)
	require.Len(t, rows.Points, 1)
	assert.Equal(t, overflow, rows.Points[0].Attributes)
}

func TestRows_NothingThatPostgreSQLHasNoTextFor(t *testing.T) {
	t.Parallel()
	metrics, metric := one("a\x00b")
	point := metric.SetEmptyGauge().DataPoints().AppendEmpty()
	point.Attributes().PutStr("tenant_id", "\xff")
	point.Attributes().PutStr("rule\x00", "\x00")
	rows := From(metrics, all)
	require.Len(t, rows.Extra, 1)
	assert.Equal(t, Key{Metric: "a\uFFFDb", TenantID: "\uFFFD", Attributes: `{"rule` + "\uFFFD" + `":"` + "\uFFFD" + `"}`}, rows.Extra[0].Key)
}

func TestRows_DroppedPointsAreCounted(t *testing.T) {
	t.Parallel()
	metrics, metric := one("m")
	points := metric.SetEmptyGauge().DataPoints()
	for _, ms := range []pcommon.Timestamp{9, 10, 20, 21} {
		points.AppendEmpty().SetTimestamp(ms * 1e6)
	}
	absent := points.AppendEmpty()
	absent.SetTimestamp(15e6)
	absent.SetFlags(absent.Flags().WithNoRecordedValue(true))
	summary := metrics.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().AppendEmpty().SetEmptySummary()
	summary.DataPoints().AppendEmpty()
	rows := From(metrics, Range{Oldest: 10, Newest: 20})
	assert.Len(t, rows.Points, 2)
	assert.Equal(t, map[Reason]int{Expired: 1, Future: 1, NoValue: 1, Unsupported: 1}, rows.Dropped)
}

func TestRows_Histograms(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		fill   func(pmetric.Metric)
		bounds []float64
		counts []int64
	}{
		"explicit": {func(m pmetric.Metric) {
			point := m.SetEmptyHistogram().DataPoints().AppendEmpty()
			point.ExplicitBounds().FromRaw([]float64{1, 5})
			point.BucketCounts().FromRaw([]uint64{1, 2, math.MaxUint64})
		}, []float64{1, 5}, []int64{1, 2, math.MaxInt64}},
		"exponential, positive": {func(m pmetric.Metric) {
			point := m.SetEmptyExponentialHistogram().DataPoints().AppendEmpty()
			point.SetZeroCount(7)
			point.Positive().SetOffset(1)
			point.Positive().BucketCounts().FromRaw([]uint64{3, 4})
		}, []float64{2, 4, 8}, []int64{7, 3, 4, 0}},
		"exponential, both": {func(m pmetric.Metric) {
			point := m.SetEmptyExponentialHistogram().DataPoints().AppendEmpty()
			point.SetScale(-1)
			point.Positive().BucketCounts().FromRaw([]uint64{3})
			point.Negative().BucketCounts().FromRaw([]uint64{1, 2})
		}, []float64{-16, -4, -1, 1, 4}, []int64{0, 2, 1, 0, 3, 0}},
		"exponential, empty": {func(m pmetric.Metric) {
			m.SetEmptyExponentialHistogram().DataPoints().AppendEmpty()
		}, nil, []int64{0}},
		"exponential, any scale": {func(m pmetric.Metric) {
			point := m.SetEmptyExponentialHistogram().DataPoints().AppendEmpty()
			point.SetScale(math.MinInt32)
			point.Positive().SetOffset(math.MaxInt32)
			point.Positive().BucketCounts().FromRaw([]uint64{3})
		}, []float64{math.Inf(1), math.Inf(1)}, []int64{0, 3, 0}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			metrics, metric := one("ws.session.duration")
			test.fill(metric)
			rows := From(metrics, all)
			require.Len(t, rows.Histograms, 1)
			assert.Equal(t, test.bounds, rows.Histograms[0].Bounds)
			assert.Equal(t, test.counts, rows.Histograms[0].Counts)
			assert.Len(t, test.counts, len(test.bounds)+1)
		})
	}
}
