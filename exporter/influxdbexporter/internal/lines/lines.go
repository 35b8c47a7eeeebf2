// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

// Package lines converts metrics into line protocol. It holds no clock and no connection.
//
// Names are those that a Prometheus remote write has, and that InfluxDB 1 makes of one: a measurement per metric with
// its unit and type as suffixes, attributes as tags, the field value.
package lines

import (
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/influxdata/line-protocol/v2/lineprotocol"
	"github.com/prometheus/otlptranslator"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

// Reason says why a data point has no line.
type Reason string

// Reasons.
const (
	Unsupported Reason = "unsupported" // a summary
	NoValue     Reason = "no_value"    // the sender marks it as absent, or it is not a number
	Invalid     Reason = "invalid"     // line protocol cannot hold its name
)

// Batch is the text of a request, and what is not in it.
type Batch struct {
	Text    []byte
	Dropped map[Reason]int
}

// From converts metrics.
func From(metrics pmetric.Metrics) Batch {
	b := builder{dropped: map[Reason]int{}, metricNamer: otlptranslator.NewMetricNamer("", otlptranslator.UnderscoreEscapingWithSuffixes)}
	b.encoder.SetPrecision(lineprotocol.Millisecond)
	for _, resource := range metrics.ResourceMetrics().All() {
		for _, scope := range resource.ScopeMetrics().All() {
			for _, metric := range scope.Metrics().All() {
				b.metric(metric)
			}
		}
	}
	return Batch{Text: b.encoder.Bytes(), Dropped: b.dropped}
}

type builder struct {
	encoder     lineprotocol.Encoder
	dropped     map[Reason]int
	metricNamer otlptranslator.MetricNamer
	labelNamer  otlptranslator.LabelNamer
}

// field is one of a line's.
type field struct {
	name  string
	value float64
}

func (b *builder) metric(metric pmetric.Metric) {
	switch metric.Type() {
	case pmetric.MetricTypeGauge:
		b.numbers(b.name(metric, otlptranslator.MetricTypeGauge), metric.Gauge().DataPoints())
	case pmetric.MetricTypeSum:
		var kind otlptranslator.MetricType = otlptranslator.MetricTypeNonMonotonicCounter
		if metric.Sum().IsMonotonic() {
			kind = otlptranslator.MetricTypeMonotonicCounter
		}
		b.numbers(b.name(metric, kind), metric.Sum().DataPoints())
	case pmetric.MetricTypeHistogram:
		name := b.name(metric, otlptranslator.MetricTypeHistogram)
		for _, point := range metric.Histogram().DataPoints().All() {
			b.line(name, point, summary(point.Count(), point.HasSum(), point.Sum(), point.HasMin(), point.Min(), point.HasMax(), point.Max()))
		}
	case pmetric.MetricTypeExponentialHistogram:
		name := b.name(metric, otlptranslator.MetricTypeExponentialHistogram)
		for _, point := range metric.ExponentialHistogram().DataPoints().All() {
			b.line(name, point, summary(point.Count(), point.HasSum(), point.Sum(), point.HasMin(), point.Min(), point.HasMax(), point.Max()))
		}
	case pmetric.MetricTypeSummary:
		b.dropped[Unsupported] += metric.Summary().DataPoints().Len()
	case pmetric.MetricTypeEmpty:
	}
}

// name is empty where there is none that InfluxDB could have.
func (b *builder) name(metric pmetric.Metric, kind otlptranslator.MetricType) string {
	name, err := b.metricNamer.Build(otlptranslator.Metric{Name: metric.Name(), Unit: metric.Unit(), Type: kind})
	if err != nil {
		return ""
	}
	return name
}

func (b *builder) numbers(name string, points pmetric.NumberDataPointSlice) {
	for _, point := range points.All() {
		value := point.DoubleValue()
		if point.ValueType() == pmetric.NumberDataPointValueTypeInt {
			value = float64(point.IntValue())
		}
		b.line(name, point, []field{{"value", value}})
	}
}

// summary has no buckets: their number is not bounded, and each would be a field for ever.
func summary(count uint64, hasSum bool, sum float64, hasMin bool, least float64, hasMax bool, most float64) []field {
	fields := []field{{"count", float64(count)}}
	if hasSum {
		fields = append(fields, field{"sum", sum})
	}
	if hasMin {
		fields = append(fields, field{"min", least})
	}
	if hasMax {
		fields = append(fields, field{"max", most})
	}
	return fields
}

type dataPoint interface {
	Timestamp() pcommon.Timestamp
	Attributes() pcommon.Map
	Flags() pmetric.DataPointFlags
}

func (b *builder) line(name string, point dataPoint, fields []field) {
	bad := func(f field) bool { return math.IsNaN(f.value) || math.IsInf(f.value, 0) } // InfluxDB has neither
	fields = slices.DeleteFunc(fields, bad)
	if point.Flags().NoRecordedValue() || len(fields) == 0 {
		b.dropped[NoValue]++
		return
	}
	if name == "" || point.Timestamp() > math.MaxInt64 {
		b.dropped[Invalid]++
		return
	}
	tags := b.tags(point.Attributes())
	b.encoder.StartLine(name)
	for _, key := range slices.Sorted(maps.Keys(tags)) {
		b.encoder.AddTag(key, tags[key])
	}
	for _, f := range fields {
		value, _ := lineprotocol.FloatValue(f.value)
		b.encoder.AddField(f.name, value)
	}
	b.encoder.EndLine(point.Timestamp().AsTime())
	if b.encoder.Err() != nil { // the encoder has removed the line
		b.encoder.ClearErr()
		b.dropped[Invalid]++
	}
}

// tags are the attributes. An empty one is left out, since InfluxDB has no empty tags.
func (b *builder) tags(attributes pcommon.Map) map[string]string {
	tags := make(map[string]string, attributes.Len())
	for name, value := range attributes.All() {
		key, err := b.labelNamer.Build(name)
		if text := printable(value.AsString()); err == nil && text != "" {
			tags[key] = text
		}
	}
	return tags
}

// printable replaces what a tag cannot hold: control characters, invalid UTF-8 and a backslash at the end.
func printable(text string) string {
	text = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return '\uFFFD'
		}
		return r
	}, strings.ToValidUTF8(text, "\uFFFD"))
	if strings.HasSuffix(text, `\`) {
		text += "\uFFFD"
	}
	return text
}
