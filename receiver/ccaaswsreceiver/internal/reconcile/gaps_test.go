// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package reconcile

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func between(from, to float64) Range {
	return Range{From: after(from).UnixNano(), To: after(to).UnixNano()}
}

func TestGaps_WaitingOnesAreHealedAsOne(t *testing.T) {
	t.Parallel()
	g := NewGaps()
	_, ok := g.Take(after(0))
	require.False(t, ok)
	g.Add(after(10), after(20))
	g.Add(after(40), after(50))
	g.Add(after(60), after(60))
	gap, ok := g.Take(after(60))
	require.True(t, ok)
	assert.Equal(t, between(10, 50), gap)
	g.Ended(true)
	_, ok = g.Take(after(60))
	assert.False(t, ok)
	assert.Equal(t, after(60), g.Unhealed(after(60)))
}

// What is not healed is tried again when Retry is called, until it is too old.
func TestGaps_FailedOnesAreTriedAgain(t *testing.T) {
	t.Parallel()
	g := NewGaps()
	g.Add(after(10), after(20))
	_, ok := g.Take(after(20))
	require.True(t, ok)
	g.Ended(false)
	_, ok = g.Take(after(30))
	require.False(t, ok, "not at once")
	assert.Equal(t, after(10), g.Unhealed(after(30)))
	assert.Empty(t, g.Retry(after(30)))
	gap, ok := g.Take(after(30))
	require.True(t, ok)
	assert.Equal(t, between(10, 20), gap)
	g.Ended(false)
	tooLate := after(20).Add(maxTrying + time.Second)
	assert.Equal(t, between(10, 20), g.Retry(tooLate))
	_, ok = g.Take(tooLate)
	assert.False(t, ok)
	assert.Equal(t, tooLate, g.Unhealed(tooLate))
}

func TestGaps_OlderThanPlatformsAnswer(t *testing.T) {
	t.Parallel()
	g := NewGaps()
	g.Restore(after(0))
	now := after(0).Add(30 * 24 * time.Hour)
	g.Connected(0, now)
	gap, ok := g.Take(now)
	require.True(t, ok)
	assert.Equal(t, Range{From: now.Add(-maxReach).UnixNano(), To: now.UnixNano()}, gap)
	g.Ended(true)
	g.Add(after(0), after(10))
	_, ok = g.Take(now)
	assert.False(t, ok)
	assert.Equal(t, now, g.Unhealed(now))
}

// Whenever the state is saved, it names the beginning of what is not healed.
func TestGaps_Unhealed(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		do   func(g *Gaps)
		want float64
	}{
		"nothing is lost":             {func(g *Gaps) { g.Connected(0, after(5)) }, 100},
		"no socket":                   {func(g *Gaps) { g.Connected(0, after(5)); g.Lost(0, after(40)) }, 40},
		"no socket, and another fine": {func(g *Gaps) { g.Connected(0, after(5)); g.Connected(1, after(5)); g.Lost(1, after(40)) }, 40},
		"no socket, and lost again":   {func(g *Gaps) { g.Lost(0, after(40)); g.Lost(0, after(60)) }, 40},
		"waiting":                     {func(g *Gaps) { g.Lost(0, after(40)); g.Add(after(40), after(50)); g.Connected(0, after(50)) }, 40},
		"healing":                     {func(g *Gaps) { g.Add(after(40), after(50)); g.Take(after(50)) }, 40},
		"healing, and another waits": {func(g *Gaps) {
			g.Add(after(40), after(50))
			g.Take(after(50))
			g.Add(after(60), after(70))
		}, 40},
		"healed, and another waits": {func(g *Gaps) {
			g.Add(after(40), after(50))
			g.Take(after(50))
			g.Add(after(60), after(70))
			g.Ended(true)
		}, 60},
		"restored, and not connected yet": {func(g *Gaps) { g.Restore(after(-70)) }, -70},
		"restored, and being healed":      {func(g *Gaps) { g.Restore(after(-70)); g.Connected(0, after(5)); g.Take(after(5)) }, -70},
		"restored, and healed": {func(g *Gaps) {
			g.Restore(after(-70))
			g.Connected(0, after(5))
			g.Take(after(5))
			g.Ended(true)
		}, 100},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := NewGaps()
			test.do(g)
			assert.Equal(t, after(test.want), g.Unhealed(after(100)))
		})
	}
}

// Each connection ends our own downtime for itself.
func TestGaps_OwnDowntime(t *testing.T) {
	t.Parallel()
	g := NewGaps()
	g.Restore(after(-70))
	g.Connected(0, after(5))
	gap, ok := g.Take(after(5))
	require.True(t, ok)
	assert.Equal(t, between(-70, 5), gap)
	g.Ended(true)
	g.Connected(1, after(30))
	gap, ok = g.Take(after(30))
	require.True(t, ok)
	assert.Equal(t, between(-70, 30), gap)
	g.Ended(true)
	g.Lost(1, after(40))
	g.Connected(1, after(50))
	_, ok = g.Take(after(50))
	assert.False(t, ok, "who loses a socket adds the gap")
}

func TestEncode_UnhealedGap(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ unhealed, want float64 }{
		"none":    {10, 10},
		"a gap":   {-500, -500},
		"a later": {11, 10},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			value, err := New(start, 100).Encode(after(10), after(test.unhealed))
			require.NoError(t, err)
			savedAt, unhealed, err := New(after(60), 100).Restore(value)
			require.NoError(t, err)
			assert.Equal(t, after(10), savedAt)
			assert.Equal(t, after(test.want), unhealed)
		})
	}
}
