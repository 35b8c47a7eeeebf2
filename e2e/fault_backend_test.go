// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	sim "github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim"
)

// A store and a webhook reply in all the ways of backends in trouble, one after the
// other. The queue fills to its bound and says so; in the end every window and every alert
// has arrived, or was refused for good and is counted, and the totals are what the platform sent.
func TestFaultBackendInTrouble(t *testing.T) {
	t.Parallel()
	platform := startPlatform(t, func(c *sim.Config) {
		c.Rate, c.Sessions, c.Announce = 150, 60, true
		c.ChannelTypes = []string{"webmessaging"}
		c.Trouble.BurstEvery, c.Trouble.BurstDuration, c.Trouble.BurstDropRate = 5*time.Second, 3*time.Second, 60
	})
	backend := startFaultyBackend(t)
	q := startFaultQuickstart(t, platform, "backend.yaml", "BACKEND="+backend.URL)
	q.connected(t)
	for _, trouble := range replies() {
		backend.set(trouble)
		time.Sleep(amount(4*time.Second, 30*time.Second))
		if trouble.name == "503" {
			eventually(t, q.queueIsFull)
		}
		backend.set(healthy)
		time.Sleep(time.Second)
	}
	require.NoError(t, platform.Trouble(func(trouble *sim.Trouble) { trouble.Silence = true }))
	eventually(t, func() error {
		if backend.agrees(t, platform.Truth()) {
			return nil
		}
		return errors.New("the totals in the store are not what the platform sent")
	})
	eventually(t, q.emptied)

	never, lost, all := backend.missing()
	assert.Zero(t, never, "windows that never came")
	assert.Zero(t, lost[turnedAway], "windows that were refused and did not come again")
	failed := q.own(t, `otelcol_exporter_send_failed_metric_points\{.*exporter="otlp_http"`)
	least, most := backend.givenUp()
	assert.GreaterOrEqual(t, int(failed), least, "points that were given up are counted")
	assert.LessOrEqual(t, int(failed), most, "points that were not given up are not")
	alerts, letters := backend.alertsNow(), q.letters(t)
	byFate := map[fate]int{}
	for key, became := range alerts {
		byFate[became]++
		assert.NotEqual(t, turnedAway, became, key)
	}
	assert.Equal(t, byFate[rejected], letters, "alerts refused for good are dead letters")
	reported := q.own(t, `otelcol_alert_alerts\{`)
	assert.Len(t, alerts, int(reported), "alerts that were emitted have arrived")
	measured(t, "%d kinds of trouble: of %d windows %d were given up and counted, %d went to a 200 with a page instead of an answer; of %d alerts %d are dead letters; totals exact",
		len(replies()), all, lost[rejected]+lost[garbled], lost[pretended], len(alerts), letters)
}

// queueIsFull is an error unless the queue of the store is at its bound, and says so.
func (q faultQuickstart) queueIsFull() error {
	size, err := q.sum(`otelcol_exporter_queue_size\{.*exporter="otlp_http"`)
	if err != nil {
		return err
	}
	capacity, _ := q.sum(`otelcol_exporter_queue_capacity\{.*exporter="otlp_http"`)
	rejections, _ := q.sum(`otelcol_exporter_enqueue_failed_metric_points\{.*exporter="otlp_http"`)
	if size != capacity || rejections == 0 {
		return fmt.Errorf("the queue has %v of %v, and rejected %v points", size, capacity, rejections)
	}
	return q.says("sending queue is full")
}

// emptied is an error while something waits in a queue.
func (q faultQuickstart) emptied() error {
	waiting, err := q.sum(`otelcol_(?:exporter_queue_size|ws_window_waiting_windows|alert_pending_alerts)[ {]`)
	if err == nil && waiting > 0 {
		err = fmt.Errorf("%v wait in queues", waiting)
	}
	return err
}

// own is the sum of the collector's own series that begin with a pattern.
func (q faultQuickstart) own(t testing.TB, pattern string) float64 {
	t.Helper()
	value, err := q.sum(pattern)
	require.NoError(t, err)
	return value
}

func (q faultQuickstart) sum(pattern string) (sum float64, err error) {
	_, page, err := get(q.telemetry)
	if err != nil {
		return 0, err
	}
	for _, line := range regexp.MustCompile(`(?m)^`+pattern+`.*$`).FindAllString(page, -1) {
		value, err := strconv.ParseFloat(line[strings.LastIndexByte(line, ' ')+1:], 64)
		if err != nil {
			return 0, err
		}
		sum += value
	}
	return sum, nil
}

// letters counts the dead letters.
func (q faultQuickstart) letters(t testing.TB) int {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(q.data, "dead.jsonl"))
	if os.IsNotExist(err) {
		return 0
	}
	require.NoError(t, err)
	return strings.Count(string(text), "\n")
}
