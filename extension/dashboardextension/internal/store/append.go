// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb"
	"github.com/prometheus/prometheus/tsdb/chunks"
)

// Reason says why a sample was not stored.
type Reason string

// The reasons.
const (
	SeriesLimit Reason = "series_limit" // it belongs to a new series, and there are max_series
	TooOld      Reason = "too_old"      // older than the out-of-order window
	OutOfOrder  Reason = "out_of_order" // not newer than its series' newest, and there is no window
	Duplicate   Reason = "duplicate"    // its series has another value at that time
	Future      Reason = "future"       // further ahead than clocks differ
	LabelSize   Reason = "label_size"   // the labels of its series are too large
	Invalid     Reason = "invalid"      // what it says cannot be: names, buckets
	Unsupported Reason = "unsupported"  // a kind of metric that Prometheus does not have, such as delta sums
)

const (
	// maxAhead is how far ahead of our clock a sample may be. One from the far future
	// would make everything that comes after it too old.
	maxAhead = 10 * time.Minute
	// maxLabelBytes bounds the labels of a series.
	maxLabelBytes = 8 << 10
	// maxSamples bounds the samples of a request. Of a resource, the converter makes one for
	// every few minutes from its earliest sample to its latest, be that centuries.
	maxSamples = 1_000_000
)

var (
	errClosing        = errors.New("the collector stops: nothing is stored, send it again")
	errSeriesLimit    = errors.New("max_series is reached")
	errTooManySamples = fmt.Errorf("more than %d samples at once, or times that are far apart: nothing is stored", maxSamples)
)

// seriesLimit lets no more than max_series into the database.
type seriesLimit struct{ store *Store }

func (l seriesLimit) PreCreation(labels.Labels) error {
	if l.store.limited.Load() && l.store.db.Head().NumSeries() >= uint64(l.store.options.MaxSeries) { //nolint:gosec // it is positive
		return errSeriesLimit
	}
	return nil
}

func (seriesLimit) PostCreation(labels.Labels) {}

func (seriesLimit) PostDeletion(map[chunks.HeadSeriesRef]labels.Labels) {}

// tally is what became of the samples of one request.
type tally struct {
	accepted  int
	rejected  map[Reason]int
	example   string // a rejected series, for who has to look for it
	exemplars int    // that were rejected, of samples that were accepted
}

func (t *tally) reject(reason Reason, series string) {
	if t.rejected == nil {
		t.rejected = map[Reason]int{}
		t.example = series
	}
	t.rejected[reason]++
}

// countingAppender is an appender that counts what it cannot take, and goes on. Only when the
// database itself fails does it give an error.
type countingAppender struct {
	storage.AppenderV2
	metadata  *families
	latest    int64 // what is later is from the future
	exemplars exemplarOrder
	tally     *tally
	seen      int
	closing   *atomic.Bool
	failed    error // why nothing of it can be stored
}

func (s *Store) appender(ctx context.Context, t *tally) *countingAppender {
	return &countingAppender{
		AppenderV2: s.db.AppenderV2(ctx),
		metadata:   &s.metadata,
		latest:     time.Now().Add(maxAhead).UnixMilli(),
		exemplars:  exemplarOrder{window: s.options.OutOfOrderWindow.Milliseconds()},
		tally:      t,
		closing:    &s.closing,
	}
}

func (a *countingAppender) Append(ref storage.SeriesRef, ls labels.Labels, st, t int64, v float64,
	h *histogram.Histogram, fh *histogram.FloatHistogram, options storage.AppendV2Options,
) (storage.SeriesRef, error) {
	if a.seen++; a.seen > maxSamples {
		a.failed = errTooManySamples
		return 0, a.failed
	}
	if a.closing.Load() {
		a.failed = errClosing
		return 0, a.failed
	}
	switch {
	case t > a.latest:
		a.tally.reject(Future, ls.String())
		return 0, nil
	case ls.ByteSize() > maxLabelBytes:
		a.tally.reject(LabelSize, ls.Get(model.MetricNameLabel))
		return 0, nil
	}
	exemplars, unordered := a.exemplars.sorted(ls, options.Exemplars)
	options.Exemplars = exemplars
	ref, err := a.AppenderV2.Append(ref, ls, st, t, v, h, fh, options)
	refused, partial := rejectedExemplars(err)
	if err != nil && !partial {
		reason, found := reasonOf(err)
		if !found {
			a.failed = err
			return 0, err
		}
		a.tally.reject(reason, ls.String())
		return 0, nil
	}
	a.tally.accepted++
	a.tally.exemplars += unordered + refused
	a.metadata.note(options)
	return ref, nil
}

// reasonOf says what is wrong with a sample; it is false when nothing is, and the
// database failed.
func reasonOf(err error) (Reason, bool) {
	var badHistogram histogram.Error
	switch {
	case errors.Is(err, errSeriesLimit):
		return SeriesLimit, true
	case errors.Is(err, storage.ErrTooOldSample), errors.Is(err, storage.ErrOutOfBounds):
		return TooOld, true
	case errors.Is(err, storage.ErrOutOfOrderSample):
		return OutOfOrder, true
	case errors.Is(err, storage.ErrDuplicateSampleForTimestamp):
		return Duplicate, true
	case errors.As(err, &badHistogram), errors.Is(err, tsdb.ErrInvalidSample):
		return Invalid, true
	}
	return "", false
}
