// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package wsevent

import (
	"math"
	"reflect"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestWindow_NoConnectionsNoDropRate(t *testing.T) {
	t.Parallel()
	window := Window{Start: 0, End: 10_000, Counts: Counts{ConnectionsDropped: 3}}
	assert.Zero(t, window.DropRatePercent())
}

func TestCounts_Add(t *testing.T) {
	t.Parallel()
	counts := Counts{1, 2, 1, 3, 4, 5, 6, 2, 7, 8, 9, 10}
	counts.Add(&Counts{1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1})
	assert.Equal(t, Counts{2, 3, 2, 4, 5, 6, 7, 3, 8, 9, 10, 11}, counts)
}

func TestSums_DescribeEachCount(t *testing.T) {
	t.Parallel()
	var counts Counts
	saved := map[int]bool{}
	for i := range Sums {
		*Sums[i].Of(&counts) = 1
		saved[Sums[i].Saved] = true
		assert.Equal(t, Sums[i].Total == "", Sums[i].Metric == "")
	}
	assert.Equal(t, Counts{1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1}, counts)
	assert.Len(t, saved, len(Sums), "numbers are unique")
	assert.Len(t, Sums, reflect.TypeFor[Counts]().NumField())
}

func TestCounts_SumSaturates(t *testing.T) {
	t.Parallel()
	const most = math.MaxInt64
	huge := Counts{most, most, most, most, most, most, most, most, most, most, most, most}
	var counts Counts
	for range 3 {
		counts.Add(&huge)
	}
	assert.Equal(t, huge, counts)
	assert.True(t, counts.Saturated())
	assert.Equal(t, int64(most), counts.Messages())
	window := Window{End: 10_000, Counts: counts}
	assert.Positive(t, window.MessagesPerSecond())
}
