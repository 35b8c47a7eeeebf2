// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

// Package traffic decides what happens on the simulated platform. It is pure: a
// generator yields the events of a population of sessions in order of their time, and a
// framer puts them into frames.
package traffic

import (
	"math"
	"math/rand/v2"
	"slices"
	"time"
)

// Config is what the generator must know about the traffic it makes.
type Config struct {
	Series          []Series
	Weights         []float64 // how often a new session falls to each series
	Rate            float64   // events per second
	Sessions        int       // concurrent sessions aimed at
	SessionMessages float64   // messages in the life of a session, on average
	DropShare       float64   // share of closes that are abnormal
	ReconnectShare  float64   // share of drops whose user connects again
	ReconnectWithin time.Duration
	Announce        bool // the first sessions are opened by events, not found open
	Shape           func(time.Duration) float64
	Events          int64         // 0: no bound
	Duration        time.Duration // 0: no bound
	Crowd           *rand.Rand    // what campaigns draw from
	Reconnects      *rand.Rand    // what reconnects draw from; not needed without a share
}

// session is one connection of the platform while it is open.
type session struct {
	channel ID
	user    uint64
	series  int32
}

// Generator yields the events of a population of sessions, in order of their
// time. Events arrive as a Poisson process; each opens a session, closes one or
// is a message of one, picked at random. Lives and pauses are then exponential,
// as in the field, and an event costs the same with ten sessions as with a million.
type Generator struct {
	Config
	random     *rand.Rand
	cumulative []float64 // weights, summed up
	open       []session // in no order
	Population []int64   // open sessions by series
	announced  int
	burst      burst
	campaign   campaign
	reconnects reconnects
	arrival    time.Duration // of the next event that is not part of a burst
	now        time.Duration // of the last event yielded
	yielded    int64
}

// NewGenerator makes a generator that draws from random.
func NewGenerator(t Config, random *rand.Rand) *Generator {
	g := &Generator{
		Config:     t,
		random:     random,
		cumulative: make([]float64, len(t.Weights)),
		open:       make([]session, 0, t.Sessions+t.Sessions/8),
		Population: make([]int64, len(t.Series)),
		campaign:   campaign{random: t.Crowd, at: never, begins: never},
		reconnects: reconnects{random: t.Reconnects, share: t.ReconnectShare, within: t.ReconnectWithin},
	}
	sum := 0.0
	for i, weight := range t.Weights {
		sum += weight
		g.cumulative[i] = sum
	}
	if !t.Announce {
		for range t.Sessions {
			g.admit()
		}
	}
	g.arrival = g.gap(0)
	return g
}

// Each calls a function for each session that is open.
func (g *Generator) Each(visit func(channel ID, user uint64, series int32)) {
	for i := range g.open {
		visit(g.open[i].channel, g.open[i].user, g.open[i].series)
	}
}

// next is the next event, false when the traffic is at its bound.
func (g *Generator) next() (Event, bool) {
	if g.Events > 0 && g.yielded == g.Events {
		return Event{}, false
	}
	ordinary := g.burst.due(g)
	e, ok := g.campaign.next(g, g.reconnects.due(ordinary))
	if !ok {
		e, ok = g.reconnects.next(g, ordinary)
	}
	if !ok {
		e, ok = g.burst.next(g)
	}
	if !ok {
		e = g.ordinary()
		g.arrival += g.gap(g.arrival)
	}
	if g.Duration > 0 && e.at > g.Duration {
		return Event{}, false
	}
	g.yielded++
	g.now = e.at
	return e, true
}

// ordinary is an event of everyday traffic.
func (g *Generator) ordinary() Event {
	at := g.arrival
	if g.Announce && g.announced < g.Sessions {
		g.announced++
		return g.opening(at)
	}
	// Around the target, opens and closes balance; off it, they pull back.
	target, current := float64(g.Sessions)*g.level(at), float64(len(g.open))
	churn := 2 / (g.SessionMessages + 2)
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

func (g *Generator) opening(at time.Duration) Event {
	return g.event(at, ConnectionOpen, g.admit())
}

func (g *Generator) closing(at time.Duration, place int, end *Ending) Event {
	e := g.event(at, ConnectionClose, place)
	e.Ending = end
	if end.Abnormal {
		g.reconnects.dropped(at, g.open[place])
	}
	g.dismiss(place)
	return e
}

func (g *Generator) message(at time.Duration, place int) Event {
	return messageEvent(g.random, at, &g.open[place])
}

// event is an event of the session at a place among the open ones.
func (g *Generator) event(at time.Duration, k Kind, place int) Event {
	return sessionEvent(g.random, at, k, &g.open[place])
}

// admit adds a session to the open ones.
func (g *Generator) admit() (place int) {
	draw := g.random.Float64() * g.cumulative[len(g.cumulative)-1]
	series, _ := slices.BinarySearch(g.cumulative, draw)
	g.open = append(g.open, session{channel: NewID(g.random), user: g.random.Uint64(), series: int32(series)})
	g.Population[series]++
	return len(g.open) - 1
}

// dismiss takes a session from the open ones.
func (g *Generator) dismiss(place int) {
	g.Population[g.open[place].series]--
	last := len(g.open) - 1
	g.open[place] = g.open[last]
	g.open = g.open[:last]
}

func (g *Generator) pick() (place int) { return g.random.IntN(len(g.open)) }

// gap is the time to the next arrival.
func (g *Generator) gap(at time.Duration) time.Duration {
	return time.Duration(g.random.ExpFloat64() / (g.Rate * g.level(at)) * float64(time.Second))
}

func (g *Generator) level(at time.Duration) float64 {
	if g.Shape == nil {
		return 1
	}
	return g.Shape(at)
}

// farewell draws how an ordinary close ends.
func (g *Generator) farewell() *Ending { return farewell(g.random, g.DropShare) }

// failure draws how a connection drops.
func (g *Generator) failure() *Ending { return failure(g.random) }

// sessionEvent is an event of a session.
func sessionEvent(random *rand.Rand, at time.Duration, k Kind, s *session) Event {
	return Event{at: at, Kind: k, Id: NewID(random), Channel: s.channel, User: s.user, Series: s.series}
}

func messageEvent(random *rand.Rand, at time.Duration, s *session) Event {
	k := MessageReceive
	if random.Uint64()&1 == 0 {
		k = MessageSend
	}
	e := sessionEvent(random, at, k, s)
	e.Payload = int32(min(24+random.ExpFloat64()*220, 1<<16))
	return e
}

// NewID draws an id.
func NewID(random *rand.Rand) ID {
	return ID{High: random.Uint64(), Low: random.Uint64()}
}

func farewell(random *rand.Rand, dropShare float64) *Ending {
	if random.Float64() < dropShare {
		return failure(random)
	}
	return &normalEndings[random.IntN(len(normalEndings))]
}

func failure(random *rand.Rand) *Ending {
	return &AbnormalEndings[random.IntN(len(AbnormalEndings))]
}

// Endings are tables, never written to: an event points into them.
var (
	normalEndings = [...]Ending{
		{Code: 1000, Reason: "client"},
		{Code: 1000, Reason: "endpoint"},
		{Code: 1000, Reason: "peer"},
		{Code: 1001, Reason: "inactivity"},
	}
	AbnormalEndings = [...]Ending{
		{Code: 1006, Reason: "transport.failure", Abnormal: true},
		{Code: 1006, Reason: "transport.failure", Abnormal: true},
		{Code: 1006, Reason: "timeout", Abnormal: true},
		{Code: 1011, Reason: "error", Abnormal: true},
	}
)

// DailyShape is the level of a contact centre's day, from its start on: busiest
// (1) at 14:00 UTC, quietest (0.2) at 02:00.
func DailyShape(start time.Time) func(time.Duration) float64 {
	const day = float64(24 * time.Hour)
	midnight := start.UTC().Truncate(24 * time.Hour)
	offset := start.Sub(midnight) - 14*time.Hour
	return func(at time.Duration) float64 {
		return 0.6 + 0.4*math.Cos(2*math.Pi*float64(offset+at)/day)
	}
}

// CrossSeries is every combination of the dimensions, with weights that fall
// gently along each list: the first tenant is the largest, none is idle.
func CrossSeries(tenants, regions, channelTypes []string) (series []Series, weights []float64) {
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
