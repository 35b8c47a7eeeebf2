// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	sim "github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim"
)

// BenchmarkWholePath floods the built collector from the simulator, and reports
// the CPU time that the collector's process used for an event, user and system,
// socket included. The simulator's own CPU time is not in it.
func BenchmarkWholePath(b *testing.B) {
	for _, variant := range []flood{
		{raw: false, gogc: 100, frame: sim.FrameObject, frameEvents: 1},
		{raw: false, gogc: 800, frame: sim.FrameObject, frameEvents: 1},
		{raw: true, gogc: 800, frame: sim.FrameObject, frameEvents: 1},
		{raw: false, gogc: 800, frame: sim.FrameArray, frameEvents: 20},
	} {
		b.Run(fmt.Sprintf("raw=%t/GOGC=%d/frame=%d", variant.raw, variant.gogc, variant.frameEvents), func(b *testing.B) {
			for b.Loop() {
				cpu, rate := variant.run(b)
				b.ReportMetric(cpu, "cpu-ns/event")
				b.ReportMetric(rate, "events/s")
			}
			b.ReportMetric(0, "ns/op")
		})
	}
}

// flood is a run at full speed.
type flood struct {
	raw         bool
	gogc        int
	frame       sim.FrameForm
	frameEvents int
}

// run gives the collector's CPU time for an event, in ns, and events per second.
func (f flood) run(b *testing.B) (cpu, rate float64) {
	b.Helper()
	const events = 3_000_000
	platform, err := sim.Start(benchConfig(events, f.frame, f.frameEvents))
	require.NoError(b, err)
	scrape := fmt.Sprintf("127.0.0.1:%d", freePort(b))
	collector := start(b, "otelcol-ccaas", []string{
		"ENDPOINT=" + strings.Replace(platform.URL(), "http", "ws", 1),
		"SCRAPE=" + scrape,
		"INCLUDE_RAW=" + strconv.FormatBool(f.raw),
		fmt.Sprintf("GOGC=%d", f.gogc),
	}, "--config", "testdata/bench.yaml")
	require.NoError(b, platform.WaitConnected(b.Context()))
	before, begin := collector.cpu(b), time.Now()
	<-platform.Done()
	wall := time.Since(begin)
	waitForTotal(b, "http://"+scrape+"/metrics", platform.Truth())
	used := collector.cpu(b) - before
	collector.stop(b)
	require.NoError(b, platform.Close())
	return float64(used.Nanoseconds()) / events, events / wall.Seconds()
}

func benchConfig(events int64, frame sim.FrameForm, frameEvents int) sim.Config {
	config := sim.DefaultConfig()
	config.FullSpeed, config.Events, config.Sessions = true, events, 10_000
	config.Rate = 20_000
	config.Frame, config.FrameEvents = frame, frameEvents
	return config
}

var totals = regexp.MustCompile(`(?m)^ws_messages_(?:sent|received)_total\{.*\} (\S+)`)

// waitForTotal waits until every message is in a window that was exported.
func waitForTotal(b *testing.B, url string, truth sim.Truth) {
	b.Helper()
	want := truth.Total.MessagesSent + truth.Total.MessagesReceived
	eventually(b, func() error {
		_, page, err := get(url)
		if err != nil {
			return err
		}
		var got int64
		for _, match := range totals.FindAllStringSubmatch(page, -1) {
			value, err := strconv.ParseFloat(match[1], 64)
			if err != nil {
				return err
			}
			got += int64(value)
		}
		if got != want {
			return fmt.Errorf("%d messages are in windows, %d were sent", got, want)
		}
		return nil
	})
}
