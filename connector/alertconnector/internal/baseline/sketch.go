// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package baseline

import (
	"math"

	"github.com/DataDog/sketches-go/ddsketch"
	"github.com/DataDog/sketches-go/ddsketch/mapping"
	"github.com/DataDog/sketches-go/ddsketch/store"
)

const (
	// accuracy is the relative error of a sketch: less than the 0.5 % that are
	// promised, so that there is room for what neighbouring ranks differ by.
	accuracy = 0.004
	// maxBins bounds a sketch. That many span a factor of ten million between the
	// largest and the smallest value that are told apart; beyond it, the values on the
	// far side of the quantile share a bin.
	maxBins = 2048
	// largest is the largest value that is taken: any percentage of it is a number.
	largest = 1e290
)

// Sane says that a value can enter a baseline.
func Sane(value float64) bool { return math.Abs(value) <= largest } // NaN is not

func newSketch(quantile float64) *ddsketch.DDSketch {
	// The mapping is a handful of constants; its error is one of the accuracy alone.
	index, _ := mapping.NewLogarithmicMapping(accuracy)
	high, low := store.Store(store.NewCollapsingLowestDenseStore(maxBins)), store.Store(store.NewCollapsingHighestDenseStore(maxBins))
	if quantile < 0.5 {
		high, low = store.NewCollapsingHighestDenseStore(maxBins), store.NewCollapsingLowestDenseStore(maxBins)
	}
	return ddsketch.NewDDSketch(index, high, low)
}
