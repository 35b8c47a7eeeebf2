// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// reading is what a process takes at a moment.
type reading struct {
	at         time.Duration // since the beginning
	resident   float64       // MiB, with files that are mapped
	heap       float64       // MiB that were live after the latest garbage collection
	goroutines float64
	files      float64 // descriptors
}

// gauge takes readings of a collector that has a dashboard.
type gauge struct {
	of       faultQuickstart
	began    time.Time
	readings []reading
}

func startGauge(t testing.TB, of faultQuickstart) *gauge {
	t.Helper()
	return &gauge{of: of, began: time.Now()}
}

// until takes a reading at every interval, until something is done.
func (g *gauge) until(t testing.TB, done <-chan struct{}, interval time.Duration) {
	t.Helper()
	ticker := time.NewTicker(max(interval, time.Second))
	defer ticker.Stop()
	for {
		select {
		case <-done:
			return
		case <-ticker.C:
			g.readings = append(g.readings, g.read(t))
		}
	}
}

var (
	residentSize = regexp.MustCompile(`VmRSS:\s+(\d+) kB`)
	liveHeap     = regexp.MustCompile(`gc \d+ @.* \d+->\d+->(\d+) MB`)
)

func (g *gauge) read(t testing.TB) (r reading) {
	t.Helper()
	process := fmt.Sprintf("/proc/%d/", g.of.Process.Pid)
	status, err := os.ReadFile(process + "status")
	require.NoError(t, err)
	found := residentSize.FindSubmatch(status)
	require.NotNil(t, found, "%s", status)
	kilobytes, err := strconv.ParseFloat(string(found[1]), 64)
	require.NoError(t, err)
	files, err := os.ReadDir(process + "fd")
	require.NoError(t, err)
	_, body, err := get(g.of.store.url + "/api/v1/status/runtimeinfo")
	require.NoError(t, err)
	var answer struct {
		Data struct {
			GoroutineCount float64 `json:"goroutineCount"`
		} `json:"data"`
	}
	require.NoError(t, json.Unmarshal([]byte(body), &answer), body)
	r = reading{at: time.Since(g.began), resident: kilobytes / 1024, goroutines: answer.Data.GoroutineCount, files: float64(len(files))}
	if all := liveHeap.FindAllStringSubmatch(g.of.output.String(), -1); len(all) > 0 {
		r.heap, err = strconv.ParseFloat(all[len(all)-1][1], 64)
		require.NoError(t, err)
	}
	return r
}

// dimensions of a reading, with what a third of the time may come to without being a
// trend: requests that are under way when a reading is taken, garbage.
var dimensions = []struct {
	name  string
	of    func(reading) float64
	noise float64
}{
	{"resident MiB", func(r reading) float64 { return r.resident }, 20},
	{"live heap MiB", func(r reading) float64 { return r.heap }, 10},
	{"goroutines", func(r reading) float64 { return r.goroutines }, 10},
	{"file descriptors", func(r reading) float64 { return r.files }, 5},
}

// noGrowth compares the trend of the last third with that of the one before it.
func (g *gauge) noGrowth(t testing.TB) {
	t.Helper()
	n := len(g.readings)
	require.Greater(t, n, 30)
	for _, d := range dimensions {
		second, last := rise(g.readings[n/3:2*n/3], d.of), rise(g.readings[2*n/3:], d.of)
		assert.LessOrEqual(t, last, d.noise, "%s rise in the last third; in the second %f", d.name, second)
	}
}

// rise is what the line of least squares through readings rises from the first to
// the last of them.
func rise(readings []reading, of func(reading) float64) float64 {
	var t, x, tt, tx float64
	n := float64(len(readings))
	for _, r := range readings {
		at := r.at.Seconds()
		t, x, tt, tx = t+at, x+of(r), tt+at*at, tx+at*of(r)
	}
	slope := (n*tx - t*x) / (n*tt - t*t)
	return slope * (readings[len(readings)-1].at - readings[0].at).Seconds()
}

// String prints of each dimension its peak, and its rise in the second and the last
// third.
func (g *gauge) String() string {
	n := len(g.readings)
	var texts []string
	for _, d := range dimensions {
		peak := 0.0
		for _, r := range g.readings {
			peak = max(peak, d.of(r))
		}
		texts = append(texts, fmt.Sprintf("%s at most %.0f, rising by %+.1f and %+.1f in the second and last third",
			d.name, peak, rise(g.readings[n/3:2*n/3], d.of), rise(g.readings[2*n/3:], d.of)))
	}
	return strings.Join(texts, "; ")
}
