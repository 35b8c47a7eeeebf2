// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package window

import (
	"math"
	"slices"

	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
)

const bucketsPerOctave = 1 << wsevent.HistogramScale

// upperBounds are the upper bounds of the buckets between 0.5 and 1.
var upperBounds = func() (bounds [bucketsPerOctave]float64) {
	for i := range bounds {
		bounds[i] = math.Exp2(float64(i+1)/bucketsPerOctave) / 2
	}
	return bounds
}()

// maxHistogramTime bounds the values, and so the number of buckets: 240 of them reach from
// 1 ms to 2^20 s (12 days); longer times are in one more.
const maxHistogramTime = 1 << 20 * 1000 // ms

// record adds a time, ms, to a histogram. Its buckets are never shared: see share.
func record(h *wsevent.Histogram, ms int64) {
	h.Count++
	if ms <= 0 {
		h.Zero++
		return
	}
	h.Sum = wsevent.AddSaturating(h.Sum, ms)
	index := bucketOf(min(ms, maxHistogramTime+1))
	switch {
	case len(h.Buckets) == 0:
		h.First, h.Buckets = index, []uint64{0}
	case index < h.First:
		h.Buckets = slices.Insert(h.Buckets, 0, make([]uint64, h.First-index)...)
		h.First = index
	}
	if missing := int(index-h.First) + 1 - len(h.Buckets); missing > 0 {
		h.Buckets = append(h.Buckets, make([]uint64, missing)...)
	}
	h.Buckets[index-h.First]++
}

// bucketOf returns the index of the bucket of a time above 0, ms.
func bucketOf(ms int64) int32 {
	fraction, exponent := math.Frexp(float64(ms) / 1000)
	below := (exponent - 1) * bucketsPerOctave // of the buckets from 2^(exponent-1) on
	if fraction == 0.5 {
		return int32(below - 1) //nolint:gosec // small
	}
	i, _ := slices.BinarySearch(upperBounds[:], fraction)
	return int32(below + i) //nolint:gosec // small
}

// share returns a copy that does not change with the original.
func share(h wsevent.Histogram) wsevent.Histogram {
	h.Buckets = slices.Clone(h.Buckets)
	return h
}
