// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package baseline

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/DataDog/sketches-go/ddsketch"
	"github.com/DataDog/sketches-go/ddsketch/store"
)

// Hour is an hour of values in the form in which it is kept and saved.
type Hour struct {
	Index int64   `json:"hour"`  // since 1970
	First int64   `json:"first"` // end of its first window, unix ms
	Count int64   `json:"count"`
	Min   float64 `json:"min"`
	Max   float64 `json:"max"`
	// Bins are those of the sketch: how many zeros, then the positive and the negative
	// bins, each as their number and, for each, the step from the index before and the
	// count; all as varints.
	Bins []byte `json:"bins"`
}

func (h *hour) close() Hour {
	bins := binary.AppendUvarint(nil, uint64(h.sketch.GetZeroCount()))
	bins = appendStore(bins, h.sketch.GetPositiveValueStore())
	bins = appendStore(bins, h.sketch.GetNegativeValueStore())
	return Hour{Index: h.index, First: h.first, Count: h.count, Min: h.min, Max: h.max, Bins: bins}
}

func appendStore(to []byte, from store.Store) []byte {
	n := uint64(0)
	from.ForEach(func(int, float64) bool { n++; return false })
	to = binary.AppendUvarint(to, n)
	before := 0
	from.ForEach(func(index int, count float64) bool {
		to = binary.AppendVarint(to, int64(index-before))
		to = binary.AppendUvarint(to, uint64(count))
		before = index
		return false
	})
	return to
}

// merge adds a closed hour, which is a valid one.
func (h *hour) merge(closed *Hour) {
	_ = readBins(closed.Bins, h.sketch)
	h.count += closed.Count
	if h.first == 0 {
		h.first = closed.First
	}
	h.min, h.max = min(h.min, closed.Min), max(h.max, closed.Max)
}

// maxIndex is beyond the index of any value that is let in.
const maxIndex = 200_000

// readBins adds what close wrote to a sketch.
func readBins(bins []byte, to *ddsketch.DDSketch) error {
	r := reader{rest: bins}
	if zeros := r.uint(); zeros > 0 && !r.failed {
		if err := to.AddWithCount(0, float64(zeros)); err != nil {
			return err
		}
	}
	for _, bins := range []store.Store{to.GetPositiveValueStore(), to.GetNegativeValueStore()} {
		index := int64(0)
		for range r.length() {
			index += r.int()
			count := r.uint()
			if r.failed || index < -maxIndex || index > maxIndex || count > math.MaxInt32 {
				return errors.New("bins: do not hold what they should")
			}
			bins.AddWithCount(int(index), float64(count))
		}
	}
	if r.failed || len(r.rest) > 0 {
		return errors.New("bins: are cut off, or too long")
	}
	return nil
}

// validate checks an hour that comes from outside.
func (h *Hour) validate() error {
	check := newSketch(1)
	if err := readBins(h.Bins, check); err != nil {
		return fmt.Errorf("hour %d: %w", h.Index, err)
	}
	if h.Count <= 0 || int64(check.GetCount()) != h.Count || h.Index < 0 || indexOf(h.First) != h.Index ||
		!Sane(h.Min) || !Sane(h.Max) || h.Min > h.Max {
		return fmt.Errorf("hour %d: its numbers contradict each other", h.Index)
	}
	return nil
}

// reader reads varints. The first failure stays, and what is read behind it is
// zero.
type reader struct {
	rest   []byte
	failed bool
}

func (r *reader) int() int64 {
	n, size := binary.Varint(r.rest)
	if !r.step(size) {
		return 0
	}
	return n
}

func (r *reader) uint() uint64 {
	n, size := binary.Uvarint(r.rest)
	if !r.step(size) {
		return 0
	}
	return n
}

// length is how many things follow, each of which takes at least a byte.
func (r *reader) length() int {
	n := r.uint()
	if n > uint64(len(r.rest)) {
		r.failed = true
		return 0
	}
	return int(n)
}

func (r *reader) step(size int) bool {
	if size <= 0 {
		r.failed = true
		return false
	}
	r.rest = r.rest[size:]
	return true
}
