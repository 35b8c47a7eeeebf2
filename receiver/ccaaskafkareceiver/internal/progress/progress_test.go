// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package progress

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

var noon = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)

func at(second int) time.Time { return noon.Add(time.Duration(second) * time.Second) }

func TestReadingComesToWhereTheEndWas(t *testing.T) {
	t.Parallel()
	var p Progress
	p.Begin(100)
	assert.True(t, p.ReadTo().IsZero(), "nothing is known yet")
	p.Saw(130, at(1))
	p.Passed(120)
	assert.True(t, p.ReadTo().IsZero())
	assert.Equal(t, int64(10), p.Lag())
	p.Saw(150, at(2)) // waits until the first has been come to
	p.Passed(130)
	assert.Equal(t, at(1), p.ReadTo())
	p.Saw(160, at(3))
	p.Passed(160)
	assert.Equal(t, at(3), p.ReadTo())
	assert.Equal(t, int64(160), p.Position())
	assert.Zero(t, p.Lag())
}

func TestAQuietPartitionIsReadToTheMomentOfTheQuestion(t *testing.T) {
	t.Parallel()
	var p Progress
	p.Begin(7)
	for second := range 10 {
		p.Saw(7, at(second))
		assert.Equal(t, at(second), p.ReadTo())
	}
}

func TestTimeStandsStillWithoutAnswers(t *testing.T) {
	t.Parallel()
	var p Progress
	p.Saw(0, at(1))
	p.Passed(50)
	assert.Equal(t, at(1), p.ReadTo())
}

// Whatever the order of answers and reading, nothing is claimed to be read that was
// not: a message that was written before the moment and is not read.
func TestNothingIsClaimedThatIsNotRead(t *testing.T) {
	t.Parallel()
	for seed := range uint64(200) {
		random := rand.New(rand.NewPCG(seed, 1))
		var p Progress
		ends := []int64{0} // of the partition, by second
		position := int64(0)
		for second := range 100 {
			end := ends[second] + random.Int64N(5)
			ends = append(ends, end)
			if random.IntN(3) > 0 {
				p.Saw(end, at(second+1))
			}
			if random.IntN(3) > 0 {
				position += random.Int64N(end - position + 1)
				p.Passed(position)
			}
			if p.ReadTo().IsZero() {
				continue
			}
			known := int(p.ReadTo().Sub(noon) / time.Second)
			assert.LessOrEqualf(t, ends[known], position, "seed %d: read to second %d", seed, known)
		}
		p.Passed(ends[100])
		p.Saw(ends[100], at(100))
		assert.Equalf(t, at(100), p.ReadTo(), "seed %d: and it arrives", seed)
	}
}
