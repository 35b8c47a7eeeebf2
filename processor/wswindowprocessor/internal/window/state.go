// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package window

import (
	"iter"
	"maps"
	"slices"
)

// The Engine's state is saved in pieces, so that a million channels need not be
// written at once:
//
//   - a stream, with its series, their totals and open panes: whenever it changed;
//   - changes: the channels that came, went or were renewed since the last time;
//   - channels: a part of all channels, the next part every time. Together the
//     parts of one round make the changes from before the round needless.
//
// Which channels belong to which window is not saved: it follows from the
// channels (see lifecycle.go).

// change names a channel that is not as it was saved.
type change struct {
	series *series
	id     uint64
}

// SaveStreams gives the streams that changed since they were last saved, each
// under a number that it keeps. The generation can be read back (Generation), and
// tells of two pieces which is the newer.
func (e *Engine) SaveStreams(generation int64, save func(number int, piece []byte)) {
	e.releaseAll()
	for number, st := range e.numbered {
		if st.unsaved && (st.vacant || e.streams[st.key] == st) { // not one that stands in for a damaged one
			st.unsaved = false
			save(number, seal(e.putStream(putInt(newPiece(), generation), st)))
		}
	}
}

// Generation gives the generation of a stream's piece.
func Generation(piece []byte) (int64, error) {
	r, err := unseal(piece)
	if err != nil {
		return 0, err
	}
	return r.int(), nil
}

// SaveAgain takes everything for unsaved: what was given last did not reach the
// disk. Changes that are lost with it are in the next round.
func (e *Engine) SaveAgain() {
	for _, st := range e.numbered {
		st.unsaved = true
	}
	e.EndRound()
}

// SaveChanges gives the channels that changed since the last call, nil for none.
func (e *Engine) SaveChanges() []byte {
	if len(e.changes) == 0 {
		return nil
	}
	piece := newPiece()
	for _, changed := range e.changes {
		piece = putChannel(piece, changed.series, changed.id)
	}
	e.changes = e.changes[:0]
	return seal(piece)
}

// SaveChannels gives the next n channels of a round through all of them, and
// says whether that was the last of the round.
func (e *Engine) SaveChannels(n int) (piece []byte, last bool) {
	if e.round == nil {
		e.round, e.endRound = iter.Pull2(e.everyChannel)
	}
	piece = newPiece()
	for range n {
		s, id, ok := e.round()
		if !ok {
			e.EndRound()
			return seal(piece), true
		}
		piece = putChannel(piece, s, id)
	}
	return seal(piece), false
}

// EndRound gives up a round through the channels.
func (e *Engine) EndRound() {
	if e.round != nil {
		e.endRound()
		e.round, e.endRound = nil, nil
	}
}

// everyChannel goes over all channels. They may change while it stands still: one
// that comes meanwhile is among the changes.
func (e *Engine) everyChannel(yield func(*series, uint64) bool) {
	for i := 0; i < len(e.numbered); i++ { // their number may grow meanwhile
		for j := 0; j < len(e.numbered[i].series); j++ {
			if !eachOf(e.numbered[i].series[j], yield) {
				return
			}
		}
	}
}

// eachOf goes over the channels of a series. When their table grows meanwhile, it
// begins anew: a channel may come twice, and none is passed over.
func eachOf(s *series, yield func(*series, uint64) bool) bool {
	grown := s.channels.grown
	for i := 0; i < len(s.channels.slots); i++ {
		if id := s.channels.slots[i].id; id != 0 && !yield(s, id) {
			return false
		}
		if grown != s.channels.grown {
			grown, i = s.channels.grown, -1
		}
	}
	return true
}

// putChannel writes a channel as it is now, or that it is gone.
func putChannel(to []byte, s *series, id uint64) []byte {
	c := s.channels.find(id)
	to = putUint(to, uint64(s.stream.number))
	to = putUint(to, uint64(s.number))
	to = putUint(to, id)
	to = putBool(to, c != nil)
	if c != nil {
		to = putInt(to, c.from)
		to = putInt(to, c.seen)
	}
	return to
}

func (e *Engine) putStream(to []byte, st *stream) []byte {
	to = putInt(to, e.grid.size)
	to = putInt(to, e.grid.step)
	to = putString(to, st.key.tenant)
	to = putString(to, st.key.region)
	to = putBool(to, st.key.overflow)
	to = putInt(to, st.next)
	to = putBool(to, st.begun)
	to = putBool(to, st.live)
	to = putInt(to, st.watermark)
	to = putInt(to, st.newest)
	to = putInt(to, st.newest-st.ahead)
	to = putInt(to, st.downSince)
	to = putUint(to, uint64(len(st.down)))
	for _, socket := range slices.Sorted(maps.Keys(st.down)) {
		to = putUint(to, uint64(socket))
	}
	to = putUint(to, uint64(len(st.gaps)))
	for _, g := range st.gaps {
		to = putInt(to, g.start)
		to = putInt(to, g.end)
	}
	to = putFloat(to, st.skew)
	to = putBool(to, st.skewKnown)
	to = putInt(to, st.downMark)
	to = putInt(to, st.ahead)
	to = putInt(to, st.signs.every)
	to = putInt(to, st.signs.latest)
	to = st.putObserved(to)
	to = putUint(to, uint64(len(st.series)))
	for _, s := range st.series {
		to = s.put(to)
	}
	return to
}

// putObserved writes what came with versionObserved.
func (s *stream) putObserved(to []byte) []byte {
	to = putInt(to, s.observed)
	to = putInt(to, s.arrived)
	to = putInt(to, s.mark)
	to = putInt(to, s.lag)
	to = putInt(to, s.skewAt)
	to = putInt(to, s.connectedAt)
	to = putBool(to, s.ended)
	to = putBool(to, s.away)
	to = putBool(to, s.awayInPast)
	to = putInt(to, s.awaySince)
	to = putBool(to, s.replaying)
	to = putUint(to, uint64(s.replayed)) //nolint:gosec // a count
	to = putUint(to, uint64(len(s.sources)))
	for _, from := range s.sources {
		to = putString(to, from.name)
	}
	return to
}

func (s *series) put(to []byte) []byte {
	to = putBool(to, s.retired)
	if s.retired {
		return to
	}
	to = putString(to, s.tags.ChannelType)
	to = putInt(to, s.latest)
	to = putInt(to, s.resumed)
	to = putInt(to, s.late)
	to = putInt(to, s.from)
	to = putInt(to, s.since)
	to = putBool(to, s.reported)
	to = putBool(to, s.unshown)
	to = putCounts(to, &s.totals)
	to = putUint(to, uint64(max(0, s.last+1-s.stream.next)))
	for k := s.stream.next; k <= s.last; k++ {
		panes := &s.at(k).panes
		to = putCounts(to, &panes[0])
		to = putCounts(to, &panes[1])
	}
	return to
}
