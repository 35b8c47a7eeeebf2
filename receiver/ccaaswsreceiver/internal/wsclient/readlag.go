// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package wsclient

import (
	"strconv"
	"sync/atomic"
	"time"
)

const (
	// lagging is how long nothing is read from a connection before what the peer has
	// sent meanwhile counts as unread.
	lagging = 100 * time.Millisecond
	// caughtUpAfter is how long a read waits for data of a peer that had nothing more
	// to send; it ends a lag where the peer does not answer pings.
	caughtUpAfter = time.Second
	// emptyAfter is the same where no data comes.
	emptyAfter = 5 * time.Second
	// longestLag bounds how long the answer to a ping is waited for.
	longestLag = 30 * time.Second
)

// lag is how far reading is behind what the peer has sent. While a handler blocks,
// nothing is read; what the peer sends meanwhile waits in the buffers of both
// sides. It is read once the peer answers a ping that was sent after reading went
// on, since a connection keeps its order.
//
// One goroutine reads; any may ask for readTo.
type readLag struct {
	busy   atomic.Int64 // unix ns since when nothing is read; negative: since when a read waits for the peer
	behind atomic.Int64 // unix ns since when the peer's data may be unread; 0: all of it is read
	probe  atomic.Int64 // number of the ping whose answer ends the lag

	pingDue       chan struct{} // a ping is to be sent; nil: none can be
	pingRequested time.Time     // when it was due
	later         int64         // start of a further lag that began after that
}

// wait notes that a read begins to wait for the peer.
func (l *readLag) beginRead(now time.Time) {
	since := l.busy.Load()
	if since > 0 && now.UnixNano()-since >= int64(lagging) {
		l.fallBehind(since, now)
	}
	l.busy.Store(-now.UnixNano()) // after fallBehind: readTo must not miss both
}

// work notes that a read has ended, with data or with an error.
func (l *readLag) endRead(began, ended time.Time, data bool) {
	l.busy.Store(ended.UnixNano())
	if l.behind.Load() == 0 {
		return
	}
	if data && (ended.Sub(began) >= caughtUpAfter || ended.Sub(l.pingRequested) >= longestLag) {
		l.catchUp(ended)
	}
}

func (l *readLag) fallBehind(since int64, now time.Time) {
	if l.behind.Load() != 0 {
		if l.later == 0 {
			l.later = since
		}
		return
	}
	l.behind.Store(since)
	l.requestPing(now)
}

func (l *readLag) requestPing(now time.Time) {
	l.pingRequested = now
	l.probe.Add(1)
	select {
	case l.pingDue <- struct{}{}:
	default:
	}
}

// catchUp notes that all that the peer had sent when the ping was due is read.
func (l *readLag) catchUp(now time.Time) {
	if l.behind.Load() == 0 {
		return
	}
	l.behind.Store(l.later)
	if l.later != 0 {
		l.later = 0
		l.requestPing(now)
	}
}

// payload is that of the ping to be sent.
func (l *readLag) payload() string { return "lag " + strconv.FormatInt(l.probe.Load(), 10) }

// pong takes the answer to a ping.
func (l *readLag) pong(payload string, now time.Time) {
	if payload == l.payload() {
		l.catchUp(now)
	}
}

// readTo is the time up to which all that the peer has sent is read: now unless
// reading is behind.
func (l *readLag) readTo(now time.Time) time.Time {
	busy := l.busy.Load() // before behind, as wait has it
	if busy < 0 && now.UnixNano()+busy >= int64(emptyAfter) {
		return now
	}
	since := l.behind.Load()
	if busy > 0 && (since == 0 || busy < since) {
		since = busy
	}
	if since != 0 && since < now.UnixNano() {
		return time.Unix(0, since)
	}
	return now
}

// reading is whether what the peer sends is being read, and nothing older waits.
func (l *readLag) reading(now time.Time) bool { return now.Sub(l.readTo(now)) < lagging }
