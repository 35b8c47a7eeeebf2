// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"bufio"
	"bytes"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/stretchr/testify/require"

	sim "github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim"
)

// BenchmarkBudgets prints what we mean to stay within, each with the figure of this run and
// whether it holds. Machines are noisy: look at several runs, and at ratios within one. A figure
// that could not be measured does not hold; the others are still printed.
func BenchmarkBudgets(b *testing.B) {
	of := map[path]float64{}
	measure(b, "path", func(b *testing.B) { of = ratios(b) })
	records, blocks := figureOf(of, path{"records", false}), figureOf(of, path{"blocks", false})
	bare, block := flooded{cpu: math.NaN()}, flooded{cpu: math.NaN()}
	measure(b, "collector", func(b *testing.B) {
		bare = flood{raw: false, frame: sim.FrameObject, frameEvents: 1}.run(b)
		block = flood{raw: false, encoding: "blocks", frame: sim.FrameObject, frameEvents: 1}.run(b)
	})
	window := map[string]float64{}
	measure(b, "window state", func(b *testing.B) { window = windowFigures(b) })
	latency, embedded, wire := math.NaN(), math.NaN(), math.NaN()
	measure(b, "window end to Prometheus", func(b *testing.B) { latency = windowLatency(b) })
	measure(b, "window end to the embedded store", func(b *testing.B) { embedded = embeddedLatency(b) })
	measure(b, "window end to webhook", func(b *testing.B) { wire = wireLatency(b) })
	memory, ready := math.NaN(), math.NaN()
	measure(b, "idle", func(b *testing.B) { memory, ready = idleFigures(b) })
	page := pageFigure{math.NaN(), math.NaN(), math.NaN(), math.NaN()}
	measure(b, "page", func(b *testing.B) { page = pageFigures(b) })
	clone := cloneFigure{math.NaN(), math.NaN()}
	measure(b, "fresh clone", func(b *testing.B) { clone = cloneFigures(b) })

	observe := func(series, channels int) float64 {
		return figureOf(window, fmt.Sprintf("BenchmarkObserve/series=%d/channels=%d ns/event", series, channels))
	}
	session := func(channels int) float64 {
		of := fmt.Sprintf("BenchmarkSessions/channels=%d/sessions=", channels)
		return figureOf(window, of+"on ns/event") - figureOf(window, of+"off ns/event")
	}
	// What an event of the built collector costs more because of the larger state.
	growth := func(small, large float64) float64 { return (bare.cpu + large - small) / bare.cpu }

	t := budgetTable{tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)}
	fmt.Fprintln(t, "\nwhat\tbudget\tthis run\tholds")
	t.row("socket → window, × floor", records, 1.15, "%.2f")
	t.row("the same with raw, × floor with raw", figureOf(of, path{"records", true}), 1.15, "%.2f")
	t.row("the same with encoding: blocks, × records", blocks/records, 0.6, "%.2f")
	t.row("encoding: blocks, × floor", blocks, unbounded, "%.2f")
	t.row("the built collector, encoding: blocks, × records", block.cpu/bare.cpu, unbounded, "%.2f")
	t.row("the built collector, CPU per event", bare.cpu/1000, unbounded, "%.2f µs")
	t.row("window state per open channel, a million of them", figureOf(window, "BenchmarkChannelMemory/series=1 B/channel"), 64, "%.0f B")
	t.row("window state per open channel, + with sessions", figureOf(window, "BenchmarkSessionMemory B/channel"), 32, "%.0f B")
	t.row("window state per series", figureOf(window, "BenchmarkChannelMemory/series=2000 B/series"), 2048, "%.0f B")
	t.row("a session, per event of 1k channels, +", session(1_000), 100, "%.0f ns")
	t.row("a session, per event of 1M channels, +", session(1_000_000), 100, "%.0f ns")
	t.row("window end to query, p99, beyond allowed_lateness", latency, 250, "%.0f ms")
	t.row("the same with the embedded store", embedded, 250, "%.0f ms")
	t.row("window closed to webhook on the wire, p99", wire/1000, 1, "%.2f s")
	t.row("idle with the quick start: memory", memory, 100, "%.0f MiB")
	t.row("idle with the quick start: ready", ready, 2, "%.2f s")
	t.row("CPU per event with 1M channels, × with 1k", growth(observe(1, 1_000), observe(1, 1_000_000)), flat, "%.2f")
	t.row("CPU per event with 2,000 series, × with 1", growth(observe(1, 100_000), observe(2000, 100_000)), flat, "%.2f")
	t.row("page, compressed", page.size/1024, 300, "%.0f KiB")
	t.row("page, first picture on loopback", page.firstPicture, 1, "%.2f s")
	t.row(fmt.Sprintf("page, queries of a window with %d viewers, more than with 1", pageViewers), page.queriesOfMany-page.queriesOfOne, 0, "%.0f")
	t.row("fresh clone → live page, empty caches of the compiler", clone.wall, 180, "%.0f s")
	t.row("the same, CPU", clone.cpu, unbounded, "%.0f s")
	require.NoError(b, t.Flush())
}

// measure measures some figures once, in a benchmark of their own: one that fails does not end
// the others.
func measure(b *testing.B, what string, figures func(*testing.B)) {
	b.Helper()
	b.Run(what, func(b *testing.B) {
		figures(b)
		b.ReportMetric(0, "ns/op")
		b.ReportMetric(b.Elapsed().Seconds(), "s")
	})
}

// figureOf returns a figure, NaN where it was not measured.
func figureOf[K comparable](figures map[K]float64, key K) float64 {
	if got, ok := figures[key]; ok {
		return got
	}
	return math.NaN()
}

// unbounded is the budget of a figure that has none. It is there to compare others with.
var unbounded = math.Inf(1)

// flat is the growth that noise alone can explain.
const flat = 1.15

// budgetTable is the table of budgets.
type budgetTable struct{ *tabwriter.Writer }

// row prints a figure beside its budget, which is the largest value that holds.
func (t budgetTable) row(what string, got, budget float64, format string) {
	limit, holds, figure := "≤ "+strings.Replace(fmt.Sprintf(format, budget), ".00", "", 1), "yes", fmt.Sprintf(format, got)
	if math.IsNaN(got) {
		figure = "not measured"
	}
	switch {
	case math.IsInf(budget, 1):
		limit, holds = "", ""
	case math.IsNaN(got) || got > budget:
		holds = "NO"
	}
	fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", what, limit, figure, holds)
}

// cloneFigure is what it takes to build a fresh clone and to see the page, in seconds.
type cloneFigure struct{ wall, cpu float64 }

// cloneFigures builds a clone of the committed state as `make run` does, with an empty
// cache of the compiler, and waits for the page. The modules are downloaded already.
func cloneFigures(b *testing.B) cloneFigure {
	b.Helper()
	clone, cache := filepath.Join(b.TempDir(), "clone"), b.TempDir()
	out, err := exec.CommandContext(b.Context(), "git", "clone", "--quiet", "--depth", "1", "file://"+repository(b), clone).CombinedOutput()
	require.NoError(b, err, string(out))
	begin := time.Now()
	build := exec.CommandContext(b.Context(), "make", "build")
	build.Dir, build.Env = clone, append(os.Environ(), "GOCACHE="+cache)
	out, err = build.CombinedOutput()
	require.NoError(b, err, string(out))
	port := func() string { return strconv.Itoa(freePort(b)) }
	page := "localhost:" + port()
	run := exec.CommandContext(b.Context(), "sh", "config/quickstart.sh")
	run.Dir, run.Env = clone, append(os.Environ(), "CCAASSIM_PORT="+port(), "CCAAS_DASHBOARD="+page,
		"CCAAS_HEALTH=localhost:"+port(), "CCAAS_ALERTMANAGER_API=localhost:"+port(), "CCAAS_DATA="+b.TempDir())
	require.NoError(b, run.Start())
	eventually(b, func() error {
		_, _, err := get("http://" + page)
		return err
	})
	wall := time.Since(begin).Seconds()
	require.NoError(b, run.Process.Signal(syscall.SIGTERM))
	_ = run.Wait() // a signal is no success
	return cloneFigure{wall, (build.ProcessState.UserTime() + build.ProcessState.SystemTime()).Seconds()}
}

// repository is the folder of this repository.
func repository(b *testing.B) string {
	b.Helper()
	folder, err := filepath.Abs("..")
	require.NoError(b, err)
	return folder
}

var figure = regexp.MustCompile(`(\S+) (\S+)`)

// windowFigures runs the benchmarks of the window core, and gives what they
// report by "name unit".
func windowFigures(b *testing.B) map[string]float64 {
	b.Helper()
	command := exec.CommandContext(b.Context(), "go", "test", "-run", "^$", "-bench", "Observe|ChannelMemory|Session", "-benchtime", "2s",
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
