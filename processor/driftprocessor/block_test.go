// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package driftprocessor

import (
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/processor/processortest"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/metric/metricdata/metricdatatest"

	owntest "github.com/otelcol-ccaas/otelcol-ccaas/internal/componenttest"
	"github.com/otelcol-ccaas/otelcol-ccaas/processor/driftprocessor/internal/metadata"
	"github.com/otelcol-ccaas/otelcol-ccaas/processor/driftprocessor/internal/metadatatest"
	"github.com/otelcol-ccaas/otelcol-ccaas/processor/driftprocessor/internal/skew"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent/eventblock"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent/wslog"
)

// asBlocks and asBoth are the batches of a receiver with another encoding.
func asBlocks(logs plog.Logs) plog.Logs { return owntest.Blocks(logs) }

func asBoth(logs plog.Logs) plog.Logs {
	both := owntest.Blocks(logs)
	for i, resource := range logs.ResourceLogs().All() {
		for _, scope := range resource.ScopeLogs().All() {
			scope.Scope().Attributes().PutBool(wsevent.BlockCounted, true)
			scope.CopyTo(both.ResourceLogs().At(i).ScopeLogs().AppendEmpty())
		}
	}
	return both
}

// jitter returns a batch of a platform that is ahead, some of whose events are late or have
// no time.
func jitter(r *rand.Rand, ahead time.Duration) plog.Logs {
	logs := event(ahead)
	records := logs.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords()
	for range r.IntN(30) {
		one := only(event(ahead))
		switch r.IntN(10) {
		case 0:
			one.SetTimestamp(0)
		case 1:
			one.SetObservedTimestamp(0)
		default:
			one.SetObservedTimestamp(one.ObservedTimestamp() + pcommon.Timestamp(r.Int64N(5e7)))
		}
		one.MoveTo(records.AppendEmpty())
	}
	return logs
}

// The skew and what follows from it are those of records.
func TestBlocks_SkewIsThatOfRecords(t *testing.T) {
	t.Parallel()
	measure := func(t *testing.T, encode func(plog.Logs) plog.Logs) (estimates []skew.Estimate, corrections []time.Duration) {
		synctest.Test(t, func(t *testing.T) {
			config := createDefaultConfig().(*Config)
			config.Correct = true
			p, err := newProcessor(processortest.NewNopSettings(metadata.Type), config, new(owntest.LogsSink))
			require.NoError(t, err)
			r := rand.New(rand.NewPCG(3, 4))
			for second := range 60 {
				for range 5 {
					require.NoError(t, p.ConsumeLogs(t.Context(), encode(jitter(r, 700*time.Millisecond+time.Duration(second)*time.Millisecond))))
					time.Sleep(200 * time.Millisecond)
				}
				p.update(p.now())
				estimates = append(estimates, p.streams.all[0].estimate)
				corrections = append(corrections, p.streams.all[0].correction)
			}
			require.NoError(t, p.Shutdown(t.Context()))
		})
		return estimates, corrections
	}
	wantEstimates, wantCorrections := measure(t, func(logs plog.Logs) plog.Logs { return logs })
	require.NotZero(t, wantCorrections[len(wantCorrections)-1])
	for name, encode := range map[string]func(plog.Logs) plog.Logs{"blocks": asBlocks, "both": asBoth} {
		estimates, corrections := measure(t, encode)
		require.Equal(t, wantEstimates, estimates, name)
		require.Equal(t, wantCorrections, corrections, name)
	}
}

// A block is corrected by its attribute, once, and its body is not changed.
func TestBlocks_CorrectedOnceWithoutRewriting(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := newBench(t, func(c *Config) { c.Correct = true })
		b.start()
		b.sendFor(20*time.Second, 900*time.Millisecond)
		logs := asBoth(jitter(rand.New(rand.NewPCG(1, 1)), 900*time.Millisecond))
		before := b.streams.all[0].correction
		require.InDelta(t, 900*time.Millisecond, before, 1e6)
		block := only(logs)
		at, body := block.Timestamp(), block.Body().Bytes().AsRaw()
		require.NoError(t, b.ConsumeLogs(t.Context(), logs))
		require.NoError(t, b.ConsumeLogs(t.Context(), logs), "a refused batch is retried")
		block = only(logs)
		assert.Equal(t, int64(before), wslog.Correction(block))
		assert.Equal(t, at-pcommon.Timestamp(before), block.Timestamp())
		assert.Equal(t, body, block.Body().Bytes().AsRaw())
		misaligned, ok := block.Attributes().Get(wsevent.ClockMisaligned)
		require.True(t, ok)
		assert.True(t, misaligned.Bool())

		// The records of the archive have the times that follow for the events of the block.
		var r eventblock.Reader
		require.NoError(t, wslog.OpenBlock(block, &r))
		records := logs.ResourceLogs().At(0).ScopeLogs().At(1).LogRecords()
		require.Equal(t, records.Len(), r.Remaining())
		e := eventblock.Event{}
		for i := 0; r.Next(&e); i++ {
			assert.Equal(t, int64(records.At(i).Timestamp()), wslog.CorrectTime(e.Time, wslog.Correction(block)))
		}
		require.NoError(t, b.Shutdown(t.Context()))
	})
}

// A flag on a block counts as its events, and those of a damaged block are not measured.
func TestBlocks_FlaggedEventsAreCounted(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := newBench(t, nil)
		for second := range 20 {
			require.NoError(t, b.ConsumeLogs(t.Context(), asBlocks(event(5*time.Second))))
			damaged := asBlocks(event(time.Hour))
			only(damaged).Body().SetEmptyBytes().FromRaw([]byte{1, 2, 3})
			_, refused := b.measure(damaged)
			require.Zero(t, refused)
			time.Sleep(time.Second)
			b.update(time.Duration(second+1) * time.Second)
		}
		require.InDelta(t, 5*time.Second, b.streams.all[0].estimate.Offset, 1e6)
		var before int64
		if got, err := b.tel.GetMetric("otelcol_drift_flagged_events"); err == nil {
			before = got.Data.(metricdata.Sum[int64]).DataPoints[0].Value
		}
		logs := event(5 * time.Second)
		for range 6 {
			only(event(5 * time.Second)).CopyTo(logs.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().AppendEmpty())
		}
		require.NoError(t, b.ConsumeLogs(t.Context(), asBoth(logs)))
		metadatatest.AssertEqualDriftFlaggedEvents(t, b.tel, []metricdata.DataPoint[int64]{{Value: before + 7}}, metricdatatest.IgnoreTimestamp())
		require.NoError(t, b.Shutdown(t.Context()))
	})
}
