// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package alertmanagerexporter

import (
	"context"
	"errors"
	"slices"
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

// observe reports the sums of a metric by labels; without any it sums all.
func (b *bridge) observe(name string, labels ...string) metric.Int64Callback {
	return func(_ context.Context, o metric.Int64Observer) error {
		sums, sets := map[attribute.Distinct]float64{}, map[attribute.Distinct]attribute.Set{}
		for _, m := range b.family(name).GetMetric() {
			var by []attribute.KeyValue
			for _, pair := range m.GetLabel() {
				if slices.Contains(labels, pair.GetName()) {
					by = append(by, attribute.String(pair.GetName(), pair.GetValue()))
				}
			}
			set := attribute.NewSet(by...)
			sets[set.Equivalent()] = set
			sums[set.Equivalent()] += m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
		for by, sum := range sums {
			o.Observe(int64(sum), metric.WithAttributeSet(sets[by]))
		}
		return nil
	}
}

// register bridges the metrics of metadata.yaml.
func (b *bridge) register(t *metadata.TelemetryBuilder) error {
	const receiver, integration = "receiver_name", "integration"
	return errors.Join(
		t.RegisterAlertmanagerAlertsCallback(b.observe("alertmanager_alerts", "state")),
		t.RegisterAlertmanagerSilencesCallback(b.observe("alertmanager_silences", "state")),
		t.RegisterAlertmanagerGroupsCallback(b.observe("alertmanager_dispatcher_aggregation_groups")),
		t.RegisterAlertmanagerGroupLimitReachedCallback(b.observe("alertmanager_dispatcher_aggregation_group_limit_reached_total")),
		t.RegisterAlertmanagerNotificationsCallback(b.observe("alertmanager_notifications_total", receiver, integration)),
		t.RegisterAlertmanagerNotificationsFailedCallback(b.observe("alertmanager_notifications_failed_total", receiver, integration)),
		t.RegisterAlertmanagerNotificationAttemptsCallback(b.observe("alertmanager_notification_requests_total", receiver, integration)),
		t.RegisterAlertmanagerNotificationAttemptsFailedCallback(b.observe("alertmanager_notification_requests_failed_total", receiver, integration)),
		t.RegisterAlertmanagerNotificationsSuppressedCallback(b.observe("alertmanager_notifications_suppressed_total", "reason")),
	)
}
