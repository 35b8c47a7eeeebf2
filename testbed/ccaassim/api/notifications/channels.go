// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package notifications

import (
	"crypto/rand"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/api"
	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/truth"
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
	socket   *api.Socket
	token    api.Grant // that it was last subscribed with
}

// channels holds the open channels.
type channels struct {
	catalog *catalog
	host    *api.Host

	mu  sync.Mutex
	all map[string]*channel
}

func newChannels(c *catalog, h *api.Host) *channels {
	return &channels{catalog: c, host: h, all: map[string]*channel{}}
}

// create makes a channel; if there are too many, it evicts the one used least lately.
func (c *channels) create(g api.Grant) *channel {
	now := time.Now()
	made := &channel{id: "streaming-0-" + strings.ToLower(rand.Text()), client: g.Client, token: g, used: now, extended: now}
	made.subscription.Store(c.catalog.subscription(nil))
	c.mu.Lock()
	own := func(other *channel) bool { return other.client == g.Client }
	evicted := []*channel{c.surplus(own, channelsOfClient), c.surplus(func(*channel) bool { return true }, channelsKept)}
	c.all[made.id] = made
	ttl := c.host.Trouble.Now().ChannelTTL
	made.expiry = time.AfterFunc(ttl, func() { c.expire(made) })
	c.mu.Unlock()
	c.host.Recorder.Channels(func(t *truth.ChannelTruth) { t.Created++; t.Open++ })
	for _, e := range evicted {
		if e != nil {
			c.remove(e, "the channel was evicted", func(t *truth.ChannelTruth) { t.Evicted++ })
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

// remove removes a channel, unless it is removed already, and closes its socket.
func (c *channels) remove(gone *channel, why string, count func(*truth.ChannelTruth)) {
	c.mu.Lock()
	if c.all[gone.id] != gone {
		c.mu.Unlock()
		return
	}
	delete(c.all, gone.id)
	gone.expiry.Stop()
	socket := gone.socket
	c.mu.Unlock()
	c.host.Recorder.Channels(func(t *truth.ChannelTruth) {
		t.Open--
		count(t)
	})
	if socket != nil {
		socket.Expire(why)
	}
}

// expire removes a channel whose lifetime is over. A timer may be late for one that has
// been extended meanwhile, which stays.
func (c *channels) expire(gone *channel) {
	if time.Until(c.expiryOf(gone)) <= 0 {
		c.remove(gone, "the channel has expired", func(t *truth.ChannelTruth) { t.Expired++ })
	}
}

func (c *channels) expiryOf(of *channel) time.Time {
	ttl := c.host.Trouble.Now().ChannelTTL
	c.mu.Lock()
	defer c.mu.Unlock()
	return of.extended.Add(ttl)
}

// troubleChanged applies another lifetime to the channels that are there.
func (c *channels) troubleChanged() {
	ttl := c.host.Trouble.Now().ChannelTTL
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, one := range c.all {
		one.expiry.Reset(time.Until(one.extended.Add(ttl)))
	}
}

// close stops the channels' timers.
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
func (c *channels) change(of *channel, by api.Grant, change func([]string) []string) error {
	c.mu.Lock()
	names := change(slices.Clone(of.names))
	of.changing++
	overlaps := of.changing > 1
	c.mu.Unlock()
	if overlaps {
		c.host.Recorder.Requests(func(t *truth.RequestTruth) { t.OverlappingSubscriptions++ })
	}
	time.Sleep(subscriptionTime)

	subscription := c.catalog.subscription(names)
	ttl := c.host.Trouble.Now().ChannelTTL
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
		socket.SetReady(len(names) > 0)
	}
	c.mu.Unlock()
	if socket != nil {
		c.host.Hub.Extend(socket, by.Expiry)
	}
	return nil
}

// attach gives a channel a socket, in the place of one that is there; false when
// the channel has been removed.
func (c *channels) attach(to *channel, s *api.Socket) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.all[to.id] != to {
		return false
	}
	s.Replaces = to.socket
	to.socket, to.used = s, time.Now()
	s.State = to
	s.Hold(to.token)
	s.SetReady(len(to.names) > 0)
	return true
}

func (c *channels) detach(from *channel, s *api.Socket) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if from.socket == s {
		from.socket, from.used = nil, time.Now()
	}
}
