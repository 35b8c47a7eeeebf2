// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package traffic

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/fault"
)

// composed is everything a framer makes of some events.
type composed struct {
	Batch
	frames []Frame
}

// compose is the frames of some seconds of traffic.
func compose(seed uint64, form FrameForm, perFrame int, change func(*Config), trouble fault.Trouble) composed {
	g := testGenerator(seed, func(c *Config) {
		c.Events = 3000
		if change != nil {
			change(c)
		}
	})
	framer := NewFramer(g, rand.New(rand.NewPCG(seed, 3)), form, perFrame)
	var all composed
	for {
		f, ok := framer.Next(&trouble)
		if !ok {
			return all
		}
		all.Add(f, Clock{Origin: 1_715_623_400_123_456_789})
		f.Items = slices.Clone(f.Items)
		all.frames = append(all.frames, f)
	}
}

func (c *composed) events() []Event {
	var events []Event
	for n := range c.Items {
		if i := &c.Items[n]; !i.Duplicate && i.Malformed == fault.WellFormed {
			events = append(events, i.Event)
		}
	}
	return events
}

// troubled is the default trouble with a change.
func troubled(change func(*fault.Trouble)) fault.Trouble {
	t := fault.DefaultTrouble()
	change(&t)
	return t
}

func TestFramer_TroubleNeverChangesWhichEventsHappen(t *testing.T) {
	t.Parallel()
	without := compose(5, FrameObject, 1, nil, fault.DefaultTrouble())
	with := compose(5, FrameMixed, 20, nil, troubled(func(t *fault.Trouble) {
		t.Duplicates, t.Malformed, t.Jitter, t.Skew = 0.05, 0.05, 500*time.Millisecond, time.Second
	}))
	assert.Greater(t, len(with.Items), len(without.Items))
	assert.ElementsMatch(t, without.events(), with.events())
}

func TestFramer_FramesAreBoundedInSizeAndTime(t *testing.T) {
	t.Parallel()
	all := compose(1, FrameArray, 20, func(c *Config) { c.Rate = 150 }, fault.DefaultTrouble())
	sizes := map[int]bool{}
	for _, f := range all.frames {
		sizes[len(f.Items)] = true
		require.LessOrEqual(t, len(f.Items), 20)
		require.LessOrEqual(t, f.Due-f.Items[0].departs, frameWait)
	}
	assert.Greater(t, len(sizes), 5, "a frame goes when it has waited, full or not")
}

func TestFramer_JitterReordersWithinItsBound(t *testing.T) {
	t.Parallel()
	all := compose(1, FrameObject, 1, nil, troubled(func(t *fault.Trouble) { t.Jitter = 500 * time.Millisecond }))
	require.Len(t, all.Items, 3000)
	latest, reordered := time.Duration(0), 0
	for _, i := range all.Items {
		require.Less(t, i.departs-i.Event.at, 500*time.Millisecond)
		if i.Event.at < latest {
			reordered++
			require.Less(t, latest-i.Event.at, 500*time.Millisecond)
		}
		latest = max(latest, i.Event.at)
	}
	assert.Greater(t, reordered, 1000)
}

func TestFramer_DuplicatesFollowTheirEventAndEqualIt(t *testing.T) {
	t.Parallel()
	all := compose(1, FrameObject, 1, nil, troubled(func(t *fault.Trouble) { t.Duplicates = 0.1 }))
	seen, times, duplicates, after := map[ID]Event{}, map[ID]int64{}, 0, 0
	for n, i := range all.Items {
		if !i.Duplicate {
			seen[i.Event.Id], times[i.Event.Id] = i.Event, all.Times[n]
			continue
		}
		duplicates++
		require.Equal(t, seen[i.Event.Id], i.Event)
		require.Equal(t, times[i.Event.Id], all.Times[n])
		if all.Items[n-1].Event.Id == i.Event.Id {
			after++
		}
	}
	assert.InEpsilon(t, 300, duplicates, 0.2)
	assert.InEpsilon(t, duplicates/2, after, 0.3, "half of them right after, the others later")
}

func TestFramer_MalformedFramesAreAlone(t *testing.T) {
	t.Parallel()
	all := compose(1, FrameArray, 10, nil, troubled(func(t *fault.Trouble) { t.Malformed = 0.1 }))
	kinds := map[fault.Malformation]bool{}
	for _, f := range all.frames {
		for _, i := range f.Items {
			kinds[i.Malformed] = true
			require.True(t, len(f.Items) == 1 || !i.Malformed.Alone(), "%s beside others", i.Malformed)
		}
	}
	assert.Len(t, kinds, int(fault.Malformations), "every kind comes up")
}
