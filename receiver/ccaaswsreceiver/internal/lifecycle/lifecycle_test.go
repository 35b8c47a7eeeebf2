// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package lifecycle

import (
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/jsonevent"
)

// at is an event of channel x, so many milliseconds after the beginning.
func at(kind jsonevent.Type, milliseconds int64) jsonevent.Event {
	return jsonevent.Event{Type: kind, Time: milliseconds * int64(time.Millisecond), ChannelID: []byte("x"), ChannelType: []byte("chat")}
}

func reopen(milliseconds int64) jsonevent.Event {
	e := at(jsonevent.ConnectionOpen, milliseconds)
	e.Reopens = true
	return e
}

func TestChannels_WhatCounts(t *testing.T) {
	t.Parallel()
	const yes, no = true, false
	open, closed, received := jsonevent.ConnectionOpen, jsonevent.ConnectionClose, jsonevent.MessageReceive
	for name, sequence := range map[string][]struct {
		event jsonevent.Event
		want  bool
	}{
		"of two closes the first counts":          {{at(open, 1), yes}, {at(closed, 10), yes}, {at(closed, 210), no}, {at(closed, 90_000), no}},
		"a close of an unknown channel counts":    {{at(closed, 10), yes}, {at(closed, 10), no}},
		"an open state opens what was closed":     {{at(closed, 10), yes}, {reopen(20), yes}, {reopen(30), no}, {at(closed, 40), yes}},
		"an open state of an unknown channel":     {{reopen(10), no}, {at(closed, 40), yes}},
		"an open state after the open":            {{at(open, 10), yes}, {reopen(10), no}, {at(closed, 40), yes}},
		"an echo of the close does not reopen":    {{at(closed, 10), yes}, {at(received, 30), yes}, {at(closed, 50), no}},
		"a later message does":                    {{at(closed, 10), yes}, {at(received, 3_000), yes}, {at(closed, 3_050), yes}, {at(closed, 3_060), no}},
		"a late open changes nothing":             {{at(closed, 10), yes}, {at(open, 5), yes}, {at(closed, 20), no}},
		"a duplicate of a close before a reopen":  {{at(closed, 10), yes}, {reopen(20), yes}, {at(closed, 10), yes}, {at(closed, 30), yes}, {at(closed, 40), no}},
		"a late open state opens nothing":         {{at(closed, 10), yes}, {reopen(5), no}, {at(closed, 20), no}},
		"an explicit open always opens":           {{at(closed, 10), yes}, {at(open, 11), yes}, {at(closed, 12), yes}},
		"a second explicit open is nothing to us": {{at(open, 10), yes}, {at(open, 11), yes}, {at(closed, 12), yes}},
	} {
		channels := NewChannels()
		for i, step := range sequence {
			assert.Equal(t, step.want, channels.Take(&step.event), "%s: step %d", name, i)
		}
	}
}

func TestChannels_AreOfATenant(t *testing.T) {
	t.Parallel()
	channels := NewChannels()
	one, other := at(jsonevent.ConnectionClose, 1), at(jsonevent.ConnectionClose, 2)
	other.TenantID = []byte("other")
	assert.True(t, channels.Take(&one))
	assert.True(t, channels.Take(&other))
}

func TestChannels_KeepTheirType(t *testing.T) {
	t.Parallel()
	channels := NewChannels()
	take := func(channelType string) string {
		e := at(jsonevent.MessageSend, 1)
		e.ChannelType = []byte(channelType)
		assert.True(t, channels.Take(&e))
		return string(e.ChannelType)
	}
	assert.Empty(t, take(""))
	assert.Equal(t, "chat_1", take("chat_1"))
	assert.Equal(t, "chat_1", take("chat_2"))
	assert.Equal(t, "chat_1", take(""))
}

func TestChannels_WithoutAnID(t *testing.T) {
	t.Parallel()
	channels := NewChannels()
	for range 2 {
		assert.True(t, channels.Take(&jsonevent.Event{Type: jsonevent.ConnectionClose}))
	}
	assert.Empty(t, channels.young)
}

func TestChannels_MemoryIsBounded(t *testing.T) {
	t.Parallel()
	channels := NewChannels()
	channels.most = 100
	for i := range 2 * maxTypes {
		e := at(jsonevent.ConnectionClose, 1)
		e.ChannelID, e.ChannelType = []byte(strconv.Itoa(i)), fmt.Appendf(nil, "type%d", i)
		require.True(t, channels.Take(&e))
		require.LessOrEqual(t, len(channels.young)+len(channels.old), 2*channels.most)
		if i >= channels.most {
			e.ChannelID = []byte(strconv.Itoa(i - channels.most/4))
			require.False(t, channels.Take(&e), "the newest are remembered")
		}
	}
	assert.LessOrEqual(t, len(channels.names), maxTypes+1)
	long := jsonevent.Event{ChannelID: []byte("y"), ChannelType: make([]byte, longestType+1)}
	assert.True(t, channels.Take(&long))
	assert.Len(t, long.ChannelType, longestType+1)
}

func TestChannels_AllocateNothing(t *testing.T) {
	channels := NewChannels()
	e, m := at(jsonevent.ConnectionOpen, 1), at(jsonevent.MessageSend, 2)
	channels.Take(&e)
	assert.Zero(t, testing.AllocsPerRun(100, func() { channels.Take(&m) }))
}

// sink counts what it is given.
type sink struct{ events, ignored, violations int }

func (s *sink) Event(*jsonevent.Event)         { s.events++ }
func (s *sink) Ignored()                       { s.ignored++ }
func (s *sink) Violation(*jsonevent.Violation) { s.violations++ }

func TestSink(t *testing.T) {
	t.Parallel()
	next := &sink{}
	s := &Sink{Channels: NewChannels(), Next: next}
	for i := range int64(3) {
		e := at(jsonevent.ConnectionClose, i)
		s.Event(&e)
	}
	s.Ignored()
	s.Violation(&jsonevent.Violation{})
	assert.Equal(t, sink{events: 1, ignored: 3, violations: 1}, *next)
}

// Of any sequence in order of time, no two closes count in a row.
func FuzzChannels(f *testing.F) {
	f.Add([]byte{0, 1, 1, 4, 1, 2, 200, 1})
	f.Fuzz(func(t *testing.T, steps []byte) {
		channels := NewChannels()
		now, closed := int64(0), false
		for _, step := range steps {
			e := at(jsonevent.Type(step%4), 0)
			now += int64(step/5) * int64(100*time.Millisecond)
			e.Time, e.Reopens = now, step%5 == 4 && e.Type == jsonevent.ConnectionOpen
			counts := channels.Take(&e)
			switch e.Type {
			case jsonevent.ConnectionClose:
				if counts {
					assert.False(t, closed)
				}
				closed = true
			default:
				closed = closed && !counts
			}
		}
	})
}
