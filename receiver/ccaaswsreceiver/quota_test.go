// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package ccaaswsreceiver

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/api"
	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/wsclient"
	sim "github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim"
)

func TestQuotas_WarnOnceUntilRelaxed(t *testing.T) {
	t.Parallel()
	core, logs := observer.New(zap.WarnLevel)
	channels, topics := 0.8, 0.95
	q := &quotas{requests: &wsclient.Usage{Limit: 100}, logger: zap.New(core), others: func(time.Time) []api.Quota {
		return []api.Quota{{Name: "channels", Used: channels, Advice: "fewer"}, {Name: "topics", Used: topics}}
	}}
	now := time.Now()
	for _, step := range []struct {
		channels float64
		warnings int
	}{{0.8, 0}, {0.85, 1}, {0.9, 1}, {0.75, 1}, {0.85, 1}, {0.65, 1}, {0.85, 2}} {
		channels = step.channels
		q.tick(now)
		assert.Equal(t, step.warnings, logs.Len(), step)
	}
	assert.Equal(t, "channels", logs.All()[0].ContextMap()["quota"])
	assert.Equal(t, []api.Quota{{Name: "channels", Used: 0.85, Advice: "fewer"}, {Name: "topics", Used: 0.95}}, q.read(now)[1:])
}

func TestReceiver_QuotaUsed(t *testing.T) {
	t.Parallel()
	server := platformFor(t, func(c *sim.Config) { c.Queues = 34 })
	config := createDefaultConfig().(*Config)
	config.API, config.Endpoint, config.TenantID = "notifications", server.URL(), "acme_corp"
	config.OAuth2.ClientID, config.OAuth2.ClientSecret, config.OAuth2.Scopes = clientID, secret, nil
	config.Connections = 17
	b := run(t, config)
	used := func() map[string]float64 {
		metric, err := b.telemetry.GetMetric("otelcol_ccaas_ws_quota_used_ratio")
		if err != nil {
			return nil
		}
		found := map[string]float64{}
		for _, point := range metric.Data.(metricdata.Gauge[float64]).DataPoints {
			quota, _ := point.Attributes.Value("quota")
			found[quota.AsString()] = point.Value
		}
		return found
	}
	require.Eventually(t, func() bool { return used()["channels"] == 0.85 }, patience, 10*time.Millisecond, "17 of 20 channels")
	assert.InDelta(t, 0.002, used()["topics"], 1e-9, "2 of 1,000 topics")
	assert.Greater(t, used()["requests"], 0.1, "two requests for each channel, of 300")
	require.Eventually(t, func() bool {
		return b.logs.FilterMessage("A limit of the platform is nearly used").FilterField(zap.String("quota", "channels")).Len() == 1
	}, patience, 10*time.Millisecond, fmt.Sprint(b.logs.All()))
}
