// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	sim "github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim"
)

// storedEvent is a line of GET /api/v1/events.
type storedEvent struct {
	Timestamp int64  `json:"timestamp"`
	Type      string `json:"type"`
	ChannelID string `json:"channel_id"`
	EventID   string `json:"event_id"`
}

// storedEvents reads all events from a time to another, page by page, newest first.
func storedEvents(t testing.TB, address string, from, to time.Time, parameters ...string) (events []storedEvent) {
	t.Helper()
	query := url.Values{"start": {strconv.FormatInt(from.UnixMilli(), 10)}, "end": {strconv.FormatInt(to.UnixMilli(), 10)}, "limit": {"5000"}}
	for i := 0; i < len(parameters); i += 2 {
		query.Add(parameters[i], parameters[i+1])
	}
	for {
		response, err := http.Get(address + "/api/v1/events?" + query.Encode())
		require.NoError(t, err)
		text, err := io.ReadAll(response.Body)
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		require.Equal(t, http.StatusOK, response.StatusCode, string(text))
		for line := range strings.Lines(string(text)) {
			var event storedEvent
			require.NoError(t, json.Unmarshal([]byte(line), &event), line)
			require.True(t, len(events) == 0 || events[len(events)-1].Timestamp >= event.Timestamp, "newest first")
			events = append(events, event)
		}
		next := response.Header.Get("Next-Cursor")
		if next == "" {
			return events
		}
		query.Set("cursor", next)
	}
}

// sentEvents are the times (unix ms) of the events that the platform has written to a socket, by ID.
func sentEvents(t testing.TB, record string) map[string]int64 {
	t.Helper()
	file, err := os.Open(record)
	require.NoError(t, err)
	defer file.Close()
	all := map[string]int64{}
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		var line struct {
			Outcome string `json:"outcome"`
			Time    int64  `json:"time"`
			Event   struct {
				ID string `json:"id"`
			} `json:"event"`
		}
		require.NoError(t, json.Unmarshal(lines.Bytes(), &line), lines.Text())
		if line.Outcome == "sent" {
			all[line.Event.ID] = line.Time / int64(time.Millisecond)
		}
	}
	require.NoError(t, lines.Err())
	return all
}

// incompleteMinutes are those of GET /api/v1/events/summary that are not complete, by their start (unix ms).
func incompleteMinutes(t testing.TB, address string, from, to time.Time) map[int64]bool {
	t.Helper()
	status, body, err := get(fmt.Sprintf("%s/api/v1/events/summary?start=%d&end=%d", address, from.UnixMilli(), to.UnixMilli()))
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, status, body)
	var summary struct {
		Minutes []struct {
			Start    int64 `json:"start"`
			Complete bool  `json:"complete"`
		} `json:"minutes"`
	}
	require.NoError(t, json.Unmarshal([]byte(body), &summary))
	incomplete := map[int64]bool{}
	for _, m := range summary.Minutes {
		if !m.Complete {
			incomplete[m.Start] = true
		}
	}
	return incomplete
}

// The quick start is killed under load. Of any ten seconds without a kill the stored events are exactly those that the
// platform sent, each once. What is missing is from the second before a kill up to the collector's return, and those minutes say so.
func TestFaultEventsKilled(t *testing.T) {
	t.Parallel()
	kills := amount(4, 100)
	record := filepath.Join(t.TempDir(), "truth.jsonl")
	platform := startPlatform(t, func(c *sim.Config) { c.Rate, c.Sessions, c.Announce, c.Record = 300, 200, true, record })
	q := startFaultQuickstart(t, platform, "kill.yaml")
	begin := time.Now()
	type outage struct{ from, to int64 } // unix ms
	var outages []outage
	q.connected(t)
	calm := []time.Time{time.Now().Add(500 * time.Millisecond)}
	time.Sleep(11 * time.Second)
	for range kills {
		time.Sleep(time.Duration(rand.IntN(3000)) * time.Millisecond)
		from := time.Now()
		q.kill(t)
		q.restart(t)
		q.connected(t)
		outages = append(outages, outage{from.UnixMilli() - 1000, time.Now().UnixMilli() + 500})
	}
	calm = append(calm, time.Now().Add(time.Second))
	time.Sleep(12 * time.Second)
	require.NoError(t, platform.Trouble(func(trouble *sim.Trouble) { trouble.Silence = true }))
	time.Sleep(3 * time.Second) // the receiver's and the exporter's batches
	end := time.Now()

	sent := sentEvents(t, record)
	require.Greater(t, len(sent), 3000)
	stored := map[string]int{}
	for _, event := range storedEvents(t, q.store.url, begin.Add(-time.Minute), end) {
		if event.EventID != "" {
			stored[event.EventID]++
		}
	}
	incomplete := incompleteMinutes(t, q.store.url, begin.Add(-time.Minute), end)
	missing := 0
	for id, at := range sent {
		if at < begin.UnixMilli() {
			continue
		}
		switch n := stored[id]; {
		case n > 1:
			t.Errorf("event %s is returned %d times", id, n)
		case n == 0:
			missing++
			assert.True(t, at < calm[0].UnixMilli() || slices.ContainsFunc(outages, func(o outage) bool { return at >= o.from && at <= o.to }),
				"event %s of %v is missing, and no kill was near", id, time.UnixMilli(at).UTC())
			if at >= calm[0].UnixMilli() {
				minute := at - at%60_000
				assert.True(t, incomplete[minute] || incomplete[minute+60_000], "a minute with a missing event is complete: %v", time.UnixMilli(at).UTC())
			}
		}
	}
	for _, from := range calm {
		assert.Equal(t, idsBetween(sent, from, from.Add(10*time.Second)), idsOf(storedEvents(t, q.store.url, from, from.Add(10*time.Second))))
	}
	measured(t, "%d kills: %d events sent, %d of them missing within a second of a kill, in %d minutes that are marked", kills, len(sent), missing, len(incomplete))
}

func idsBetween(sent map[string]int64, from, to time.Time) (ids []string) {
	for id, at := range sent {
		if at >= from.UnixMilli() && at < to.UnixMilli() {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

func idsOf(events []storedEvent) (ids []string) {
	for _, event := range events {
		if event.EventID != "" {
			ids = append(ids, event.EventID)
		}
	}
	slices.Sort(ids)
	return ids
}
