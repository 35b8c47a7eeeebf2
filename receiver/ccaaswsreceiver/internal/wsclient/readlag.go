// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package wsclient

import (
	"strconv"
	"sync/atomic"
	"time"
)

const (
	// lagging is how long nothing is read from a connection before the peer's data counts
	// as unread.
	lagging = 100 * time.Millisecond
	// caughtUpAfter is the duration of a read after which the buffers were empty. It ends
	// a lag where the peer sends no pongs.
	caughtUpAfter = time.Second
	// emptyAfter is the same for a read that returns no data.
	emptyAfter = 5 * time.Second
	// longestLag bounds the wait for a pong.
	longestLag = 30 * time.Second
)

// readLag measures how far reading is behind the peer's sending. While a handler
// blocks, nothing is read, and the peer's data waits in the buffers of both sides. All
// of it is read once the pong to a ping that was sent afterwards arrives, since a
// connection is ordered.
//
// One goroutine reads; readTo is safe for concurrent use.
type readLag struct {
	busy   atomic.Int64 // unix ns since when nothing is read; negative: since when a read waits for the peer
	behind atomic.Int64 // unix ns since when the peer's data may be unread; 0: all of it is read
	probe  atomic.Int64 // number of the ping whose answer ends the lag

	pingDue       chan struct{} // a ping is to be sent; nil: none can be
	pingRequested time.Time
	later         int64 // start of a further lag that began after that
}

// beginRead records that a read waits for the peer.
func (l *readLag) beginRead(now time.Time) {
	since := l.busy.Load()
	if since > 0 && now.UnixNano()-since >= int64(lagging) {
		l.fallBehind(since, now)
	}
	l.busy.Store(-now.UnixNano()) // after fallBehind: readTo must not miss both
}

// endRead records the end of a read.
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

// catchUp records that all data from before the ping is read.
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

// payload returns the payload of the next ping.
func (l *readLag) payload() string { return "lag " + strconv.FormatInt(l.probe.Load(), 10) }

// pong handles a pong.
func (l *readLag) pong(payload string, now time.Time) {
	if payload == l.payload() {
		l.catchUp(now)
	}
}

// readTo returns the time up to which all data of the peer is read: now unless
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

// reading reports whether reading is not behind.
func (l *readLag) reading(now time.Time) bool { return now.Sub(l.readTo(now)) < lagging }
