// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"fmt"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"

	"github.com/otelcol-ccaas/otelcol-ccaas/extension/dashboardextension/internal/apirequest"
)

const (
	// maxRoom is for how many steps of a series the engine makes room at once.
	maxRoom = 5000
	// maxGrown bounds the bytes of the labels that a query writes, of all series it selects.
	maxGrown = 32 << 20
)

// bounded is a querier that gives no more series than there is room for. The engine
// counts samples; but it makes room for the steps of each series before, which may be
// many times as much where series have few samples.
type bounded struct {
	storage.Querier
	maxSamples int
}

func (b bounded) Select(ctx context.Context, sorted bool, hints *storage.SelectHints, matchers ...*labels.Matcher) storage.SeriesSet {
	steps := int64(1)
	if hints != nil && hints.Step > 0 {
		steps = (hints.End-hints.Start)/hints.Step + 1
	}
	return &boundedSet{
		SeriesSet:  b.Querier.Select(ctx, sorted, hints, matchers...),
		left:       int64(b.maxSamples) / min(steps, maxRoom),
		steps:      int(steps),
		maxSamples: b.maxSamples,
		grown:      apirequest.GrownOf(ctx),
	}
}

type boundedSet struct {
	storage.SeriesSet
	left       int64
	steps      int // that the query evaluates
	maxSamples int
	grown      *apirequest.Grown
	err        error
}

func (s *boundedSet) Next() bool {
	if s.err != nil || !s.SeriesSet.Next() {
		return false
	}
	if s.left--; s.left < 0 {
		s.err = fmt.Errorf("these series and steps need room for more than %d samples (query::max_samples): "+
			"ask for fewer series, a shorter time or longer steps", s.maxSamples)
		return false
	}
	if s.grown != nil && s.grown.Add(int(s.At().Labels().ByteSize()), s.steps) > maxGrown { //nolint:gosec // labels are bounded
		s.err = fmt.Errorf("label_replace, label_join, count_values and group_left might write more than %d MiB of labels for these series: "+
			"select fewer series, or with shorter labels", maxGrown>>20)
	}
	return s.err == nil
}

func (s *boundedSet) Err() error {
	if s.err != nil {
		return s.err
	}
	return s.SeriesSet.Err()
}
