// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package alertconnector

import (
	"math"
	"slices"
	"strings"

	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/pdatautil"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-ccaas/otelcol-ccaas/connector/alertconnector/internal/engine"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
)

// reader groups the data points of a batch by attributes and time.
type reader struct {
	windows []engine.Window
	index   map[windowKey]int
}

type windowKey struct {
	resource, attributes [16]byte
	end                  int64
}

// read returns the windows of a batch; none when no rule uses any of its metrics.
func read(metrics pmetric.Metrics, wanted map[string]bool) []engine.Window {
	if !holds(metrics, wanted) {
		return nil
	}
	r := reader{index: map[windowKey]int{}}
	for _, resource := range metrics.ResourceMetrics().All() {
		attributes := resource.Resource().Attributes()
		hash := pdatautil.MapHash(attributes)
		for _, scope := range resource.ScopeMetrics().All() {
			for _, metric := range scope.Metrics().All() {
				r.metric(metric, attributes, hash)
			}
		}
	}
	return r.windows
}

func holds(metrics pmetric.Metrics, wanted map[string]bool) bool {
	for _, resource := range metrics.ResourceMetrics().All() {
		for _, scope := range resource.ScopeMetrics().All() {
			for _, metric := range scope.Metrics().All() {
				if wanted[metric.Name()] {
					return true
				}
			}
		}
	}
	return false
}

func (r *reader) metric(metric pmetric.Metric, resource pcommon.Map, hash [16]byte) {
	var points pmetric.NumberDataPointSlice
	cumulative, running := false, false
	switch metric.Type() {
	case pmetric.MetricTypeGauge:
		points = metric.Gauge().DataPoints()
	case pmetric.MetricTypeSum:
		points = metric.Sum().DataPoints()
		cumulative = metric.Sum().AggregationTemporality() == pmetric.AggregationTemporalityCumulative
		running = cumulative && metric.Sum().IsMonotonic()
	default:
		return
	}
	for _, point := range points.All() {
		if point.Flags().NoRecordedValue() {
			continue
		}
		w := r.window(point, resource, hash)
		if !cumulative && point.StartTimestamp() > 0 { // that of a cumulative sum is its beginning
			w.Start = milliseconds(point.StartTimestamp())
		}
		value := float64(point.IntValue())
		if point.ValueType() == pmetric.NumberDataPointValueTypeDouble {
			value = point.DoubleValue()
		}
		if metric.Name() == wsevent.CompleteMetric && value == 0 {
			w.Incomplete = true
		}
		if metric.Name() == wsevent.DroppedMetric {
			w.Traces = tracesOf(point.Exemplars())
		}
		w.Values = append(w.Values, engine.Value{Metric: metric.Name(), Value: value, Running: running})
	}
}

// tracesOf returns the trace IDs of exemplars, nil for none.
func tracesOf(exemplars pmetric.ExemplarSlice) (ids []string) {
	for _, exemplar := range exemplars.All() {
		if id := exemplar.TraceID(); !id.IsEmpty() && len(ids) < wsevent.MaxAlertTraces && !slices.Contains(ids, id.String()) {
			ids = append(ids, id.String())
		}
	}
	return ids
}

// window returns the window of a point.
func (r *reader) window(point pmetric.NumberDataPoint, resource pcommon.Map, hash [16]byte) *engine.Window {
	key := windowKey{resource: hash, attributes: pdatautil.MapHash(point.Attributes()), end: milliseconds(point.Timestamp())}
	i, ok := r.index[key]
	if !ok {
		i = len(r.windows)
		r.index[key] = i
		r.windows = append(r.windows, engine.Window{Attributes: attributes(resource, point.Attributes()), End: key.end})
	}
	return &r.windows[i]
}

// attributes returns those of the resource and the point; the point's value wins where
// both have a name.
func attributes(resource, point pcommon.Map) engine.Attributes {
	all := make(engine.Attributes, 0, resource.Len()+point.Len())
	for name, value := range point.All() {
		all = append(all, engine.Attribute{Name: name, Value: value.AsString()})
	}
	for name, value := range resource.All() {
		if _, ok := point.Get(name); !ok {
			all = append(all, engine.Attribute{Name: name, Value: value.AsString()})
		}
	}
	slices.SortFunc(all, func(a, b engine.Attribute) int { return strings.Compare(a.Name, b.Name) })
	return all
}

func milliseconds(t pcommon.Timestamp) int64 { return int64(min(uint64(t), math.MaxInt64) / 1e6) }
