// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package window

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
)

// State of versions before 6 is positional: numbers are varints, strings have their
// length, and a version appends to what the one before has. It is read and not written.
// Rows of channels are positional in every version.
const (
	versionSigns    = 2 // a stream has heartbeats
	versionUnknown  = 3 // counts of messages without a size and of closes that are not classified
	versionObserved = 4 // a stream has the times of observation and the sources of its events; a channel the kind of its latest event
	versionRetired  = 5 // a series may be retired, the number of a stream vacant
	versionNumbered = 6 // fields have numbers, see message.go
)

// numbers are the counts in the order in which they are saved. A version that has
// more of them has them at the end.
func numbers(c *wsevent.Counts) [11]*int64 {
	return [...]*int64{
		&c.MessagesSent, &c.MessagesReceived, &c.PayloadBytes, &c.ConnectionsOpened, &c.ConnectionsClosed,
		&c.ConnectionsDropped, &c.BackpressureEvents, &c.ProtocolViolations, &c.LateEvents,
		&c.MessagesUnsized, &c.ClosesUnclassified,
	}
}

// numbersBeforeUnknown is how many there were before versionUnknown.
const numbersBeforeUnknown = 9

// reader reads positional state. The first failure stays, and everything read behind it
// is zero.
type reader struct {
	version byte
	rest    []byte
	failed  bool
}

func (r *reader) err() error {
	switch {
	case r.failed:
		return errors.New("does not hold what it should")
	case len(r.rest) > 0:
		return fmt.Errorf("holds %d bytes too many", len(r.rest))
	default:
		return nil
	}
}

func (r *reader) step(n int) bool {
	if n <= 0 || n > len(r.rest) {
		r.failed, r.rest = true, nil
		return false
	}
	r.rest = r.rest[n:]
	return true
}

func (r *reader) int() int64 {
	n, size := binary.Varint(r.rest)
	if !r.step(size) {
		return 0
	}
	return n
}

func (r *reader) uint() uint64 {
	n, size := binary.Uvarint(r.rest)
	if !r.step(size) {
		return 0
	}
	return n
}

// length reads how many things follow, each of which takes at least a byte.
func (r *reader) length() int {
	n := r.uint()
	if n > uint64(len(r.rest)) {
		r.failed, r.rest = true, nil
		return 0
	}
	return int(n)
}

// index reads a small number.
func (r *reader) index() int {
	n := r.uint()
	if n > math.MaxInt32 {
		r.failed, r.rest = true, nil
		return 0
	}
	return int(n)
}

func (r *reader) bool() bool {
	if len(r.rest) == 0 {
		r.failed = true
		return false
	}
	b := r.rest[0]
	r.step(1)
	return b == 1
}

func (r *reader) string() string {
	n := r.length()
	if n == 0 {
		return ""
	}
	s := string(r.rest[:n])
	r.step(n)
	return s
}

func (r *reader) float() float64 {
	if len(r.rest) < 8 {
		r.failed, r.rest = true, nil
		return 0
	}
	f := math.Float64frombits(binary.LittleEndian.Uint64(r.rest))
	r.step(8)
	return f
}

func (r *reader) counts() (c wsevent.Counts) {
	all := numbers(&c)
	saved := all[:]
	if r.version < versionUnknown {
		saved = all[:numbersBeforeUnknown]
	}
	for _, n := range saved {
		if *n = r.int(); *n < 0 {
			*n = math.MaxInt64 // an older version's sum, past its limit
		}
	}
	if r.version < versionUnknown {
		assumeUnknown(&c)
	}
	return c
}

// assumeUnknown completes counts of a version that took what is unknown for 0. A 0 is
// now unknown until the next message with a size, or close that is classified.
func assumeUnknown(c *wsevent.Counts) {
	if c.PayloadBytes == 0 {
		c.MessagesUnsized = c.Messages()
	}
	if c.ConnectionsDropped == 0 {
		c.ClosesUnclassified = c.ConnectionsClosed
	}
}

func (e *Engine) decodeLegacyStream(st *stream, r *reader) (grid, error) {
	_, size, step := r.int(), r.int(), r.int()
	st.key = streamKey{tenant: r.string(), region: r.string(), overflow: r.bool()}
	st.next, st.started, st.live = r.int(), r.bool(), r.bool()
	st.watermark, st.newest = r.int(), r.int()
	st.clockOffset, st.downSince = st.newest-r.int(), r.int()
	for range r.length() {
		if st.down == nil {
			st.down = map[uint16]struct{}{}
		}
		st.down[uint16(r.uint())] = struct{}{} //nolint:gosec // it was one when it was written
	}
	for range r.length() {
		st.gaps = append(st.gaps, gap{start: r.int(), end: r.int()})
	}
	st.skew, st.skewKnown = r.float(), r.bool()
	if r.version >= versionSigns {
		st.watermarkAtDown, st.clockOffset = r.int(), r.int()
		st.liveness = liveness{interval: r.int(), latest: r.int()}
	}
	if r.version >= versionObserved {
		e.restoreObserved(st, r)
	} else {
		st.observed, st.arrived, st.watermarkAtArrival = st.newest-st.clockOffset, st.newest-st.clockOffset, st.watermark
	}
	saved, err := savedGrid(size, step)
	if err != nil {
		return saved, err
	}
	for range r.length() {
		st.series = append(st.series, st.restoreSeries(r, saved))
	}
	return saved, r.err()
}

// restoreObserved reads what came with versionObserved.
func (e *Engine) restoreObserved(st *stream, r *reader) {
	st.observed, st.arrived, st.watermarkAtArrival, st.lag = r.int(), r.int(), r.int(), r.int()
	st.skewAt, st.connectedAt = r.int(), r.int()
	st.ended, st.away, st.awayInPast, st.awaySince = r.bool(), r.bool(), r.bool(), r.int()
	st.replaying, st.replayed = r.bool(), r.index()
	for range r.length() {
		if from := e.sourceOf(r.string(), math.MaxInt64); from != nil && len(st.sources) < maxSources {
			st.feed(from)
		}
	}
}

func (st *stream) restoreSeries(r *reader, g grid) *series {
	retired := r.version >= versionRetired && r.bool()
	if retired {
		s := newSeries(st.tags(), st, g, 0)
		s.number, s.retired = len(st.series), true
		return s
	}
	tags := wsevent.Tags{TenantID: st.key.tenant, Region: st.key.region, ChannelType: r.string(), Overflow: st.key.overflow}
	s := newSeries(tags, st, g, 0)
	s.number = len(st.series)
	s.latest, s.resumed, s.late = r.int(), r.int(), r.int()
	s.from, s.since, s.reported, s.pendingTotals = r.int(), r.int(), r.bool(), r.bool()
	s.totals = r.counts()
	for k := range int64(r.length()) {
		s.slot(st.next + k).panes = [2]wsevent.Counts{r.counts(), r.counts()}
	}
	return s
}

// channel reads one. Before versionObserved the kind of its latest event was a close or not.
func (r *reader) channel() channel {
	c := channel{from: r.int(), seen: r.int()}
	if r.version < versionObserved {
		c.seen = c.seen>>1<<2 | c.seen&wasClose
	}
	return c
}
