// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package rule

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestLimits(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		limit          Limit
		beyond, within []float64
	}{
		{Limit{Above, 0.5}, []float64{0.50000001, 7}, []float64{0.5, 0.49, -1}},
		{Limit{Below, 10}, []float64{9.999, -11}, []float64{10, 11}},
		{Limit{Outside, 200}, []float64{200.1, -200.1}, []float64{200, -200, 0}},
		{Limit{Inside, 150}, []float64{149, -149}, []float64{150, -150, 151}},
		{Limit{AbovePercentOfBaseline, 120}, []float64{120.0001}, []float64{120, 119, 0}},
		{Limit{BelowPercentOfBaseline, 50}, []float64{49.9999, 0}, []float64{50, 100}},
	} {
		for _, v := range c.beyond {
			assert.True(t, c.limit.Breached(v, 100), "%v %v", c.limit, v)
		}
		for _, v := range c.within {
			assert.False(t, c.limit.Breached(v, 100), "%v %v", c.limit, v)
		}
	}
}

// step is a window in short: its value, and what is special about it.
type step struct {
	value float64
	what  string // gap, excluded, learning, muted
	want  string // transition and reason
}

// play decides one window after another, 9 s apart.
func play(t *testing.T, l *Level, steps []step) {
	t.Helper()
	if l.For == 0 {
		l.For = 1
	}
	if l.ClearFor == 0 {
		l.ClearFor = 1
	}
	if l.Repeat == 0 {
		l.Repeat = 1_000_000
	}
	var s State
	for i, at := range steps {
		var happens Transition
		var why Reason
		x := Sample{
			Start: int64(i) * 9_000, End: int64(i)*9_000 + 10_000, Value: at.value, Baseline: 100, Ready: at.what != "learning",
			Consecutive: at.what != "gap", Excluded: at.what == "excluded", Muted: at.what == "muted",
		}
		s, happens, why = Decide(l, s, x)
		word := [...]string{"", "FIRES ", "REPEATS ", "RESOLVES "}[happens]
		require.Equal(t, at.want, word+why.String(), "window %d", i)
	}
}

func TestDecide(t *testing.T) {
	t.Parallel()
	above := Limit{Above, 0.5}
	back := Limit{Below, 0.3}
	percent := Limit{AbovePercentOfBaseline, 120}
	for name, c := range map[string]struct {
		level Level
		steps []step
	}{
		"a run": {Level{Threshold: above, For: 2}, []step{
			{0.51, "", "run 1 of 2"},
			{0.49, "", "within threshold"},
			{0.51, "", "run 1 of 2"},
			{0.5, "", "within threshold"},
			{0.6, "", "run 1 of 2"},
			{0.6, "", "FIRES beyond threshold"},
			{0.6, "", "still firing"},
			{0.5, "", "RESOLVES clear"},
			{0.6, "", "run 1 of 2"},
		}},
		"a hole breaks a run": {Level{Threshold: above, For: 2}, []step{
			{0.6, "", "run 1 of 2"},
			{0.6, "gap", "run 1 of 2"},
			{0.6, "", "FIRES beyond threshold"},
			{0.6, "gap", "still firing"},
		}},
		"a separate way back": {Level{Threshold: above, Clear: &back, ClearFor: 2}, []step{
			{0.6, "", "FIRES beyond threshold"},
			{0.4, "", "still firing"},
			{0.2, "", "clear run 1 of 2"},
			{0.4, "", "still firing"},
			{0.2, "", "clear run 1 of 2"},
			{0.2, "gap", "clear run 1 of 2"},
			{0.3, "", "still firing"},
			{0.2, "", "clear run 1 of 2"},
			{0.1, "", "RESOLVES clear"},
		}},
		"repeats": {Level{Threshold: above, Repeat: 18_000}, []step{
			{1, "", "FIRES beyond threshold"},
			{1, "", "still firing"},
			{1, "", "REPEATS still firing, repeated"},
			{1, "", "still firing"},
			{1, "muted", "still firing"},
			{1, "", "REPEATS still firing, repeated"},
		}},
		"muted": {Level{Threshold: above, For: 2}, []step{
			{1, "", "run 1 of 2"},
			{1, "muted", "muted"},
			{1, "", "run 1 of 2"},
			{1, "", "FIRES beyond threshold"},
			{1, "muted", "still firing"},
			{0, "muted", "RESOLVES clear"},
		}},
		"learning and campaigns": {Level{Threshold: percent, For: 2}, []step{
			{300, "learning", "learning the baseline"},
			{121, "", "run 1 of 2"},
			{300, "excluded", "excluded"},
			{121, "", "run 1 of 2"},
			{121, "", "FIRES beyond threshold"},
			{300, "excluded", "excluded"},
			{50, "excluded", "excluded"},
			{120, "", "RESOLVES clear"},
		}},
		"a fixed threshold knows no campaigns": {Level{Threshold: above}, []step{
			{1, "excluded", "FIRES beyond threshold"}, {0, "learning", "RESOLVES clear"},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			play(t, &c.level, c.steps)
		})
	}
}

// For any input, firing and resolved alternate, an episode starts with a full
// run of consecutive windows beyond the threshold, and none is missed.
func TestDecide_AgainstHistory(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	for range 2_000 {
		l := Level{Threshold: Limit{Above, 0.5}, For: 1 + random.IntN(4), ClearFor: 1 + random.IntN(3), Repeat: 1 << 40}
		var history strings.Builder // of the windows: b bad, g good; a space for a missing window
		var s State
		firing := false
		for i := range 60 {
			x := Sample{Start: int64(i), End: int64(i) + 1, Consecutive: random.IntN(10) > 0}
			if !x.Consecutive {
				history.WriteByte(' ')
			}
			if random.IntN(2) == 0 {
				x.Value = 1
				history.WriteByte('b')
			} else {
				history.WriteByte('g')
			}
			var happens Transition
			s, happens, _ = Decide(&l, s, x)
			var want Transition
			switch {
			case !firing && strings.HasSuffix(history.String(), strings.Repeat("b", l.For)):
				want, firing = Fires, true
				history.Reset() // the run is used up
			case firing && strings.HasSuffix(history.String(), strings.Repeat("g", l.ClearFor)):
				want, firing = Resolves, false
				history.Reset()
			}
			require.Equal(t, want, happens)
			require.Equal(t, firing, s.Firing)
		}
	}
}

func TestDecideNoData(t *testing.T) {
	t.Parallel()
	l := Level{NoData: 3, Repeat: 60_000}
	q := NoDataInput{Arrived: 100_000, LastEnd: 90_000, Step: 9_000}
	decide := func(s NoData, now int64, muted bool) (NoData, Transition, Reason) {
		q.Now, q.Muted = now, muted
		return DecideNoData(&l, s, q)
	}
	s, happens, _ := decide(NoData{}, 100_000+27_000+4_500, false)
	assert.Equal(t, Nothing, happens, "three windows and half a one for their way")
	_, happens, _ = decide(s, 140_000, true)
	assert.Equal(t, Nothing, happens, "muted")
	s, happens, why := decide(s, 131_501, false)
	assert.Equal(t, Fires, happens)
	assert.Equal(t, "no data", why.String())
	assert.Equal(t, int64(90_000), s.Since)
	s, happens, _ = decide(s, 150_000, false)
	assert.Equal(t, Nothing, happens)
	_, happens, _ = decide(s, 191_501, true)
	assert.Equal(t, Nothing, happens)
	_, happens, _ = decide(s, 191_501, false)
	assert.Equal(t, Repeats, happens)
	q.Step = 0
	_, happens, _ = decide(NoData{}, 1<<40, false)
	assert.Equal(t, Nothing, happens, "nobody knows when the next is due")
	l.NoData, q.Step = 0, 9_000
	_, happens, _ = decide(NoData{}, 1<<40, false)
	assert.Equal(t, Nothing, happens, "nobody asked for it")
}

func BenchmarkDecide(b *testing.B) {
	l := Level{Threshold: Limit{Above, 0.5}, For: 2, ClearFor: 1, Repeat: 1 << 40}
	var s State
	b.ReportAllocs()
	for i := int64(0); b.Loop(); i++ {
		s, _, _ = Decide(&l, s, Sample{Start: i, End: i + 1, Value: float64(i & 1), Consecutive: true})
	}
}
