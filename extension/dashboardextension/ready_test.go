// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package dashboardextension

import (
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
)

// closing is a source that returns how many streams lack the queried window.
type closing struct {
	lacking atomic.Int64
	asked   atomic.Int64
	status  int
}

func (c *closing) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	c.asked.Add(1)
	if c.status != 0 {
		w.WriteHeader(c.status)
		return
	}
	_, _ = fmt.Fprintf(w, `{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1,"%d"]}]}}`, c.lacking.Load())
}

// shows reports whether the latest window is returned, rather than the previous one, and how
// long the call took.
func (v *queryHandler) shows(t *testing.T, wait bool) (newest bool, took time.Duration) {
	t.Helper()
	_, end := v.schedule().Moment(time.Now())
	began := time.Now()
	ready := v.newestReady(t.Context(), wait)
	if !ready.Equal(end) {
		assert.Equal(t, end.Add(-v.schedule().Step), ready)
	}
	return ready.Equal(end), time.Since(began)
}

// Pages that poll when a window closes get it as soon as all streams have it.
func TestNewestReady_ReturnsWindowWhenAllStreamsHaveIt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := &closing{}
		v := watching(t, &source{})
		v.source = c
		c.lacking.Store(2)
		v.at(0)
		newest, took := v.shows(t, false)
		assert.False(t, newest, "a page that opens does not wait")
		assert.Zero(t, took)
		go func() {
			time.Sleep(350 * time.Millisecond)
			c.lacking.Store(0)
		}()
		before := v.version()
		var viewing sync.WaitGroup
		for range 100 {
			viewing.Go(func() {
				newest, took := v.shows(t, true)
				assert.True(t, newest)
				assert.Equal(t, 400*time.Millisecond, took)
			})
		}
		viewing.Wait()
		assert.EqualValues(t, 6, c.asked.Load(), "once for all of them, and once before")
		assert.NotEqual(t, before, v.version(), "earlier responses contain only a part of it")
		c.lacking.Store(1)
		newest, took = v.shows(t, true)
		assert.True(t, newest, "the result is final")
		assert.Zero(t, took)
	})
}

// A stopped stream delays a window up to the timeout, and does not delay the next one.
func TestNewestReady_WaitIsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := &closing{}
		v := watching(t, &source{})
		v.source = c
		c.lacking.Store(1)
		v.at(0)
		newest, took := v.shows(t, true)
		assert.False(t, newest)
		assert.Equal(t, 2250*time.Millisecond, took)
		c.lacking.Store(0)
		newest, took = v.shows(t, true)
		assert.False(t, newest, "all viewers of a window get the same result")
		assert.Zero(t, took)
		v.at(0)
		newest, _ = v.shows(t, true)
		assert.True(t, newest)
	})
}

// If the query fails, the previous window is returned at once.
func TestNewestReady_SourceFails(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := &closing{status: http.StatusBadGateway}
		v := watching(t, &source{})
		v.source = c
		v.at(0)
		newest, took := v.shows(t, true)
		assert.False(t, newest)
		assert.Zero(t, took)
		assert.EqualValues(t, 1, c.asked.Load())
	})
}
