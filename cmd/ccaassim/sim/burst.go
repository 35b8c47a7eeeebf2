// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package sim

import "time"

// burstPlan says when connections drop in bulk, and whose.
type burstPlan struct {
	every, duration time.Duration
	share           float64 // of the connections open when the burst begins
	tenant, region  string  // empty: all
}

// burst drops a share of the open sessions, evenly over its duration. Its events
// come on top of the ordinary ones.
type burst struct {
	plan    burstPlan
	begins  time.Duration // of the next burst; meaningless without plan.every
	victims []*session
	at, gap time.Duration // of the next drop, and between drops
}

// follow takes up another plan. Bursts begin at multiples of plan.every.
func (b *burst) follow(plan burstPlan, now time.Duration) {
	if plan == b.plan {
		return
	}
	b.plan = plan
	if plan.every > 0 {
		b.begins = (now/plan.every + 1) * plan.every
	}
}

// next is the next drop, if one comes before the generator's next arrival.
func (b *burst) next(g *generator) (event, bool) {
	if b.plan.every > 0 && b.begins <= g.arrival {
		b.begin(g, b.begins)
		b.begins += b.plan.every
	}
	for len(b.victims) > 0 && b.at <= g.arrival {
		victim, at := b.victims[0], b.at
		b.victims, b.at = b.victims[1:], b.at+b.gap
		if victim.place >= 0 { // else it has ended by itself
			return g.closing(at, victim, g.failure()), true
		}
	}
	return event{}, false
}

// begin chooses the victims of a burst that starts at a moment.
func (b *burst) begin(g *generator, at time.Duration) {
	var exposed []*session
	for _, s := range g.open {
		series := g.series[s.series]
		if (b.plan.tenant == "" || b.plan.tenant == series.TenantID) &&
			(b.plan.region == "" || b.plan.region == series.Region) {
			exposed = append(exposed, s)
		}
	}
	g.random.Shuffle(len(exposed), func(i, j int) { exposed[i], exposed[j] = exposed[j], exposed[i] })
	count := int(float64(len(exposed))*b.plan.share + 0.5)
	b.victims = exposed[:count]
	b.at = at
	b.gap = b.plan.duration / time.Duration(max(count, 1))
}
