// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/fault"
	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/truth"
)

// Hub holds the open sockets, and ends them when trouble requires it.
type Hub struct {
	recorder *truth.Recorder
	trouble  *fault.State
	random   *rand.Rand // jitter of resets and closes, under mu

	mu      sync.Mutex
	sockets []*Socket
	changed chan struct{} // closed at the next change
	shut    bool
	readers sync.WaitGroup
}

// NewHub makes a hub without sockets; random draws the ages at which they end.
func NewHub(t *truth.Recorder, trouble *fault.State, random *rand.Rand) *Hub {
	return &Hub{recorder: t, trouble: trouble, random: random, changed: make(chan struct{})}
}

// serve reads from a socket until it ends; until then it is one of the hub's.
func (h *Hub) serve(s *Socket) {
	if !h.add(s) {
		_ = s.net.Close()
		return
	}
	defer h.readers.Done()
	if s.Replaces != nil {
		s.Replaces.Close(websocket.CloseNormalClosure, "another connection has taken the channel")
		s.Replaces = nil
	}
	silent := func() bool { return h.trouble.Now().Silent(time.Since(s.accepted)) }
	if s.HeartbeatInterval > 0 {
		ended := make(chan struct{})
		defer close(ended)
		h.readers.Go(func() { s.beat(ended, silent) })
	}
	s.read(silent)
	h.remove(s)
}

func (h *Hub) add(s *Socket) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.shut {
		return false
	}
	h.readers.Add(1)
	h.sockets = append(h.sockets, s)
	h.recorder.Sockets(func(t *truth.SocketTruth) { t.Accepted++; t.Connected++ })
	h.schedule(s, h.trouble.Now())
	h.signal()
	return true
}

func (h *Hub) remove(s *Socket) {
	s.markClosing(byClient)
	s.plan(0, nil)
	_ = s.net.Close()
	h.mu.Lock()
	defer h.mu.Unlock()
	h.sockets = slices.DeleteFunc(h.sockets, func(other *Socket) bool { return other == s })
	h.recorder.Sockets(func(t *truth.SocketTruth) {
		t.Connected--
		switch s.cause {
		case byReset:
			t.Resets++
		case byClose:
			t.Closed++
		default:
			t.Left++
		}
	})
	h.signal()
}

// Extend moves a socket's expiry to that of another token, and wakes those who wait
// for a change.
func (h *Hub) Extend(s *Socket, expiry time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !s.expiry.Equal(expiry) {
		s.expiry = expiry
		h.schedule(s, h.trouble.Now())
	}
	h.signal()
}

// Admit lets a socket get events from now on, until the token expires.
func (h *Hub) Admit(s *Socket, g Grant) {
	if !s.ready.Load() {
		s.client = g.Client // and stays so
		s.ready.Store(true)
	}
	h.Extend(s, g.Expiry)
}

// signal wakes those who wait for a change; the caller holds mu.
func (h *Hub) signal() {
	close(h.changed)
	h.changed = make(chan struct{})
}

// schedule plans a socket's end from its age and the present trouble; the caller
// holds mu.
func (h *Hub) schedule(s *Socket, t *fault.Trouble) {
	var v deadline
	if t.ResetEvery > 0 {
		v.earlier(h.about(s, t.ResetEvery), s.Reset)
	}
	if t.CloseEvery > 0 {
		v.earlier(h.about(s, t.CloseEvery), func() { s.Close(t.CloseCode, t.CloseReason) })
	}
	if t.CloseExpired && !s.expiry.IsZero() {
		v.earlier(s.expiry, func() { s.Expire("token expired") })
	}
	switch {
	case !s.closeBy.IsZero():
		v.earlier(s.closeBy, func() { s.Close(websocket.CloseGoingAway, "the socket is closing") })
	case s.ClosingNotice != nil && t.SocketClosingEvery > 0:
		v.earlier(h.about(s, t.SocketClosingEvery), func() { h.AnnounceClosing(s) })
	}
	s.plan(time.Until(v.when), v.end)
}

// about is when a socket is about an age old: half of it at least, and half as much
// again at most.
func (h *Hub) about(s *Socket, age time.Duration) time.Time {
	return s.accepted.Add(time.Duration((0.5 + h.random.Float64()) * float64(age)))
}

// deadline is the first of several ends.
type deadline struct {
	when time.Time
	end  func()
}

func (v *deadline) earlier(when time.Time, end func()) {
	if v.end == nil || when.Before(v.when) {
		v.when, v.end = when, end
	}
}

// AnnounceClosing announces to a socket that it will be closed after the grace, if its API does so.
func (h *Hub) AnnounceClosing(s *Socket) {
	h.mu.Lock()
	if s.ClosingNotice == nil || !s.closeBy.IsZero() {
		h.mu.Unlock()
		return
	}
	t := h.trouble.Now()
	s.closeBy = time.Now().Add(t.SocketClosingGrace)
	h.schedule(s, t)
	h.mu.Unlock()
	s.SendText(s.ClosingNotice)
}

// TroubleChanged applies changed trouble to the sockets that are there.
func (h *Hub) TroubleChanged() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, s := range h.sockets {
		h.schedule(s, h.trouble.Now())
	}
	h.signal()
}

// Ready appends the sockets that can be sent to. There may be others that are
// silent for now; changed is closed at the next change.
func (h *Hub) Ready(to []*Socket, now time.Time) (ready []*Socket, silent bool, changed <-chan struct{}) {
	t := h.trouble.Now()
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, s := range h.sockets {
		switch {
		case s.isClosing() || !s.ready.Load():
		case t.Silent(now.Sub(s.accepted)):
			silent = true
		default:
			to = append(to, s)
		}
	}
	return to, silent, h.changed
}

// All are the sockets that are there.
func (h *Hub) All() []*Socket {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.sockets)
}

// Wait returns once enough is true of the hub.
func (h *Hub) Wait(ctx context.Context, enough func() bool) error {
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

// Close closes every socket with a close frame, and waits a moment for theirs.
func (h *Hub) Close(moment time.Duration) {
	h.mu.Lock()
	h.shut = true
	h.mu.Unlock()
	sockets := h.All()
	forced := time.AfterFunc(moment, func() {
		for _, s := range sockets {
			_ = s.net.Close()
		}
	})
	for _, s := range sockets {
		s.Close(1001, "the simulator ends")
	}
	h.readers.Wait()
	forced.Stop()
}
