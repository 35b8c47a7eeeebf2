// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package alertconnector

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"

	owntest "github.com/otelcol-ccaas/otelcol-ccaas/internal/componenttest"
	"github.com/otelcol-ccaas/otelcol-ccaas/internal/state"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
)

func TestStorage_RestartWithinARun(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d, at := owntest.NewStorage(), start()
		r := begin(t, configured(t, dropRule), d, nil)
		r.consume(t, drops(at, 0.51))
		r.end(t)
		assert.Empty(t, r.bodies())

		r = begin(t, configured(t, dropRule), d, nil)
		r.consume(t, drops(at+9_000, 0.51))
		r.consume(t, drops(at+18_000, 0.51))
		assert.Equal(t, []string{"firing"}, statuses(r.bodies()))
		r.end(t)

		after := begin(t, configured(t, dropRule), d, nil)
		after.consume(t, drops(at+27_000, 0.51))
		assert.Empty(t, after.bodies(), "it was emitted before the restart")
		after.consume(t, drops(at+36_000, 0.4))
		sameID(t, append(r.bodies(), after.bodies()...))
		assert.Equal(t, []string{"resolved"}, statuses(after.bodies()))
		after.end(t)
	})
}

func TestConsume_SameBatchTwice(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := begin(t, configured(t, dropRule), nil, nil)
		at := start()
		r.consume(t, drops(at, 0.51))
		r.consume(t, drops(at, 0.51))
		assert.Empty(t, r.bodies())
		r.consume(t, drops(at+9_000, 0.51))
		r.consume(t, drops(at+9_000, 0.51))
		assert.Equal(t, []string{"firing"}, statuses(r.bodies()))
		assert.EqualValues(t, 2, r.e.engine.Stats().Skipped["seen"])
		r.end(t)
	})
}

// sinkOf takes logs until its disk has died: what comes later was never sent by a process
// that was killed then.
func sinkOf(disk *owntest.Storage) *owntest.LogsSink {
	return &owntest.LogsSink{Refuse: func(plog.Logs) error {
		if disk.CutOff() {
			return errors.New("nobody is there")
		}
		return nil
	}}
}

const killRules = dropRule + `
  - name: unusual
    metric: ws.active_connections
    severity: warning
    baseline: { quantile: 0.95, lookback: 2h, min_history: 0s, include_firing: false }
    threshold: { percent_of_baseline: 120 }
`

// story is what happens in the kill tests: two drop episodes, and a baseline over
// three hours.
func story(at int64) (batches []pmetric.Metrics) {
	for i := range int64(40) {
		rate, connections := 0.1, float64(100+i)
		if i > 10 && i < 14 || i > 30 && i < 33 {
			rate, connections = 0.7, 200
		}
		batches = append(batches, window(at+i*300_000, map[string]float64{"ws.drop_rate": rate, "ws.active_connections": connections}))
	}
	return batches
}

// minutes makes the windows of a story follow each other.
func minutes(c *Config) *Config {
	for i := range c.Rules {
		c.Rules[i].Interval = 5 * time.Minute
	}
	return c
}

// emitted is every alert by its id and status.
func emitted(all []body) []string {
	set := map[string]bool{}
	for _, b := range all {
		set[fmt.Sprint(b["alert_id"], b["status"], b["window_end"])] = true
	}
	return slices.Sorted(maps.Keys(set))
}

// baselines are the points of ws.alert.baseline by their time.
func baselines(sink *consumertest.MetricsSink) map[int64]float64 {
	found := map[int64]float64{}
	for _, metrics := range sink.AllMetrics() {
		for _, metric := range metrics.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().All() {
			if metric.Name() == wsevent.MetricAlertBaseline {
				for _, point := range metric.Gauge().DataPoints().All() {
					found[milliseconds(point.Timestamp())] = point.DoubleValue()
				}
			}
		}
	}
	return found
}

// Wherever in the writing of the state the process is killed, every firing and
// resolved alert arrives under the same id, and baselines are what they would have
// been.
func TestStorage_KillAnywhere(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		at := start() - 4*day
		batches := story(at)
		continuous, d := (*running)(nil), owntest.NewStorage()
		continuous = begin(t, minutes(configured(t, killRules)), d, nil)
		for _, batch := range batches {
			continuous.consume(t, batch)
			synctest.Wait()
		}
		want, wantBaselines := emitted(continuous.bodies()), baselines(continuous.metrics)
		require.Len(t, want, 8, "two episodes of two rules")
		require.NotEmpty(t, wantBaselines)
		operations := d.Written()
		continuous.end(t)

		for cut := 1; cut < operations; cut++ {
			d := owntest.NewStorage()
			d.FailAfter(cut)
			before := sinkOf(d)
			r := begin(t, minutes(configured(t, killRules)), d, before)
			reached := 0
			for _, batch := range batches {
				r.consume(t, batch)
				alive := !d.CutOff()
				if !alive {
					break // it was not acknowledged
				}
				synctest.Wait()
				reached++
			}
			killed := d.Copy()
			r.end(t)

			after := begin(t, minutes(configured(t, killRules)), killed, nil)
			for _, batch := range batches[reached:] {
				after.consume(t, batch)
			}
			require.Equal(t, want, emitted(append(bodies(before.AllLogs()), after.bodies()...)), "cut at %d of %d", cut, operations)
			for end, value := range baselines(after.metrics) {
				require.InDelta(t, wantBaselines[end], value, 0, "cut at %d, window %d", cut, end)
			}
			after.end(t)
		}
	})
}

// An alert that downstream does not take survives a kill.
func TestStorage_PendingAlertsSurviveAKill(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d, at := owntest.NewStorage(), start()
		r := begin(t, configured(t, dropRule), d, consumertest.NewErr(errors.New("down")))
		for i := range int64(3) {
			r.consume(t, drops(at+i*9_000, []float64{0.6, 0.6, 0.1}[i]))
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		assert.Equal(t, 1, r.log.FilterMessageSnippet("refused by downstream").Len(), "logged once")
		killed := d.Copy()
		r.end(t)

		r = begin(t, configured(t, dropRule), killed, nil)
		assert.Equal(t, []string{"firing", "resolved"}, statuses(r.bodies()))
		sameID(t, r.bodies())
		r.end(t)
		r = begin(t, configured(t, dropRule), killed, nil)
		assert.Empty(t, r.bodies(), "they were taken")
		for key := range killed.Data() {
			assert.NotContains(t, key, "alerts/")
		}
		r.end(t)
	})
}

func TestShutdown_ReportsUndeliveredAlerts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := begin(t, configured(t, dropRule), nil, consumertest.NewErr(errors.New("down")))
		r.consume(t, drops(start(), 0.6))
		r.consume(t, drops(start()+9_000, 0.6))
		synctest.Wait()
		require.ErrorContains(t, r.logs.Shutdown(t.Context()), "1 alerts are lost")
	})
}

// A full disk stops nothing, and what it has missed is on it as soon as there is
// room.
func TestStorage_Full(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d, at := owntest.NewStorage(), start()
		r := begin(t, configured(t, dropRule), d, nil)
		d.SetFull(true)
		r.consume(t, drops(at, 0.6))
		r.consume(t, drops(at+9_000, 0.6))
		assert.Equal(t, []string{"firing"}, statuses(r.bodies()))
		time.Sleep(10 * time.Second)
		assert.Equal(t, 1, r.log.FilterMessageSnippet("cannot be saved").Len(), "logged once")
		d.SetFull(false)
		time.Sleep(2 * time.Second)
		synctest.Wait()
		assert.Equal(t, 1, r.log.FilterMessageSnippet("saved again").Len())
		killed := d.Copy()
		r.end(t)

		r = begin(t, configured(t, dropRule), killed, nil)
		r.consume(t, drops(at+18_000, 0.1))
		assert.Equal(t, []string{"resolved"}, statuses(r.bodies()), "it knows that it fires, and does not emit it again")
		r.end(t)
	})
}

// Whatever single key is damaged or lost, the connector starts, says which it is,
// keeps it, and goes on with the rest.
func TestStorage_DamagedKeyIsQuarantined(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d, at := owntest.NewStorage(), start()-4*day
		r := begin(t, minutes(configured(t, killRules)), d, nil)
		for _, batch := range story(at)[:32] { // a time at which both fire
			r.consume(t, batch)
		}
		synctest.Wait()
		continuous := d.Copy()
		r.end(t)
		require.GreaterOrEqual(t, len(continuous.Data()), 5)

		for key, value := range continuous.Data() {
			for name, spoiled := range map[string][]byte{
				"cut":     value[:len(value)/2],
				"flipped": append(slices.Clone(value[:len(value)-1]), value[len(value)-1]^1),
				"version": append([]byte{9}, value[1:]...),
			} {
				d := continuous.Copy()
				d.Put(key, spoiled)
				r := begin(t, minutes(configured(t, killRules)), d, nil)
				damage := r.log.FilterMessageSnippet("damaged").All()
				require.Len(t, damage, 1, "%s %s", key, name)
				assert.Equal(t, key, damage[0].ContextMap()["key"])
				assert.Equal(t, spoiled, d.Copy().Data()[state.QuarantineKey(key)])
				for _, batch := range story(at)[32:] {
					r.consume(t, batch)
				}
				assert.NotEmpty(t, r.bodies(), "%s %s: something goes on", key, name)
				r.end(t)
			}
		}
	})
}

// What fires under a rule that is gone ends.
func TestStorage_RemovedRule(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d, at := owntest.NewStorage(), start()
		r := begin(t, configured(t, dropRule), d, nil)
		r.consume(t, drops(at, 0.6))
		r.consume(t, drops(at+9_000, 0.6))
		firing := r.bodies()
		r.end(t)

		changed := configured(t, dropRule)
		changed.Rules[0].Name = "another"
		r = begin(t, changed, d, nil)
		require.Equal(t, []string{"resolved"}, statuses(r.bodies()))
		sameID(t, append(firing, r.bodies()...))
		assert.Equal(t, "rule or severity removed", r.bodies()[0]["reason"])
		r.end(t)
		r = begin(t, configured(t, dropRule), d, nil)
		assert.Empty(t, r.bodies())
		r.end(t)
	})
}

func TestStorage_Unknown(t *testing.T) {
	t.Parallel()
	config := configured(t, dropRule)
	config.Storage = &owntest.StorageID
	c, err := NewFactory().CreateMetricsToLogs(t.Context(), nopSettings(), config, consumertest.NewNop())
	require.NoError(t, err)
	require.ErrorContains(t, c.Start(t.Context(), owntest.NewHost(nil)), "storage: disk: there is no such extension")
	require.NoError(t, c.Shutdown(t.Context()))
}

// A disk that is damaged and full at once keeps nobody from watching.
func TestStorage_DamagedAndFull(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d, at := owntest.NewStorage(), start()
		r := begin(t, configured(t, dropRule), d, nil)
		r.consume(t, drops(at, 1))
		r.end(t)
		d.Put("series/0", []byte("spoiled"))
		d.SetFull(true)
		r = begin(t, configured(t, dropRule), d, nil)
		assert.NotNil(t, r.log.FilterMessageSnippet("damaged").All()[0].ContextMap()["quarantine_error"])
		r.consume(t, drops(at+9_000, 1))
		r.consume(t, drops(at+18_000, 1))
		assert.Equal(t, []string{"firing"}, statuses(r.bodies()))
		r.end(t)
	})
}

// Without a storage no change waits to be saved, least of all those of series that
// are gone.
func TestStorage_None(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		config := configured(t, dropRule)
		config.Rules[0].Expire = time.Minute
		r := begin(t, config, nil, nil)
		r.consume(t, drops(start(), 0))
		time.Sleep(2 * time.Minute)
		r.consume(t, windowOf(wsevent.Tags{TenantID: "another"}, start(), map[string]float64{"ws.drop_rate": 0}))
		assert.Empty(t, r.e.engine.Changes())
		r.end(t)
	})
}
