// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	sim "github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim"
)

// second is the size of the windows of testdata/fault/kill.yaml, in ms.
const second = 1000

// story is what happened to each series in each second.
type story map[sim.Series]map[int64]sim.Counts

// storyOf reads the record of a simulator.
func storyOf(t testing.TB, path string) story {
	t.Helper()
	file, err := os.Open(path)
	require.NoError(t, err)
	defer file.Close()
	reported := story{}
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		var line struct {
			Event struct {
				Type        string `json:"type"`
				Timestamp   int64  `json:"timestamp"`
				TenantID    string `json:"tenantId"`
				Region      string `json:"region"`
				ChannelType string `json:"channelType"`
				PayloadSize int64  `json:"payloadSize"`
			} `json:"event"`
		}
		require.NoError(t, json.Unmarshal(lines.Bytes(), &line), lines.Text())
		e := line.Event
		series := sim.Series{TenantID: e.TenantID, Region: e.Region, ChannelType: e.ChannelType}
		if reported[series] == nil {
			reported[series] = map[int64]sim.Counts{}
		}
		at := e.Timestamp - e.Timestamp%second
		counts := reported[series][at]
		switch e.Type {
		case "connection.open":
			counts.ConnectionsOpened++
		case "connection.close":
			counts.ConnectionsClosed++
		case "message.send":
			counts.MessagesSent++
		case "message.receive":
			counts.MessagesReceived++
		}
		counts.PayloadBytes += e.PayloadSize
		reported[series][at] = counts
	}
	require.NoError(t, lines.Err())
	return reported
}

// between adds up what happened in [start, end).
func (s story) between(series sim.Series, start, end int64, of func(sim.Counts) int64) (sum int64) {
	for at := start; at < end; at += second {
		sum += of(s[series][at])
	}
	return sum
}

// chronicle is what a store has of a metric: values by series and time, unix ms.
type chronicle map[string]map[int64]float64

// storedSample is one sample and the labels of its series.
type storedSample struct {
	labels map[string]string
	at     int64
	value  float64
}

func (q faultQuickstart) samples(t testing.TB, metric, lookback string) (all []storedSample) {
	t.Helper()
	_, body, err := get(q.store.url + "/api/v1/query?query=" + url.QueryEscape(metric+"["+lookback+"]"))
	require.NoError(t, err)
	var answer struct {
		Error string `json:"error"`
		Data  struct {
			Result []struct {
				Metric map[string]string `json:"metric"`
				Values [][2]any          `json:"values"`
			} `json:"result"`
		} `json:"data"`
	}
	require.NoError(t, json.Unmarshal([]byte(body), &answer), body)
	require.Empty(t, answer.Error)
	for _, result := range answer.Data.Result {
		for _, pair := range result.Values {
			value, err := strconv.ParseFloat(pair[1].(string), 64)
			require.NoError(t, err)
			all = append(all, storedSample{result.Metric, int64(pair[0].(float64)*1000 + 0.5), value})
		}
	}
	return all
}

func (q faultQuickstart) chronicle(t testing.TB, metric, lookback string) chronicle {
	t.Helper()
	h := chronicle{}
	for _, s := range q.samples(t, metric, lookback) {
		h.put(seriesIn(s.labels), s.at, s.value)
	}
	return h
}

func seriesIn(labels map[string]string) string {
	return fmt.Sprint(sim.Series{TenantID: labels["tenant_id"], Region: labels["region"], ChannelType: labels["channel_type"]})
}

func (h chronicle) put(series string, at int64, value float64) {
	if h[series] == nil {
		h[series] = map[int64]float64{}
	}
	h[series][at] = value
}

func (h chronicle) add(other chronicle) {
	for series, samples := range other {
		for at, value := range samples {
			h.put(series, at, value)
		}
	}
}

// missingIn are the samples that another chronicle lacks, or has another value of.
func (h chronicle) missingIn(other chronicle) (missing []string) {
	for series, samples := range h {
		for at, value := range samples {
			if now, ok := other[series][at]; !ok || now != value {
				missing = append(missing, fmt.Sprintf("%s at %d was %v, now %v", series, at, value, now))
			}
		}
	}
	return missing
}

// outcome is what came of events.
type outcome struct{ events, lost, windows, incomplete, holes int64 }

func (o outcome) String() string {
	return fmt.Sprintf("%d events, %d of them lost, all in windows that say so: %d windows are exact, %d incomplete, %d holes",
		o.events, o.lost, o.windows, o.incomplete, o.holes)
}

// compare holds every window in the store against what happened. The totals of two
// consecutive windows give what was counted in the second.
func (q faultQuickstart) compare(t testing.TB, reported story) (o outcome) {
	t.Helper()
	complete := q.chronicle(t, "ws_window_complete_ratio", "2h")
	late := q.chronicle(t, "ws_late_events_total", "2h")
	for name, of := range counters {
		if name == "ws_connections_dropped_total" {
			continue // the record of the simulator has no information
		}
		totals := q.chronicle(t, name, "2h")
		for series := range reported {
			key := fmt.Sprint(series)
			for _, w := range windowsOf(totals[key]) {
				happened := reported.between(series, w.start, w.end, of)
				if !assert.GreaterOrEqualf(t, w.count, int64(0), "%s of %v ran backwards at %d", name, series, w.end) {
					continue
				}
				exact := w.complete && complete[key][w.end] == 1
				switch {
				case exact && late[key][w.end] == late[key][w.end+second]:
					assert.Equalf(t, happened, w.count, "%s of %v in the complete window that ends at %d", name, series, w.end)
				default:
					assert.LessOrEqualf(t, w.count, happened, "%s of %v in %d to %d", name, series, w.start, w.end)
				}
				if name == "ws_payload_bytes_total" {
					continue
				}
				o.events += happened
				o.lost += happened - w.count
				if name == "ws_messages_sent_total" {
					o.note(w.complete, exact)
				}
			}
		}
	}
	return o
}

func (o *outcome) note(complete, exact bool) {
	switch {
	case exact:
		o.windows++
	case complete:
		o.incomplete++
	default:
		o.holes++
	}
}

// compareRates holds what each window says of itself against what the totals rose
// by since the one before: a window that had events and is not in the store would
// show in the totals of the next.
func (q faultQuickstart) compareRates(t testing.TB) {
	t.Helper()
	rates, late := q.chronicle(t, "ws_messages_per_second", "2h"), q.chronicle(t, "ws_late_events_total", "2h")
	sent, received := q.chronicle(t, "ws_messages_sent_total", "2h"), q.chronicle(t, "ws_messages_received_total", "2h")
	for series, totals := range sent {
		before := int64(0)
		for _, w := range windowsOf(totals) {
			both := w.count + int64(received[series][w.end]-received[series][before])
			if late[series][w.end] == late[series][before] {
				assert.InDeltaf(t, both, rates[series][w.end], 0.01, "%s: messages since %d, and in the window that ends at %d", series, w.start, w.end)
			}
			before = w.end
		}
	}
}
