// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package wsmetricsconnector

import (
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-ccaas/otelcol-ccaas/connector/wsmetricsconnector/internal/metadata"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent/wslog"
)

// definition is one metric and where its value stands in a window record.
type definition struct {
	name, unit, description string
	// read puts the value on a data point; false when the window does not say it.
	read func(wslog.Record, pmetric.NumberDataPoint) bool
	// runs makes it a cumulative monotonic sum, otherwise it is a gauge.
	runs bool
	// perStream makes it a value of the stream: one point for all channel types.
	perStream bool
}

// definitions are all metrics, with the names, kinds and units that dashboards
// rest on.
var definitions = []definition{
	gauge("ws.active_connections", "{connection}", "Connections that were open at some moment of the window.",
		whole(wsevent.FieldActiveConnections)),
	gauge("ws.messages", "{message}/s", "Messages per second, both ways.",
		fraction(wsevent.FieldMessagesPerSecond)),
	gauge("ws.payload.throughput", "By/s", "Payload bytes per second, both ways.",
		payloadThroughput),
	gauge("ws.drop_rate", "%", "Connections that closed abnormally, of those that were open.",
		fraction(wsevent.FieldDropRatePercent)),
	gauge("ws.clock.skew", "ms", "How far the platform's clock is ahead of ours; absent while nobody measures it.",
		fraction(wsevent.FieldClockSkew)),
	gauge("ws.window.complete", "1", "1 when the stream was watched for the whole window, 0 when it was not.",
		complete),
	streamGauge("ws.window.size", "s", "Length of a window.", windowSize),
	streamGauge("ws.window.step", "s", "Time from the start of a window to the start of the next.", windowStep),

	sum("ws.payload", "By", "Payload bytes, both ways.", wsevent.TotalPayloadBytes),
	sum("ws.messages.sent", "{message}", "Messages sent (message.send).", wsevent.FieldMessagesSent),
	sum("ws.messages.received", "{message}", "Messages received (message.receive).", wsevent.FieldMessagesReceived),
	sum("ws.messages.unsized", "{message}", "Messages, both ways, without a payload size.", wsevent.FieldMessagesUnsized),
	sum("ws.connections.opened", "{connection}", "Connections opened.", wsevent.FieldConnectionsOpened),
	sum("ws.connections.closed", "{connection}", "Connections closed, in whatever way.", wsevent.FieldConnectionsClosed),
	sum("ws.connections.dropped", "{connection}", "Connections that closed abnormally.", wsevent.FieldConnectionsDropped),
	sum("ws.backpressure.events", "{event}", "Times that reading stood still because downstream refused.", wsevent.FieldBackpressureEvents),
	sum("ws.protocol.violations", "{event}", "Pieces of frames that were no events.", wsevent.FieldProtocolViolations),
	sum("ws.late_events", "{event}", "Events that came too late for a window; the other sums hold them.", wsevent.FieldLateEvents),
}

func gauge(name, unit, description string, read func(wslog.Record, pmetric.NumberDataPoint) bool) definition {
	return definition{name: name, unit: unit, description: description, read: read}
}

func streamGauge(name, unit, description string, read func(wslog.Record, pmetric.NumberDataPoint) bool) definition {
	return definition{name: name, unit: unit, description: description, read: read, perStream: true}
}

func sum(name, unit, description, total string) definition {
	read := func(window wslog.Record, point pmetric.NumberDataPoint) bool {
		return putInt(window.Totals, total, point)
	}
	return definition{name: name, unit: unit, description: description, read: read, runs: true}
}

func whole(field string) func(wslog.Record, pmetric.NumberDataPoint) bool {
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

func fraction(field string) func(wslog.Record, pmetric.NumberDataPoint) bool {
	return func(window wslog.Record, point pmetric.NumberDataPoint) bool {
		value, ok := wslog.Number(window.Fields, field)
		if ok {
			point.SetDoubleValue(value)
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

// build turns windows into metrics: one metric for each definition that any of
// the windows has a value for, under one resource and scope.
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
	if d.runs {
		metric.SetEmptySum().SetIsMonotonic(true)
		metric.Sum().SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
	} else {
		metric.SetEmptyGauge()
	}
	slice := points(metric)
	slice.EnsureCapacity(len(windows))
	for _, window := range windows {
		point := pmetric.NewNumberDataPoint()
		if !d.read(window, point) {
			continue
		}
		start := window.Start
		if d.runs {
			start = window.Since
		}
		point.SetStartTimestamp(nanoseconds(start))
		point.SetTimestamp(nanoseconds(window.End))
		if d.perStream {
			putStream(window.Tags, point.Attributes())
		} else {
			wslog.PutTags(point.Attributes(), window.Tags)
		}
		point.MoveTo(slice.AppendEmpty())
	}
}

// streamWindow is a window of a stream, whatever the channel type.
type streamWindow struct {
	tags wsevent.Tags
	end  wsevent.UnixMilli
}

// onePerStream keeps one of the windows that a stream's series have at the same time.
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

// nanoseconds are of unix ms, and never before 1970: a platform whose clock was
// just reset may stamp an event so that its window begins there.
func nanoseconds(ms wsevent.UnixMilli) pcommon.Timestamp { return pcommon.Timestamp(max(0, ms) * 1e6) }

func points(metric pmetric.Metric) pmetric.NumberDataPointSlice {
	if metric.Type() == pmetric.MetricTypeSum {
		return metric.Sum().DataPoints()
	}
	return metric.Gauge().DataPoints()
}
