// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package heartbeat

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var (
	acme   = Stream{Tenant: "acme_corp", Region: "eu-west-1"}
	globex = Stream{Tenant: "globex", Region: "eu-west-1"}
)

const (
	second = int64(1000)
	minute = 60 * second
	now    = int64(1_700_000_000_000)
)

func window(of Stream, end int64, open float64) Window {
	return Window{Stream: of, End: end, Open: &open}
}

// feed gives a stream a window every nine seconds of a time.
func feed(m *Monitor, of Stream, from, to int64, open float64) {
	for at := from; at <= to; at += 9 * second {
		m.Observe([]Window{window(of, at, open)}, at)
	}
}

func TestHeartbeat_EveryInterval(t *testing.T) {
	t.Parallel()
	m := New(minute, 10)
	assert.False(t, m.Due(now), "no window has arrived")
	beats := 0
	for at := now; at < now+10*minute; at += second {
		if at%(9*second) == 0 {
			m.Observe([]Window{window(acme, at, 5)}, at)
		}
		if m.Due(at) {
			beats++
		}
	}
	assert.Equal(t, 10, beats)
}

// A stream that is up and has no windows withholds the heartbeat, for all; one without open
// connections does not.
func TestHeartbeat_WithheldForALateStream(t *testing.T) {
	t.Parallel()
	m := New(minute, 10)
	feed(m, acme, now, now+10*minute, 5)
	feed(m, globex, now, now+5*minute, 5)
	late := now + 5*minute + minute + 9*second
	assert.Equal(t, []Stream{globex}, m.Late(late))
	assert.False(t, m.Due(late))
	m.Observe([]Window{window(globex, late, 5)}, late)
	assert.True(t, m.Due(late), "the windows are back")

	feed(m, globex, late+9*second, late+18*second, 0)
	feed(m, acme, late+9*second, late+10*minute, 5)
	assert.Empty(t, m.Late(late+10*minute), "a stream that went quiet is not up")
	assert.True(t, m.Due(late+10*minute))
}

func TestHeartbeat_AllSeriesOfAStreamCount(t *testing.T) {
	t.Parallel()
	m := New(minute, 10)
	m.Observe([]Window{window(acme, now, 3), window(acme, now, 0)}, now)
	assert.Equal(t, []Stream{acme}, m.Late(now+2*minute), "one of its channel types has connections")
	m.Observe([]Window{{Stream: globex, End: now}}, now)
	assert.Equal(t, []Stream{acme, globex}, m.Late(now+2*minute), "connections that are not reported may be open")
	m.Observe([]Window{window(acme, now+second, 0), window(acme, now+second, 0)}, now+second)
	assert.Equal(t, []Stream{globex}, m.Late(now+2*minute))
}

// Windows of a step longer than the interval are late after three of them.
func TestHeartbeat_LongSteps(t *testing.T) {
	t.Parallel()
	m := New(minute, 10)
	for n := range int64(4) {
		m.Observe([]Window{window(acme, now+n*5*minute, 1)}, now+n*5*minute)
	}
	last := now + 15*minute
	assert.Empty(t, m.Late(last+15*minute))
	assert.NotEmpty(t, m.Late(last+15*minute+1))
}

// An old window that is sent again does not count as a window.
func TestHeartbeat_RepeatedWindow(t *testing.T) {
	t.Parallel()
	m := New(minute, 10)
	feed(m, acme, now, now+minute, 5)
	m.Observe([]Window{window(acme, now, 5)}, now+5*minute)
	assert.NotEmpty(t, m.Late(now+5*minute))
}

// A stream that never has windows again is waited for for a day.
func TestHeartbeat_Expires(t *testing.T) {
	t.Parallel()
	m := New(minute, 10)
	feed(m, acme, now, now+25*60*minute, 5)
	feed(m, globex, now, now+minute-1, 5)
	assert.False(t, m.Due(now+24*60*minute))
	assert.True(t, m.Due(now+24*60*minute+minute))
	assert.Len(t, m.Save(), 1)
}

func TestHeartbeat_Bounded(t *testing.T) {
	t.Parallel()
	m := New(minute, 1)
	assert.Zero(t, m.Observe([]Window{window(acme, now, 1)}, now))
	assert.Equal(t, 1, m.Observe([]Window{window(globex, now, 1)}, now))
	assert.Len(t, m.Save(), 1)
}

// A clock that was far ahead and is set back does not make a stream late for ever.
func TestHeartbeat_ClockSetBack(t *testing.T) {
	t.Parallel()
	m := New(minute, 10)
	m.Observe([]Window{window(acme, now+60*minute, 1)}, now+60*minute)
	m.Observe([]Window{window(acme, now, 1)}, now)
	assert.Empty(t, m.Late(now))
	assert.True(t, m.Due(now))
	assert.NotEmpty(t, m.Late(now+2*minute))
}

// After a restart no heartbeat is emitted before each stream that was up has a window.
func TestHeartbeat_Restored(t *testing.T) {
	t.Parallel()
	m := New(minute, 10)
	feed(m, acme, now, now+minute, 5)
	feed(m, globex, now, now+minute, 0)
	require.True(t, m.Changed())
	saved := m.Save()
	m.Stored()
	assert.False(t, m.Changed())
	again := New(minute, 10)
	require.NoError(t, again.Restore(saved, now+5*minute))
	assert.False(t, again.Changed())
	assert.Equal(t, []Stream{acme}, again.Late(now+5*minute))
	assert.False(t, again.Due(now+5*minute))
	again.Observe([]Window{window(acme, now+6*minute, 5)}, now+6*minute)
	assert.True(t, again.Due(now+6*minute))
	require.Error(t, New(minute, 10).Restore([]Saved{{Step: -1}}, now))
}
