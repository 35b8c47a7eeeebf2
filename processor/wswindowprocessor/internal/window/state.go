// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package window

import (
	"encoding/binary"
	"iter"
)

// The Engine's state is saved in parts, so that a million channels need not be
// written at once:
//
//   - a stream, with its series, their totals and open panes: whenever it changed;
//   - changes: the channels that were added, removed or renewed since the last call;
//   - channels: a part of all channels, the next part every time. Together the
//     parts of one round replace the changes before the round.
//
// Which channels belong to which window is not saved: it follows from the
// channels (see lifecycle.go).

// change names a channel that differs from its saved state.
type change struct {
	series *series
	id     uint64
}

// SaveStreams returns the streams that changed since they were last saved, each
// under a number that it keeps. The generation can be read back (Generation), and
// shows which of two values is the newer.
func (e *Engine) SaveStreams(generation int64, save func(number int, piece []byte)) {
	e.releaseAll()
	for number, st := range e.numbered {
		if st.dirty && (st.vacant || e.streams[st.key] == st) { // not a placeholder of a damaged one
			st.dirty = false
			save(number, e.encodeStream(generation, st))
		}
	}
}

// MarkAllDirty marks everything as not saved, after a failed save. Changes that are lost
// with it are in the next full snapshot.
func (e *Engine) MarkAllDirty() {
	for _, st := range e.numbered {
		st.dirty = true
	}
	e.EndSnapshot()
}

// SaveChanges returns the channels that changed since the last call, nil for none.
func (e *Engine) SaveChanges() []byte {
	if len(e.changes) == 0 {
		return nil
	}
	var c chunk
	for _, changed := range e.changes {
		c.put(changed.series, changed.id)
	}
	e.savedSessions()
	e.changes = e.changes[:0]
	return c.encode()
}

// SaveChannels returns the next n channels of a full snapshot, and whether they are its
// last.
func (e *Engine) SaveChannels(n int) (piece []byte, last bool) {
	if e.snapshot == nil {
		e.snapshot, e.endSnapshot = iter.Pull2(e.everyChannel)
	}
	var c chunk
	for range n {
		s, id, ok := e.snapshot()
		if !ok {
			e.EndSnapshot()
			return c.encode(), true
		}
		c.put(s, id)
	}
	return c.encode(), false
}

// EndSnapshot aborts a full snapshot.
func (e *Engine) EndSnapshot() {
	if e.snapshot != nil {
		e.endSnapshot()
		e.snapshot, e.endSnapshot = nil, nil
	}
}

// everyChannel iterates over all channels. They may change between two calls: one
// that is added meanwhile is among the changes.
func (e *Engine) everyChannel(yield func(*series, uint64) bool) {
	for i := 0; i < len(e.numbered); i++ { // their number may grow meanwhile
		for j := 0; j < len(e.numbered[i].series); j++ {
			if !eachOf(e.numbered[i].series[j], yield) {
				return
			}
		}
	}
}

// eachOf iterates over the channels of a series. When their table grows meanwhile, it
// restarts: a channel may be returned twice, and none is skipped.
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

// putChannel appends a channel as it is now, or that it is gone: its stream and series by
// number, its hash, whether it is known, and where it is its times. There may be a million
// of them, so that a channel is no message.
func putChannel(to []byte, s *series, id uint64) []byte {
	c := s.channels.find(id)
	to = binary.AppendUvarint(to, uint64(s.stream.number))
	to = binary.AppendUvarint(to, uint64(s.number))
	to = binary.AppendUvarint(to, id)
	if c == nil {
		return append(to, 0)
	}
	return binary.AppendVarint(binary.AppendVarint(append(to, 1), c.from), c.seen)
}

func (e *Engine) encodeStream(generation int64, st *stream) []byte {
	m := newMessage()
	m.int(fieldGeneration, &generation)
	size, step := e.grid.size, e.grid.step
	m.int(fieldSize, &size)
	m.int(fieldStep, &step)
	st.fields(m)
	e.sourceFields(m, st)
	e.droppedFields(m, st)
	m.each(fieldSeries, len(st.series), func(i int, m *message) { st.series[i].fields(m) })
	return m.encode()
}
