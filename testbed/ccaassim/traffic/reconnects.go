// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package traffic

import (
	"container/heap"
	"math/rand/v2"
	"time"
)

// reconnects are the users of dropped sessions who will connect again: on another
// channel, in the same series. It draws from a source of its own, so that the ordinary
// events up to the first reconnect stay the same.
type reconnects struct {
	random *rand.Rand
	share  float64       // of the drops that are followed by one
	within time.Duration // of the drop, at most
	users  reconnectHeap
}

// reconnect is a user who connects again.
type reconnect struct {
	at      time.Duration
	dropped session
}

// dropped notes that a session was dropped.
func (r *reconnects) dropped(at time.Duration, s session) {
	if r.share == 0 || r.random.Float64() >= r.share {
		return
	}
	after := max(time.Millisecond, time.Duration(1+r.random.Int64N(int64(r.within))))
	heap.Push(&r.users, reconnect{at + after, s})
}

// due is when the next user connects, or another time if that is first.
func (r *reconnects) due(other time.Duration) time.Duration {
	if len(r.users) == 0 {
		return other
	}
	return min(other, r.users[0].at)
}

// next opens the next session again, if that is due by a moment.
func (r *reconnects) next(g *Generator, until time.Duration) (Event, bool) {
	if len(r.users) == 0 || r.users[0].at > until {
		return Event{}, false
	}
	due := heap.Pop(&r.users).(reconnect) //nolint:forcetypeassert // the heap holds nothing else
	s := session{channel: NewID(r.random), user: due.dropped.user, series: due.dropped.series}
	g.open = append(g.open, s)
	g.Population[s.series]++
	e := sessionEvent(r.random, due.at, ConnectionOpen, &s)
	e.Replaces = due.dropped.channel
	return e, true
}

// reconnectHeap has the earliest first.
type reconnectHeap []reconnect

func (h reconnectHeap) Len() int           { return len(h) }
func (h reconnectHeap) Less(i, j int) bool { return h[i].at < h[j].at }
func (h reconnectHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *reconnectHeap) Push(x any)        { *h = append(*h, x.(reconnect)) } //nolint:forcetypeassert // the heap holds nothing else
func (h *reconnectHeap) Pop() any {
	last := len(*h) - 1
	x := (*h)[last]
	*h = (*h)[:last]
	return x
}
