// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package alertconnector

import (
	"slices"
	"strings"

	"go.uber.org/zap"

	"github.com/otelcol-ccaas/otelcol-ccaas/connector/alertconnector/internal/engine"
	"github.com/otelcol-ccaas/otelcol-ccaas/internal/spelling"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
)

// metricNames are the metrics of this distribution.
var metricNames = append(sumNames(),
	"ws.active_connections", "ws.clock.skew", "ws.connections.stuck", "ws.connections.unanswered", "ws.connections.unreconciled",
	"ws.drop_rate", "ws.events.reconstructed", "ws.gaps.healed.since", "ws.gaps.healed.until", "ws.messages", "ws.payload.throughput",
	wsevent.MetricSessionDuration, wsevent.MetricSessionFirstReply, wsevent.MetricSessions,
	wsevent.CompleteMetric, "ws.window.size", "ws.window.step",
	wsevent.MetricAlertBaseline, wsevent.MetricAlertFiring, wsevent.MetricAlertFor, wsevent.MetricAlertThreshold)

func sumNames() (names []string) {
	for i := range wsevent.Sums {
		if name := wsevent.Sums[i].Metric; name != "" {
			names = append(names, name)
		}
	}
	return names
}

// unknownMetric returns the nearest known name where a rule names a ws.* metric that
// this distribution does not emit.
func unknownMetric(name string) (nearest string, unknown bool) {
	if !strings.HasPrefix(strings.ToLower(name), "ws") || slices.Contains(metricNames, name) {
		return "", false
	}
	nearest, _ = spelling.Nearest(name, metricNames)
	return nearest, true
}

const (
	closedMetric  = "ws.connections.closed"
	maxUnreported = 1000 // streams that are remembered
	enoughCloses  = 10   // windows with closes of which none was classified: the first ones may be of connections that end with a start
)

// unreportedDrops logs, once for each rule and stream, that a rule on dropped
// connections cannot fire because the platform does not report whether a connection
// was dropped: closes are counted in several windows, and none was classified.
type unreportedDrops struct {
	rules   []*engine.Rule // on dropped connections
	logger  *zap.Logger
	streams map[[2]string]*streamCloses // by tenant and region
}

// streamCloses are the closes of a stream.
type streamCloses struct {
	classified bool  // at least one: the platform reports drops
	windows    int   // ends of windows with closes of which none was classified
	end        int64 // of the newest of them, unix ms
	logged     map[string]bool
}

func newUnreportedDrops(rules []*engine.Rule, logger *zap.Logger) *unreportedDrops {
	u := &unreportedDrops{logger: logger, streams: map[[2]string]*streamCloses{}}
	for _, r := range rules {
		if r.Metric == "ws.drop_rate" || r.Metric == wsevent.DroppedMetric {
			u.rules = append(u.rules, r)
		}
	}
	return u
}

// observe is called with the lock of the evaluator.
func (u *unreportedDrops) observe(windows []engine.Window) {
	if len(u.rules) == 0 {
		return
	}
	for i := range windows { // all of them before a line is written: one series may report what another does not
		u.count(&windows[i])
	}
	for i := range windows {
		w := &windows[i]
		key := streamOf(w)
		closes := u.streams[key]
		if closes == nil || closes.classified || closes.windows < enoughCloses || !hasCloses(w) {
			continue
		}
		for _, r := range u.rules {
			if !r.Matches(w) || closes.logged[r.Name] {
				continue
			}
			closes.logged[r.Name] = true
			u.logger.Warn("Rule cannot fire for a stream: its platform does not report whether a closed connection was dropped",
				zap.String("rule", r.Name), zap.String("metric", r.Metric), zap.String(wsevent.TenantID, key[0]), zap.String(wsevent.Region, key[1]))
		}
	}
}

// count notes whether the closes of a window were classified.
func (u *unreportedDrops) count(w *engine.Window) {
	if !hasCloses(w) {
		return
	}
	key := streamOf(w)
	closes := u.streams[key]
	if closes == nil {
		if len(u.streams) >= maxUnreported {
			return
		}
		closes = &streamCloses{logged: map[string]bool{}}
		u.streams[key] = closes
	}
	switch every := func(float64) bool { return true }; {
	case hasValue(w, wsevent.DroppedMetric, every) || hasValue(w, "ws.drop_rate", every):
		closes.classified = true
	case w.End > closes.end:
		closes.windows, closes.end = closes.windows+1, w.End
	}
}

func hasCloses(w *engine.Window) bool {
	return hasValue(w, closedMetric, func(closed float64) bool { return closed > 0 })
}

func streamOf(w *engine.Window) [2]string {
	tenant, _ := w.Attributes.Get(wsevent.TenantID)
	region, _ := w.Attributes.Get(wsevent.Region)
	return [2]string{tenant, region}
}

func hasValue(w *engine.Window, metric string, is func(float64) bool) bool {
	return slices.ContainsFunc(w.Values, func(v engine.Value) bool { return v.Metric == metric && is(v.Value) })
}
