// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package traffic

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// busy are the events and the sessions of a tenant in a stretch of time.
type busy struct{ events, opened int }

func busyness(events []Event, g *Generator, tenant string, from, until time.Duration) busy {
	var b busy
	for _, e := range events {
		if e.at < from || e.at >= until || g.Series[e.Series].TenantID != tenant {
			continue
		}
		b.events++
		if e.Kind == ConnectionOpen {
			b.opened++
		}
	}
	return b
}

func TestACampaignRaisesOneTenantsTraffic(t *testing.T) {
	t.Parallel()
	const minutes = 16
	traffic := func(plan campaignPlan) ([]Event, *Generator) {
		g := testGenerator(1, func(c *Config) { c.Rate, c.Sessions, c.Duration = 500, 500, minutes*time.Minute })
		g.campaign.replan(plan, g)
		return take(g, 0), g
	}
	plain, _ := traffic(campaignPlan{})
	raised, g := traffic(campaignPlan{every: 5 * time.Minute, duration: 3 * time.Minute, factor: 4, tenant: "globex"})

	last := time.Duration(0)
	for _, e := range raised {
		require.GreaterOrEqual(t, e.at, last, "events come in order of their time")
		last = e.at
	}
	happened := map[ID]Event{}
	for _, e := range raised {
		happened[e.Id] = e
	}
	for _, e := range plain {
		require.Equal(t, e, happened[e.Id], "the ordinary events stay the same")
	}
	// A session lives for 20 s, so that after a minute the crowd is complete, and a minute after its end gone.
	for _, begin := range []time.Duration{5 * time.Minute, 10 * time.Minute} {
		during, calm := begin+time.Minute, begin+4*time.Minute
		before := busyness(raised, g, "globex", begin-time.Minute, begin)
		inside := busyness(raised, g, "globex", during, during+2*time.Minute)
		after := busyness(raised, g, "globex", calm, calm+time.Minute)
		assert.InEpsilon(t, 4, float64(inside.events)/2/float64(before.events), 0.15)
		assert.InEpsilon(t, 4, float64(inside.opened)/2/float64(before.opened), 0.15)
		assert.InEpsilon(t, 1, float64(after.events)/float64(before.events), 0.15)
	}
	assert.Equal(t, busyness(plain, g, "acme_corp", 0, time.Hour), busyness(raised, g, "acme_corp", 0, time.Hour))
}

func TestACampaignOfNobody(t *testing.T) {
	t.Parallel()
	g := testGenerator(1, nil)
	g.campaign.replan(campaignPlan{requested: 1, duration: time.Minute, factor: 10, tenant: "nobody"}, g)
	assert.Equal(t, take(testGenerator(1, nil), 20_000), take(g, 20_000))
}
