// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package driftprocessor

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/processor/processortest"

	"github.com/otelcol-ccaas/otelcol-ccaas/processor/driftprocessor/internal/metadata"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent/wslog"
)

// manyEvents is a batch as the receiver makes it, of a platform that is ahead.
func manyEvents(streams, each int, ahead time.Duration) plog.Logs {
	logs := plog.NewLogs()
	for s := range streams {
		resource := logs.ResourceLogs().AppendEmpty()
		tags := wsevent.Tags{TenantID: fmt.Sprintf("tenant-%d", s), Region: "us-east-1", ChannelType: "webmessaging"}
		wslog.PutTags(resource.Resource().Attributes(), tags)
		resource.Resource().Attributes().PutStr(wsevent.Platform, "genesys_cloud")
		records := resource.ScopeLogs().AppendEmpty().LogRecords()
		records.EnsureCapacity(each)
		for i := range each {
			record := records.AppendEmpty()
			record.SetEventName(wsevent.MessageSend)
			now := time.Now()
			record.SetTimestamp(pcommon.NewTimestampFromTime(now.Add(ahead)))
			record.SetObservedTimestamp(pcommon.NewTimestampFromTime(now.Add(20 * time.Millisecond)))
			attributes := record.Attributes()
			attributes.EnsureCapacity(4)
			attributes.PutStr(wsevent.ChannelID, fmt.Sprintf("0d6b4b1c-7c5e-4f0a-9b53-%012d", i))
			attributes.PutStr(wsevent.UserID, "8a4f8f3c-1f2e-4a55-8b0d-000000000001")
			attributes.PutInt(wsevent.PayloadSize, 512)
			attributes.PutStr(wsevent.EventID, "5f0c2a9e-6a0f-4d8f-8f6b-000000000001")
		}
	}
	return logs
}

// measured is a processor that has measured the streams of logs.
func measured(b *testing.B, config *Config, logs plog.Logs) *driftProcessor {
	b.Helper()
	p, err := newProcessor(processortest.NewNopSettings(metadata.Type), config, consumertest.NewNop())
	require.NoError(b, err)
	for second := range 5 {
		p.measure(logs)
		p.update(time.Duration(second+1) * time.Second)
	}
	return p
}

// BenchmarkConsumeLogs is the cost of an event that the processor does nothing to.
func BenchmarkConsumeLogs(b *testing.B) {
	for _, streams := range []int{1, 20, 1000} {
		b.Run(fmt.Sprintf("streams=%d", streams), func(b *testing.B) {
			const events = 1000
			logs := manyEvents(streams, events/streams, 0)
			p := measured(b, createDefaultConfig().(*Config), logs)
			b.ReportAllocs()
			for b.Loop() {
				if err := p.ConsumeLogs(b.Context(), logs); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*events), "ns/event")
		})
	}
}

// BenchmarkMisaligned is the cost of an event that is marked, on a copy where the
// batch is not ours to change.
func BenchmarkMisaligned(b *testing.B) {
	for _, correct := range []bool{false, true} {
		b.Run(fmt.Sprintf("correct=%v", correct), func(b *testing.B) {
			const events = 1000
			config := createDefaultConfig().(*Config)
			config.Correct = correct
			logs := manyEvents(1, events, 90*time.Second)
			p := measured(b, config, logs)
			b.ReportAllocs()
			for b.Loop() {
				offered := logs
				if correct {
					b.StopTimer()
					offered = plog.NewLogs()
					logs.CopyTo(offered)
					b.StartTimer()
				}
				if err := p.ConsumeLogs(b.Context(), offered); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*events), "ns/event")
		})
	}
}

// BenchmarkLook is the cost of a second's conclusions, while events wait.
func BenchmarkLook(b *testing.B) {
	for _, streams := range []int{1, 2000} {
		b.Run(fmt.Sprintf("streams=%d", streams), func(b *testing.B) {
			p := measured(b, createDefaultConfig().(*Config), manyEvents(streams, 1, 0))
			now := 10 * time.Second
			for b.Loop() {
				for _, s := range p.streams.all {
					s.estimator.Observe(0)
					s.busy = true
				}
				now += time.Second
				p.update(now)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*streams), "ns/stream")
		})
	}
}

// BenchmarkStreamMemory reports the heap of a stream that has been measured for a
// while.
func BenchmarkStreamMemory(b *testing.B) {
	const streams = 2000
	for b.Loop() {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		p := measured(b, createDefaultConfig().(*Config), manyEvents(streams, 1, 0))
		for now := 10 * time.Second; now < 15*time.Minute; now += time.Second {
			for _, s := range p.streams.all {
				s.estimator.Observe(0)
				s.busy = true
			}
			p.update(now)
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/streams, "B/stream")
		runtime.KeepAlive(p)
	}
}
