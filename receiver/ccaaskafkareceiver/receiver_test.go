// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package ccaaskafkareceiver

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/receiver"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/metric/metricdata/metricdatatest"

	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaskafkareceiver/internal/metadatatest"
)

func TestOwnTelemetry(t *testing.T) {
	t.Parallel()
	telemetry := componenttest.NewTelemetry()
	cluster, emitted := startKafka(t), newWindows()
	events := newPlatform(t, cluster)
	events.send(t, 10, 200*time.Millisecond) // before the group has a member
	m := newMember(t, configFor(cluster), emitted, func(set *receiver.Settings) { set.TelemetrySettings = telemetry.NewTelemetrySettings() })
	require.NoError(t, m.Start(t.Context(), componenttest.NewNopHost()))
	m.reads(t, all...)
	events.finish(t, emitted)
	m.readsToTheEnd(t)
	metadatatest.AssertEqualCcaasKafkaAssignedPartitions(t, telemetry, sum(4), metricdatatest.IgnoreTimestamp())
	metadatatest.AssertEqualCcaasKafkaReplayedMessages(t, telemetry, sum(10*tenants), metricdatatest.IgnoreTimestamp())
	metadatatest.AssertEqualCcaasKafkaMessages(t, telemetry, sum(events.sent), metricdatatest.IgnoreTimestamp())
	var lags []metricdata.DataPoint[int64]
	for _, number := range all {
		lags = append(lags, sum(0, attribute.Int64("partition", int64(number)))...)
	}
	metadatatest.AssertEqualCcaasKafkaLag(t, telemetry, lags, metricdatatest.IgnoreTimestamp())
}

func TestStatus_UnreachableBrokers(t *testing.T) {
	t.Parallel()
	config := createDefaultConfig().(*Config)
	config.Brokers = []string{"127.0.0.1:1"}
	m := newMember(t, config, newWindows())
	require.NoError(t, m.Start(t.Context(), m.host))
	eventually(t, func() error {
		if m.host.LastEvent() == nil {
			return errors.New("there is no status")
		}
		return nil
	})
	assert.Equal(t, componentstatus.StatusRecoverableError, m.host.LastEvent().Status())
	assert.ErrorContains(t, m.host.LastEvent().Err(), "brokers: 127.0.0.1:1: cannot query the end offsets of ccaas_events")
}

func sum(n int64, attributes ...attribute.KeyValue) []metricdata.DataPoint[int64] {
	return []metricdata.DataPoint[int64]{{Value: n, Attributes: attribute.NewSet(attributes...)}}
}
