// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"context"
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

	"github.com/otelcol-ccaas/otelcol-ccaas/processor/driftprocessor"
	"github.com/otelcol-ccaas/otelcol-ccaas/processor/wswindowprocessor"
	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver"
)

// arrivals counts the records that come out of the path.
type arrivals struct{ records atomic.Int64 }

func (*arrivals) Capabilities() consumer.Capabilities { return consumer.Capabilities{} }

func (a *arrivals) ConsumeLogs(_ context.Context, logs plog.Logs) error {
	a.records.Add(int64(logs.LogRecordCount()))
	return nil
}

// BenchmarkPathInProcess is socket, receiver, drift and window in this process, for
// a profile: add -cpuprofile. The simulator is a process of its own.
func BenchmarkPathInProcess(b *testing.B) {
	for _, raw := range []bool{false, true} {
		b.Run("raw="+strconv.FormatBool(raw), func(b *testing.B) { benchPath(b, raw) })
	}
}

func benchPath(b *testing.B, raw bool) {
	const events = 2_000_000
	port := freePort(b)
	start(b, "ccaassim", nil, "--listen", "127.0.0.1:"+strconv.Itoa(port), "--full-speed",
		"--events", strconv.Itoa(events), "--sessions", "10000", "--rate", "20000")
	for b.Loop() {
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
			"oauth2": map[string]any{"client_id": "a", "client_secret": "b"}, "include_raw": raw,
		}).Unmarshal(config))
		receiver, err := ccaaswsreceiver.NewFactory().CreateLogs(b.Context(),
			receivertest.NewNopSettings(ccaaswsreceiver.NewFactory().Type()), config, drift)
		require.NoError(b, err)
		host := componenttest.NewNopHost()
		require.NoError(b, window.Start(b.Context(), host))
		require.NoError(b, drift.Start(b.Context(), host))
		eventually(b, func() error {
			_, _, err := get("http://127.0.0.1:" + strconv.Itoa(port) + "/healthz")
			return err
		})
		before := ownCPU(b)
		require.NoError(b, receiver.Start(b.Context(), host))
		for sink.records.Load() < events {
			time.Sleep(10 * time.Millisecond)
		}
		b.ReportMetric(float64((ownCPU(b)-before).Nanoseconds())/events, "cpu-ns/event")
		require.NoError(b, receiver.Shutdown(context.Background()))
		require.NoError(b, drift.Shutdown(context.Background()))
		require.NoError(b, window.Shutdown(context.Background()))
	}
	b.ReportMetric(0, "ns/op")
}

// ownCPU is the user and system time that this process has used.
func ownCPU(b *testing.B) time.Duration {
	b.Helper()
	var usage syscall.Rusage
	require.NoError(b, syscall.Getrusage(syscall.RUSAGE_SELF, &usage))
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
