// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-ccaas/otelcol-ccaas/connector/alertconnector/internal/rule"
)

// domainRules fire above 0.5: drops, gaps (incomplete windows below 1), and skew.
func domainRules() []*Rule {
	of := func(name, metric string, limit rule.Limit) *Rule {
		return &Rule{
			Name: name, Metric: metric, MaxSeries: 100, Expire: 24 * hour,
			Levels: []rule.Level{{Severity: "warning", Threshold: limit, For: 1, ClearFor: 1, Repeat: 4 * hour}},
		}
	}
	return []*Rule{
		of("drops", "ws.drop_rate", rule.Limit{Kind: rule.Above, Value: 0.5}),
		of("gap", "ws.window.complete", rule.Limit{Kind: rule.Below, Value: 1}),
		of("skew", "ws.clock.skew", rule.Limit{Kind: rule.Outside, Value: 200}),
	}
}

// domainWindow is a window of a tenant; faults are letters: d drops, g a gap, s skew.
func domainWindow(tenant, region, faults string, end int64) Window {
	w := Window{
		Attributes: Attributes{{"channel_type", "voice"}, {"region", region}, {"tenant_id", tenant}},
		Start:      end - 10*second, End: end,
		Values: []Value{{Metric: "ws.drop_rate"}, {Metric: "ws.window.complete", Value: 1}, {Metric: "ws.clock.skew"}},
	}
	for _, fault := range faults {
		switch fault {
		case 'd':
			w.Values[0].Value = 1
		case 'g':
			w.Values[1].Value = 0
		case 's':
			w.Values[2].Value = 300
		}
	}
	return w
}

// The fault domain does not depend on the order of the windows in a batch.
func TestAlert_FaultDomain(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		faults map[string]string // "tenant region" -> faults
		want   map[string]string // "rule tenant region" -> domain
	}{
		"one tenant": {
			map[string]string{"a eu": "d", "b eu": "", "c us": ""},
			map[string]string{"drops a eu": DomainTenant},
		},
		"all tenants of a region": {
			map[string]string{"a eu": "d", "b eu": "d", "a us": "", "b us": ""},
			map[string]string{"drops a eu": DomainPlatform, "drops b eu": DomainPlatform},
		},
		"the only tenant of its region": {
			map[string]string{"a eu": "d", "b us": ""},
			map[string]string{"drops a eu": DomainTenant},
		},
		"a gap of the stream": {
			map[string]string{"a eu": "dg", "b eu": ""},
			map[string]string{"drops a eu": DomainHere, "gap a eu": DomainHere},
		},
		"a gap of another stream": {
			map[string]string{"a eu": "d", "b eu": "g"},
			map[string]string{"drops a eu": DomainTenant, "gap b eu": DomainHere},
		},
		"skew of one stream": {
			map[string]string{"a eu": "s", "b eu": ""},
			map[string]string{"skew a eu": DomainPlatform},
		},
		"skew of all streams": {
			map[string]string{"a eu": "s", "b us": "sd"},
			map[string]string{"skew a eu": DomainHere, "skew b us": DomainHere, "drops b us": DomainHere},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for order := range 4 {
				e := New(domainRules())
				batch := func(end int64, faulty bool) []Window {
					var windows []Window
					for key, faults := range c.faults {
						var tenant, region string
						_, err := fmt.Sscan(key, &tenant, &region)
						require.NoError(t, err)
						if !faulty {
							faults = ""
						}
						windows = append(windows, domainWindow(tenant, region, faults, end))
					}
					if order%2 == 1 {
						slices.Reverse(windows)
					}
					return windows
				}
				e.Observe(batch(epoch, false), epoch)
				require.Equal(t, c.want, domainsOf(t, e.Observe(batch(epoch+9*second, true), epoch), false))
				disk := store{}
				disk.apply(e)
				restarted := New(domainRules())
				_, err := restarted.Restore(disk.get)
				require.NoError(t, err)
				assert.Equal(t, c.want, domainsOf(t, restarted.Observe(batch(epoch+18*second, false), epoch), true), "resolved have that of their firing")
			}
		})
	}
}

// The fault domain does not depend on how the windows of one time are divided into batches,
// nor on their order.
func TestFaultDomain_Settle(t *testing.T) {
	t.Parallel()
	streams := []string{"a eu", "b eu", "c eu", "a us", "b us"}
	random := rand.New(rand.NewPCG(1, 2))
	for round := range 500 {
		faults := map[string]string{}
		for _, stream := range streams {
			faults[stream] = []string{"", "d", "d", "s", "g", "ds"}[random.IntN(6)]
			if round%5 == 0 {
				faults[stream] += "s"
			}
		}
		e, together := New(domainRules()), New(domainRules())
		var before, calm, faulty []Window
		for _, key := range streams {
			tenant, region, _ := strings.Cut(key, " ")
			before = append(before, domainWindow(tenant, region, "", epoch-9*second))
			calm = append(calm, domainWindow(tenant, region, "", epoch))
			faulty = append(faulty, domainWindow(tenant, region, faults[key], epoch+9*second))
		}
		for _, of := range []*Engine{e, together} {
			of.Observe(before, epoch)
			of.Observe(calm, epoch)
		}
		want := domainsOf(t, together.Observe(faulty, epoch), false)

		random.Shuffle(len(faulty), func(i, j int) { faulty[i], faulty[j] = faulty[j], faulty[i] })
		var all Outcome
		for i := range faulty {
			e.Settle(all.Alerts)
			all.Alerts = append(all.Alerts, e.Observe(faulty[i:i+1], epoch).Alerts...)
		}
		_, unsettled := e.Settle(all.Alerts)
		require.False(t, unsettled, "every stream has the window")
		require.Equal(t, want, domainsOf(t, all, false), "round %d: %v", round, faults)
	}
}

// An alert whose peers have the window, or that has none, is settled at once; a stream that has
// stopped is not waited for.
func TestFaultDomain_SettledAtOnce(t *testing.T) {
	t.Parallel()
	e := New(domainRules())
	for n := range int64(10) {
		windows := []Window{domainWindow("a", "eu", "", epoch+n*9*second), domainWindow("alone", "us", "", epoch+n*9*second)}
		if n < 3 {
			windows = append(windows, domainWindow("stopped", "eu", "", epoch+n*9*second))
		}
		e.Observe(windows, epoch)
	}
	out := e.Observe([]Window{domainWindow("a", "eu", "d", epoch+90*second), domainWindow("alone", "us", "d", epoch+90*second)}, epoch)
	require.Len(t, out.Alerts, 2)
	assert.False(t, out.Alerts[0].Unsettled || out.Alerts[1].Unsettled)
}

func domainsOf(t *testing.T, out Outcome, resolved bool) map[string]string {
	t.Helper()
	domains := map[string]string{}
	for _, a := range out.Alerts {
		assert.Equal(t, resolved, a.Resolved)
		labels := a.Attributes.Map()
		domains[a.Rule+" "+labels["tenant_id"]+" "+labels["region"]] = a.FaultDomain
	}
	return domains
}
