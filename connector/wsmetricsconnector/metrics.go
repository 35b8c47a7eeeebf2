// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package wsmetricsconnector

import (
	"slices"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-ccaas/otelcol-ccaas/connector/wsmetricsconnector/internal/metadata"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent/wslog"
)

// definition is a metric and its value in a window record.
type definition struct {
	name, unit, description string
	// read sets the value of a data point; false when the window does not have it.
	read func(wslog.Record, pmetric.NumberDataPoint) bool
	// cumulative makes it a cumulative monotonic sum, otherwise it is a gauge.
	cumulative bool
	// perStream makes it a value of the stream: one point for all channel types.
	perStream bool
	// kinds makes it a point for each of several sums, which the attribute kind names.
	kinds []kind
}

// kind is one of the sums of a metric.
type kind struct{ name, total string }

// kindAttribute names the sum among those of a metric.
const kindAttribute = "kind"

// windowDefinitions are the metrics that are no sum of wsevent.Counts.
var windowDefinitions = []definition{
	gauge("ws.active_connections", "{connection}", "Number of connections that were open at any moment of the window.",
		integer(wsevent.FieldActiveConnections)),
	gauge("ws.messages", "{message}/s", "Messages per second, in both directions.",
		float(wsevent.FieldMessagesPerSecond)),
	gauge("ws.payload.throughput", "By/s", "Payload bytes per second, in both directions.",
		payloadThroughput),
	gauge("ws.drop_rate", "%", "Share of the open connections that closed abnormally.",
		float(wsevent.FieldDropRatePercent)),
	gauge("ws.clock.skew", "ms", "Clock skew of the platform, positive when its clock is ahead; absent while it is not measured.",
		float(wsevent.FieldClockSkew)),
	gauge("ws.window.complete", "1", "1 when the stream was connected for the full window, otherwise 0.",
		complete),
	gauge("ws.connections.unreconciled", "{conversation}", "Number of open conversations by events less that of the platform; absent where it is not asked.",
		integer(wsevent.FieldUnreconciled)),
	gauge("ws.connections.stuck", "{conversation}", "Number of conversations that are open without an event for stuck_after; absent where the receiver does not reconcile.",
		integer(wsevent.FieldStuck)),
	streamGauge("ws.gaps.healed.since", "Unix time from which on every gap of the stream is healed, up to ws.gaps.healed.until; absent where none is.",
		milliseconds(wsevent.FieldHealedSince)),
	streamGauge("ws.gaps.healed.until", "Unix time up to which every gap of the stream is healed: its opens and closes are in the sums.",
		milliseconds(wsevent.FieldHealedUntil)),
	streamGauge("ws.window.size", "Length of a window.", windowSize),
	streamGauge("ws.window.step", "Time from the start of a window to the start of the next.", windowStep),

	{
		name: "ws.events.reconstructed", unit: "{event}", cumulative: true,
		description: "Number of events derived from the platform's history: opened and closed are also in the other sums, present are channels that were open before.",
		kinds: []kind{
			{"opened", wsevent.TotalReconstructedOpened},
			{"closed", wsevent.TotalReconstructedClosed},
			{"present", wsevent.TotalReconstructedPresent},
		},
	},
}

// definitions are all metrics. Dashboards depend on their names, kinds and units.
var definitions = slices.Concat(windowDefinitions, sums())

func sums() (of []definition) {
	for i := range wsevent.Sums {
		if s := &wsevent.Sums[i]; s.Metric != "" {
			of = append(of, sum(s.Metric, s.Unit, s.Description, s.Total))
		}
	}
	return of
}

func gauge(name, unit, description string, read func(wslog.Record, pmetric.NumberDataPoint) bool) definition {
	return definition{name: name, unit: unit, description: description, read: read}
}

func streamGauge(name, description string, read func(wslog.Record, pmetric.NumberDataPoint) bool) definition {
	return definition{name: name, unit: "s", description: description, read: read, perStream: true}
}

func sum(name, unit, description, total string) definition {
	read := func(window wslog.Record, point pmetric.NumberDataPoint) bool {
		return putInt(window.Totals, total, point)
	}
	return definition{name: name, unit: unit, description: description, read: read, cumulative: true}
}

func integer(field string) func(wslog.Record, pmetric.NumberDataPoint) bool {
	return func(window wslog.Record, point pmetric.NumberDataPoint) bool {
		return putInt(window.Fields, field, point)
	}
}

func putInt(from pcommon.Map, key string, point pmetric.NumberDataPoint) bool {
	value, ok := wslog.Int(from, key)
	if ok {
		point.SetIntValue(value)
	}
	return ok
}

func float(field string) func(wslog.Record, pmetric.NumberDataPoint) bool {
	return func(window wslog.Record, point pmetric.NumberDataPoint) bool {
		value, ok := wslog.Number(window.Fields, field)
		if ok {
			point.SetDoubleValue(value)
		}
		return ok
	}
}

// milliseconds reads a time in unix ms.
func milliseconds(field string) func(wslog.Record, pmetric.NumberDataPoint) bool {
	return func(window wslog.Record, point pmetric.NumberDataPoint) bool {
		at, ok := wslog.Int(window.Fields, field)
		if ok {
			point.SetDoubleValue(float64(at) / 1000)
		}
		return ok
	}
}

func payloadThroughput(window wslog.Record, point pmetric.NumberDataPoint) bool {
	bytes, ok := wslog.Number(window.Fields, wsevent.FieldPayloadBytesTotal)
	if ok {
		point.SetDoubleValue(bytes * 1000 / float64(window.End-window.Start))
	}
	return ok
}

func complete(window wslog.Record, point pmetric.NumberDataPoint) bool {
	value, ok := window.Fields.Get(wsevent.FieldComplete)
	if !ok || value.Type() != pcommon.ValueTypeBool {
		return false
	}
	point.SetIntValue(0)
	if value.Bool() {
		point.SetIntValue(1)
	}
	return true
}

func windowSize(window wslog.Record, point pmetric.NumberDataPoint) bool {
	point.SetDoubleValue(float64(window.End-window.Start) / 1000)
	return true
}

func windowStep(window wslog.Record, point pmetric.NumberDataPoint) bool {
	point.SetDoubleValue(window.Step.Seconds())
	return window.Step > 0
}

// build converts windows to metrics: one for each definition of which any window has a
// value, under one resource and scope.
func build(windows []wslog.Record) pmetric.Metrics {
	metrics := pmetric.NewMetrics()
	scope := metrics.ResourceMetrics().AppendEmpty().ScopeMetrics().AppendEmpty()
	scope.Scope().SetName(metadata.ScopeName)
	scope.Metrics().EnsureCapacity(len(definitions))
	ofStreams := onePerStream(windows)
	for i := range definitions {
		metric := scope.Metrics().AppendEmpty()
		if definitions[i].perStream {
			definitions[i].fill(metric, ofStreams)
		} else {
			definitions[i].fill(metric, windows)
		}
	}
	scope.Metrics().RemoveIf(func(metric pmetric.Metric) bool { return points(metric).Len() == 0 })
	return metrics
}

func (d *definition) fill(metric pmetric.Metric, windows []wslog.Record) {
	metric.SetName(d.name)
	metric.SetUnit(d.unit)
	metric.SetDescription(d.description)
	if d.cumulative {
		metric.SetEmptySum().SetIsMonotonic(true)
		metric.Sum().SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
	} else {
		metric.SetEmptyGauge()
	}
	slice := points(metric)
	slice.EnsureCapacity(len(windows))
	for _, window := range windows {
		if d.kinds == nil {
			d.point(window, d.read, slice)
			continue
		}
		for _, one := range d.kinds {
			d.point(window, func(window wslog.Record, point pmetric.NumberDataPoint) bool {
				point.Attributes().PutStr(kindAttribute, one.name)
				return putInt(window.Totals, one.total, point)
			}, slice)
		}
	}
}

// point appends the point of a window, unless it has none.
func (d *definition) point(window wslog.Record, read func(wslog.Record, pmetric.NumberDataPoint) bool, to pmetric.NumberDataPointSlice) {
	point := pmetric.NewNumberDataPoint()
	if !read(window, point) {
		return
	}
	start := window.Start
	if d.cumulative {
		start = window.Since
	}
	point.SetStartTimestamp(nanoseconds(start))
	point.SetTimestamp(nanoseconds(window.End))
	if d.perStream {
		putStream(window.Tags, point.Attributes())
	} else {
		wslog.PutTags(point.Attributes(), window.Tags)
	}
	if d.name == wsevent.DroppedMetric {
		putExemplars(point.Exemplars(), &window)
	}
	point.MoveTo(to.AppendEmpty())
}

// putExemplars adds the sampled dropped sessions of a window.
func putExemplars(exemplars pmetric.ExemplarSlice, window *wslog.Record) {
	for _, trace := range window.Traces() {
		one := exemplars.AppendEmpty()
		one.SetTimestamp(nanoseconds(trace.Time))
		one.SetTraceID(pcommon.TraceID(trace.TraceID))
		one.SetSpanID(pcommon.SpanID(trace.SpanID))
		one.SetIntValue(1)
	}
}

// streamWindow is a window of a stream, whatever the channel type.
type streamWindow struct {
	tags wsevent.Tags
	end  wsevent.UnixMilli
}

// onePerStream returns one of the windows that the series of a stream have at the same time.
func onePerStream(windows []wslog.Record) []wslog.Record {
	seen := make(map[streamWindow]struct{}, len(windows))
	kept := make([]wslog.Record, 0, len(windows))
	for _, window := range windows {
		key := streamWindow{tags: window.Tags, end: window.End}
		key.tags.ChannelType = ""
		if _, known := seen[key]; !known {
			seen[key] = struct{}{}
			kept = append(kept, window)
		}
	}
	return kept
}

// putStream writes the tags of a stream: all but the channel type.
func putStream(tags wsevent.Tags, attributes pcommon.Map) {
	wslog.PutTags(attributes, tags)
	attributes.Remove(wsevent.ChannelType)
}

// nanoseconds converts unix ms, which may be before 1970 after a reset of the platform's
// clock, to a timestamp, which may not.
func nanoseconds(ms wsevent.UnixMilli) pcommon.Timestamp { return pcommon.Timestamp(max(0, ms) * 1e6) }

func points(metric pmetric.Metric) pmetric.NumberDataPointSlice {
	if metric.Type() == pmetric.MetricTypeSum {
		return metric.Sum().DataPoints()
	}
	return metric.Gauge().DataPoints()
}
