// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package traffic

import (
	"time"

	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/fault"
)

// burstPlan is when connections drop in bulk, and whose.
type burstPlan struct {
	every, duration time.Duration
	share           float64 // of the connections open when the burst begins
	tenant, region  string  // empty: all
	requested       int     // bursts up to now, each to begin at once
}

// planBurst is the plan of the present trouble.
func planBurst(t *fault.Trouble) burstPlan {
	return burstPlan{
		every:     t.BurstEvery,
		duration:  t.BurstDuration,
		share:     t.BurstDropRate / 100,
		tenant:    t.BurstTenant,
		region:    t.BurstRegion,
		requested: t.Bursts(),
	}
}

// burst drops a share of the open sessions, evenly over its duration. Its events
// come on top of the ordinary ones.
type burst struct {
	plan    burstPlan
	begins  time.Duration // of the next burst; meaningless without plan.every
	left    int           // sessions yet to drop
	at, gap time.Duration // of the next drop, and between drops
}

// replan applies another plan. Bursts begin at multiples of plan.every.
func (b *burst) replan(plan burstPlan, g *Generator) {
	if plan == b.plan {
		return
	}
	requested := plan.requested > b.plan.requested
	b.plan = plan
	if plan.every > 0 {
		b.begins = (g.now/plan.every + 1) * plan.every
	}
	if requested {
		b.begin(g, g.now)
	}
}

// due is when the next drop comes, or the generator's next arrival if that is first.
func (b *burst) due(g *Generator) time.Duration {
	if b.plan.every > 0 && b.begins <= g.arrival {
		b.begin(g, b.begins)
		b.begins += b.plan.every
	}
	if b.left == 0 {
		return g.arrival
	}
	return min(b.at, g.arrival)
}

// next is the next drop, if one comes before the generator's next arrival.
func (b *burst) next(g *Generator) (Event, bool) {
	if b.left == 0 || b.at > g.arrival {
		return Event{}, false
	}
	place, ok := b.victim(g)
	if !ok { // they have all ended by themselves
		b.left = 0
		return Event{}, false
	}
	at := b.at
	b.left--
	b.at += b.gap
	return g.closing(at, place, g.failure()), true
}

// begin sets out to drop sessions from a moment on.
func (b *burst) begin(g *Generator, at time.Duration) {
	exposed := int64(0)
	for n, open := range g.Population {
		if b.plan.strikes(g.Series[n]) {
			exposed += open
		}
	}
	b.left = int(float64(exposed)*b.plan.share + 0.5)
	b.at = at
	b.gap = b.plan.duration / time.Duration(max(b.left, 1))
}

// victim finds an open session for the burst to drop: by luck while that is
// likely, else from a random place on.
func (b *burst) victim(g *Generator) (place int, ok bool) {
	if len(g.open) == 0 {
		return 0, false
	}
	struck := func(place int) bool { return b.plan.strikes(g.Series[g.open[place].series]) }
	const luck = 16
	for range luck {
		if place = g.pick(); struck(place) {
			return place, true
		}
	}
	for offset := range g.open {
		if at := (place + offset) % len(g.open); struck(at) {
			return at, true
		}
	}
	return 0, false
}

func (p *burstPlan) strikes(s Series) bool {
	return (p.tenant == "" || p.tenant == s.TenantID) && (p.region == "" || p.region == s.Region)
}
