// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package alertmanagerexporter

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/otelcol-ccaas/otelcol-ccaas/exporter/alertmanagerexporter/internal/metadata"
)

// bridge reads Alertmanager's registry for the collector's own telemetry.
type bridge struct {
	registry *prometheus.Registry

	mutex    sync.Mutex
	gathered time.Time
	families map[string]*dto.MetricFamily
}

// fresh is how long one read of the registry serves the callbacks of a collection.
const fresh = time.Second

func (b *bridge) family(name string) *dto.MetricFamily {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	if now := time.Now(); now.Sub(b.gathered) > fresh {
		b.gathered, b.families = now, map[string]*dto.MetricFamily{}
		all, _ := b.registry.Gather() // what could be read is in all
		for _, family := range all {
			b.families[family.GetName()] = family
		}
	}
	return b.families[name]
}

// observe reports the sums of a metric by one label; an empty label sums all.
func (b *bridge) observe(name, label string) metric.Int64Callback {
	return func(_ context.Context, o metric.Int64Observer) error {
		sums := map[string]float64{}
		for _, m := range b.family(name).GetMetric() {
			by := ""
			for _, pair := range m.GetLabel() {
				if pair.GetName() == label {
					by = pair.GetValue()
				}
			}
			sums[by] += m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
		for by, sum := range sums {
			if label == "" {
				o.Observe(int64(sum))
			} else {
				o.Observe(int64(sum), metric.WithAttributes(attribute.String(label, by)))
			}
		}
		return nil
	}
}

// register bridges the metrics of metadata.yaml.
func (b *bridge) register(t *metadata.TelemetryBuilder) error {
	const integration = "integration"
	return errors.Join(
		t.RegisterAlertmanagerAlertsCallback(b.observe("alertmanager_alerts", "state")),
		t.RegisterAlertmanagerSilencesCallback(b.observe("alertmanager_silences", "state")),
		t.RegisterAlertmanagerGroupsCallback(b.observe("alertmanager_dispatcher_aggregation_groups", "")),
		t.RegisterAlertmanagerGroupLimitReachedCallback(b.observe("alertmanager_dispatcher_aggregation_group_limit_reached_total", "")),
		t.RegisterAlertmanagerNotificationsCallback(b.observe("alertmanager_notifications_total", integration)),
		t.RegisterAlertmanagerNotificationsFailedCallback(b.observe("alertmanager_notifications_failed_total", integration)),
		t.RegisterAlertmanagerNotificationAttemptsCallback(b.observe("alertmanager_notification_requests_total", integration)),
		t.RegisterAlertmanagerNotificationAttemptsFailedCallback(b.observe("alertmanager_notification_requests_failed_total", integration)),
		t.RegisterAlertmanagerNotificationsSuppressedCallback(b.observe("alertmanager_notifications_suppressed_total", "reason")),
	)
}
