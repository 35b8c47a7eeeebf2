// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	sim "github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim"
)

// happened is an event as the simulator wrote it down.
type happened struct {
	Outcome   string `json:"outcome"`
	Duplicate bool   `json:"duplicate"`
	Time      int64  `json:"time"` // unix ns
	Event     struct {
		ID string `json:"id"`
	} `json:"event"`
}

func readRecord(t *testing.T, path string) []happened {
	t.Helper()
	file, err := os.Open(path)
	require.NoError(t, err)
	defer file.Close()
	var all []happened
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var one happened
		require.NoError(t, json.Unmarshal(lines.Bytes(), &one))
		if !one.Duplicate {
			all = append(all, one)
		}
	}
	require.NoError(t, lines.Err())
	return all
}

// What is sent is delivered once, or falls into a gap that is on record: to the
// event, over fifty resets at random moments.
func TestReceiverAccountsForEveryEventOverFiftyResets(t *testing.T) {
	t.Parallel()
	const resets = 50
	record := filepath.Join(t.TempDir(), "truth.jsonl")
	platform := lively(t, func(c *sim.Config) { c.Rate, c.Lossy, c.Record = 400, true, record })
	w := watch(t, endpoint(platform)+"reconnect: { initial_interval: 5ms, max_interval: 40ms }")
	w.connected(t)
	for platform.Truth().Sockets.Resets < resets {
		time.Sleep(time.Duration(20+rand.IntN(300)) * time.Millisecond)
		platform.Reset()
	}
	eventually(t, func() error {
		if gaps := named(w.records(t), "stream.gap"); len(gaps) < resets {
			return fmt.Errorf("%d of %d gaps are on record", len(gaps), resets)
		}
		return nil
	})
	w.stop(t)
	require.NoError(t, platform.Close())
	delivered, lost := w.accounts(t, record)
	assert.Greater(t, delivered, lost)
	t.Logf("%d resets, %d gaps, %d events delivered, %d in gaps", resets, len(named(w.records(t), "stream.gap")), delivered, lost)
}

// accounts holds what a receiver that has ended wrote against what the simulator
// wrote down: each event came once, or falls into a gap that is on record.
func (w *watcher) accounts(t *testing.T, record string) (delivered, lost int) {
	t.Helper()
	all := w.records(t)
	times := map[string]int{}
	for _, one := range all {
		if one.id != "" {
			times[one.id]++
		}
	}
	gaps := named(all, "stream.gap")
	stopped := named(all, "stream.disconnected")
	begin, end := named(all, "stream.connected")[0].at, stopped[len(stopped)-1].at
	for _, event := range readRecord(t, record) {
		n := times[event.Event.ID]
		require.LessOrEqual(t, n, 1, "nothing is emitted twice")
		if n == 1 {
			delivered++
			continue
		}
		// What was on its way when the last activity came happened an instant before.
		// And the platform takes note of a new socket after it has let it in: on a busy
		// machine long after, and by its own word it has missed what happened until then.
		const instant = 250 * time.Millisecond
		late := instant
		if event.Outcome == "missed" {
			late = 2 * time.Second
		}
		at := event.Time / int64(time.Millisecond)
		if at > end.Add(-instant).UnixMilli() || at < begin.Add(late).UnixMilli() {
			continue // the receiver was not there yet, or was leaving
		}
		lost++
		require.True(t, slices.ContainsFunc(gaps, func(g logLine) bool {
			return at >= g.gapStart-instant.Milliseconds() && at <= g.gapEnd+late.Milliseconds()
		}), "an event that was %s at %d is neither delivered nor in a gap; it ended at %d, gaps: %+v", event.Outcome, at, end.UnixMilli(), gaps)
	}
	assert.Equal(t, len(times), delivered, "and nothing is emitted that did not happen")
	return delivered, lost
}

func TestReceiverNoticesASilentSocket(t *testing.T) {
	t.Parallel()
	for api, of := range map[string]string{
		"realtime_events": "",
		"notifications":   "api: notifications\n",
		"event_hub":       "platform: nice_cxone\napi: event_hub\n",
	} {
		t.Run(api, func(t *testing.T) {
			t.Parallel()
			platform := lively(t, func(c *sim.Config) { c.ChannelHeartbeat = 300 * time.Millisecond })
			w := watch(t, endpoint(platform)+of+"heartbeat: { interval: 200ms, timeout: 1s }")
			w.connected(t)
			require.NoError(t, platform.Trouble(func(trouble *sim.Trouble) { trouble.Silence = true }))
			eventually(t, func() error {
				for _, one := range named(w.records(t), "stream.disconnected") {
					if one.cause == "silence" {
						return nil
					}
				}
				return fmt.Errorf("nobody noticed: %+v", platform.Truth().Sockets)
			})
			require.NoError(t, platform.Trouble(func(trouble *sim.Trouble) { trouble.Silence = false }))
			eventually(t, func() error {
				gaps := named(w.records(t), "stream.gap")
				if len(gaps) == 0 || gaps[0].cause != "silence" {
					return fmt.Errorf("no gap by silence: %v", gaps)
				}
				return nil
			})
			gap := named(w.records(t), "stream.gap")[0]
			assert.GreaterOrEqual(t, gap.gapEnd-gap.gapStart, int64(1000), "from the last activity")
		})
	}
}

var nextAttempt = regexp.MustCompile(`"next_attempt_in": ([0-9.]+)`)

// Half an hour of 503, in which waits of one second to a minute would fit, in
// a time 150 times as fast.
func TestReceiverNeverStopsTryingAgain(t *testing.T) {
	t.Parallel()
	platform := lively(t, func(c *sim.Config) { c.Trouble.UpgradeFail = sim.Failure{Status: 503} })
	w := watch(t, endpoint(platform)+"reconnect: { initial_interval: 7ms, max_interval: 400ms }")
	time.Sleep(12 * time.Second)
	upgrades := platform.Truth().Requests.Upgrades
	time.Sleep(time.Second)
	assert.Greater(t, platform.Truth().Requests.Upgrades, upgrades, "it still tries")
	require.NoError(t, platform.Trouble(func(trouble *sim.Trouble) { trouble.UpgradeFail = sim.Failure{} }))
	require.NoError(t, platform.WaitConnected(t.Context()))

	var waits []float64
	for _, found := range nextAttempt.FindAllStringSubmatch(w.output.String(), -1) {
		wait, err := strconv.ParseFloat(found[1], 64)
		require.NoError(t, err)
		waits = append(waits, wait)
	}
	require.Greater(t, len(waits), 30)
	assert.Less(t, waits[0], 0.011)
	assert.LessOrEqual(t, slices.Max(waits), 0.4)
	late := waits[10:]
	assert.Greater(t, slices.Min(late), 0.1, "it backs off")
	slices.Sort(late)
	assert.Greater(t, len(slices.Compact(late)), len(waits)/2, "with jitter: %v", waits)
	eventually(t, func() error {
		if gaps := named(w.records(t), "stream.gap"); len(gaps) != 1 || gaps[0].cause != "unavailable" || gaps[0].gapEnd-gaps[0].gapStart < 11_000 {
			return fmt.Errorf("the gap is not on record: %v", gaps)
		}
		return nil
	})
}

func TestReceiverHonoursRetryAfter(t *testing.T) {
	t.Parallel()
	const wait = 3 * time.Second
	throttled := sim.Failure{Status: 429, Times: 1, RetryAfter: wait}
	for name, test := range map[string]struct {
		of     string
		change func(*sim.Trouble)
	}{
		"token":        {"", func(trouble *sim.Trouble) { trouble.TokenFail = throttled }},
		"pre-flight":   {"", func(trouble *sim.Trouble) { trouble.PreflightFail, trouble.RetryAfterDate = throttled, false }},
		"upgrade":      {"", func(trouble *sim.Trouble) { trouble.UpgradeFail = throttled }},
		"queues":       {"api: notifications\n", func(trouble *sim.Trouble) { trouble.QueuesFail = throttled }},
		"channel":      {"api: notifications\n", func(trouble *sim.Trouble) { trouble.ChannelFail = throttled }},
		"subscription": {"api: notifications\n", func(trouble *sim.Trouble) { trouble.SubscriptionFail = throttled }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			platform := lively(t, func(c *sim.Config) { test.change(&c.Trouble) })
			w := watch(t, endpoint(platform)+test.of)
			eventually(t, func() error {
				if !strings.Contains(w.output.String(), `"retry_after": 3`) {
					return errors.New("it was not asked to wait")
				}
				return nil
			})
			asked := time.Now()
			require.NoError(t, platform.WaitConnected(t.Context()))
			assert.Greater(t, time.Since(asked), wait-time.Second, "and waits")
			assert.Equal(t, 1, strings.Count(w.output.String(), "Cannot connect"), "without trying in between")
		})
	}
}
