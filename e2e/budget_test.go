// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/stretchr/testify/require"

	sim "github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim"
)

// BenchmarkBudgets prints what we mean to stay within, each with the figure of this
// run. Machines are noisy: look at several runs, and at ratios within one.
func BenchmarkBudgets(b *testing.B) {
	for b.Loop() {
		of := ratios(b)
		records, blocks := of[path{"records", false}], of[path{"blocks", false}]
		bare := flood{raw: false, frame: sim.FrameObject, frameEvents: 1}.run(b)
		block := flood{raw: false, encoding: "blocks", frame: sim.FrameObject, frameEvents: 1}.run(b)
		window := windowFigures(b)
		latency, embedded, wire := windowLatency(b), embeddedLatency(b), wireLatency(b)
		memory, ready := idleFigures(b)
		page := pageFigures(b)
		few, many := window["BenchmarkObserve/series=1/channels=1000 ns/event"], window["BenchmarkObserve/series=1/channels=1000000 ns/event"]
		oneSeries, allSeries := window["BenchmarkObserve/series=1/channels=100000 ns/event"], window["BenchmarkObserve/series=2000/channels=100000 ns/event"]

		t := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
		fmt.Fprintln(t, "\nwhat\tbudget\tthis run")
		fmt.Fprintf(t, "socket → window, × floor\t≤ 1.15\t%.2f\n", records)
		fmt.Fprintf(t, "the same with raw, × floor with raw\t≤ 1.15\t%.2f\n", of[path{"records", true}])
		fmt.Fprintf(t, "the same with encoding: blocks, × records\t≤ 0.6\t%.2f\n", blocks/records)
		fmt.Fprintf(t, "the built collector, CPU per event, records and blocks\t\t%.2f and %.2f µs\n", bare.cpu/1000, block.cpu/1000)
		fmt.Fprintf(t, "window state per open channel, a million of them\t≤ 64 B\t%.0f B\n", window["BenchmarkChannelMemory/series=1 B/channel"])
		fmt.Fprintf(t, "window state per series\t≤ 2 KiB\t%.0f B\n", window["BenchmarkChannelMemory/series=2000 B/series"])
		fmt.Fprintf(t, "a session, per event of 1k and of 1M channels, + ns\t≤ 100\t%.0f and %.0f\n",
			window["BenchmarkSessions/channels=1000/sessions=on ns/event"]-window["BenchmarkSessions/channels=1000/sessions=off ns/event"],
			window["BenchmarkSessions/channels=1000000/sessions=on ns/event"]-window["BenchmarkSessions/channels=1000000/sessions=off ns/event"])
		fmt.Fprintf(t, "window end to query, p99, beyond allowed_lateness\t≤ 250 ms\t%.0f ms\n", latency)
		fmt.Fprintf(t, "the same with the embedded store\t≤ 250 ms\t%.0f ms\n", embedded)
		fmt.Fprintf(t, "window closed to webhook on the wire, p99\t≤ 1 s\t%.2f s\n", wire/1000)
		fmt.Fprintf(t, "idle with the quick start: memory\t≤ 100 MiB\t%.0f MiB\n", memory)
		fmt.Fprintf(t, "idle with the quick start: ready\t≤ 2 s\t%.2f s\n", ready)
		fmt.Fprintf(t, "window, cost per event from 1k to 1M channels\tflat\t%.0f to %.0f ns\n", few, many)
		fmt.Fprintf(t, "window, cost per event from 1 to 2,000 series\tflat\t%.0f to %.0f ns\n", oneSeries, allSeries)
		fmt.Fprintf(t, "page, compressed\t≤ 300 KiB\t%.0f KiB\n", page.size/1024)
		fmt.Fprintf(t, "page, first picture on loopback\t≤ 1 s\t%.2f s\n", page.firstPicture)
		fmt.Fprintf(t, "page, queries that the store answers in a window, with 1 viewer and with %d\tthe same\t%.0f, %.0f\n",
			pageViewers, page.queriesOfOne, page.queriesOfMany)
		require.NoError(b, t.Flush())
	}
}

var figure = regexp.MustCompile(`(\S+) (\S+)`)

// windowFigures runs the benchmarks of the window core, and gives what they
// report by "name unit".
func windowFigures(b *testing.B) map[string]float64 {
	b.Helper()
	command := exec.CommandContext(b.Context(), "go", "test", "-run", "^$", "-bench", "Observe|ChannelMemory|Sessions", "-benchtime", "2s",
		"./processor/wswindowprocessor/internal/window")
	command.Dir = ".."
	out, err := command.CombinedOutput()
	require.NoError(b, err, string(out))
	figures := map[string]float64{}
	lines := bufio.NewScanner(bytes.NewReader(out))
	for lines.Scan() {
		columns := strings.Split(lines.Text(), "\t")
		name, _, _ := strings.Cut(strings.TrimSpace(columns[0]), "-")
		for _, column := range columns[1:] {
			if match := figure.FindStringSubmatch(strings.TrimSpace(column)); match != nil {
				value, err := strconv.ParseFloat(match[1], 64)
				if err == nil {
					figures[name+" "+match[2]] = value
				}
			}
		}
	}
	return figures
}

// windowLatency is the time from a window's end until a Prometheus can be asked for
// it, less the lateness that the window waits for: the 99th percentile, in ms.
func windowLatency(b *testing.B) float64 {
	b.Helper()
	platform := startPlatform(b, func(c *sim.Config) { c.Rate, c.Announce = 500, true })
	p := startPipeline(b, platform, "WINDOW_SIZE=700ms")
	defer p.collector.stop(b)
	return storeLatency(b, p.prometheus)
}

// embeddedLatency is the same with a store of our own.
func embeddedLatency(b *testing.B) float64 {
	b.Helper()
	platform := startPlatform(b, func(c *sim.Config) { c.Rate, c.Announce = 500, true })
	s := startStored(b, platform, b.TempDir(), "WINDOW_SIZE=700ms")
	defer s.collector.stop(b)
	return storeLatency(b, s.dashboard)
}

func storeLatency(b *testing.B, store prometheus) float64 {
	b.Helper()
	const lateness = 500 // ms, of the configurations in testdata
	var latencies []float64
	latest := 0.0
	for end := time.Now().Add(patience); len(latencies) < 100 && time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		samples, err := store.query(`max(timestamp(ws_messages_per_second{job=""}))`)
		require.NoError(b, err)
		if len(samples) == 1 && samples[0].value > latest {
			if latest > 0 {
				latencies = append(latencies, float64(time.Now().UnixMilli())-samples[0].value*1000-lateness)
			}
			latest = samples[0].value
		}
	}
	require.Len(b, latencies, 100)
	slices.Sort(latencies)
	return latencies[98]
}

// wireLatency is the time from a window's end until its alert is on the wire, less
// the lateness that the window waits for: the 99th percentile, in ms.
func wireLatency(b *testing.B) float64 {
	b.Helper()
	const lateness = 200 // ms, of testdata/alerts.yaml
	platform := startCalmPlatform(b)
	sink := startSink(b, takes)
	a := startAlerting(b, platform, sink.url, "ABOVE=-1", "REPEAT_INTERVAL=1s") // each window is emitted
	eventually(b, func() error {
		if n := len(sink.all()); n < 200 {
			return fmt.Errorf("%d webhooks, want 200", n)
		}
		return nil
	})
	a.collector.stop(b)
	var latencies []float64
	for _, w := range sink.all()[:200] {
		latencies = append(latencies, float64(w.at.UnixMilli()-w.alert.WindowEnd-lateness))
	}
	slices.Sort(latencies)
	return latencies[197]
}

// idleFigures are the resident memory, in MiB, of the quick start's collector
// while nothing happens, and how long it took to be ready, in seconds.
func idleFigures(b *testing.B) (memory, ready float64) {
	b.Helper()
	platform := startPlatform(b, func(c *sim.Config) { c.Silent = true })
	health := fmt.Sprintf("localhost:%d", freePort(b))
	begin := time.Now()
	collector := start(b, "otelcol-ccaas", []string{
		"CCAAS_ENDPOINT=" + strings.Replace(platform.URL(), "http", "ws", 1),
		"CCAAS_HEALTH=" + health, "CCAAS_DATA=" + b.TempDir(), fmt.Sprintf("CCAAS_DASHBOARD=localhost:%d", freePort(b)),
		fmt.Sprintf("CCAAS_ALERTMANAGER_API=localhost:%d", freePort(b)),
	}, "--config", "../config/quickstart.yaml")
	for {
		if status, _, err := get("http://" + health); err == nil && status == 200 {
			break
		}
		require.Less(b, time.Since(begin), patience)
		time.Sleep(10 * time.Millisecond)
	}
	ready = time.Since(begin).Seconds()
	time.Sleep(10 * time.Second)
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", collector.Process.Pid))
	require.NoError(b, err)
	match := regexp.MustCompile(`VmRSS:\s+(\d+) kB`).FindSubmatch(status)
	require.NotNil(b, match)
	kilobytes, err := strconv.ParseFloat(string(match[1]), 64)
	require.NoError(b, err)
	collector.stop(b)
	return kilobytes / 1024, ready
}
