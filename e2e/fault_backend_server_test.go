// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"crypto/sha256"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"

	sim "github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim"
)

// reply is how a backend answers for a while.
type reply struct {
	name string
	// write answers a request, and says what has become of it.
	write func(http.ResponseWriter) fate
}

// fate is what a backend did with a request, as far as HTTP identifies the sender.
type fate int

const (
	turnedAway fate = iota // come again
	kept
	pretended // answered 2xx, and not kept
	garbled   // the same, with a body that is no answer to metrics
	rejected  // answered that it is wrong, so that it need not come again
)

// healthy answers as a backend should.
var healthy = reply{"healthy", func(w http.ResponseWriter) fate {
	w.Header().Set("Content-Type", "application/x-protobuf")
	return kept
}}

func code(number int, of fate) func(http.ResponseWriter) fate {
	return func(w http.ResponseWriter) fate {
		w.WriteHeader(number)
		return of
	}
}

// answers are those of backends in trouble.
func replies() []reply {
	odd := false
	return []reply{
		{"resets", func(http.ResponseWriter) fate { panic(http.ErrAbortHandler) }},
		{"too slow", func(http.ResponseWriter) fate { time.Sleep(1500 * time.Millisecond); return kept }},
		{"flapping", func(w http.ResponseWriter) fate {
			if odd = !odd; odd {
				w.WriteHeader(http.StatusBadGateway)
				return turnedAway
			}
			return healthy.write(w)
		}},
		{"503", code(http.StatusServiceUnavailable, turnedAway)},
		{"429", func(w http.ResponseWriter) fate {
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(http.StatusTooManyRequests)
			return turnedAway
		}},
		{"413", code(http.StatusRequestEntityTooLarge, rejected)},
		{"200 and a page", func(w http.ResponseWriter) fate {
			w.Header().Set("Content-Type", "text/html")
			_, _ = io.WriteString(w, "<!doctype html><title>Log in</title>")
			return pretended
		}},
		{"200 and no protobuf", func(w http.ResponseWriter) fate {
			w.Header().Set("Content-Type", "application/x-protobuf")
			_, _ = w.Write([]byte{0xff, 0xff, 0xff})
			return garbled
		}},
		{"200 cut off", func(w http.ResponseWriter) fate {
			w.Header().Set("Content-Type", "application/x-protobuf")
			w.Header().Set("Content-Length", "1000")
			_, _ = w.Write([]byte{0x0a})
			return garbled
		}},
	}
}

// windowEnd is one window of one series.
type windowEnd struct {
	series sim.Series
	end    int64 // unix ms
}

// delivery is what became of a request, which may have come several times.
type delivery struct {
	points int
	became map[fate]bool
}

// faultyBackend takes metrics by OTLP and alerts by webhook, and responds as configured.
type faultyBackend struct {
	*httptest.Server
	mutex   sync.Mutex
	reply   reply
	windows map[windowEnd]map[fate]bool
	bodies  map[[sha256.Size]byte]*delivery // of metrics
	totals  map[string]map[sim.Series]int64 // the latest that were kept, by name
	latest  map[string]map[sim.Series]int64 // their time
	alerts  map[string]fate                 // by id and status; the best that became of it
}

func startFaultyBackend(t testing.TB) *faultyBackend {
	t.Helper()
	b := &faultyBackend{
		reply: healthy, windows: map[windowEnd]map[fate]bool{}, bodies: map[[sha256.Size]byte]*delivery{}, alerts: map[string]fate{},
		totals: map[string]map[sim.Series]int64{}, latest: map[string]map[sim.Series]int64{},
	}
	b.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := content(r)
		if err != nil {
			return // the sender did not wait
		}
		b.mutex.Lock()
		now := b.reply
		b.mutex.Unlock()
		became := now.write(w)
		b.mutex.Lock()
		defer b.mutex.Unlock()
		if r.URL.Path == "/alerts" {
			b.noteAlert(t, body, became)
			return
		}
		b.noteMetrics(t, body, became)
	}))
	t.Cleanup(b.Close)
	return b
}

func (b *faultyBackend) set(a reply) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	b.reply = a
}

func (b *faultyBackend) noteAlert(t testing.TB, body []byte, became fate) {
	var a alert
	if err := json.Unmarshal(body, &a); err != nil {
		t.Errorf("%s: %v", body, err)
	}
	key := a.AlertID + " " + a.Status + " " + strconv.FormatInt(a.WindowEnd, 10)
	b.alerts[key] = max(b.alerts[key], became)
}

func (b *faultyBackend) noteMetrics(t testing.TB, body []byte, became fate) {
	request := pmetricotlp.NewExportRequest()
	if err := request.UnmarshalProto(body); err != nil {
		t.Errorf("what came is no request: %v", err)
		return
	}
	sum := sha256.Sum256(body)
	if b.bodies[sum] == nil {
		b.bodies[sum] = &delivery{points: request.Metrics().DataPointCount(), became: map[fate]bool{}}
	}
	b.bodies[sum].became[became] = true
	for _, resource := range request.Metrics().ResourceMetrics().All() {
		for _, scope := range resource.ScopeMetrics().All() {
			for _, metric := range scope.Metrics().All() {
				b.noteMetric(metric, became)
			}
		}
	}
}

// noteMetric remembers totals. ws.messages.sent stands for the window.
func (b *faultyBackend) noteMetric(metric pmetric.Metric, became fate) {
	if metric.Type() != pmetric.MetricTypeSum {
		return
	}
	for _, point := range metric.Sum().DataPoints().All() {
		of := func(key string) string { value, _ := point.Attributes().Get(key); return value.Str() }
		series := sim.Series{TenantID: of("tenant_id"), Region: of("region"), ChannelType: of("channel_type")}
		at := point.Timestamp().AsTime().UnixMilli()
		if metric.Name() == "ws.messages.sent" {
			window := windowEnd{series, at}
			if b.windows[window] == nil {
				b.windows[window] = map[fate]bool{}
			}
			b.windows[window][became] = true
		}
		if became != kept {
			continue
		}
		if b.totals[metric.Name()] == nil {
			b.totals[metric.Name()], b.latest[metric.Name()] = map[sim.Series]int64{}, map[sim.Series]int64{}
		}
		if at >= b.latest[metric.Name()][series] {
			b.totals[metric.Name()][series], b.latest[metric.Name()][series] = point.IntValue(), at
		}
	}
}

// missing counts the windows, of those between the first and the last of each series,
// that never came, and those that came and are not kept, by what was answered.
func (b *faultyBackend) missing() (never int, lost map[fate]int, all int) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	ends := map[sim.Series][]int64{}
	lost = map[fate]int{}
	for window, became := range b.windows {
		ends[window.series] = append(ends[window.series], window.end)
		for _, of := range []fate{kept, rejected, garbled, pretended, turnedAway} {
			if became[of] {
				if of != kept {
					lost[of]++
				}
				break
			}
		}
	}
	for _, of := range ends {
		of = slices.Sorted(slices.Values(of))
		all += len(of)
		never += int((of[len(of)-1]-of[0])/second) + 1 - len(of)
	}
	return never, lost, all
}

// agrees is an error while a kept total is not what the platform sent.
func (b *faultyBackend) agrees(t testing.TB, truth sim.Truth) bool {
	t.Helper()
	b.mutex.Lock()
	defer b.mutex.Unlock()
	require.NotEmpty(t, truth.Series)
	for name, of := range map[string]func(sim.Counts) int64{
		"ws.messages.sent":      func(c sim.Counts) int64 { return c.MessagesSent },
		"ws.messages.received":  func(c sim.Counts) int64 { return c.MessagesReceived },
		"ws.connections.opened": func(c sim.Counts) int64 { return c.ConnectionsOpened },
		"ws.connections.closed": func(c sim.Counts) int64 { return c.ConnectionsClosed },
		"ws.payload":            func(c sim.Counts) int64 { return c.PayloadBytes },
	} {
		for _, series := range truth.Series {
			if b.totals[name][series.Series] != of(series.Counts) {
				return false
			}
		}
	}
	return true
}

// givenUp counts the points of requests that were answered as wrong: at least those that were
// not kept at another time, and at most all. (A sender that has not waited for the answer comes
// again: whether it has given up what was kept depends on which answer it has seen.)
func (b *faultyBackend) givenUp() (least, most int) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	for _, d := range b.bodies {
		if !d.became[rejected] && !d.became[garbled] {
			continue
		}
		most += d.points
		if !d.became[kept] {
			least += d.points
		}
	}
	return least, most
}

func (b *faultyBackend) alertsNow() map[string]fate {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	return maps.Clone(b.alerts)
}

// windowsNow are the windows that have come.
func (b *faultyBackend) windowsNow() map[windowEnd]bool {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	windows := map[windowEnd]bool{}
	for window := range b.windows {
		windows[window] = true
	}
	return windows
}
