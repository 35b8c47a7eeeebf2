// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"context"
	"runtime"
	"runtime/debug"
	"strconv"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/processor/processortest"
	"go.opentelemetry.io/collector/receiver/receivertest"

	"github.com/otelcol-ccaas/otelcol-ccaas/internal/gctuning"
	"github.com/otelcol-ccaas/otelcol-ccaas/processor/driftprocessor"
	"github.com/otelcol-ccaas/otelcol-ccaas/processor/wswindowprocessor"
	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent/wslog"
)

// arrivals counts the events and other records that come out of the path.
type arrivals struct{ records atomic.Int64 }

func (*arrivals) Capabilities() consumer.Capabilities { return consumer.Capabilities{} }

func (a *arrivals) ConsumeLogs(_ context.Context, logs plog.Logs) error {
	a.records.Add(wslog.CountEvents(logs))
	return nil
}

// floodEvents is how many events each run of the path takes.
const floodEvents = 1_000_000

// startFlood starts a simulator, in a process of its own, that sends events at full speed. It
// returns the port.
func startFlood(b *testing.B) int {
	b.Helper()
	port := freePort(b)
	start(b, "ccaassim", nil, "--listen", "127.0.0.1:"+strconv.Itoa(port), "--full-speed",
		"--events", strconv.Itoa(floodEvents), "--sessions", "10000", "--rate", "20000")
	eventually(b, func() error {
		_, _, err := get("http://127.0.0.1:" + strconv.Itoa(port) + "/healthz")
		return err
	})
	return port
}

// path is a variant of socket, receiver, drift and window in this process.
type path struct {
	encoding string
	raw      bool
}

func (p path) String() string { return p.encoding + "/raw=" + strconv.FormatBool(p.raw) }

// paths are the variants. The first of each half has the records that the floor builds.
var paths = []path{{"records", false}, {"records", true}, {"blocks", false}, {"both", false}}

// BenchmarkPathInProcess is socket, receiver, drift and window in this process, beside the
// floor: the same steps written by hand. Add -cpuprofile for a profile.
func BenchmarkPathInProcess(b *testing.B) {
	defer debug.SetGCPercent(debug.SetGCPercent(gctuning.Percent)) // of the binary
	b.Run("floor", func(b *testing.B) {
		for b.Loop() {
			b.ReportMetric(floorCPU(b, false), "cpu-ns/event")
		}
		b.ReportMetric(0, "ns/op")
	})
	for _, p := range paths {
		b.Run(p.String(), func(b *testing.B) {
			for b.Loop() {
				cpu, allocated := p.run(b)
				b.ReportMetric(cpu, "cpu-ns/event")
				b.ReportMetric(allocated, "B/event")
				b.ReportMetric(cpu/floorCPU(b, p.raw), "×floor")
			}
			b.ReportMetric(0, "ns/op")
		})
	}
}

// ratios returns the CPU time of each path in relation to that of the floor: the least of some
// alternating runs each. Other load on the machine, which shares caches and memory, only adds.
func ratios(b *testing.B) map[path]float64 {
	b.Helper()
	defer debug.SetGCPercent(debug.SetGCPercent(gctuning.Percent))
	const runs = 5
	floors, least := map[bool]float64{}, map[path]float64{}
	for range runs {
		for _, raw := range []bool{false, true} {
			floors[raw] = lesser(floors[raw], floorCPU(b, raw))
		}
		for _, p := range paths {
			cpu, _ := p.run(b)
			least[p] = lesser(least[p], cpu)
		}
	}
	for p := range least {
		least[p] /= floors[p.raw]
	}
	return least
}

// lesser returns the lesser of two figures, of which 0 is none.
func lesser(one, other float64) float64 {
	if one == 0 {
		return other
	}
	return min(one, other)
}

// run returns the CPU time for an event, in ns, and the bytes allocated for it.
func (p path) run(b *testing.B) (cpu, allocated float64) {
	b.Helper()
	port := startFlood(b)
	sink := &arrivals{}
	window, err := wswindowprocessor.NewFactory().CreateLogs(b.Context(),
		processortest.NewNopSettings(wswindowprocessor.NewFactory().Type()), wswindowprocessor.NewFactory().CreateDefaultConfig(), sink)
	require.NoError(b, err)
	drift, err := driftprocessor.NewFactory().CreateLogs(b.Context(),
		processortest.NewNopSettings(driftprocessor.NewFactory().Type()), driftprocessor.NewFactory().CreateDefaultConfig(), window)
	require.NoError(b, err)
	config := ccaaswsreceiver.NewFactory().CreateDefaultConfig()
	require.NoError(b, confmap.NewFromStringMap(map[string]any{
		"platform": "genesys_cloud", "endpoint": "ws://127.0.0.1:" + strconv.Itoa(port), "tenant_id": "a", "region": "b",
		"oauth2": map[string]any{"client_id": "a", "client_secret": "b"}, "include_raw": p.raw, "encoding": p.encoding,
	}).Unmarshal(config))
	receiver, err := ccaaswsreceiver.NewFactory().CreateLogs(b.Context(),
		receivertest.NewNopSettings(ccaaswsreceiver.NewFactory().Type()), config, drift)
	require.NoError(b, err)
	host := componenttest.NewNopHost()
	require.NoError(b, window.Start(b.Context(), host))
	require.NoError(b, drift.Start(b.Context(), host))
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	before, bytes := ownCPU(b), memory.TotalAlloc
	require.NoError(b, receiver.Start(b.Context(), host))
	for sink.records.Load() < floodEvents {
		time.Sleep(10 * time.Millisecond)
	}
	cpu = float64((ownCPU(b) - before).Nanoseconds()) / floodEvents
	runtime.ReadMemStats(&memory)
	require.NoError(b, receiver.Shutdown(context.Background()))
	require.NoError(b, drift.Shutdown(context.Background()))
	require.NoError(b, window.Shutdown(context.Background()))
	return cpu, float64(memory.TotalAlloc-bytes) / floodEvents
}

// ownCPU is the user and system time that this process has used.
func ownCPU(b *testing.B) time.Duration {
	b.Helper()
	var usage syscall.Rusage
	require.NoError(b, syscall.Getrusage(syscall.RUSAGE_SELF, &usage))
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
