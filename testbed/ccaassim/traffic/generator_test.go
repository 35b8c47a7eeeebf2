// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package traffic

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func testGenerator(seed uint64, change func(*Config)) *Generator {
	series, weights := CrossSeries([]string{"acme_corp", "globex"}, []string{"us-east-1", "eu-west-1"}, []string{"webmessaging", "whatsapp", "voice"})
	config := Config{
		Series: series, Weights: weights, Rate: 100, Sessions: 200, SessionMessages: 18, DropShare: 0.005,
		Crowd: rand.New(rand.NewPCG(1, 4)),
	}
	if change != nil {
		change(&config)
	}
	return NewGenerator(config, rand.New(rand.NewPCG(seed, 1)))
}

func take(g *Generator, count int) []Event {
	var events []Event
	for count == 0 || len(events) < count {
		e, ok := g.next()
		if !ok {
			break
		}
		events = append(events, e)
	}
	return events
}

func TestASeedRepeatsTheEvents(t *testing.T) {
	t.Parallel()
	first, again, other := testGenerator(7, nil), testGenerator(7, nil), testGenerator(8, nil)
	events := take(first, 5000)
	assert.Equal(t, events, take(again, 5000))
	assert.NotEqual(t, events, take(other, 5000))
}

func TestASessionLivesFromOpenToClose(t *testing.T) {
	t.Parallel()
	g := testGenerator(1, func(c *Config) { c.Announce, c.Sessions = true, 50 })
	g.burst.replan(burstPlan{every: 10 * time.Second, duration: 3 * time.Second, share: 0.5}, g)
	open, ended := map[ID]Event{}, map[ID]bool{}
	last := time.Duration(0)
	for _, e := range take(g, 20_000) {
		require.GreaterOrEqual(t, e.at, last, "events come in order of their time")
		last = e.at
		first, known := open[e.Channel]
		switch e.Kind {
		case ConnectionOpen:
			require.False(t, known || ended[e.Channel], "a channel opens once")
			open[e.Channel] = e
			continue
		case ConnectionClose:
			delete(open, e.Channel)
			ended[e.Channel] = true
			require.NotNil(t, e.Ending)
			require.Equal(t, e.Ending.Code != 1000 && e.Ending.Code != 1001, e.Ending.Abnormal)
		case MessageSend, MessageReceive:
			require.Positive(t, e.Payload)
		}
		require.True(t, known, "%s on a channel that is not open", e.Kind)
		require.Equal(t, first.Series, e.Series, "a session keeps its dimensions")
		require.Equal(t, first.User, e.User)
	}
	assert.Len(t, g.open, len(open))
	assert.Greater(t, len(ended), 500)
}

func TestTrafficKeepsRateAndPopulation(t *testing.T) {
	t.Parallel()
	g := testGenerator(3, func(c *Config) { c.Rate, c.Sessions, c.DropShare = 1000, 500, 0.1 })
	closes, drops, messages := 0, 0, 0
	events := take(g, 100_000)
	for _, e := range events {
		switch {
		case e.Kind == MessageSend || e.Kind == MessageReceive:
			messages++
		case e.Kind == ConnectionClose && e.Ending.Abnormal:
			drops++
			closes++
		case e.Kind == ConnectionClose:
			closes++
		}
	}
	assert.InEpsilon(t, 1000, float64(len(events))/g.now.Seconds(), 0.02)
	assert.InEpsilon(t, 500, len(g.open), 0.2)
	assert.InEpsilon(t, 18, float64(messages)/float64(closes), 0.1, "messages in a session")
	assert.InEpsilon(t, 0.1, float64(drops)/float64(closes), 0.15, "share of drops")
}

func TestBoundsEndTheTraffic(t *testing.T) {
	t.Parallel()
	assert.Len(t, take(testGenerator(1, func(c *Config) { c.Events = 123 }), 0), 123)

	events := take(testGenerator(1, func(c *Config) { c.Duration = 10 * time.Second }), 0)
	assert.InEpsilon(t, 1000, len(events), 0.15)
	assert.LessOrEqual(t, events[len(events)-1].at, 10*time.Second)
}

func TestTheDayHasAShape(t *testing.T) {
	t.Parallel()
	night := DailyShape(time.Date(2026, 11, 24, 2, 0, 0, 0, time.UTC))
	assert.InDelta(t, 0.2, night(0), 1e-9)
	assert.InDelta(t, 1, night(12*time.Hour), 1e-9)
	assert.InDelta(t, 0.2, night(24*time.Hour), 1e-9)

	g := testGenerator(1, func(c *Config) {
		c.Shape, c.Rate, c.Sessions = DailyShape(time.Date(2026, 11, 24, 14, 0, 0, 0, time.UTC)), 10, 100
	})
	peak, trough := 0, 0
	for e, ok := g.next(); ok && e.at < 13*time.Hour; e, ok = g.next() {
		switch {
		case e.at < time.Hour:
			peak++
		case e.at >= 12*time.Hour:
			trough++
		}
	}
	assert.InEpsilon(t, 36_000, peak, 0.05)
	assert.InEpsilon(t, 7_200, trough, 0.05)
}

func TestABurstDropsItsShareInItsTimeAndPlace(t *testing.T) {
	t.Parallel()
	g := testGenerator(1, func(c *Config) { c.DropShare, c.Sessions = 0, 1000 })
	plan := burstPlan{every: time.Minute, duration: 20 * time.Second, share: 0.3, tenant: "acme_corp", region: "eu-west-1"}
	g.burst.replan(plan, g)
	exposed, drops := int64(-1), int64(0)
	for e, ok := g.next(); ok && e.at < 110*time.Second; e, ok = g.next() {
		if exposed < 0 && e.at >= time.Minute {
			exposed = 0
			for n, open := range g.Population {
				if plan.strikes(g.Series[n]) {
					exposed += open
				}
			}
		}
		if e.Kind == ConnectionClose && e.Ending.Abnormal {
			drops++
			require.True(t, plan.strikes(g.Series[e.Series]))
			require.GreaterOrEqual(t, e.at, time.Minute)
			require.LessOrEqual(t, e.at, 80*time.Second)
		}
	}
	assert.InDelta(t, float64(exposed)*0.3, drops, 2)
}

// A share of the users who are dropped connects again: once for each drop, in time, on another channel
// of the same series. Nothing else changes up to the first one.
func TestDroppedUsersConnectAgain(t *testing.T) {
	t.Parallel()
	const within = 5 * time.Second
	reconnecting := func(c *Config) {
		c.DropShare, c.ReconnectShare, c.ReconnectWithin = 0.3, 0.5, within
		c.Reconnects = rand.New(rand.NewPCG(1, 5))
	}
	g, without := testGenerator(1, reconnecting), testGenerator(1, func(c *Config) { c.DropShare = 0.3 })
	g.burst.replan(burstPlan{every: 10 * time.Second, duration: time.Second, share: 0.2}, g)
	without.burst.replan(g.burst.plan, without)
	dropped, before, seen, first := map[ID]Event{}, time.Duration(0), map[ID]bool{}, true
	drops, reconnects := 0, 0
	for _, e := range take(g, 20_000) {
		require.GreaterOrEqual(t, e.at, before, "events come in order of their time")
		before = e.at
		if first = first && !e.Reconnect(); first {
			other, ok := without.next()
			require.True(t, ok)
			require.Equal(t, other, e)
		}
		switch {
		case e.Kind == ConnectionClose && e.Ending.Abnormal:
			drops++
			dropped[e.Channel] = e
		case e.Reconnect():
			reconnects++
			drop, ok := dropped[e.Replaces]
			require.True(t, ok, "it was dropped, and has not connected again yet")
			delete(dropped, e.Replaces)
			require.Equal(t, ConnectionOpen, e.Kind)
			require.Equal(t, drop.User, e.User)
			require.Equal(t, drop.Series, e.Series)
			require.False(t, seen[e.Channel], "the channel is new")
			require.Greater(t, e.at, drop.at)
			require.LessOrEqual(t, e.at-drop.at, within)
		}
		seen[e.Channel] = true
	}
	assert.InDelta(t, 0.5, float64(reconnects)/float64(drops), 0.1)
}
