// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package driftprocessor

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/processor/processortest"

	"github.com/otelcol-ccaas/otelcol-ccaas/processor/wswindowprocessor"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent/wslog"
)

// windowsBehind runs a clock through this processor and the windows behind it, and
// gives the window records.
func windowsBehind(t *testing.T, change func(*Config), clock func(since time.Duration) time.Duration) []wslog.Record {
	t.Helper()
	sink := new(consumertest.LogsSink)
	factory := wswindowprocessor.NewFactory()
	set := processortest.NewNopSettings(component.MustNewType("ws_window"))
	windows, err := factory.CreateLogs(t.Context(), set, factory.CreateDefaultConfig(), sink)
	require.NoError(t, err)
	require.NoError(t, windows.Start(t.Context(), componenttest.NewNopHost()))
	b := newBenchBefore(t, change, windows)
	b.start()
	begin := time.Now()
	for range 1_200 { // two minutes
		require.NoError(t, b.ConsumeLogs(t.Context(), event(clock(time.Since(begin)))))
		time.Sleep(100 * time.Millisecond)
	}
	synctest.Wait()
	require.NoError(t, b.Shutdown(t.Context()))
	require.NoError(t, windows.Shutdown(t.Context()))

	var records []wslog.Record
	for _, logs := range sink.AllLogs() {
		for _, resource := range logs.ResourceLogs().All() {
			if record := resource.ScopeLogs().At(0).LogRecords().At(0); wslog.IsWindow(record) {
				decoded, err := wslog.DecodeRecord(record)
				require.NoError(t, err)
				records = append(records, decoded)
			}
		}
	}
	return records
}

func TestWindows_HaveTheSkew(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		records := windowsBehind(t, nil, func(time.Duration) time.Duration { return 350 * time.Millisecond })
		require.NotEmpty(t, records)
		skew, known := wslog.Number(records[len(records)-2].Fields, wsevent.FieldClockSkew)
		assert.True(t, known)
		assert.InDelta(t, 350, skew, 1)
	})
}

// Events of a platform that is 90 s behind land in the windows of when they came.
func TestWindows_OfCorrectedEvents(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		begin := wsevent.UnixMilli(time.Now().UnixMilli())
		correcting := func(c *Config) { c.Correct = true }
		records := windowsBehind(t, correcting, func(time.Duration) time.Duration { return -90 * time.Second })
		full := 0
		for _, record := range records {
			rate, _ := wslog.Number(record.Fields, "messages_per_second")
			if record.Start > begin+20_000 && rate > 0 {
				full++
				if record.End < begin+110_000 {
					assert.InDelta(t, 10, rate, 0.11)
				}
			}
		}
		assert.GreaterOrEqual(t, full, 10)
	})
}

// A step is corrected as one: windows come once each, and no event counts twice.
func TestWindows_StepEmitsNoWindowTwice(t *testing.T) {
	for name, step := range map[string]time.Duration{
		"an hour ahead": time.Hour, "an hour back": -time.Hour, "90 s ahead": 90 * time.Second, "half a second back": -time.Second / 2,
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				records := windowsBehind(t, func(c *Config) { c.Correct = true }, func(since time.Duration) time.Duration {
					if since < time.Minute {
						return 0
					}
					return step
				})
				seen, sent := map[int64]bool{}, 0.0
				for _, record := range records {
					if record.Tags.ChannelType == acme.ChannelType {
						assert.False(t, seen[int64(record.Start)], "window %v", record.Start.Time())
						seen[int64(record.Start)] = true
						total, _ := wslog.Number(record.Totals, "messages_sent")
						sent = max(sent, total)
					}
				}
				assert.InDelta(t, 1_200, sent, 0, "in the totals, late or not")
			})
		})
	}
}
