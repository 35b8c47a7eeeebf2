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
}

// session is one connection of the platform while it is open.
type session struct {
	channel, user identity
	series        int
	place         int // index among the open ones, -1 once closed
}

// generator yields the events of a population of sessions, in order of their
// time. Events arrive as a Poisson process; each opens a session, closes one or
// is a message of one, picked at random. Lives and pauses are then exponential,
// as in the field, and an event costs the same with ten sessions as with a million.
type generator struct {
	traffic
	random     *rand.Rand
	cumulative []float64 // weights, summed up
	open       []*session
	announced  int
	burst      burst
	arrival    time.Duration // of the next event that is not part of a burst
	now        time.Duration // of the last event yielded
	yielded    int64
}

func newGenerator(t traffic, random *rand.Rand) *generator {
	g := &generator{traffic: t, random: random, cumulative: make([]float64, len(t.weights))}
	sum := 0.0
	for i, weight := range t.weights {
		sum += weight
		g.cumulative[i] = sum
	}
	g.open = make([]*session, 0, t.sessions+t.sessions/8)
	if !t.announce {
		for range t.sessions {
			g.admit()
		}
	}
	g.arrival = g.gap(0)
	return g
}

// population is the number of open sessions by series.
func (g *generator) population() []int64 {
	counts := make([]int64, len(g.series))
	for _, s := range g.open {
		counts[s.series]++
	}
	return counts
}

// next is the next event, false when the traffic is at its bound.
func (g *generator) next() (event, bool) {
	if g.events > 0 && g.yielded == g.events {
		return event{}, false
	}
	e, ok := g.burst.next(g)
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

func (g *generator) closing(at time.Duration, s *session, end *ending) event {
	e := g.event(at, connectionClose, s)
	e.ending = end
	g.dismiss(s)
	return e
}

func (g *generator) message(at time.Duration, s *session) event {
	k := messageReceive
	if g.random.Uint64()&1 == 0 {
		k = messageSend
	}
	e := g.event(at, k, s)
	e.payload = min(24+int(g.random.ExpFloat64()*220), 1<<16)
	return e
}

func (g *generator) event(at time.Duration, k kind, s *session) event {
	return event{at: at, kind: k, id: g.identity(), channel: s.channel, user: s.user, series: s.series}
}

// admit adds a session to the open ones.
func (g *generator) admit() *session {
	draw := g.random.Float64() * g.cumulative[len(g.cumulative)-1]
	series, _ := slices.BinarySearch(g.cumulative, draw)
	s := &session{channel: g.identity(), user: g.identity(), series: series, place: len(g.open)}
	g.open = append(g.open, s)
	return s
}

// dismiss takes a session from the open ones.
func (g *generator) dismiss(s *session) {
	last := g.open[len(g.open)-1]
	g.open[s.place] = last
	last.place = s.place
	g.open[len(g.open)-1] = nil
	g.open = g.open[:len(g.open)-1]
	s.place = -1
}

func (g *generator) pick() *session { return g.open[g.random.IntN(len(g.open))] }

func (g *generator) identity() identity {
	return identity{high: g.random.Uint64(), low: g.random.Uint64()}
}

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
func (g *generator) farewell() *ending {
	if g.random.Float64() < g.dropShare {
		return g.failure()
	}
	return &normalEndings[g.random.IntN(len(normalEndings))]
}

// failure draws how a connection drops.
func (g *generator) failure() *ending {
	return &abnormalEndings[g.random.IntN(len(abnormalEndings))]
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
