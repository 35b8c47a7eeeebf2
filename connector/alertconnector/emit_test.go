// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package alertconnector

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-ccaas/otelcol-ccaas/connector/alertconnector/internal/engine"
	"github.com/otelcol-ccaas/otelcol-ccaas/connector/alertconnector/internal/rule"
	owntest "github.com/otelcol-ccaas/otelcol-ccaas/internal/componenttest"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
)

func TestSend_SlowStoreDelaysNoAlert(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		hangs, err := consumer.NewMetrics(func(ctx context.Context, _ pmetric.Metrics) error {
			<-ctx.Done()
			return ctx.Err()
		})
		require.NoError(t, err)
		config, factory, alerts := configured(t, dropRule), NewFactory(), new(consumertest.LogsSink)
		toMetrics, err := factory.CreateMetricsToMetrics(t.Context(), nopSettings(), config, hangs)
		require.NoError(t, err)
		toLogs, err := factory.CreateMetricsToLogs(t.Context(), nopSettings(), config, alerts)
		require.NoError(t, err)
		require.NoError(t, toMetrics.Start(t.Context(), componenttest.NewNopHost()))
		require.NoError(t, toLogs.Start(t.Context(), componenttest.NewNopHost()))
		at := start()
		for range 2 {
			require.NoError(t, toMetrics.ConsumeMetrics(t.Context(), drops(at, 1)))
			synctest.Wait() // the store hangs over the points of the first
			at += 9_000
		}
		assert.Equal(t, 1, alerts.LogRecordCount())
		ctx, cancel := context.WithCancel(t.Context())
		cancel() // no more patience
		require.NoError(t, toMetrics.Shutdown(ctx))
		require.NoError(t, toLogs.Shutdown(ctx))
	})
}

func TestNoData_SuspendedProcess(t *testing.T) {
	t.Parallel()
	for slept, want := range map[bool]int{false: 1, true: 0} {
		synctest.Test(t, func(t *testing.T) {
			config := configured(t, dropRule)
			config.Rules[0].Level.NoData = 3
			r := begin(t, config, nil, nil)
			at := start()
			r.consume(t, drops(at, 0))
			r.consume(t, drops(at+9_000, 0))
			synctest.Wait()
			r.e.mutex.Lock()
			r.e.engine.Resume(time.Now().Add(-time.Hour).UnixMilli()) // as if the latest window came an hour ago
			if slept {
				r.e.ticked -= time.Hour.Milliseconds() // and we looked at the clock then
			}
			r.e.mutex.Unlock()
			time.Sleep(2 * time.Second)
			assert.Len(t, r.bodies(), want)
			r.end(t)
		})
	}
}

// Two connectors whose rules have the same name do not emit the same alert_id.
func TestWrite_AlertIDOfNamedConnectors(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ids := map[string]bool{}
		for _, name := range []string{"", "pages", "tickets"} {
			set, alerts := nopSettings(), new(consumertest.LogsSink)
			set.ID = component.NewIDWithName(set.ID.Type(), name)
			c, err := NewFactory().CreateMetricsToLogs(t.Context(), set, configured(t, dropRule), alerts)
			require.NoError(t, err)
			require.NoError(t, c.Start(t.Context(), componenttest.NewNopHost()))
			for i := range int64(3) { // it fires, and is resolved
				require.NoError(t, c.ConsumeMetrics(t.Context(), drops(start()+i*9_000, float64(1-i/2))))
			}
			synctest.Wait()
			all := bodies(alerts.AllLogs())
			require.Equal(t, []string{"firing", "resolved"}, statuses(all))
			sameID(t, all)
			ids[all[0]["alert_id"].(string)] = true
			require.NoError(t, c.Shutdown(t.Context()))
		}
		assert.Len(t, ids, 3)
	})
}

// What stands in an alert's body is known to those who read it.
func TestWriteBody_KeysAreKnown(t *testing.T) {
	t.Parallel()
	body := pcommon.NewMap()
	writeBody(body, &engine.Alert{
		Attributes: engine.Attributes{
			{Name: "channel_type", Value: "c"}, {Name: "queue", Value: "d"}, {Name: "region", Value: "b"}, {Name: "tenant_id", Value: "a"},
		},
		Reason: rule.Reason{Cause: rule.Silent}, FaultDomain: engine.DomainTenant, EndsAt: 1, Traces: []string{"1"},
	}, &ruleTemplate{runbookURL: "https://runbooks.example.com", annotations: map[string]string{"team": "voice"}}, "text")
	var keys []string
	for key := range body.All() {
		keys = append(keys, key)
	}
	assert.Equal(t, wsevent.AlertKeys(), keys)
}

// A fault of a region has the domain platform in each of its alerts, the first one included,
// though the windows of its tenants arrive one after another. A tenant whose window does not
// arrive is not waited for for long.
func TestEmit_FaultDomainOfARegion(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		late bool // the last tenant
		want []any
	}{
		"all": {false, []any{"platform", "platform", "platform"}},
		"one": {true, []any{"tenant", "tenant", "platform"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				config, d := configured(t, dropRule), owntest.NewStorage()
				config.Rules[0].Level.For = 1
				r := begin(t, config, d, nil)
				at := start()
				round := func(end int64, rate float64, late bool) {
					for i, tenant := range []string{"acme_corp", "globex", "initech"} {
						if i == 2 && late {
							assert.Empty(t, r.bodies())
							time.Sleep(time.Second)
							assert.Len(t, r.bodies(), 2)
						}
						r.consume(t, windowOf(wsevent.Tags{TenantID: tenant, Region: "eu-west-1", ChannelType: "voice"}, end, map[string]float64{"ws.drop_rate": rate}))
						time.Sleep(20 * time.Millisecond)
					}
				}
				round(at-9_000, 0, false)
				round(at, 0, false)
				round(at+9_000, 1, c.late)
				var domains []any
				for _, b := range r.bodies() {
					domains = append(domains, b["fault_domain"])
				}
				assert.Equal(t, c.want, domains)
				round(at+18_000, 0, false)
				assert.Len(t, r.bodies(), 6)
				r.end(t)
			})
		})
	}
}
