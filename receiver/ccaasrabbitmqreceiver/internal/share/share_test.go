// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package share

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

// Whatever numbers the members have, the shares differ by one at most and add up to all
// partitions.
func TestOf(t *testing.T) {
	t.Parallel()
	for _, partitions := range []int{1, 4, 12, 128} {
		for _, members := range [][]int{{0}, {3}, {0, 1}, {1, 4, 5}, {0, 2, 3, 7, 8}} {
			sum, least, most := 0, partitions, 0
			for _, member := range members {
				quota := Of(partitions, members, member)
				sum, least, most = sum+quota, min(least, quota), max(most, quota)
			}
			assert.Equal(t, partitions, sum)
			assert.LessOrEqual(t, most-least, 1)
			assert.Zero(t, Of(partitions, members, 9))
		}
	}
	assert.Zero(t, Of(12, nil, -1))
}

func TestSurplus(t *testing.T) {
	t.Parallel()
	owned := map[int32]bool{5: true, 1: true, 3: true}
	assert.Equal(t, []int32{3, 5}, Surplus(owned, 1))
	assert.Empty(t, Surplus(owned, 3))
	assert.Empty(t, Surplus(nil, 0))
}

func TestCandidates(t *testing.T) {
	t.Parallel()
	assert.Equal(t, []int32{2, 3, 0, 1}, Candidates(4, []int{1, 6}, 6))
	assert.Empty(t, Candidates(4, []int{1, 6}, 2))
}
