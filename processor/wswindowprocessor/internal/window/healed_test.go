// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package window

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
)

// healedBetween are the times of a window, in ms since base.
func healedBetween(since, until int64) wsevent.Healed {
	return wsevent.Healed{Since: wsevent.UnixMilli(base + since), Until: wsevent.UnixMilli(base + until)}
}

// lost and healed are a gap, and that it is healed.
func lost(start, end int64) Event {
	return Event{Kind: Gap, Time: base + start, GapEnd: base + end, Observed: base + end}
}

func healed(start, end, observed int64) Event {
	return Event{Kind: Healed, Time: base + start, GapEnd: base + end, Observed: base + observed}
}

func TestHealed_TimeInWhichEveryGapIsHealed(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		records []Event
		want    wsevent.Healed
	}{
		"no gap":              {nil, wsevent.Healed{}},
		"not healed":          {[]Event{lost(100_000, 130_000)}, wsevent.Healed{}},
		"healed":              {[]Event{lost(100_000, 130_000), healed(100_000, 130_000, 190_000)}, healedBetween(100_000, 130_000)},
		"healed with another": {[]Event{lost(100_000, 130_000), lost(140_000, 150_000), healed(100_000, 150_000, 190_000)}, healedBetween(100_000, 150_000)},
		"healed, another not": {[]Event{lost(100_000, 130_000), lost(140_000, 150_000), healed(100_000, 130_000, 190_000)}, healedBetween(100_000, 130_000)},
		"one after the other": {
			[]Event{lost(100_000, 130_000), lost(140_000, 150_000), healed(100_000, 130_000, 190_000), healed(140_000, 150_000, 195_000)},
			healedBetween(100_000, 150_000),
		},
		"the first given up": {[]Event{lost(100_000, 130_000), lost(160_000, 170_000), healed(160_000, 170_000, 190_000)}, healedBetween(160_000, 170_000)},
		"only its end":       {[]Event{lost(100_000, 130_000), healed(120_000, 130_000, 190_000)}, wsevent.Healed{}},
		"given up after another": {
			[]Event{
				lost(20_000, 30_000), healed(20_000, 30_000, 60_000), lost(100_000, 130_000), lost(160_000, 170_000), healed(160_000, 170_000, 190_000),
			},
			healedBetween(130_000, 170_000),
		},
		"the clocks of its two ends differ": {[]Event{lost(100_000, 130_000), healed(104_000, 127_000, 190_000)}, healedBetween(100_000, 130_000)},
		"the state at start is no such gap": {
			[]Event{{Kind: Gap, Time: base + 90_000, GapEnd: base + 95_000, Observed: base + 95_000, Unknown: true}, lost(100_000, 130_000), healed(100_000, 130_000, 190_000)},
			healedBetween(100_000, 130_000),
		},
		"healed, and some closes stay unknown": {
			[]Event{lost(100_000, 130_000), {Kind: Healed, Time: base + 100_000, GapEnd: base + 130_000, Observed: base + 190_000, Unknown: true}},
			wsevent.Healed{},
		},
		"healed twice": {
			[]Event{lost(100_000, 130_000), healed(100_000, 130_000, 190_000), healed(100_000, 130_000, 195_000)}, healedBetween(100_000, 130_000),
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			config := defaults()
			config.TrackChanges = true
			e := New(config)
			live(e, acme, at(Connected, 0, 0), at(ConnectionOpen, 1_000, 1))
			half := len(test.records) / 2
			live(e, acme, test.records[:half]...)
			e = saved(t, e).read(t, config)
			e.Continue(base + 200_000) // every event comes again
			live(e, acme, test.records[half:]...)
			live(e, acme, at(MessageSend, 200_000, 1), at(MessageSend, 215_000, 1))
			windows := e.Drain()
			require.NotEmpty(t, windows)
			assert.Equal(t, test.want, windows[len(windows)-1].Healed)
		})
	}
}

// Gaps of a receiver that never heals take bounded memory.
func TestHealed_GapsAreBounded(t *testing.T) {
	t.Parallel()
	e := New(defaults())
	live(e, acme, at(Connected, 0, 0), at(ConnectionOpen, 1_000, 1))
	for n := range int64(10 * maxGaps) {
		live(e, acme, lost(20_000+n*1_000, 20_500+n*1_000))
	}
	for _, st := range e.numbered {
		assert.LessOrEqual(t, len(st.unhealed), maxGaps)
	}
}
