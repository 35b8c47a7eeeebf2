// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package lag

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

var noon = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)

func at(second int) time.Time { return noon.Add(time.Duration(second) * time.Second) }

func TestTracker_CaughtUpWhenTheEndOffsetIsReached(t *testing.T) {
	t.Parallel()
	var p Tracker
	p.Start(100)
	assert.True(t, p.CaughtUpTo().IsZero(), "nothing is known yet")
	p.EndOffset(130, at(1))
	p.Consumed(120)
	assert.True(t, p.CaughtUpTo().IsZero())
	assert.Equal(t, int64(10), p.Lag())
	p.EndOffset(150, at(2)) // waits until the first is reached
	p.Consumed(130)
	assert.Equal(t, at(1), p.CaughtUpTo())
	p.EndOffset(160, at(3))
	p.Consumed(160)
	assert.Equal(t, at(3), p.CaughtUpTo())
	assert.Zero(t, p.Lag())
}

func TestTracker_PartitionWithoutMessages(t *testing.T) {
	t.Parallel()
	var p Tracker
	p.Start(7)
	for second := range 10 {
		p.EndOffset(7, at(second))
		assert.Equal(t, at(second), p.CaughtUpTo())
	}
}

func TestTracker_DoesNotAdvanceWithoutEndOffsets(t *testing.T) {
	t.Parallel()
	var p Tracker
	p.EndOffset(0, at(1))
	p.Consumed(50)
	assert.Equal(t, at(1), p.CaughtUpTo())
}

// Whatever the order of queries and consumption, no message that was written before
// CaughtUpTo is unconsumed.
func TestTracker_NeverAheadOfUnconsumedMessages(t *testing.T) {
	t.Parallel()
	for seed := range uint64(200) {
		random := rand.New(rand.NewPCG(seed, 1))
		var p Tracker
		ends := []int64{0} // of the partition, by second
		position := int64(0)
		for second := range 100 {
			end := ends[second] + random.Int64N(5)
			ends = append(ends, end)
			if random.IntN(3) > 0 {
				p.EndOffset(end, at(second+1))
			}
			if random.IntN(3) > 0 {
				position += random.Int64N(end - position + 1)
				p.Consumed(position)
			}
			if p.CaughtUpTo().IsZero() {
				continue
			}
			known := int(p.CaughtUpTo().Sub(noon) / time.Second)
			assert.LessOrEqualf(t, ends[known], position, "seed %d: read to second %d", seed, known)
		}
		p.Consumed(ends[100])
		p.EndOffset(ends[100], at(100))
		assert.Equalf(t, at(100), p.CaughtUpTo(), "seed %d: and it arrives", seed)
	}
}
