// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package wssessionsconnector

import (
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-ccaas/otelcol-ccaas/connector/wssessionsconnector/internal/metadata"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent/wslog"
)

// sessionWindow is what a window record has of sessions.
type sessionWindow struct {
	wslog.Sessions
	tags wsevent.Tags
	end  wsevent.UnixMilli
}

// metrics converts the totals of windows to metrics: those that have a point.
func metrics(windows []sessionWindow) pmetric.Metrics {
	all := pmetric.NewMetrics()
	scope := all.ResourceMetrics().AppendEmpty().ScopeMetrics().AppendEmpty()
	scope.Scope().SetName(metadata.ScopeName)

	sessions := scope.Metrics().AppendEmpty()
	sessions.SetName(wsevent.MetricSessions)
	sessions.SetUnit("{session}")
	sessions.SetDescription("Number of sessions that have ended.")
	sessions.SetEmptySum().SetIsMonotonic(true)
	sessions.Sum().SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)

	duration := histogram(scope.Metrics(), wsevent.MetricSessionDuration, "Duration of sessions, from the first to the last event.")
	reply := histogram(scope.Metrics(), wsevent.MetricSessionFirstReply, "Time from a customer's first message to the first reply.")
	for i := range windows {
		for j := range windows[i].Totals {
			w, of := &windows[i], &windows[i].Totals[j]
			point := sessions.Sum().DataPoints().AppendEmpty()
			point.SetStartTimestamp(timestamp(w.Since))
			point.SetTimestamp(timestamp(w.end))
			point.SetIntValue(int64(of.Duration.Count)) //nolint:gosec // it was one when it was decoded
			putSeries(point.Attributes(), w.tags, of.Outcome)
			w.fill(duration.ExponentialHistogram().DataPoints(), of.Outcome, &of.Duration, func(e *wsevent.Exemplar) (time.Duration, bool) {
				return e.Duration, true
			})
			if of.FirstReply.Count > 0 {
				w.fill(reply.ExponentialHistogram().DataPoints(), of.Outcome, &of.FirstReply, func(e *wsevent.Exemplar) (time.Duration, bool) {
					return e.FirstReply, e.Replied
				})
			}
		}
	}
	scope.Metrics().RemoveIf(func(metric pmetric.Metric) bool {
		return metric.Type() == pmetric.MetricTypeExponentialHistogram && metric.ExponentialHistogram().DataPoints().Len() == 0 ||
			metric.Type() == pmetric.MetricTypeSum && metric.Sum().DataPoints().Len() == 0
	})
	return all
}

func histogram(to pmetric.MetricSlice, name, description string) pmetric.Metric {
	metric := to.AppendEmpty()
	metric.SetName(name)
	metric.SetUnit("s")
	metric.SetDescription(description)
	metric.SetEmptyExponentialHistogram().SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
	return metric
}

func putSeries(attributes pcommon.Map, tags wsevent.Tags, outcome string) {
	wslog.PutTags(attributes, tags)
	attributes.PutStr(wsevent.KeyOutcome, outcome)
}

// fill adds the point of one outcome, with its exemplars of the window.
func (w *sessionWindow) fill(
	to pmetric.ExponentialHistogramDataPointSlice, outcome string, h *wsevent.Histogram, value func(*wsevent.Exemplar) (time.Duration, bool),
) {
	point := to.AppendEmpty()
	point.SetStartTimestamp(timestamp(w.Since))
	point.SetTimestamp(timestamp(w.end))
	putSeries(point.Attributes(), w.tags, outcome)
	point.SetScale(wsevent.HistogramScale)
	point.SetCount(h.Count)
	point.SetZeroCount(h.Zero)
	point.SetSum(float64(h.Sum) / 1000)
	point.Positive().SetOffset(h.First)
	point.Positive().BucketCounts().FromRaw(h.Buckets)
	for i := range w.Exemplars {
		e := &w.Exemplars[i]
		if at, ok := value(e); ok && e.Outcome == outcome {
			one := point.Exemplars().AppendEmpty()
			one.SetTimestamp(timestamp(e.Time))
			one.SetTraceID(pcommon.TraceID(e.TraceID))
			one.SetSpanID(pcommon.SpanID(e.SpanID))
			one.SetDoubleValue(at.Seconds())
		}
	}
}
