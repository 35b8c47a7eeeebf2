// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"cmp"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	sim "github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim"
)

// BenchmarkCompletePath floods the built collector from the simulator, and reports
// the CPU time that the collector's process used for an event, user and system,
// socket included. The simulator's own CPU time is not in it.
func BenchmarkCompletePath(b *testing.B) {
	for _, variant := range []flood{
		{raw: false, gogc: "100", frame: sim.FrameObject, frameEvents: 1},
		{raw: false, frame: sim.FrameObject, frameEvents: 1},
		{raw: false, gogc: "400", frame: sim.FrameObject, frameEvents: 1},
		{raw: false, gogc: "800", frame: sim.FrameObject, frameEvents: 1},
		{raw: false, encoding: "blocks", gogc: "100", frame: sim.FrameObject, frameEvents: 1},
		{raw: false, encoding: "blocks", frame: sim.FrameObject, frameEvents: 1},
		{raw: false, encoding: "blocks", gogc: "800", frame: sim.FrameObject, frameEvents: 1},
		{raw: true, frame: sim.FrameObject, frameEvents: 1},
		{raw: false, frame: sim.FrameArray, frameEvents: 20},
	} {
		b.Run(fmt.Sprintf("%s/raw=%t/GOGC=%s/frame=%d", cmp.Or(variant.encoding, "records"), variant.raw, cmp.Or(variant.gogc, "shipped"), variant.frameEvents), func(b *testing.B) {
			for b.Loop() {
				ran := variant.run(b)
				b.ReportMetric(ran.cpu, "cpu-ns/event")
				b.ReportMetric(ran.rate, "events/s")
				b.ReportMetric(ran.peak/(1<<20), "MiB-peak")
			}
			b.ReportMetric(0, "ns/op")
		})
	}
}

// flood is a run at full speed.
type flood struct {
	encoding    string // records unless given
	raw         bool
	gogc        string // that of the binary unless given
	frame       sim.FrameForm
	frameEvents int
}

// flooded are the collector's CPU time for an event, in ns, events per second, and the most
// memory that was resident, in bytes.
type flooded struct{ cpu, rate, peak float64 }

func (f flood) run(b *testing.B) flooded {
	b.Helper()
	const events = 3_000_000
	platform, err := sim.Start(benchConfig(events, f.frame, f.frameEvents))
	require.NoError(b, err)
	scrape := fmt.Sprintf("127.0.0.1:%d", freePort(b))
	collector := start(b, "otelcol-ccaas", []string{
		"ENDPOINT=" + strings.Replace(platform.URL(), "http", "ws", 1),
		"SCRAPE=" + scrape,
		"INCLUDE_RAW=" + strconv.FormatBool(f.raw),
		"ENCODING=" + cmp.Or(f.encoding, "records"),
		"GOGC=" + f.gogc,
	}, "--config", "testdata/bench.yaml")
	require.NoError(b, platform.WaitConnected(b.Context()))
	before, begin := collector.cpu(b), time.Now()
	<-platform.Done()
	wall := time.Since(begin)
	waitForTotal(b, "http://"+scrape+"/metrics", platform.Truth())
	used, peak := collector.cpu(b)-before, collector.memory(b, "VmHWM")
	collector.stop(b)
	require.NoError(b, platform.Close())
	return flooded{float64(used.Nanoseconds()) / events, events / wall.Seconds(), float64(peak)}
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
