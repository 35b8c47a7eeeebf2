// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

// Package notifications sends the HTTP requests of the Genesys Cloud Notification Service:
// the list of queues, a channel for every thousand topics, and their subscriptions, which
// the platform may reject.
package notifications

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/jsonevent"
	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/wsclient"
)

// Limits of the platform.
const (
	// MaxChannels is how many channels an OAuth client may have.
	MaxChannels = 20
	// MaxCarrying is how many of ours carry topics: a rotation needs one more.
	MaxCarrying = MaxChannels - 1
	// MaxTopics is how many topics a channel may have.
	MaxTopics = 1000
)

// Settings configure Channels.
type Settings struct {
	Client *http.Client
	API    *url.URL
	// Topics are the topics to subscribe to; none: those of all queues.
	Topics []string
	// Channels is the minimum number of channels that the topics are spread over.
	Channels int
	// Overlap is how long two channels exist in a rotation.
	Overlap time.Duration
	// Check rejects addresses of sockets that may not get credentials.
	Check func(*url.URL) error
	// Rejected reports a topic that the platform rejects, once.
	Rejected func(topic, reason string, missingPermissions []string)
	// LeftOut reports the number of topics beyond the platform's limits.
	LeftOut func(topics int)
}

// Channels are the channels of one receiver, one for each session.
type Channels struct {
	settings Settings

	discovering sync.Mutex // held over requests
	subscribing sync.Mutex // held over a request: concurrent ones wipe each other

	mutex    sync.Mutex
	known    bool          // the topics are known
	changed  chan struct{} // closed when the topics change
	shares   [][]string    // topics, by session
	channels map[int]*channel
	rejected map[string]bool
	rotated  []time.Time // when channels were created for rotations
}

// channel is one of the platform's.
type channel struct {
	id      string
	socket  *url.URL
	expires time.Time
}

// New returns the channels of a receiver.
func New(settings Settings) *Channels {
	c := &Channels{settings: settings, changed: make(chan struct{}), channels: map[int]*channel{}, rejected: map[string]bool{}}
	if len(settings.Topics) > 0 {
		c.spread(settings.Topics)
	}
	return c
}

// Sessions returns the number of sessions. Where the topics are to be discovered it is
// the maximum; sessions without topics wait.
func (c *Channels) Sessions() int {
	if len(c.settings.Topics) == 0 {
		return MaxCarrying
	}
	return len(c.shares)
}

// Names returns the topics of all sessions; nil: they are not known yet.
func (c *Channels) Names() (topics []string) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	for _, share := range c.shares {
		topics = append(topics, share...)
	}
	return topics
}

// Idle reports whether a session waits for topics.
func (c *Channels) Idle(number int) bool {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if !c.known {
		return number > 0 // session 0 requests the topics
	}
	return number >= len(c.shares) || len(c.shares[number]) == 0
}

// Prepare returns the function that leads to the socket of a session.
func (c *Channels) Prepare(number int) wsclient.Prepare {
	return func(ctx context.Context, access wsclient.Access, fresh bool) (*wsclient.Route, *wsclient.Failure) {
		topics, failure := c.share(ctx, access, number)
		if failure != nil {
			return nil, failure
		}
		if old := c.channel(number); old != nil && !fresh && time.Until(old.expires) > time.Minute {
			failure = c.subscribe(ctx, access, old, topics)
			if failure == nil {
				return old.route(), nil
			}
			if failure.Cause != wsclient.NotFound {
				return nil, failure
			}
		}
		if failure = c.quota(number, time.Now()); failure != nil {
			return nil, failure
		}
		created, failure := c.create(ctx, access)
		if failure != nil {
			return nil, failure
		}
		if failure = c.subscribe(ctx, access, created, topics); failure != nil {
			return nil, failure
		}
		c.mutex.Lock()
		defer c.mutex.Unlock()
		c.channels[number] = created
		return created.route(), nil
	}
}

func (c *channel) route() *wsclient.Route {
	return &wsclient.Route{Socket: c.socket, Expires: c.expires, Private: true}
}

func (c *Channels) channel(number int) *channel {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	return c.channels[number]
}

// quota returns a failure where a new channel would make the platform close one that is
// in use.
func (c *Channels) quota(number int, now time.Time) *wsclient.Failure {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if c.channels[number] == nil {
		return nil
	}
	for len(c.rotated) > 0 && now.Sub(c.rotated[0]) > c.settings.Overlap {
		c.rotated = c.rotated[1:]
	}
	if len(c.channels)+len(c.rotated) >= MaxChannels {
		return wsclient.NewFailure(wsclient.Quota, false, fmt.Errorf("notification channels: %d of the %d that the platform allows are in use; "+
			"a further one would take one of them away", len(c.channels)+len(c.rotated), MaxChannels))
	}
	c.rotated = append(c.rotated, now)
	return nil
}

// create creates a channel.
func (c *Channels) create(ctx context.Context, access wsclient.Access) (*channel, *wsclient.Failure) {
	call := &wsclient.Call{What: "channel", Method: http.MethodPost, URL: c.settings.API.JoinPath("/api/v2/notifications/channels"), Token: access.Token}
	body, failure := wsclient.Do(ctx, c.settings.Client, call)
	if failure != nil {
		return nil, failure
	}
	var answer struct {
		ConnectURI string `json:"connectUri"`
		ID         string `json:"id"`
		Expires    string `json:"expires"`
	}
	if json.Unmarshal(body, &answer) != nil || answer.ID == "" {
		return nil, call.BadAnswerTo("the answer is no channel")
	}
	created := &channel{id: answer.ID, expires: time.Now().Add(24 * time.Hour)}
	var err error
	if created.socket, err = wsclient.SocketURL(answer.ConnectURI, c.settings.Check); err != nil {
		return nil, call.BadAnswerTo("connectUri: %w", err)
	}
	if answer.Expires != "" {
		nanoseconds, err := jsonevent.ParseTimestamp([]byte(answer.Expires))
		if err != nil {
			return nil, call.BadAnswerTo("expires %w", err)
		}
		created.expires = time.Unix(0, nanoseconds)
	}
	return created, nil
}

// Used returns the share of the platform's channels that this receiver has, those of
// rotations included, and the share of its topics that the fullest channel has. Full is
// whether no further channel may carry topics.
func (c *Channels) Used(now time.Time) (channels, topics float64, full bool) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	number := len(c.channels)
	for _, at := range c.rotated {
		if now.Sub(at) <= c.settings.Overlap {
			number++
		}
	}
	fullest, carrying := 0, 0
	for _, share := range c.shares {
		fullest = max(fullest, len(share))
		if len(share) > 0 {
			carrying++
		}
	}
	return float64(number) / MaxChannels, float64(fullest) / MaxTopics, carrying >= MaxCarrying
}
