// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package window

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-ccaas/otelcol-ccaas/internal/state/envelope"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
)

// store keeps saved values in memory.
type store struct {
	streams  map[int][]byte
	complete [][]byte // the last round through all channels that came to its end
	changes  [][]byte // since that round began
	round    [][]byte // the round that is under way
	since    int      // changes from before it
	savedAt  int64
}

func (s *store) save(e *Engine, part int, now int64) {
	if s.streams == nil {
		s.streams = map[int][]byte{}
	}
	e.SaveStreams(1, func(number int, piece []byte) { s.streams[number] = piece })
	if piece := e.SaveChanges(); piece != nil {
		s.changes = append(s.changes, piece)
	}
	if s.round == nil {
		s.since = len(s.changes)
	}
	piece, last := e.SaveChannels(part)
	s.round = append(s.round, piece)
	if last {
		s.complete, s.changes, s.round = s.round, s.changes[s.since:], nil
	}
	s.savedAt = now
}

func (s *store) restore(t *testing.T, config Config, now int64) *Engine {
	t.Helper()
	e := s.read(t, config)
	e.Resume(s.savedAt, now)
	return e
}

func (s *store) read(t *testing.T, config Config) *Engine {
	t.Helper()
	e := New(config)
	for number, piece := range s.streams {
		require.NoError(t, e.RestoreStream(number, piece))
	}
	for _, piece := range append(slices.Clip(s.complete), s.changes...) {
		require.NoError(t, e.RestoreChannels(piece))
	}
	s.round = nil
	return e
}

// A collector that is killed at random times and restored from its last save emits the
// windows of one that never received the events between the save and the kill.
func TestState_RestartsEqualOracle(t *testing.T) {
	t.Parallel()
	config := defaults()
	config.Overlap = time.Second
	config.TrackChanges = true
	for seed := range uint64(30) {
		random := rand.New(rand.NewPCG(seed, 3))
		var kept []arrival
		var windows []wsevent.Window
		var disk store
		e := New(config)
		saved := 0 // saved arrivals
		for _, a := range traffic(random, config, 0) {
			if a.now-a.event.Time >= config.AllowedLateness.Milliseconds() {
				continue // a late event may open a channel whose open was lost with a kill, or not: ambiguous
			}
			observe(e, a.tags, []Event{a.event}, a.now)
			kept = append(kept, a)
			due := e.Drain()
			if len(due) > 0 || random.IntN(10) == 0 { // windows are emitted once they are saved
				disk.save(e, 1+random.IntN(20), a.now)
				saved = len(kept)
				windows = append(windows, due...)
			}
			if disk.streams != nil && random.IntN(15) == 0 {
				kept = append(kept[:saved], arrival{restart: true, now: a.now})
				saved++
				e.EndSnapshot()
				e = disk.restore(t, config, a.now)
				disk.save(e, 5, a.now)
			}
		}
		e.Advance(kept[len(kept)-1].now + 200_000)
		windows = append(windows, e.Drain()...)
		newOracle(config, kept).check(t, windows)
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

// If every event since the last save is received again, the windows equal those without a
// kill, for any number of kills.
func TestState_ReplaysEqualOracle(t *testing.T) {
	t.Parallel()
	config := defaults()
	config.Overlap = time.Second
	config.TrackChanges = true
	for seed := range uint64(30) {
		random := rand.New(rand.NewPCG(seed, 5))
		// Windows of a stream without events may end later in a replay, and so include
		// events that were late.
		arrivals := slices.DeleteFunc(traffic(random, config, 0), func(a arrival) bool {
			return a.now-a.event.Time >= config.AllowedLateness.Milliseconds()
		})
		var due, windows []wsevent.Window
		var disk store
		e := New(config)
		saved := 0 // saved arrivals
		for i := 0; i < len(arrivals); i++ {
			a := arrivals[i]
			observe(e, a.tags, []Event{a.event}, a.now)
			due = append(due, e.Drain()...)
			if random.IntN(10) == 0 {
				disk.save(e, 1+random.IntN(20), a.now)
				saved = i + 1
				windows, due = append(windows, due...), nil
			}
			if disk.streams != nil && random.IntN(15) == 0 {
				e.EndSnapshot()
				e = disk.read(t, config)
				e.Continue(disk.savedAt)
				i, due = saved-1, nil
			}
		}
		e.Advance(arrivals[len(arrivals)-1].now + 200_000)
		windows = append(append(windows, due...), e.Drain()...)
		newOracle(config, arrivals).check(t, windows)
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

func saved(t *testing.T, e *Engine) *store {
	t.Helper()
	var disk store
	disk.save(e, 1_000_000, base)
	return &disk
}

func small(t *testing.T) (*Engine, Config) {
	t.Helper()
	config := defaults()
	config.TrackChanges = true
	e := New(config)
	live(e, acme, at(ConnectionOpen, 1_000, 1), at(ConnectionOpen, 2_000, 2), at(MessageSend, 3_000, 1), drop(4_000, 2))
	return e, config
}

func TestState_DowntimeIsIncomplete(t *testing.T) {
	t.Parallel()
	e, config := small(t)
	disk := saved(t, e)
	disk.savedAt = base + 15_000
	e = disk.restore(t, config, base+45_000)
	live(e, acme, at(MessageSend, 46_000, 1), at(MessageSend, 75_000, 1))
	assert.Equal(t, []string{
		"0: active=2 sent=1 received=0 opened=2 closed=1 dropped=1",
		"10: active=1 sent=0 received=0 opened=0 closed=0 dropped=0 incomplete",
		"40: active=1 sent=1 received=0 opened=0 closed=0 dropped=0 incomplete",
		"50: active=1 sent=0 received=0 opened=0 closed=0 dropped=0",
		"60: active=1 sent=0 received=0 opened=0 closed=0 dropped=0",
	}, brief(e.Drain()))
}

func TestState_OtherGridKeepsTotalsAndChannels(t *testing.T) {
	t.Parallel()
	e, config := small(t)
	disk := saved(t, e)
	config.Size, config.Overlap = 30*time.Second, 10*time.Second
	e = disk.restore(t, config, base+5_000)
	live(e, acme, at(MessageSend, 6_000, 1), at(MessageSend, 70_000, 1))
	windows := e.Drain()
	require.NotEmpty(t, windows)
	last := windows[len(windows)-1]
	assert.Equal(t, int64(1), last.ActiveConnections)
	assert.Equal(t, wsevent.Counts{
		MessagesSent: 2, PayloadBytes: 200, ConnectionsOpened: 2, ConnectionsClosed: 1, ConnectionsDropped: 1,
	}, last.Totals)
}

func TestState_DamagedValuesAreRefused(t *testing.T) {
	t.Parallel()
	e, config := small(t)
	disk := saved(t, e)
	for name, piece := range map[string][]byte{"stream": disk.streams[1], "channels": disk.complete[0]} {
		restore := func(piece []byte) error {
			fresh := New(config)
			if name == "stream" {
				return fresh.RestoreStream(1, piece)
			}
			return fresh.RestoreChannels(piece)
		}
		require.NoError(t, restore(piece))
		for n := range piece {
			require.Error(t, restore(piece[:n]), "%s cut at %d", name, n)
			flipped := append([]byte(nil), piece...)
			flipped[n] ^= 0x10
			require.Error(t, restore(flipped), "%s with a bit flipped at %d", name, n)
		}
	}
}

// For any content, with a valid checksum or not, a restore returns an error or a working
// Engine.
func FuzzRestore(f *testing.F) {
	config := defaults()
	config.TrackChanges = true
	e := New(config)
	live(e, acme, at(ConnectionOpen, 1_000, 1), at(MessageSend, 3_000, 1), drop(4_000, 2))
	e.SaveStreams(1, func(_ int, piece []byte) { f.Add(piece[envelope.Size:], []byte{}) })
	f.Add([]byte{}, e.SaveChanges()[envelope.Size:])
	f.Fuzz(func(t *testing.T, stream, channels []byte) {
		for _, version := range []byte{versionRetired, Version} {
			e := New(config)
			if e.RestoreStream(1, envelope.Encode(version, stream)) != nil {
				continue
			}
			if e.RestoreChannels(envelope.Encode(version, channels)) != nil {
				continue
			}
			at := e.numbered[1].watermark
			e.Resume(at, at)
			observe(e, acme, []Event{{Kind: MessageSend, Time: at + 1_000, Channel: 7}}, at+1_000)
			e.Advance(at + e.ttl + 2*day)
			require.NotEmpty(t, e.Drain())
		}
	})
}
