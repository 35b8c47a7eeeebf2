// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/plog/plogotlp"

	sim "github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent/wslog"
)

// toldWindow is what a window record says.
type toldWindow struct {
	start, end int64 // unix ms
	active     int64
	counts     wsevent.Counts
	totals     wsevent.Counts
	since      int64
	complete   bool
	healed     wsevent.Healed
}

// healedGap reports whether a time is one in which every gap is healed.
func (w toldWindow) healedGap(at time.Time) bool {
	return int64(w.healed.Since) <= at.UnixMilli() && at.UnixMilli() <= int64(w.healed.Until)
}

// windowSink takes window records by OTLP over HTTP, and remembers every window.
type windowSink struct {
	url string

	mutex          sync.Mutex
	bySeries       map[sim.Series]map[int64]toldWindow // by start
	reported       int
	contradictions []string
}

func startWindowSink(t testing.TB) *windowSink {
	t.Helper()
	s := &windowSink{bySeries: map[sim.Series]map[int64]toldWindow{}}
	mux := http.NewServeMux()
	mux.HandleFunc("/v1/logs", func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		request := plogotlp.NewExportRequest()
		if err == nil {
			err = request.UnmarshalProto(body)
		}
		if err == nil {
			err = s.take(request.Logs())
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
		}
	})
	mux.HandleFunc("/api/v1/otlp/v1/metrics", func(http.ResponseWriter, *http.Request) {})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	s.url = server.URL
	return s
}

func (s *windowSink) take(logs plog.Logs) error {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	for _, resource := range logs.ResourceLogs().All() {
		for _, scope := range resource.ScopeLogs().All() {
			for _, record := range scope.LogRecords().All() {
				decoded, err := wslog.DecodeRecord(record)
				if err != nil {
					return err
				}
				s.note(decoded)
			}
		}
	}
	return nil
}

func (s *windowSink) note(r wslog.Record) {
	series := sim.Series{TenantID: r.Tags.TenantID, Region: r.Tags.Region, ChannelType: r.Tags.ChannelType}
	w := toldWindow{start: int64(r.Start), end: int64(r.End), since: int64(r.Since), counts: countsIn(r.Fields), totals: countsIn(r.Totals)}
	w.counts.PayloadBytes, _ = wslog.Int(r.Fields, wsevent.FieldPayloadBytesTotal)
	w.totals.PayloadBytes, _ = wslog.Int(r.Totals, wsevent.TotalPayloadBytes)
	w.active, _ = wslog.Int(r.Fields, wsevent.FieldActiveConnections)
	if complete, ok := r.Fields.Get(wsevent.FieldComplete); ok {
		w.complete = complete.Bool()
	}
	since, _ := wslog.Int(r.Fields, wsevent.FieldHealedSince)
	until, _ := wslog.Int(r.Fields, wsevent.FieldHealedUntil)
	w.healed = wsevent.Healed{Since: wsevent.UnixMilli(since), Until: wsevent.UnixMilli(until)}
	s.reported++
	windows, ok := s.bySeries[series]
	if !ok {
		windows = map[int64]toldWindow{}
		s.bySeries[series] = windows
	}
	if before, again := windows[w.start]; again && before != w {
		s.contradictions = append(s.contradictions, fmt.Sprintf("%v: first %+v, then %+v", series, before, w))
	}
	windows[w.start] = w
}

func countsIn(m pcommon.Map) (c wsevent.Counts) {
	for key, n := range map[string]*int64{
		wsevent.FieldMessagesSent: &c.MessagesSent, wsevent.FieldMessagesReceived: &c.MessagesReceived,
		wsevent.FieldConnectionsOpened: &c.ConnectionsOpened, wsevent.FieldConnectionsClosed: &c.ConnectionsClosed,
		wsevent.FieldConnectionsDropped: &c.ConnectionsDropped, wsevent.FieldLateEvents: &c.LateEvents,
	} {
		*n, _ = wslog.Int(m, key)
	}
	return c
}

func (s *windowSink) distinct() (n int) {
	for _, windows := range s.bySeries {
		n += len(windows)
	}
	return n
}

// waitFor waits for a number of windows.
func (s *windowSink) waitFor(t testing.TB, n int) {
	t.Helper()
	eventually(t, func() error {
		s.mutex.Lock()
		defer s.mutex.Unlock()
		if s.reported < n {
			return fmt.Errorf("there are %d windows, want %d", s.reported, n)
		}
		return nil
	})
}

// waitUntil waits until every series has a window that ends after a moment.
func (s *windowSink) waitUntil(t testing.TB, moment time.Time) {
	t.Helper()
	eventually(t, func() error {
		s.mutex.Lock()
		defer s.mutex.Unlock()
		var errs []error
		for series, windows := range s.bySeries {
			if last := latest(windows); last.end < moment.UnixMilli() {
				errs = append(errs, fmt.Errorf("the last window of %v ended %v before", series, moment.Sub(time.UnixMilli(last.end))))
			}
		}
		return errors.Join(errs...)
	})
}

// waitForComplete waits for a complete window that begins after a moment.
func (s *windowSink) waitForComplete(t testing.TB, moment time.Time) {
	t.Helper()
	eventually(t, func() error {
		s.mutex.Lock()
		defer s.mutex.Unlock()
		for _, windows := range s.bySeries {
			for start, w := range windows {
				if w.complete && start >= moment.UnixMilli() {
					return nil
				}
			}
		}
		return errors.New("there is no complete window yet")
	})
}

// check holds the windows against each other: of each series there is every window
// from its first, each was emitted with one value and complete, none came too late for its
// events, and together they hold what the platforms sent.
func (s *windowSink) check(t *testing.T, truth map[sim.Series]sim.Counts) {
	t.Helper()
	s.mutex.Lock()
	defer s.mutex.Unlock()
	assert.Empty(t, s.contradictions)
	for series, windows := range s.bySeries {
		var sum wsevent.Counts
		expected := int64(0)
		for _, start := range slices.Sorted(maps.Keys(windows)) {
			w := windows[start]
			assert.Truef(t, expected == 0 || start == expected, "%v has no window from %d to %d", series, expected, start)
			assert.Truef(t, w.complete, "%v is incomplete: %+v", series, w)
			assert.Zerof(t, w.counts.LateEvents, "%v has late events: %+v", series, w)
			sum.Add(&w.counts)
			expected = w.end
		}
		assert.Equal(t, truth[series], simCounts(sum), "the windows of %v together", series)
	}
	t.Logf("%d windows of %d series, %d of them emitted twice", s.distinct(), len(s.bySeries), s.reported-s.distinct())
}

func simCounts(c wsevent.Counts) sim.Counts {
	return sim.Counts{
		ConnectionsOpened: c.ConnectionsOpened, ConnectionsClosed: c.ConnectionsClosed,
		ConnectionsDropped: c.ConnectionsDropped, MessagesSent: c.MessagesSent,
		MessagesReceived: c.MessagesReceived, PayloadBytes: c.PayloadBytes,
	}
}

func latest(windows map[int64]toldWindow) (last toldWindow) {
	for _, w := range windows {
		if w.end > last.end {
			last = w
		}
	}
	return last
}

// seriesTotals are the totals of the latest windows.
func (s *windowSink) seriesTotals() (seriesTotals, error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	found := seriesTotals{}
	for series, windows := range s.bySeries {
		for name, of := range sums {
			found.put(name, series, of(simCounts(latest(windows).totals)))
		}
	}
	return found, nil
}

// disagreement says where the totals of the latest windows are not what the
// platforms sent.
func (s *windowSink) disagreement(truth map[sim.Series]sim.Counts) error {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	var errs []error
	for series, want := range truth {
		if got := simCounts(latest(s.bySeries[series]).totals); got != want {
			errs = append(errs, fmt.Errorf("%v has the totals %+v, the platform sent %+v", series, got, want))
		}
	}
	return errors.Join(errs...)
}
