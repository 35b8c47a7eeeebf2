// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package rows

import (
	"math"

	"go.opentelemetry.io/collector/pdata/pmetric"
)

func explicit(key Key, point pmetric.HistogramDataPoint) Histogram {
	row := Histogram{
		Key: key, Start: milliseconds(point.StartTimestamp()), Count: count(point.Count()),
		Sum: known(point.HasSum(), point.Sum()), Min: known(point.HasMin(), point.Min()), Max: known(point.HasMax(), point.Max()),
		Bounds: point.ExplicitBounds().AsRaw(),
	}
	for _, n := range point.BucketCounts().All() {
		row.Counts = append(row.Counts, count(n))
	}
	return row
}

// exponential writes the buckets of an exponential histogram by their bounds, so that one query reads both kinds.
// Measurements around zero are between the largest negative bound and the smallest positive one.
func exponential(key Key, point pmetric.ExponentialHistogramDataPoint) Histogram {
	row := Histogram{
		Key: key, Start: milliseconds(point.StartTimestamp()), Count: count(point.Count()),
		Sum: known(point.HasSum(), point.Sum()), Min: known(point.HasMin(), point.Min()), Max: known(point.HasMax(), point.Max()),
	}
	bound := func(index int) float64 { return math.Exp2(math.Ldexp(float64(index), -int(point.Scale()))) }
	if negative := point.Negative(); negative.BucketCounts().Len() > 0 {
		offset, n := int(negative.Offset()), negative.BucketCounts().Len()
		row.Counts = append(row.Counts, 0)
		row.Bounds = append(row.Bounds, -bound(offset+n))
		for i := n - 1; i >= 0; i-- {
			row.Counts = append(row.Counts, count(negative.BucketCounts().At(i)))
			row.Bounds = append(row.Bounds, -bound(offset+i))
		}
	}
	row.Counts = append(row.Counts, count(point.ZeroCount()))
	if positive := point.Positive(); positive.BucketCounts().Len() > 0 {
		offset := int(positive.Offset())
		row.Bounds = append(row.Bounds, bound(offset))
		for i, n := range positive.BucketCounts().All() {
			row.Counts = append(row.Counts, count(n))
			row.Bounds = append(row.Bounds, bound(offset+i+1))
		}
		row.Counts = append(row.Counts, 0)
	}
	return row
}

func known(has bool, value float64) *float64 {
	if !has {
		return nil
	}
	return &value
}

// count is a bigint of PostgreSQL, which has no unsigned numbers.
func count(n uint64) int64 { return int64(min(n, math.MaxInt64)) } //nolint:gosec // bounded
