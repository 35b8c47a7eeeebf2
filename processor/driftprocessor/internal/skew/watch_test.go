// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package skew

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestAttributeFault(t *testing.T) {
	t.Parallel()
	const tolerance = 200 * time.Millisecond
	for _, c := range []struct {
		name       string
		skew, host time.Duration
		want       Culprit
	}{
		{"we are right", 90 * time.Second, 0, Platform},
		{"we are behind by as much as the platform seems ahead", 90 * time.Second, -90 * time.Second, Host},
		{"we are ahead", -time.Hour, time.Hour, Host},
		{"each its own way", 2 * time.Second, -time.Second, Both},
		{"two small errors add up", 300 * time.Millisecond, -150 * time.Millisecond, Both},
		{"both wrong by the same", 0, time.Hour, Both},
	} {
		assert.Equal(t, c.want, AttributeFault(c.skew, c.host, tolerance), c.name)
	}
}

func TestEpisode_DoesNotFlap(t *testing.T) {
	t.Parallel()
	e := Episode{Limit: 200 * time.Millisecond}
	judge := func(offset time.Duration) bool {
		e.Judge(offset)
		return e.On
	}
	assert.False(t, judge(200*time.Millisecond), "at the limit is not beyond it")
	assert.True(t, judge(-201*time.Millisecond))
	assert.True(t, judge(190*time.Millisecond))
	assert.True(t, judge(161*time.Millisecond))
	assert.False(t, judge(159*time.Millisecond))
	assert.False(t, judge(199*time.Millisecond))
}

func TestWatch(t *testing.T) {
	t.Parallel()
	type reading struct {
		at, offset, unsure time.Duration
		want               Verdict
	}
	for name, c := range map[string]struct {
		patience time.Duration
		readings []reading
	}{
		"a clock that goes wrong and stays so": {10 * time.Minute, []reading{
			{0, 10 * time.Millisecond, 0, Aligned},
			{time.Minute, time.Hour, 0, Misaligned},
			{9 * time.Minute, time.Hour, 0, Misaligned},
			{11 * time.Minute, time.Hour, 0, Restart},
			{12 * time.Minute, time.Hour, 0, Misaligned},
		}},
		"a clock that is set right in time": {10 * time.Minute, []reading{
			{0, 0, 0, Aligned},
			{time.Minute, -time.Second, 0, Misaligned},
			{5 * time.Minute, 0, 0, Aligned},
			{6 * time.Minute, -time.Second, 0, Misaligned},
			{15 * time.Minute, -time.Second, 0, Misaligned},
			{16 * time.Minute, -time.Second, 0, Restart},
		}},
		"a start with a wrong clock is not worth another": {time.Minute, []reading{
			{0, time.Hour, 0, GivenUp},
			{time.Hour, time.Hour, 0, GivenUp},
			{2 * time.Hour, 2 * time.Hour, 0, GivenUp},
			{3 * time.Hour, 0, 0, Aligned},
			{4 * time.Hour, time.Hour, 0, Misaligned},
			{5 * time.Hour, time.Hour, 0, Restart},
		}},
		"off by default": {0, []reading{
			{0, 0, 0, Aligned},
			{time.Minute, time.Hour, 0, Misaligned},
			{24 * time.Hour, time.Hour, 0, Misaligned},
		}},
		"a reading that is not sure says nothing": {time.Minute, []reading{
			{0, 0, 0, Aligned},
			{time.Minute, time.Second, 600 * time.Millisecond, Aligned},
			{3 * time.Minute, time.Second, 400 * time.Millisecond, Misaligned},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := Watch{Limit: 500 * time.Millisecond, Patience: c.patience}
			for _, r := range c.readings {
				assert.Equal(t, r.want, w.Read(r.offset, r.unsure, r.at), "at %v", r.at)
			}
		})
	}
}
