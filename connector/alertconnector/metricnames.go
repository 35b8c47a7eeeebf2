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
var metricNames = []string{
	"ws.active_connections", "ws.backpressure.events", "ws.clock.skew", "ws.connections.closed", "ws.connections.dropped",
	"ws.connections.opened", "ws.connections.reopened", "ws.connections.stuck", "ws.connections.unanswered", "ws.connections.unreconciled", "ws.drop_rate", "ws.events.reconstructed", "ws.late_events", "ws.messages", "ws.messages.received", "ws.messages.sent",
	"ws.messages.unsized", "ws.payload", "ws.payload.throughput", "ws.protocol.violations", "ws.session.duration",
	"ws.session.first_reply", "ws.sessions", "ws.window.complete", "ws.window.size", "ws.window.step",
	wsevent.MetricAlertBaseline, wsevent.MetricAlertFiring, wsevent.MetricAlertFor, wsevent.MetricAlertThreshold,
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
)

// unreportedDrops logs, once for each rule and stream, that a rule on dropped
// connections cannot fire because the platform does not report whether a connection
// was dropped: closes are counted, and drops are absent.
type unreportedDrops struct {
	rules  []*engine.Rule // on dropped connections
	logger *zap.Logger
	logged map[[3]string]bool
}

func newUnreportedDrops(rules []*engine.Rule, logger *zap.Logger) *unreportedDrops {
	u := &unreportedDrops{logger: logger, logged: map[[3]string]bool{}}
	for _, r := range rules {
		if r.Metric == "ws.drop_rate" || r.Metric == "ws.connections.dropped" {
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
	for i := range windows {
		w := &windows[i]
		if !hasValue(w, closedMetric, func(closed float64) bool { return closed > 0 }) {
			continue
		}
		for _, r := range u.rules {
			if !r.Matches(w) || hasValue(w, r.Metric, func(float64) bool { return true }) {
				continue
			}
			tenant, _ := w.Attributes.Get(wsevent.TenantID)
			region, _ := w.Attributes.Get(wsevent.Region)
			key := [3]string{r.Name, tenant, region}
			if u.logged[key] || len(u.logged) >= maxUnreported {
				continue
			}
			u.logged[key] = true
			u.logger.Warn("Rule cannot fire for a stream: its platform does not report whether a closed connection was dropped",
				zap.String("rule", r.Name), zap.String("metric", r.Metric), zap.String(wsevent.TenantID, tenant), zap.String(wsevent.Region, region))
		}
	}
}

func hasValue(w *engine.Window, metric string, is func(float64) bool) bool {
	return slices.ContainsFunc(w.Values, func(v engine.Value) bool { return v.Metric == metric && is(v.Value) })
}
