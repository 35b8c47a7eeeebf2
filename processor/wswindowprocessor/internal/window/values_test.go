// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package window

import (
	"encoding/binary"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
)

func sized(ms int64, id uint64, bytes int64) Event {
	event := at(MessageSend, ms, id)
	event.Bytes = bytes
	return event
}

func unknown(kind Kind, ms int64, id uint64) Event {
	return Event{Kind: kind, Time: base + ms, Channel: id, Unknown: true}
}

func TestWindow_SumOfPayloadSaturates(t *testing.T) {
	t.Parallel()
	e := New(defaults())
	live(e, acme, sized(1_000, 1, math.MaxInt64), sized(2_000, 1, math.MaxInt64), sized(3_000, 1, math.MaxInt64),
		sized(11_000, 1, math.MaxInt64))
	e.Advance(base + 40_000)
	windows := e.Drain()
	require.GreaterOrEqual(t, len(windows), 2)
	for _, w := range windows[:2] {
		assert.Equal(t, int64(math.MaxInt64), w.Counts.PayloadBytes)
		assert.Equal(t, int64(math.MaxInt64), w.Totals.PayloadBytes)
	}
	assert.Equal(t, int64(4), windows[1].Totals.MessagesSent)
}

// What a series ever knew decides, not what the window holds.
func TestWindow_UnknownUntilTheSeriesKnows(t *testing.T) {
	t.Parallel()
	e := New(defaults())
	live(e, acme,
		unknown(MessageSend, 1_000, 1), unknown(ConnectionClose, 2_000, 1),
		sized(11_000, 2, 7), drop(12_000, 2),
		unknown(MessageReceive, 21_000, 3), unknown(ConnectionClose, 22_000, 3),
		at(ConnectionOpen, 41_000, 4),
	)
	e.Advance(base + 60_000)
	windows := e.Drain()
	require.GreaterOrEqual(t, len(windows), 3)

	assert.False(t, windows[0].Totals.PayloadKnown())
	assert.False(t, windows[0].Totals.DropsKnown())
	assert.Equal(t, wsevent.Counts{
		MessagesSent: 1, MessagesUnsized: 1, ConnectionsClosed: 1, ClosesUnclassified: 1,
	}, windows[0].Counts)
	for _, w := range windows[1:3] {
		assert.True(t, w.Totals.PayloadKnown())
		assert.True(t, w.Totals.DropsKnown())
	}
	assert.Equal(t, wsevent.Counts{
		MessagesSent: 2, MessagesReceived: 1, MessagesUnsized: 2, PayloadBytes: 7,
		ConnectionsClosed: 3, ConnectionsDropped: 1, ClosesUnclassified: 2,
	}, windows[2].Totals)
}

func TestWindow_StepIsThatOfTheGrid(t *testing.T) {
	t.Parallel()
	config := defaults()
	config.Overlap = config.Size / 10
	e := New(config)
	live(e, acme, at(MessageSend, 1_000, 1))
	e.Advance(base + 30_000)
	windows := e.Drain()
	require.NotEmpty(t, windows)
	assert.Equal(t, 9*time.Second, windows[0].Step)
}

func TestState_UnknownCountsSurvive(t *testing.T) {
	t.Parallel()
	e := New(defaults())
	live(e, acme, unknown(MessageSend, 1_000, 1), unknown(ConnectionClose, 2_000, 1))
	disk := &store{}
	disk.save(e, 10, base+3_000)
	e = disk.restore(t, defaults(), base+4_000)
	e.Advance(base + 30_000)
	windows := e.Drain()
	require.NotEmpty(t, windows)
	assert.False(t, windows[0].Totals.PayloadKnown())
	assert.False(t, windows[0].Totals.DropsKnown())
}

// A version that knew of no unknown values saved 0 for them, and sums past their
// limit as negative numbers.
func TestState_CountsOfAnOlderVersion(t *testing.T) {
	t.Parallel()
	older := func(counts wsevent.Counts) wsevent.Counts {
		var content []byte
		all := numbers(&counts)
		for _, n := range all[:numbersBeforeUnknown] {
			content = binary.AppendVarint(content, *n)
		}
		r := &reader{version: versionSigns, rest: content}
		read := r.counts()
		require.NoError(t, r.err())
		return read
	}
	silent := older(wsevent.Counts{MessagesSent: 3, MessagesReceived: 4, ConnectionsClosed: 5})
	assert.False(t, silent.PayloadKnown())
	assert.False(t, silent.DropsKnown())
	known := wsevent.Counts{MessagesSent: 3, PayloadBytes: 9, ConnectionsClosed: 5, ConnectionsDropped: 1, LateEvents: 2}
	assert.Equal(t, known, older(known))
	negative := older(wsevent.Counts{MessagesSent: 3, PayloadBytes: -3})
	assert.Equal(t, int64(math.MaxInt64), negative.PayloadBytes)
}
