// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package baseline

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/DataDog/sketches-go/ddsketch"
	"github.com/DataDog/sketches-go/ddsketch/mapping"
	"github.com/DataDog/sketches-go/ddsketch/stat"
	"github.com/DataDog/sketches-go/ddsketch/store"
)

const (
	// accuracy is the relative error of a sketch: less than the 0.5 % that are
	// documented, which leaves room for the difference of neighbouring ranks.
	accuracy = 0.004
	// maxBins bounds a sketch. 2048 bins span a factor of ten million between the
	// largest and the smallest value; beyond it, the values on the far side of the
	// quantile share a bin.
	maxBins = 2048
	// largest is the largest value that is accepted: any percentage of it is finite.
	largest = 1e290
)

// The mapping is a handful of constants; its error concerns the accuracy alone.
var indexMapping, _ = mapping.NewLogarithmicMapping(accuracy)

// Sane reports whether a value can be added to a baseline.
func Sane(value float64) bool { return math.Abs(value) <= largest } // NaN is not

func newSketch(quantile float64) *ddsketch.DDSketchWithExactSummaryStatistics {
	high, low := store.Store(store.NewCollapsingLowestDenseStore(maxBins)), store.Store(store.NewCollapsingHighestDenseStore(maxBins))
	if quantile < 0.5 {
		high, low = store.NewCollapsingHighestDenseStore(maxBins), store.NewCollapsingLowestDenseStore(maxBins)
	}
	return withStatistics(ddsketch.NewDDSketch(indexMapping, high, low), stat.NewSummaryStatistics())
}

func withStatistics(sketch *ddsketch.DDSketch, statistics *stat.SummaryStatistics) *ddsketch.DDSketchWithExactSummaryStatistics {
	exact, err := ddsketch.NewDDSketchWithExactSummaryStatisticsFromData(sketch, statistics)
	if err != nil { // one is empty and the other is not
		panic(err)
	}
	return exact
}

// Hour is an hour of values in the form in which it is kept and saved.
type Hour struct {
	Index  int64  `json:"hour"`   // since 1970
	First  int64  `json:"first"`  // end of its first window, unix ms
	Sketch []byte `json:"sketch"` // as sketches-go encodes it, without its mapping
}

// mergeInto adds a valid hour to a sketch.
func (h *Hour) mergeInto(sketch *ddsketch.DDSketchWithExactSummaryStatistics) {
	_ = sketch.DecodeAndMergeWith(h.Sketch)
}

// validate checks an hour that was read from the storage. The decoder of sketches-go
// ignores errors within a store, so the counts have to agree; its dense stores overflow at
// extreme indexes, so sparse ones decode.
func (h *Hour) validate() error {
	sketch, err := ddsketch.DecodeDDSketchWithExactSummaryStatistics(h.Sketch, store.SparseStoreConstructor, indexMapping)
	if err != nil {
		return fmt.Errorf("hour %d: sketch: %w", h.Index, err)
	}
	least, errLeast := sketch.GetMinValue()
	most, errMost := sketch.GetMaxValue()
	switch count := sketch.GetCount(); {
	case errLeast != nil, errMost != nil, !Sane(least), !Sane(most), least > most,
		!(count >= 1 && count <= math.MaxInt32), count != sketch.DDSketch.GetCount(),
		!indexable(sketch.GetPositiveValueStore()), !indexable(sketch.GetNegativeValueStore()):
		return fmt.Errorf("hour %d: sketch: its numbers contradict each other", h.Index)
	case h.Index < 0, indexOf(h.First) != h.Index:
		return fmt.Errorf("hour %d: first: %d is not within the hour", h.Index, h.First)
	}
	return nil
}

// indexable reports whether the bins are those of values that Sane accepts.
func indexable(bins store.Store) bool {
	ok := true
	bins.ForEach(func(index int, count float64) bool {
		ok = count > 0 && index <= indexMapping.Index(largest) && index >= indexMapping.Index(indexMapping.MinIndexableValue())
		return !ok
	})
	return ok
}

// UnmarshalJSON reads an hour, also one of the first version of the state.
func (h *Hour) UnmarshalJSON(text []byte) error {
	type current Hour
	var saved struct {
		current
		firstVersion
	}
	if err := json.Unmarshal(text, &saved); err != nil {
		return err
	}
	*h = Hour(saved.current)
	if saved.Bins == nil {
		return nil
	}
	sketch, err := saved.decode()
	if err != nil {
		return fmt.Errorf("hour %d: %w", h.Index, err)
	}
	sketch.Encode(&h.Sketch, true)
	return nil
}

// firstVersion is how an hour was saved before its sketch was encoded by sketches-go. Bins
// are the number of zeros, then the positive and the negative bins, each as their number
// and, for each, the difference from the index before and the count; all as varints.
type firstVersion struct {
	Count int64   `json:"count"`
	Min   float64 `json:"min"`
	Max   float64 `json:"max"`
	Bins  []byte  `json:"bins"`
}

func (v *firstVersion) decode() (*ddsketch.DDSketchWithExactSummaryStatistics, error) {
	sketch := ddsketch.NewDDSketchFromStoreProvider(indexMapping, store.SparseStoreConstructor)
	from := bytes.NewReader(v.Bins)
	zeros, err := binary.ReadUvarint(from)
	errs := []error{err, sketch.AddWithCount(0, float64(zeros))}
	for _, bins := range []store.Store{sketch.GetPositiveValueStore(), sketch.GetNegativeValueStore()} {
		n, err := binary.ReadUvarint(from)
		for index := int64(0); n > 0 && err == nil; n-- {
			var step int64
			var count uint64
			if step, err = binary.ReadVarint(from); err == nil {
				count, err = binary.ReadUvarint(from)
			}
			index += step
			bins.AddWithCount(int(index), float64(count))
		}
		errs = append(errs, err)
	}
	statistics, err := stat.NewSummaryStatisticsFromData(float64(v.Count), sketch.GetSum(), v.Min, v.Max)
	if err = errors.Join(append(errs, err)...); err != nil {
		return nil, fmt.Errorf("bins: %w", err)
	}
	if _, err = from.ReadByte(); !errors.Is(err, io.EOF) || sketch.IsEmpty() {
		return nil, errors.New("bins: too long, or empty")
	}
	return ddsketch.NewDDSketchWithExactSummaryStatisticsFromData(sketch, statistics)
}
