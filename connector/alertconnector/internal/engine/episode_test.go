// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-ccaas/otelcol-ccaas/connector/alertconnector/internal/baseline"
	"github.com/otelcol-ccaas/otelcol-ccaas/connector/alertconnector/internal/rule"
)

// noDataRules are a rule whose series outlive expire, since they have a baseline.
func noDataRules(severities ...string) []*Rule {
	r := &Rule{
		Name: "drops", Metric: "ws.drop_rate", MaxSeries: 10, Expire: 24 * hour,
		Baseline: &baseline.Config{Quantile: 0.95, Lookback: 7 * 24 * time.Hour},
	}
	for _, severity := range severities {
		r.Levels = append(r.Levels, rule.Level{
			Severity: severity, Threshold: rule.Limit{Kind: rule.Above, Value: 0.5}, For: 1, ClearFor: 1, NoData: 3, Repeat: 4 * hour,
		})
	}
	return []*Rule{r}
}

// process is an engine with its storage.
type process struct {
	*Engine
	disk store
}

func (p *process) save(out Outcome) []Alert { p.disk.apply(p.Engine); return out.Alerts }

// restart restores a new engine from the storage, as after a kill.
func (p *process) restart(t *testing.T, now int64, rules []*Rule) []Alert {
	t.Helper()
	p.Engine = New(rules)
	found, err := p.Restore(p.disk.get)
	require.NoError(t, err)
	require.Empty(t, found.Damage)
	p.Resume(now)
	return found.Outcome.Alerts
}

func dropRate(end int64, value float64) []Window {
	return []Window{{Start: end - 10*second, End: end, Values: []Value{{Metric: "ws.drop_rate", Value: value}}}}
}

// silent is a process whose only series has had its latest window at epoch.
func silent(rules []*Rule) *process {
	p := &process{New(rules), store{}}
	p.save(p.Observe(dropRate(epoch-10*second, 0), epoch-10*second))
	p.save(p.Observe(dropRate(epoch, 0), epoch))
	return p
}

// A no_data alert that has expired fires again after a restart, as another episode: a receiver
// that has its resolved would skip the firing.
func TestEpisode_NoDataExpiredAndRestarted(t *testing.T) {
	t.Parallel()
	p := silent(noDataRules("critical"))
	ids := map[string]bool{}
	var latest int64
	for range 3 {
		start := epoch + latest
		alerts := p.save(p.Tick(start + hour))
		require.Len(t, alerts, 1)
		require.False(t, alerts[0].Resolved)
		id, fired := alerts[0].ID, alerts[0]
		assert.NotContains(t, ids, id)
		ids[id] = true
		assert.LessOrEqual(t, fired.Start, fired.End)

		alerts = p.save(p.Tick(start + 25*hour))
		require.Len(t, alerts, 1)
		require.True(t, alerts[0].Resolved)
		assert.Equal(t, id, alerts[0].ID)
		assert.GreaterOrEqual(t, alerts[0].End, fired.End, "a resolved alert is not older than its firing")
		assert.Empty(t, p.save(p.Tick(start+26*hour)), "given up")

		latest += 26 * hour
		assert.Empty(t, p.restart(t, epoch+latest, noDataRules("critical")))
	}
	// An alert that a kill keeps from being saved has the same id the next time.
	once := p.Tick(epoch + latest + hour).Alerts
	p.restart(t, epoch+latest+2*hour, noDataRules("critical"))
	again := p.Tick(epoch + latest + 3*hour).Alerts
	require.Len(t, once, 1)
	require.Len(t, again, 1)
	assert.Equal(t, once[0].ID, again[0].ID)
	assert.NotContains(t, ids, once[0].ID)
}

// The end of the alerts of an episode does not go back, though a restart begins to wait anew
// and the window that ends it may be late.
func TestEpisode_NoDataEndAfterRestart(t *testing.T) {
	t.Parallel()
	p := silent(noDataRules("critical"))
	var all []Alert
	all = append(all, p.save(p.Tick(epoch+hour))...)
	p.restart(t, epoch+5*hour, noDataRules("critical"))
	all = append(all, p.save(p.Tick(epoch+5*hour+second))...)
	p.restart(t, epoch+10*hour, noDataRules("critical"))
	all = append(all, p.save(p.Tick(epoch+10*hour))...)
	all = append(all, p.save(p.Observe(dropRate(epoch+10*second, 0), epoch+11*hour))...)
	require.Len(t, all, 4)
	var ends []int64
	for _, a := range all {
		assert.Equal(t, all[0].ID, a.ID)
		ends = append(ends, a.End-epoch)
	}
	assert.Equal(t, []int64{hour, 5*hour + second, 10 * hour, 10 * hour}, ends)
	assert.True(t, all[3].Resolved)
}

// A severity that is removed while it fires, and configured again, begins another episode.
func TestEpisode_SeverityRemovedAndBack(t *testing.T) {
	t.Parallel()
	both, one := noDataRules("critical", "warning"), noDataRules("warning")
	for name, change := range map[string]func(p *process, rules []*Rule, now int64) []Alert{
		"reload":  func(p *process, rules []*Rule, _ int64) []Alert { return p.save(p.Replace(rules)) },
		"restart": func(p *process, rules []*Rule, now int64) []Alert { return p.restart(t, now, rules) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := silent(both)
			fired := p.save(p.Tick(epoch + hour))
			require.Len(t, fired, 2)
			gone := change(p, one, epoch+hour)
			require.Len(t, gone, 1)
			assert.True(t, gone[0].Resolved)
			assert.Equal(t, fired[0].ID, gone[0].ID)
			p.save(Outcome{})
			change(p, both, epoch+2*hour)
			again := p.save(p.Tick(epoch + 3*hour))
			require.Len(t, again, 1, "the other severity still fires")
			assert.Equal(t, "critical", again[0].Severity)
			assert.NotEqual(t, fired[0].ID, again[0].ID)
			ended := p.save(p.Observe(dropRate(epoch+3*hour, 0), epoch+3*hour))
			require.Len(t, ended, 2)
			assert.Equal(t, again[0].ID, ended[0].ID)
			assert.Equal(t, fired[1].ID, ended[1].ID)
		})
	}
}

// Windows that come a second time, since the clock was set back, are other episodes, also
// after a restart.
func TestEpisode_ClockSetBack(t *testing.T) {
	t.Parallel()
	p := &process{New(noDataRules("critical")), store{}}
	ids := map[string]bool{}
	for range 3 {
		for _, value := range []float64{1, 0} {
			for _, a := range p.save(p.Observe(dropRate(epoch+int64(2-value)*10*second, value), epoch)) {
				if !a.Resolved {
					assert.NotContains(t, ids, a.ID)
				}
				ids[a.ID] = true
			}
		}
		p.save(p.Observe(dropRate(epoch+hour, 0), epoch+hour)) // the clock is ahead
		p.restart(t, epoch, noDataRules("critical"))
	}
	assert.Len(t, ids, 3)
}
