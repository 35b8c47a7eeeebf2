// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package traffic

import (
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/fault"
)

// campaignPlan is when a tenant's traffic rises, and by how much.
type campaignPlan struct {
	every, duration time.Duration
	factor          float64
	tenant          string // empty: the first
	requested       int    // campaigns up to now, each to begin at once
}

// planCampaign is the plan of the present trouble.
func planCampaign(t *fault.Trouble) campaignPlan {
	return campaignPlan{
		every:     t.CampaignEvery,
		duration:  t.CampaignDuration,
		factor:    t.CampaignFactor,
		tenant:    t.CampaignTenant,
		requested: t.Campaigns(),
	}
}

// campaign is a crowd of sessions that comes to one tenant on top of its ordinary
// ones, behaves as they do, and is not followed by others once the campaign is over.
// It draws from a source of its own, so that the ordinary events stay the same.
type campaign struct {
	plan   campaignPlan
	random *rand.Rand
	begins time.Duration // of the next campaign
	ends   time.Duration // of the present one
	on     bool
	at     time.Duration // of the crowd's next event

	series     []int32   // the tenant's
	cumulative []float64 // their weights, summed up
	target     float64   // sessions aimed at
	open       []session
}

const never = time.Duration(math.MaxInt64)

// replan applies another plan. Campaigns begin at multiples of plan.every.
func (c *campaign) replan(plan campaignPlan, g *Generator) {
	if plan == c.plan {
		return
	}
	requested := plan.requested > c.plan.requested
	c.plan = plan
	c.begins = never
	if plan.every > 0 {
		c.begins = (g.now/plan.every + 1) * plan.every
	}
	if requested {
		c.begin(g, g.now)
	}
}

// next is the crowd's next event, if it comes by a moment.
func (c *campaign) next(g *Generator, until time.Duration) (Event, bool) {
	for {
		switch turn := c.turn(); {
		case turn <= until && turn <= c.at:
			c.switchAt(g, turn)
		case c.at <= until && (c.on || len(c.open) > 0):
			e := c.event(g)
			c.at += c.gap(g, c.at)
			return e, true
		default:
			return Event{}, false
		}
	}
}

// turn is when the present campaign ends, or the next one begins.
func (c *campaign) turn() time.Duration {
	switch {
	case c.on:
		return c.ends
	case c.plan.every > 0:
		return c.begins
	default:
		return never
	}
}

func (c *campaign) switchAt(g *Generator, at time.Duration) {
	if !c.on {
		c.begins += c.plan.every
		c.begin(g, at)
		return
	}
	c.on = false
	c.at = at + c.gap(g, at)
}

// begin sets out to raise the tenant's sessions by the factor.
func (c *campaign) begin(g *Generator, at time.Duration) {
	c.on, c.ends = true, at+c.plan.duration
	tenant := c.plan.tenant
	if tenant == "" {
		tenant = g.Series[0].TenantID
	}
	c.series, c.cumulative = c.series[:0], c.cumulative[:0]
	sum := 0.0
	for n, s := range g.Series {
		if s.TenantID == tenant {
			sum += g.Weights[n]
			c.series = append(c.series, int32(n))
			c.cumulative = append(c.cumulative, sum)
		}
	}
	c.target = float64(g.Sessions) * sum / g.cumulative[len(g.cumulative)-1] * (c.plan.factor - 1)
	c.at = at + c.gap(g, at)
}

// pace is how often sessions come, and how often those that are there do
// something, both per second: as with the ordinary ones.
func (c *campaign) pace(g *Generator, at time.Duration) (arrivals, doings float64) {
	perSession := g.Rate / float64(g.Sessions) * g.level(at) / (g.SessionMessages + 2)
	if c.on {
		arrivals = perSession * c.target
	}
	return arrivals, perSession * (g.SessionMessages + 1) * float64(len(c.open))
}

func (c *campaign) gap(g *Generator, at time.Duration) time.Duration {
	arrivals, doings := c.pace(g, at)
	if arrivals+doings == 0 {
		return never - at
	}
	return time.Duration(min(c.random.ExpFloat64()/(arrivals+doings)*float64(time.Second), float64(never-at)/2))
}

func (c *campaign) event(g *Generator) Event {
	arrivals, doings := c.pace(g, c.at)
	if c.random.Float64()*(arrivals+doings) < arrivals {
		n, _ := slices.BinarySearch(c.cumulative, c.random.Float64()*c.cumulative[len(c.cumulative)-1])
		s := session{channel: NewID(c.random), user: c.random.Uint64(), series: c.series[n]}
		c.open = append(c.open, s)
		return sessionEvent(c.random, c.at, ConnectionOpen, &s)
	}
	place := c.random.IntN(len(c.open))
	s := c.open[place]
	if c.random.Float64()*(g.SessionMessages+1) >= 1 {
		return messageEvent(c.random, c.at, &s)
	}
	last := len(c.open) - 1
	c.open[place] = c.open[last]
	c.open = c.open[:last]
	e := sessionEvent(c.random, c.at, ConnectionClose, &s)
	e.Ending = farewell(c.random, g.DropShare)
	return e
}
