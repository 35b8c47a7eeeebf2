// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package sim

import (
	"math"
	"math/rand/v2"
	"slices"
	"time"
)

// traffic is what the generator must know about the traffic it makes.
type traffic struct {
	series          []Series
	weights         []float64 // how often a new session falls to each series
	rate            float64   // events per second
	sessions        int       // concurrent sessions aimed at
	sessionMessages float64   // messages in the life of a session, on average
	dropShare       float64   // share of closes that are abnormal
	announce        bool      // the first sessions are opened by events, not found open
	shape           func(time.Duration) float64
	events          int64         // 0: no bound
	duration        time.Duration // 0: no bound
	crowd           *rand.Rand    // what campaigns draw from
}

// session is one connection of the platform while it is open.
type session struct {
	channel identity
	user    uint64
	series  int32
}

// generator yields the events of a population of sessions, in order of their
// time. Events arrive as a Poisson process; each opens a session, closes one or
// is a message of one, picked at random. Lives and pauses are then exponential,
// as in the field, and an event costs the same with ten sessions as with a million.
type generator struct {
	traffic
	random     *rand.Rand
	cumulative []float64 // weights, summed up
	open       []session // in no order
	population []int64   // open sessions by series
	announced  int
	burst      burst
	campaign   campaign
	arrival    time.Duration // of the next event that is not part of a burst
	now        time.Duration // of the last event yielded
	yielded    int64
}

func newGenerator(t traffic, random *rand.Rand) *generator {
	g := &generator{
		traffic:    t,
		random:     random,
		cumulative: make([]float64, len(t.weights)),
		open:       make([]session, 0, t.sessions+t.sessions/8),
		population: make([]int64, len(t.series)),
		campaign:   campaign{random: t.crowd, at: never, begins: never},
	}
	sum := 0.0
	for i, weight := range t.weights {
		sum += weight
		g.cumulative[i] = sum
	}
	if !t.announce {
		for range t.sessions {
			g.admit()
		}
	}
	g.arrival = g.gap(0)
	return g
}

// next is the next event, false when the traffic is at its bound.
func (g *generator) next() (event, bool) {
	if g.events > 0 && g.yielded == g.events {
		return event{}, false
	}
	e, ok := g.campaign.next(g, g.burst.due(g))
	if !ok {
		e, ok = g.burst.next(g)
	}
	if !ok {
		e = g.ordinary()
		g.arrival += g.gap(g.arrival)
	}
	if g.duration > 0 && e.at > g.duration {
		return event{}, false
	}
	g.yielded++
	g.now = e.at
	return e, true
}

// ordinary is an event of everyday traffic.
func (g *generator) ordinary() event {
	at := g.arrival
	if g.announce && g.announced < g.sessions {
		g.announced++
		return g.opening(at)
	}
	// Around the target, opens and closes balance; off it, they pull back.
	target, current := float64(g.sessions)*g.level(at), float64(len(g.open))
	churn := 2 / (g.sessionMessages + 2)
	opens := churn * target / (target + current)
	switch draw := g.random.Float64(); {
	case len(g.open) == 0 || draw < opens:
		return g.opening(at)
	case draw < churn:
		return g.closing(at, g.pick(), g.farewell())
	default:
		return g.message(at, g.pick())
	}
}

func (g *generator) opening(at time.Duration) event {
	return g.event(at, connectionOpen, g.admit())
}

func (g *generator) closing(at time.Duration, place int, end *ending) event {
	e := g.event(at, connectionClose, place)
	e.ending = end
	g.dismiss(place)
	return e
}

func (g *generator) message(at time.Duration, place int) event {
	return messageEvent(g.random, at, &g.open[place])
}

// event is an event of the session at a place among the open ones.
func (g *generator) event(at time.Duration, k kind, place int) event {
	return sessionEvent(g.random, at, k, &g.open[place])
}

// admit adds a session to the open ones.
func (g *generator) admit() (place int) {
	draw := g.random.Float64() * g.cumulative[len(g.cumulative)-1]
	series, _ := slices.BinarySearch(g.cumulative, draw)
	g.open = append(g.open, session{channel: newIdentity(g.random), user: g.random.Uint64(), series: int32(series)})
	g.population[series]++
	return len(g.open) - 1
}

// dismiss takes a session from the open ones.
func (g *generator) dismiss(place int) {
	g.population[g.open[place].series]--
	last := len(g.open) - 1
	g.open[place] = g.open[last]
	g.open = g.open[:last]
}

func (g *generator) pick() (place int) { return g.random.IntN(len(g.open)) }

// gap is the time to the next arrival.
func (g *generator) gap(at time.Duration) time.Duration {
	return time.Duration(g.random.ExpFloat64() / (g.rate * g.level(at)) * float64(time.Second))
}

func (g *generator) level(at time.Duration) float64 {
	if g.shape == nil {
		return 1
	}
	return g.shape(at)
}

// farewell draws how an ordinary close ends.
func (g *generator) farewell() *ending { return farewell(g.random, g.dropShare) }

// failure draws how a connection drops.
func (g *generator) failure() *ending { return failure(g.random) }

// sessionEvent is an event of a session.
func sessionEvent(random *rand.Rand, at time.Duration, k kind, s *session) event {
	return event{at: at, kind: k, id: newIdentity(random), channel: s.channel, user: s.user, series: s.series}
}

func messageEvent(random *rand.Rand, at time.Duration, s *session) event {
	k := messageReceive
	if random.Uint64()&1 == 0 {
		k = messageSend
	}
	e := sessionEvent(random, at, k, s)
	e.payload = int32(min(24+random.ExpFloat64()*220, 1<<16))
	return e
}

func newIdentity(random *rand.Rand) identity {
	return identity{high: random.Uint64(), low: random.Uint64()}
}

func farewell(random *rand.Rand, dropShare float64) *ending {
	if random.Float64() < dropShare {
		return failure(random)
	}
	return &normalEndings[random.IntN(len(normalEndings))]
}

func failure(random *rand.Rand) *ending {
	return &abnormalEndings[random.IntN(len(abnormalEndings))]
}

// Endings are tables, never written to: an event points into them.
var (
	normalEndings = [...]ending{
		{code: 1000, reason: "client"},
		{code: 1000, reason: "endpoint"},
		{code: 1000, reason: "peer"},
		{code: 1001, reason: "inactivity"},
	}
	abnormalEndings = [...]ending{
		{code: 1006, reason: "transport.failure", abnormal: true},
		{code: 1006, reason: "transport.failure", abnormal: true},
		{code: 1006, reason: "timeout", abnormal: true},
		{code: 1011, reason: "error", abnormal: true},
	}
)

// dailyShape is the level of a contact centre's day, from its start on: busiest
// (1) at 14:00 UTC, quietest (0.2) at 02:00.
func dailyShape(start time.Time) func(time.Duration) float64 {
	const day = float64(24 * time.Hour)
	midnight := start.UTC().Truncate(24 * time.Hour)
	offset := start.Sub(midnight) - 14*time.Hour
	return func(at time.Duration) float64 {
		return 0.6 + 0.4*math.Cos(2*math.Pi*float64(offset+at)/day)
	}
}

// crossSeries is every combination of the dimensions, with weights that fall
// gently along each list: the first tenant is the largest, none is idle.
func crossSeries(tenants, regions, channelTypes []string) (series []Series, weights []float64) {
	for t, tenant := range tenants {
		for r, region := range regions {
			for c, channelType := range channelTypes {
				series = append(series, Series{TenantID: tenant, Region: region, ChannelType: channelType})
				weights = append(weights, 1/math.Sqrt(float64((1+t)*(1+r)*(1+c))))
			}
		}
	}
	return series, weights
}
