// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package sim

import (
	"crypto/rand"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	channelsOfClient = 20
	channelsKept     = 10_000 // of all clients
	topicsOfChannel  = 1000
	// subscriptionTime is how long a change of subscriptions takes, so that two of
	// them can meet.
	subscriptionTime = 5 * time.Millisecond
)

// channel is a Notifications channel.
type channel struct {
	id, client   string
	subscription atomic.Pointer[subscription]

	// Under the channels' mu.
	names    []string // of its topics
	used     time.Time
	extended time.Time
	expiry   *time.Timer
	changing int
	socket   *socket
	token    grant // that it was last subscribed with
}

// channels are the channels there are.
type channels struct {
	directory *directory
	trouble   *trouble
	tally     *tally
	hub       *hub

	mu  sync.Mutex
	all map[string]*channel
}

func newChannels(d *directory, trouble *trouble, t *tally, h *hub) *channels {
	return &channels{directory: d, trouble: trouble, tally: t, hub: h, all: map[string]*channel{}}
}

// create makes a channel; if there are too many, the one that is missed least goes.
func (c *channels) create(g grant) *channel {
	now := time.Now()
	made := &channel{id: "streaming-0-" + strings.ToLower(rand.Text()), client: g.client, token: g, used: now, extended: now}
	made.subscription.Store(c.directory.subscription(nil))
	c.mu.Lock()
	own := func(other *channel) bool { return other.client == g.client }
	evicted := []*channel{c.surplus(own, channelsOfClient), c.surplus(func(*channel) bool { return true }, channelsKept)}
	c.all[made.id] = made
	ttl := c.trouble.now().ChannelTTL
	made.expiry = time.AfterFunc(ttl, func() { c.expire(made) })
	c.mu.Unlock()
	c.tally.note(func(t *tally) { t.channels.Created++; t.channels.Open++ })
	for _, e := range evicted {
		if e != nil {
			c.remove(e, "the channel was evicted", func(t *ChannelTruth) { t.Evicted++ })
		}
	}
	return made
}

// surplus is the channel to evict before another can be made: of those without a
// socket, else of all, the one used least lately. The caller holds mu.
func (c *channels) surplus(of func(*channel) bool, most int) (least *channel) {
	count := 0
	for _, one := range c.all {
		if !of(one) {
			continue
		}
		count++
		if least == nil || one.before(least) {
			least = one
		}
	}
	if count < most {
		return nil
	}
	return least
}

func (c *channel) before(other *channel) bool {
	if (c.socket == nil) != (other.socket == nil) {
		return c.socket == nil
	}
	return c.used.Before(other.used)
}

// remove takes a channel away, unless it is gone, and ends its socket.
func (c *channels) remove(gone *channel, why string, count func(*ChannelTruth)) {
	c.mu.Lock()
	if c.all[gone.id] != gone {
		c.mu.Unlock()
		return
	}
	delete(c.all, gone.id)
	gone.expiry.Stop()
	socket := gone.socket
	c.mu.Unlock()
	c.tally.note(func(t *tally) {
		t.channels.Open--
		count(&t.channels)
	})
	if socket != nil {
		socket.expire(why)
	}
}

// expire ends a channel whose time is over. A timer may come late to one that has
// been extended meanwhile, and then it does not.
func (c *channels) expire(gone *channel) {
	if time.Until(c.expiryOf(gone)) <= 0 {
		c.remove(gone, "the channel has expired", func(t *ChannelTruth) { t.Expired++ })
	}
}

func (c *channels) expiryOf(of *channel) time.Time {
	ttl := c.trouble.now().ChannelTTL
	c.mu.Lock()
	defer c.mu.Unlock()
	return of.extended.Add(ttl)
}

// reconsider applies another lifetime to the channels that are there.
func (c *channels) reconsider() {
	ttl := c.trouble.now().ChannelTTL
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, one := range c.all {
		one.expiry.Reset(time.Until(one.extended.Add(ttl)))
	}
}

// close stops the channels' clocks.
func (c *channels) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, one := range c.all {
		one.expiry.Stop()
	}
}

func (c *channels) find(id string) *channel {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.all[id]
}

// of are the channels of a client, the oldest first.
func (c *channels) of(client string) []*channel {
	c.mu.Lock()
	defer c.mu.Unlock()
	var own []*channel
	for _, one := range c.all {
		if one.client == client {
			own = append(own, one)
		}
	}
	slices.SortFunc(own, func(a, b *channel) int { return a.used.Compare(b.used) })
	return own
}

func (c *channels) topics(of *channel) []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(of.names)
}

// change replaces the topics of a channel by what becomes of them, after a while:
// a change begun meanwhile starts from the same ones. It extends the channel's life.
func (c *channels) change(of *channel, by grant, change func([]string) []string) error {
	c.mu.Lock()
	names := change(slices.Clone(of.names))
	of.changing++
	overlaps := of.changing > 1
	c.mu.Unlock()
	if overlaps {
		c.tally.note(func(t *tally) { t.requests.OverlappingSubscriptions++ })
	}
	time.Sleep(subscriptionTime)

	subscription := c.directory.subscription(names)
	ttl := c.trouble.now().ChannelTTL
	c.mu.Lock()
	of.changing--
	if len(names) > topicsOfChannel {
		c.mu.Unlock()
		return fmt.Errorf("%d topics: a channel has at most %d", len(names), topicsOfChannel)
	}
	of.names, of.used, of.extended, of.token = names, time.Now(), time.Now(), by
	of.expiry.Reset(ttl)
	of.subscription.Store(subscription)
	socket := of.socket
	if socket != nil {
		socket.ready.Store(len(names) > 0)
	}
	c.mu.Unlock()
	if socket != nil {
		c.hub.extend(socket, by.expiry)
	}
	return nil
}

// attach gives a channel a socket, in the place of one that is there; false when
// the channel is gone.
func (c *channels) attach(to *channel, s *socket) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.all[to.id] != to {
		return false
	}
	s.insteadOf = to.socket
	to.socket, to.used = s, time.Now()
	s.channel, s.client, s.expiry = to, to.client, to.token.expiry
	s.ready.Store(len(to.names) > 0)
	return true
}

func (c *channels) detach(from *channel, s *socket) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if from.socket == s {
		from.socket, from.used = nil, time.Now()
	}
}
