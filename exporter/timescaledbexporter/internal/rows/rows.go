// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

// Package rows converts metrics into the rows of the tables. It holds no clock and no connection.
package rows

import (
	"encoding/json"
	"math"
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
)

// Key is the composite key of a row. A dimension that a data point lacks is the empty string.
type Key struct {
	Metric, Region, TenantID, ChannelType string
	Time                                  int64 // end of the window, unix ms
	Attributes                            string
}

// Point is a row of ws_metrics, or of ws_metrics_extra if it has attributes of its own.
type Point struct {
	Key
	Start int64 // unix ms; 0: unknown
	Value float64
}

// Histogram is a row of ws_histograms. Counts has one element more than Bounds: Counts[i] is the number of
// measurements above Bounds[i-1], up to and including Bounds[i].
type Histogram struct {
	Key
	Start         int64
	Count         int64
	Sum, Min, Max *float64
	Bounds        []float64
	Counts        []int64
}

// Reason says why a data point has no row.
type Reason string

// Reasons.
const (
	Expired     Reason = "expired"     // older than the retention
	Future      Reason = "future"      // too far ahead of the clock
	Unsupported Reason = "unsupported" // a summary
	NoValue     Reason = "no_value"    // the sender marks it as absent
)

// Rows are the rows of a batch, each key once: the last data point of a key wins.
type Rows struct {
	Points     []Point // keyed by metric, dimensions and time
	Extra      []Point // keyed by their attributes, too
	Histograms []Histogram
	Dropped    map[Reason]int
}

// Range bounds the times of rows, in unix ms, both ends included.
type Range struct{ Oldest, Newest int64 }

// From converts metrics. Data points outside of the range are counted and left out.
func From(metrics pmetric.Metrics, within Range) Rows {
	b := builder{within: within, indexes: map[Key]int{}}
	b.rows.Dropped = map[Reason]int{}
	for _, resource := range metrics.ResourceMetrics().All() {
		for _, scope := range resource.ScopeMetrics().All() {
			for _, metric := range scope.Metrics().All() {
				b.metric(metric)
			}
		}
	}
	return b.rows
}

type builder struct {
	within  Range
	rows    Rows
	indexes map[Key]int // of each key in its slice
}

func (b *builder) metric(metric pmetric.Metric) {
	switch metric.Type() {
	case pmetric.MetricTypeGauge:
		b.numbers(metric.Name(), metric.Gauge().DataPoints())
	case pmetric.MetricTypeSum:
		b.numbers(metric.Name(), metric.Sum().DataPoints())
	case pmetric.MetricTypeHistogram:
		for _, point := range metric.Histogram().DataPoints().All() {
			if key, ok := b.key(metric.Name(), point); ok {
				b.histogram(explicit(key, point))
			}
		}
	case pmetric.MetricTypeExponentialHistogram:
		for _, point := range metric.ExponentialHistogram().DataPoints().All() {
			if key, ok := b.key(metric.Name(), point); ok {
				b.histogram(exponential(key, point))
			}
		}
	case pmetric.MetricTypeSummary:
		b.rows.Dropped[Unsupported] += metric.Summary().DataPoints().Len()
	case pmetric.MetricTypeEmpty:
	}
}

func (b *builder) numbers(name string, points pmetric.NumberDataPointSlice) {
	for _, point := range points.All() {
		key, ok := b.key(name, point)
		if !ok {
			continue
		}
		row := Point{Key: key, Start: milliseconds(point.StartTimestamp()), Value: point.DoubleValue()}
		if point.ValueType() == pmetric.NumberDataPointValueTypeInt {
			row.Value = float64(point.IntValue())
		}
		table := &b.rows.Points
		if key.Attributes != "" && key.Attributes != overflow {
			table = &b.rows.Extra
		}
		put(b, key, table, row)
	}
}

func (b *builder) histogram(row Histogram) { put(b, row.Key, &b.rows.Histograms, row) }

func put[T any](b *builder, key Key, table *[]T, row T) {
	if i, known := b.indexes[key]; known {
		(*table)[i] = row
		return
	}
	b.indexes[key] = len(*table)
	*table = append(*table, row)
}

// dataPoint is what the points of all kinds have.
type dataPoint interface {
	Timestamp() pcommon.Timestamp
	Attributes() pcommon.Map
	Flags() pmetric.DataPointFlags
}

func (b *builder) key(name string, point dataPoint) (key Key, ok bool) {
	key = Key{Metric: clean(name), Time: milliseconds(point.Timestamp())}
	switch {
	case point.Flags().NoRecordedValue():
		b.rows.Dropped[NoValue]++
		return key, false
	case key.Time < b.within.Oldest:
		b.rows.Dropped[Expired]++
		return key, false
	case key.Time > b.within.Newest:
		b.rows.Dropped[Future]++
		return key, false
	}
	var others map[string]any
	for name, value := range point.Attributes().All() {
		switch name {
		case wsevent.Region:
			key.Region = clean(value.AsString())
		case wsevent.TenantID:
			key.TenantID = clean(value.AsString())
		case wsevent.ChannelType:
			key.ChannelType = clean(value.AsString())
		default:
			if others == nil {
				others = map[string]any{}
			}
			others[clean(name)] = scalar(value)
		}
	}
	if others != nil {
		text, err := json.Marshal(others) // sorted by name
		if err == nil {                   // scalars always can be encoded
			key.Attributes = string(text)
		}
	}
	return key, true
}

// overflow are the attributes of the series that counts what max_series does not admit. Its other attributes are its
// tenant, or none, so that its key is unique without them.
const overflow = `{"otel.metric.overflow":true}`

func scalar(value pcommon.Value) any {
	switch value.Type() {
	case pcommon.ValueTypeBool:
		return value.Bool()
	case pcommon.ValueTypeInt:
		return value.Int()
	case pcommon.ValueTypeDouble:
		if number := value.Double(); !math.IsNaN(number) && !math.IsInf(number, 0) {
			return number
		}
	}
	return clean(value.AsString())
}

// clean replaces what PostgreSQL has no text for.
func clean(text string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(text, "\uFFFD"), "\x00", "\uFFFD")
}

func milliseconds(time pcommon.Timestamp) int64 { return int64(time / 1_000_000) } //nolint:gosec // uint64 nanoseconds fit
