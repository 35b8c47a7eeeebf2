// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package sim

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

// hub knows the sockets that are there, and ends them when trouble wants it.
type hub struct {
	tally   *tally
	trouble *trouble
	random  *rand.Rand // jitter of resets and closes, under mu

	mu      sync.Mutex
	sockets []*socket
	changed chan struct{} // closed at the next change
	shut    bool
	readers sync.WaitGroup
}

func newHub(t *tally, trouble *trouble, random *rand.Rand) *hub {
	return &hub{tally: t, trouble: trouble, random: random, changed: make(chan struct{})}
}

// serve reads from a socket until it ends; until then it is one of the hub's.
func (h *hub) serve(s *socket) {
	if !h.add(s) {
		_ = s.net.Close()
		return
	}
	defer h.readers.Done()
	if s.insteadOf != nil {
		s.insteadOf.close(websocket.CloseNormalClosure, "another connection has taken the channel")
		s.insteadOf = nil
	}
	silent := func() bool { return h.trouble.now().silent(time.Since(s.accepted)) }
	if s.beatEvery > 0 {
		ended := make(chan struct{})
		defer close(ended)
		h.readers.Go(func() { s.beat(ended, silent) })
	}
	s.read(silent)
	h.remove(s)
}

func (h *hub) add(s *socket) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.shut {
		return false
	}
	h.readers.Add(1)
	h.sockets = append(h.sockets, s)
	h.tally.note(func(t *tally) { t.sockets.Accepted++; t.sockets.Connected++ })
	h.sentence(s, h.trouble.now())
	h.signal()
	return true
}

func (h *hub) remove(s *socket) {
	s.markClosing(byClient)
	s.plan(0, nil)
	_ = s.net.Close()
	h.mu.Lock()
	defer h.mu.Unlock()
	h.sockets = slices.DeleteFunc(h.sockets, func(other *socket) bool { return other == s })
	h.tally.note(func(t *tally) {
		t.sockets.Connected--
		switch s.leaving {
		case byReset:
			t.sockets.Resets++
		case byClose:
			t.sockets.Closed++
		default:
			t.sockets.Left++
		}
	})
	h.signal()
}

// extend lets a socket live as long as another token, and tells those who wait
// that it has changed.
func (h *hub) extend(s *socket, expiry time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !s.expiry.Equal(expiry) {
		s.expiry = expiry
		h.sentence(s, h.trouble.now())
	}
	h.signal()
}

// admit lets a socket be told of events from now on, for as long as a token holds.
func (h *hub) admit(s *socket, g grant) {
	if !s.ready.Load() {
		s.client = g.client // whose it is stays
		s.ready.Store(true)
	}
	h.extend(s, g.expiry)
}

// signal wakes those who wait for a change; the caller holds mu.
func (h *hub) signal() {
	close(h.changed)
	h.changed = make(chan struct{})
}

// sentence plans a socket's end from its age and the present trouble; the caller
// holds mu.
func (h *hub) sentence(s *socket, t *Trouble) {
	var v verdict
	if t.ResetEvery > 0 {
		v.earlier(h.about(s, t.ResetEvery), s.reset)
	}
	if t.CloseEvery > 0 {
		v.earlier(h.about(s, t.CloseEvery), func() { s.close(t.CloseCode, t.CloseReason) })
	}
	if t.CloseExpired && !s.expiry.IsZero() {
		v.earlier(s.expiry, func() { s.expire("token expired") })
	}
	switch {
	case !s.movesBy.IsZero():
		v.earlier(s.movesBy, func() { s.close(websocket.CloseGoingAway, "the socket is closing") })
	case s.api == notifications && t.SocketClosingEvery > 0:
		v.earlier(h.about(s, t.SocketClosingEvery), func() { h.announceClosing(s) })
	}
	s.plan(time.Until(v.when), v.end)
}

// about is when a socket is about an age old: half of it at least, and half as much
// again at most.
func (h *hub) about(s *socket, age time.Duration) time.Time {
	return s.accepted.Add(time.Duration((0.5 + h.random.Float64()) * float64(age)))
}

// verdict is the first of several ends.
type verdict struct {
	when time.Time
	end  func()
}

func (v *verdict) earlier(when time.Time, end func()) {
	if v.end == nil || when.Before(v.when) {
		v.when, v.end = when, end
	}
}

// announceClosing tells a Notifications socket that it will be closed after the grace.
func (h *hub) announceClosing(s *socket) {
	h.mu.Lock()
	if s.api != notifications || !s.movesBy.IsZero() {
		h.mu.Unlock()
		return
	}
	t := h.trouble.now()
	s.movesBy = time.Now().Add(t.SocketClosingGrace)
	h.sentence(s, t)
	h.mu.Unlock()
	s.say(socketClosing())
}

// reconsider applies changed trouble to the sockets that are there.
func (h *hub) reconsider() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, s := range h.sockets {
		h.sentence(s, h.trouble.now())
	}
	h.signal()
}

// ready appends the sockets that can be sent to. There may be others that are
// silent for now; the channel tells of a change.
func (h *hub) ready(to []*socket, now time.Time) (ready []*socket, silent bool, changed <-chan struct{}) {
	t := h.trouble.now()
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, s := range h.sockets {
		switch {
		case s.isClosing() || !s.ready.Load():
		case t.silent(now.Sub(s.accepted)):
			silent = true
		default:
			to = append(to, s)
		}
	}
	return to, silent, h.changed
}

// all are the sockets that are there.
func (h *hub) all() []*socket {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.sockets)
}

// wait returns once enough is true of the hub.
func (h *hub) wait(ctx context.Context, enough func() bool) error {
	for {
		h.mu.Lock()
		changed := h.changed
		h.mu.Unlock()
		if enough() {
			return nil
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-changed:
		}
	}
}

// close says goodbye to every socket, and gives them a moment to answer.
func (h *hub) close(moment time.Duration) {
	h.mu.Lock()
	h.shut = true
	h.mu.Unlock()
	sockets := h.all()
	patience := time.AfterFunc(moment, func() {
		for _, s := range sockets {
			_ = s.net.Close()
		}
	})
	for _, s := range sockets {
		s.close(1001, "the simulator ends")
	}
	h.readers.Wait()
	patience.Stop()
}
