// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package driftprocessor

import (
	"context"
	"errors"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/processor/processortest"
	"go.opentelemetry.io/otel/sdk/metric/metricdata/metricdatatest"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	owntest "github.com/otelcol-ccaas/otelcol-ccaas/internal/componenttest"
	"github.com/otelcol-ccaas/otelcol-ccaas/processor/driftprocessor/internal/metadata"
	"github.com/otelcol-ccaas/otelcol-ccaas/processor/driftprocessor/internal/metadatatest"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent/wslog"
)

var acme = wsevent.Tags{TenantID: "acme_corp", Region: "us-east-1", ChannelType: "webmessaging"}

// event returns an event of acme that arrives now, from a platform that is ahead.
func event(ahead time.Duration) plog.Logs {
	logs := plog.NewLogs()
	resource := logs.ResourceLogs().AppendEmpty()
	wslog.PutTags(resource.Resource().Attributes(), acme)
	resource.Resource().Attributes().PutStr(wsevent.Platform, "genesys_cloud")
	record := resource.ScopeLogs().AppendEmpty().LogRecords().AppendEmpty()
	record.SetEventName(wsevent.MessageSend)
	record.SetTimestamp(pcommon.NewTimestampFromTime(time.Now().Add(ahead)))
	record.SetObservedTimestamp(pcommon.NewTimestampFromTime(time.Now()))
	record.Attributes().PutStr(wsevent.ChannelID, "a")
	return logs
}

func only(logs plog.Logs) plog.LogRecord {
	return logs.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().At(0)
}

// bench is a processor with a sink, logs and telemetry that a test can inspect.
type bench struct {
	*driftProcessor

	t    *testing.T
	sink *owntest.LogsSink
	logs *observer.ObservedLogs
	tel  *componenttest.Telemetry
}

func isClock(logs plog.Logs) bool {
	name := only(logs).EventName()
	return name == wsevent.ClockSkew || name == wsevent.ClockDrift
}

func newBench(t *testing.T, change func(*Config)) *bench {
	t.Helper()
	return newBenchBefore(t, change, nil)
}

// newBenchBefore returns a bench with another consumer than the sink.
func newBenchBefore(t *testing.T, change func(*Config), next consumer.Logs) *bench {
	t.Helper()
	config := createDefaultConfig().(*Config)
	if change != nil {
		change(config)
	}
	require.NoError(t, config.Validate())
	b := &bench{t: t, sink: new(owntest.LogsSink), tel: componenttest.NewTelemetry()}
	t.Cleanup(func() { require.NoError(t, b.tel.Shutdown(context.WithoutCancel(t.Context()))) })
	set := metadatatest.NewSettings(b.tel)
	core, logs := observer.New(zapcore.InfoLevel)
	set.Logger, b.logs = zap.New(core), logs
	if next == nil {
		next = b.sink
	}
	p, err := newProcessor(set, config, next)
	require.NoError(t, err)
	b.driftProcessor = p
	return b
}

func (b *bench) start() {
	b.t.Helper()
	require.NoError(b.t, b.Start(b.t.Context(), componenttest.NewNopHost()))
}

// sendFor sends ten events a second for a time, with timestamps that are ahead.
func (b *bench) sendFor(length, ahead time.Duration) {
	b.t.Helper()
	for range length / (100 * time.Millisecond) {
		require.NoError(b.t, b.ConsumeLogs(b.t.Context(), event(ahead)))
		time.Sleep(100 * time.Millisecond)
	}
	synctest.Wait()
}

// records returns the received records with an event name.
func (b *bench) records(name string) []plog.LogRecord {
	var found []plog.LogRecord
	for _, logs := range b.sink.AllLogs() {
		for _, resource := range logs.ResourceLogs().All() {
			for _, scope := range resource.ScopeLogs().All() {
				for _, record := range scope.LogRecords().All() {
					if record.EventName() == name {
						found = append(found, record)
					}
				}
			}
		}
	}
	return found
}

func (b *bench) phases() []string {
	var phases []string
	for _, record := range b.records(wsevent.ClockDrift) {
		phases = append(phases, text(record, wsevent.ClockPhase))
	}
	return phases
}

func text(record plog.LogRecord, name string) string {
	value, ok := record.Attributes().Get(name)
	if !ok {
		return ""
	}
	return value.AsString()
}

func number(t *testing.T, record plog.LogRecord, name string) float64 {
	t.Helper()
	value, ok := wslog.Number(record.Attributes(), name)
	require.True(t, ok, name)
	return value
}

func inBubble(t *testing.T, test func(t *testing.T)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, test)
}

func TestConsumeLogs_WithinToleranceUnchanged(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := newBench(t, nil)
		assert.False(t, b.Capabilities().MutatesData)
		b.start()
		for range 300 {
			logs := event(150 * time.Millisecond)
			before := plog.NewLogs()
			logs.CopyTo(before)
			logs.MarkReadOnly() // a write would panic
			require.NoError(t, b.ConsumeLogs(t.Context(), logs))
			all := b.sink.AllLogs()
			assert.Equal(t, before.ResourceLogs().At(0).Resource().Attributes().AsRaw(), all[len(all)-1].ResourceLogs().At(0).Resource().Attributes().AsRaw())
			assert.Equal(t, only(before).Attributes().AsRaw(), only(all[len(all)-1]).Attributes().AsRaw())
			assert.Equal(t, only(before).Timestamp(), only(all[len(all)-1]).Timestamp())
			time.Sleep(100 * time.Millisecond)
		}
		assert.Empty(t, b.records(wsevent.ClockDrift))
		assert.Zero(t, b.logs.Len())
		require.NoError(t, b.Shutdown(t.Context()))
	})
}

func TestReport_SkewEveryInterval(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := newBench(t, nil)
		b.start()
		begin := time.Now()
		b.sendFor(35*time.Second, 150*time.Millisecond)
		found := b.records(wsevent.ClockSkew)
		require.Len(t, found, 3)
		for i, record := range found {
			at := begin.Add(time.Duration(i+1) * 10 * time.Second)
			assert.Equal(t, pcommon.NewTimestampFromTime(at), record.Timestamp())
			assert.InDelta(t, 150, number(t, record, wsevent.ClockSkewOffset), 1)
			assert.Less(t, number(t, record, wsevent.ClockError), 50.0)
			assert.Positive(t, number(t, record, wsevent.ClockSamples))
			assert.Equal(t, pcommon.ValueTypeInt, mustGet(t, record, wsevent.ClockSamples).Type())
		}
		for _, logs := range b.sink.AllLogs() {
			if isClock(logs) {
				assert.Equal(t, map[string]any{
					"ccaas.platform": "genesys_cloud", "tenant_id": "acme_corp", "region": "us-east-1", "channel_type": "unknown",
				}, logs.ResourceLogs().At(0).Resource().Attributes().AsRaw())
				assert.Equal(t, metadata.ScopeName, logs.ResourceLogs().At(0).ScopeLogs().At(0).Scope().Name())
			}
		}
		require.NoError(t, b.Shutdown(t.Context()))
	})
}

func mustGet(t *testing.T, record plog.LogRecord, name string) pcommon.Value {
	t.Helper()
	value, ok := record.Attributes().Get(name)
	require.True(t, ok, name)
	return value
}

func TestReport_DriftFromOnsetToEnd(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := newBench(t, nil)
		b.start()
		b.sendFor(15*time.Second, 0)
		assert.Empty(t, b.phases())
		b.sendFor(35*time.Second, 300*time.Millisecond)
		assert.Equal(t, []string{"onset", "lasting", "lasting", "lasting", "lasting"}, b.phases())
		assert.InDelta(t, 300, number(t, b.records(wsevent.ClockDrift)[0], wsevent.ClockSkewOffset), 10)
		b.sendFor(30*time.Second, 0)
		phases := b.phases()
		assert.Equal(t, "end", phases[len(phases)-1])
		assert.Equal(t, 1, count(phases, "onset"))
		assert.Equal(t, 1, count(phases, "end"))
		metadatatest.AssertEqualDriftDriftingStreams(t, b.tel, points(0), metricdatatest.IgnoreTimestamp())
		metadatatest.AssertEqualDriftStreams(t, b.tel, points(1), metricdatatest.IgnoreTimestamp())
		require.NoError(t, b.Shutdown(t.Context()))
	})
}

func count(all []string, what string) (n int) {
	for _, one := range all {
		if one == what {
			n++
		}
	}
	return n
}

func TestReport_DriftEndsWithoutEvents(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := newBench(t, nil)
		b.start()
		b.sendFor(20*time.Second, time.Minute)
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		phases := b.phases()
		assert.Equal(t, "end", phases[len(phases)-1])
		assert.Zero(t, b.measured(), "the stream is dropped")
		require.NoError(t, b.Shutdown(t.Context()))
	})
}

func TestAnnotate_MisalignedEventsAreFlaggedOnACopy(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := newBench(t, nil)
		b.start()
		b.sendFor(15*time.Second, -time.Minute)
		ours := event(-time.Minute)
		ours.MarkReadOnly()
		require.NoError(t, b.ConsumeLogs(t.Context(), ours))
		all := b.sink.AllLogs()
		theirs := only(all[len(all)-1])
		assert.True(t, mustGet(t, theirs, wsevent.ClockMisaligned).Bool())
		assert.Empty(t, text(theirs, wsevent.ClockOriginal))
		assert.Equal(t, only(ours).Timestamp(), theirs.Timestamp())

		b.sendFor(20*time.Second, 0)
		all = b.sink.AllLogs()
		assert.Empty(t, text(only(all[len(all)-1]), wsevent.ClockMisaligned), "the clock is aligned again")
		require.NoError(t, b.Shutdown(t.Context()))
	})
}

func TestAnnotate_StreamRecordsUnchanged(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := newBench(t, func(c *Config) { c.Correct = true })
		b.start()
		b.sendFor(15*time.Second, 90*time.Second)
		logs := event(0)
		only(logs).SetEventName(wsevent.StreamGap)
		at := only(logs).Timestamp()
		for range 100 {
			require.NoError(t, b.ConsumeLogs(t.Context(), logs))
		}
		assert.Equal(t, at, only(logs).Timestamp())
		assert.Equal(t, 1, only(logs).Attributes().Len())
		b.sendFor(15*time.Second, 90*time.Second)
		found := b.records(wsevent.ClockSkew)
		assert.InDelta(t, 90_000, number(t, found[len(found)-1], wsevent.ClockSkewOffset), 1)
		require.NoError(t, b.Shutdown(t.Context()))
	})
}

func TestAnnotate_CorrectedEventsKeepTheOriginalTime(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := newBench(t, func(c *Config) { c.Correct = true })
		assert.True(t, b.Capabilities().MutatesData)
		b.start()
		b.sendFor(15*time.Second, 90*time.Second)
		logs := event(90 * time.Second)
		theirs := only(logs).Timestamp()
		require.NoError(t, b.ConsumeLogs(t.Context(), logs))
		assert.Equal(t, pcommon.NewTimestampFromTime(time.Now()), only(logs).Timestamp())
		assert.Equal(t, int64(theirs), mustGet(t, only(logs), wsevent.ClockOriginal).Int())
		require.NoError(t, b.Shutdown(t.Context()))
	})
}

// Times of another clock are neither measured nor corrected.
func TestMeasure_EventsOfAnotherClock(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := newBench(t, func(c *Config) { c.Correct = true })
		b.start()
		for range 300 {
			logs := event(time.Minute)
			scope := logs.ResourceLogs().At(0).ScopeLogs().AppendEmpty()
			scope.Scope().Attributes().PutStr(wsevent.ClockSource, wsevent.ClockOther)
			only(event(time.Hour)).CopyTo(scope.LogRecords().AppendEmpty())
			require.NoError(t, b.ConsumeLogs(t.Context(), logs))
			time.Sleep(100 * time.Millisecond)
		}
		synctest.Wait()
		for _, record := range b.records(wsevent.ClockSkew) {
			assert.InDelta(t, 60_000, number(t, record, wsevent.ClockSkewOffset), 1)
		}
		events := b.records(wsevent.MessageSend)
		corrected, other := events[len(events)-2], events[len(events)-1]
		assert.Equal(t, time.Minute.Nanoseconds(), int64(number(t, corrected, wsevent.ClockOriginal))-int64(corrected.Timestamp()))
		assert.Equal(t, "true", text(corrected, wsevent.ClockMisaligned))
		assert.Equal(t, map[string]any{wsevent.ChannelID: "a"}, other.Attributes().AsRaw())
		require.NoError(t, b.Shutdown(t.Context()))
	})
}

func TestAnnotate_RetriedBatchIsCorrectedOnce(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := newBench(t, func(c *Config) { c.Correct = true })
		b.start()
		b.sendFor(15*time.Second, 90*time.Second)
		before := mustSum(t, b, "otelcol_drift_corrected_events")
		logs := event(90 * time.Second)
		now := time.Now()
		b.sink.Refuse = func(plog.Logs) error { return errors.New("not now") }
		for range 100 {
			require.Error(t, b.ConsumeLogs(t.Context(), logs))
		}
		b.sink.Refuse = nil
		require.NoError(t, b.ConsumeLogs(t.Context(), logs))
		assert.Equal(t, pcommon.NewTimestampFromTime(now), only(logs).Timestamp())
		assert.Equal(t, before+1, mustSum(t, b, "otelcol_drift_corrected_events"))
		b.sendFor(15*time.Second, 90*time.Second)
		found := b.records(wsevent.ClockSkew)
		assert.InDelta(t, 90_000, number(t, found[len(found)-1], wsevent.ClockSkewOffset), 1, "measured by its own time")
		require.NoError(t, b.Shutdown(t.Context()))
	})
}

func TestReport_OnsetIsRetriedUntilAccepted(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := newBench(t, nil)
		b.sink.Refuse = func(logs plog.Logs) error {
			if isClock(logs) {
				return errors.New("full")
			}
			return nil
		}
		b.start()
		b.sendFor(20*time.Second, time.Minute)
		assert.Empty(t, b.phases())
		b.sink.Refuse = nil
		b.sendFor(2*time.Second, time.Minute)
		assert.Equal(t, []string{"onset"}, b.phases())
		assert.Len(t, b.records(wsevent.ClockSkew), 1, "the skew that was due")
		assert.Equal(t, 1, b.logs.FilterMessageSnippet("refuses clock records").Len())
		require.NoError(t, b.Shutdown(t.Context()))
	})
}

func TestReport_PermanentlyRefusedRecordsAreCounted(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := newBench(t, nil)
		b.sink.Refuse = func(logs plog.Logs) error {
			if isClock(logs) {
				return consumererror.NewPermanent(errors.New("no"))
			}
			return nil
		}
		b.start()
		b.sendFor(11*time.Second, time.Minute)
		assert.Equal(t, int64(3), mustSum(t, b, "otelcol_drift_refused_records"), "an onset, a skew, a lasting")
		require.NoError(t, b.Shutdown(t.Context()))
	})
}

func TestStreams_AreBounded(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := newBench(t, func(c *Config) { c.MaxStreams = 3 })
		b.start()
		for i := range 10 {
			logs := event(0)
			logs.ResourceLogs().At(0).Resource().Attributes().PutStr(wsevent.TenantID, strconv.Itoa(i))
			require.NoError(t, b.ConsumeLogs(t.Context(), logs))
		}
		assert.Equal(t, 10, b.sink.LogRecordCount(), "all events pass")
		metadatatest.AssertEqualDriftRefusedEvents(t, b.tel, points(7), metricdatatest.IgnoreTimestamp())
		metadatatest.AssertEqualDriftStreams(t, b.tel, points(3), metricdatatest.IgnoreTimestamp())
		metadatatest.AssertEqualDriftStreamsLimit(t, b.tel, points(3), metricdatatest.IgnoreTimestamp())
		time.Sleep(streamIdle + time.Second)
		synctest.Wait()
		metadatatest.AssertEqualDriftStreams(t, b.tel, points(0), metricdatatest.IgnoreTimestamp())
		require.NoError(t, b.Shutdown(t.Context()))
	})
}

// When our own clock is misaligned, all streams drift at once.
func TestLog_OnceForAllStreamsAndOnceAMinute(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := newBench(t, nil)
		b.start()
		time.Sleep(updateInterval / 2) // so that no update comes between the streams of a second
		for range 200 {
			for i := range 20 {
				logs := event(-time.Minute)
				logs.ResourceLogs().At(0).Resource().Attributes().PutStr(wsevent.TenantID, strconv.Itoa(i))
				require.NoError(t, b.ConsumeLogs(t.Context(), logs))
			}
			time.Sleep(time.Second)
		}
		synctest.Wait()
		begun := b.logs.FilterMessageSnippet("are beyond tolerance")
		require.Equal(t, 1, begun.Len())
		assert.Equal(t, int64(20), begun.All()[0].ContextMap()["streams"])
		assert.Equal(t, 3, b.logs.FilterMessageSnippet("still beyond tolerance").Len())
		require.NoError(t, b.Shutdown(t.Context()))
	})
}

func TestMeasure_RoundTripOfARecord(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := newBench(t, nil)
		b.start()
		trip := event(0)
		only(trip).SetEventName(wsevent.StreamConnected)
		only(trip).Attributes().PutDouble(wsevent.StreamRoundTrip, 100)
		require.NoError(t, b.ConsumeLogs(t.Context(), trip))
		b.sendFor(11*time.Second, -50*time.Millisecond)
		found := b.records(wsevent.ClockSkew)
		require.Len(t, found, 1)
		assert.InDelta(t, 0, number(t, found[0], wsevent.ClockSkewOffset), 1)
		require.NoError(t, b.Shutdown(t.Context()))
	})
}

func TestConsumeLogs_OtherRecordsPass(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	logs := plog.NewLogs()
	logs.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords().AppendEmpty().Body().SetStr("a line of text")
	require.NoError(t, b.ConsumeLogs(t.Context(), logs))
	require.NoError(t, b.ConsumeLogs(t.Context(), plog.NewLogs()))
	noTime := event(0)
	only(noTime).SetTimestamp(0)
	require.NoError(t, b.ConsumeLogs(t.Context(), noTime))
	assert.Equal(t, 2, b.sink.LogRecordCount())
	require.NoError(t, b.Shutdown(t.Context()))
}

func TestAnnotate_TimeThatCannotBeCorrected(t *testing.T) {
	t.Parallel()
	record := plog.NewLogRecord()
	assert.False(t, correct(record, -time.Hour), "no time")
	record.SetTimestamp(5)
	assert.False(t, correct(record, time.Hour), "it would be before 1970")
	assert.Equal(t, pcommon.Timestamp(5), record.Timestamp())
	assert.Zero(t, record.Attributes().Len())
	assert.True(t, correct(record, -time.Hour))
	assert.Equal(t, pcommon.Timestamp(time.Hour+5), record.Timestamp())
}

func TestFactory_CreatesTheProcessor(t *testing.T) {
	t.Parallel()
	p, err := NewFactory().CreateLogs(t.Context(), processortest.NewNopSettings(metadata.Type), createDefaultConfig(), consumertest.NewNop())
	require.NoError(t, err)
	require.NoError(t, p.Start(t.Context(), componenttest.NewNopHost()))
	require.NoError(t, p.Shutdown(t.Context()))
}
