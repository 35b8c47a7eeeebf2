// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package ccaaswsreceiver

import (
	"context"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.uber.org/zap"

	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/api"
	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/metadata"
	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/wsclient"
)

const (
	quotaWarning = 0.8 // above it a warning is logged
	quotaRelaxed = 0.7 // below it the next warning may be logged
)

// quotas are the platform's limits, and how much of each is used.
type quotas struct {
	requests *wsclient.Usage
	others   func(now time.Time) []api.Quota // nil: there are none
	logger   *zap.Logger

	mutex  sync.Mutex
	warned map[string]bool
}

// read returns the use of each limit.
func (q *quotas) read(now time.Time) []api.Quota {
	all := []api.Quota{{
		Name: "requests", Used: q.requests.Ratio(now),
		Advice: "requests wait for limits::requests_per_minute, or the platform refuses them; use an OAuth client for this receiver alone, or fewer connections",
	}}
	if q.others != nil {
		all = append(all, q.others(now)...)
	}
	return all
}

// observe registers the metric.
func (q *quotas) observe(telemetry *metadata.TelemetryBuilder) error {
	return telemetry.RegisterCcaasWsQuotaUsedRatioCallback(func(_ context.Context, to metric.Float64Observer) error {
		for _, quota := range q.read(time.Now()) {
			to.Observe(quota.Used, metric.WithAttributes(attribute.String("quota", quota.Name)))
		}
		return nil
	})
}

// tick logs a limit that is nearly used, once until it is relaxed.
func (q *quotas) tick(now time.Time) {
	q.mutex.Lock()
	defer q.mutex.Unlock()
	for _, quota := range q.read(now) {
		switch {
		case quota.Used > quotaWarning && quota.Advice != "" && !q.warned[quota.Name]:
			if q.warned == nil {
				q.warned = map[string]bool{}
			}
			q.warned[quota.Name] = true
			q.logger.Warn("A limit of the platform is nearly used", zap.String("quota", quota.Name), zap.Float64("used_ratio", quota.Used), zap.String("advice", quota.Advice))
		case quota.Used < quotaRelaxed:
			delete(q.warned, quota.Name)
		}
	}
}
