// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/plog/plogotlp"

	sim "github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent/wslog"
)

// reportedWindow is what a window record says.
type reportedWindow struct {
	start, end int64 // unix ms
	active     int64
	counts     wsevent.Counts
	totals     wsevent.Counts
	since      int64
	complete   bool
	healed     wsevent.Healed
}

// healedGap reports whether a time is one in which every gap is healed.
func (w reportedWindow) healedGap(at time.Time) bool {
	return int64(w.healed.Since) <= at.UnixMilli() && at.UnixMilli() <= int64(w.healed.Until)
}

// windowSink takes window records by OTLP over HTTP, and remembers every window.
type windowSink struct {
	url string

	mutex          sync.Mutex
	bySeries       map[sim.Series]map[int64]reportedWindow // by start
	reported       int
	contradictions []string
}

func startWindowSink(t testing.TB) *windowSink {
	t.Helper()
	s := &windowSink{bySeries: map[sim.Series]map[int64]reportedWindow{}}
	s.url = serveOTLP(t, func(r *http.Request, body []byte) error {
		if r.URL.Path != "/v1/logs" {
			return nil
		}
		request := plogotlp.NewExportRequest()
		if err := request.UnmarshalProto(body); err != nil {
			return err
		}
		return s.take(request.Logs())
	}).URL
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
	w := reportedWindow{start: int64(r.Start), end: int64(r.End), since: int64(r.Since), counts: countsIn(r.Fields), totals: countsIn(r.Totals)}
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
		windows = map[int64]reportedWindow{}
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

func latest(windows map[int64]reportedWindow) (last reportedWindow) {
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

// changeOwners kills, stops, adds and replaces collectors that count the windows of
// partitions, and compares the windows with what the platforms sent. owns waits until a
// collector has a partition.
func changeOwners(t *testing.T, windows *windowSink, start func() *process, owns func(testing.TB, *process), platforms []*sim.Server) {
	t.Helper()
	first, second := start(), start()
	owns(t, first)
	owns(t, second)
	windows.waitFor(t, 200)

	first.kill(t)
	killed := time.Now()
	windows.waitUntil(t, killed) // of every stream, so the other one has taken over

	third := start()
	owns(t, third)
	require.NoError(t, second.Process.Signal(syscall.SIGSTOP))
	stopped := time.Now()
	windows.waitUntil(t, stopped)
	require.NoError(t, second.Process.Signal(syscall.SIGCONT)) // it does not know what happened meanwhile
	eventually(t, func() error {
		if !strings.Contains(second.output.String(), "partition lost") {
			return errors.New("the collector that was stopped does not know yet that others have its partitions")
		}
		return nil
	})
	fourth := start()
	owns(t, fourth)
	third.stop(t)

	truth := truthOf(t, platforms)
	eventually(t, func() error { return windows.disagreement(truth) })
	windows.check(t, truth)
}

func truthOf(t testing.TB, platforms []*sim.Server) map[sim.Series]sim.Counts {
	t.Helper()
	truth := map[sim.Series]sim.Counts{}
	for _, platform := range platforms {
		for _, series := range sent(t, platform).Series {
			truth[series.Series] = series.Counts
		}
	}
	return truth
}
