// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package ccaaswsreceiver

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/pdata/plog"

	owntest "github.com/otelcol-ccaas/otelcol-ccaas/internal/componenttest"
	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/jsonevent"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent/eventblock"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent/wslog"
)

// randomFrame returns events of several series, with and without sizes, ids, dimensions and
// classes of closes, some of them duplicates, and parts that are not events.
func randomFrame(r *rand.Rand) []byte {
	var text strings.Builder
	for range 1 + r.IntN(6) {
		if r.IntN(15) == 0 {
			text.WriteString(`{"type":"message.send"}` + "\n")
			continue
		}
		fmt.Fprintf(&text, `{"type":%q,"timestamp":%d,"channelId":"c%d","id":"%d"`, []string{
			wsevent.ConnectionOpen, wsevent.ConnectionClose, wsevent.MessageSend, wsevent.MessageReceive,
		}[r.IntN(4)], 946684800000+r.IntN(100_000), r.IntN(30), r.IntN(200))
		for _, field := range []string{
			fmt.Sprintf(`,"tenantId":"t%d"`, r.IntN(3)), fmt.Sprintf(`,"region":"r%d"`, r.IntN(2)), `,"channelType":"voice"`, `,"userId":"u"`,
			`,"reason":"error"`, `,"reason":"bye"`,
		} {
			if r.IntN(3) > 0 && (!strings.Contains(field, "reason") || !strings.HasSuffix(text.String(), `"error"`)) {
				text.WriteString(field)
			}
		}
		if r.IntN(3) > 0 {
			fmt.Fprintf(&text, `,"payloadSize":%d,"code":%d`, r.IntN(2_000), 1000+r.IntN(8))
		}
		text.WriteString("}\n")
	}
	return []byte(text.String())
}

// batchesOf returns what a batcher delivers with an encoding, in fake time.
func batchesOf(t *testing.T, encoding, userID string, seed uint64) (batches []plog.Logs, sizes []int, read []tally) {
	synctest.Test(t, func(t *testing.T) {
		decoder, err := jsonevent.NewDecoder(jsonevent.DefaultFields())
		require.NoError(t, err)
		into := recordsFor(func(set *recordSettings) { set.encoding, set.userID = encoding, userID })
		dedup := newDeduplicator(DeduplicationConfig{Window: 2 * time.Minute, MaxEvents: 100_000})
		b := newBatcher(BatchConfig{MaxEvents: 100, Timeout: 50 * time.Millisecond}, plainDecode(decoder), dedup, into, newStreams(stream{}))
		var sender sync.WaitGroup
		sender.Go(func() {
			b.run(t.Context(), func(_ context.Context, one *batch) {
				batches, sizes, read = append(batches, one.logs), append(sizes, one.size), append(read, one.read)
			})
		})
		r := rand.New(rand.NewPCG(seed, 1)) //nolint:gosec // reproducible
		for range 300 {
			frame := randomFrame(r)
			b.frame(frame, time.Now(), r.IntN(2))
			clear(frame) // as the next frame does
			if r.IntN(20) == 0 {
				b.stream(wsevent.StreamAlive, stream{tenant: "t1", region: "r1"}, time.Now(), func(plog.LogRecord) {})
			}
			time.Sleep(time.Duration(r.IntN(20_000)) * time.Microsecond)
			synctest.Wait()
		}
		b.close()
		sender.Wait()
	})
	return batches, sizes, read
}

func asJSON(t *testing.T, logs plog.Logs) string {
	t.Helper()
	text, err := (&plog.JSONMarshaler{}).MarshalLogs(logs)
	require.NoError(t, err)
	return string(text)
}

// partOf removes the scopes of records whose events are in blocks, or all others.
func partOf(logs plog.Logs, inBlocks bool) plog.Logs {
	part := plog.NewLogs()
	logs.CopyTo(part)
	part.ResourceLogs().RemoveIf(func(resource plog.ResourceLogs) bool {
		resource.ScopeLogs().RemoveIf(func(scope plog.ScopeLogs) bool {
			return scope.Scope().Attributes().Remove(wsevent.BlockCounted) != inBlocks
		})
		return resource.ScopeLogs().Len() == 0
	})
	return part
}

// eventsOf removes the records that are not events.
func eventsOf(logs plog.Logs) plog.Logs {
	logs.ResourceLogs().RemoveIf(func(resource plog.ResourceLogs) bool {
		resource.ScopeLogs().RemoveIf(func(scope plog.ScopeLogs) bool {
			scope.LogRecords().RemoveIf(func(record plog.LogRecord) bool {
				_, event := owntest.BlockEvent(record)
				return !event
			})
			return scope.LogRecords().Len() == 0
		})
		return resource.ScopeLogs().Len() == 0
	})
	return logs
}

// Blocks hold what records do, without duplicates, and in the order of the records.
func TestEncoding_BlocksAreThoseOfRecords(t *testing.T) {
	t.Parallel()
	for seed := range uint64(6) {
		userID := []string{"plain", "hash", "none"}[seed%3]
		records, sizes, read := batchesOf(t, encodingRecords, userID, seed)
		blocks, blockSizes, blockRead := batchesOf(t, encodingBlocks, userID, seed)
		both, bothSizes, bothRead := batchesOf(t, encodingBoth, userID, seed)
		require.Equal(t, sizes, blockSizes)
		require.Equal(t, sizes, bothSizes)
		require.Equal(t, read, blockRead)
		require.Equal(t, read, bothRead)
		duplicates := int64(0)
		for i := range records {
			duplicates += read[i].duplicates
			require.Equal(t, asJSON(t, owntest.Blocks(records[i])), asJSON(t, blocks[i]), "seed %d, batch %d", seed, i)
			require.Equal(t, asJSON(t, blocks[i]), asJSON(t, partOf(both[i], false)), "seed %d, batch %d", seed, i)
			require.ElementsMatch(t, lines(t, eventsOf(records[i])), lines(t, partOf(both[i], true)), "seed %d, batch %d", seed, i)
			require.Equal(t, int64(sizes[i]), wslog.CountEvents(blocks[i]))
			require.Equal(t, int64(sizes[i]), wslog.CountEvents(both[i]))
		}
		require.Greater(t, duplicates, int64(50))
	}
}

// lines are the records of a batch, each with its resource and scope.
func lines(t *testing.T, logs plog.Logs) (all []string) {
	t.Helper()
	for _, resource := range logs.ResourceLogs().All() {
		for _, scope := range resource.ScopeLogs().All() {
			for _, record := range scope.LogRecords().All() {
				one := plog.NewLogs()
				to := one.ResourceLogs().AppendEmpty()
				resource.Resource().CopyTo(to.Resource())
				scope.Scope().CopyTo(to.ScopeLogs().AppendEmpty().Scope())
				record.CopyTo(to.ScopeLogs().At(0).LogRecords().AppendEmpty())
				all = append(all, asJSON(t, one))
			}
		}
	}
	return all
}

func blockOf(events ...*jsonevent.Event) plog.Logs {
	r := recordsFor(func(set *recordSettings) { set.encoding = encodingBlocks })
	for _, e := range events {
		r.event(e)
	}
	b := &batch{blocks: r.blocks, spare: r.spare}
	b.logs = r.take()
	b.encode()
	return b.logs
}

// Reconstructed events stay records, in their order.
func TestEncoding_ReconstructedEventsAreRecords(t *testing.T) {
	t.Parallel()
	event := func(at int64) *jsonevent.Event {
		return &jsonevent.Event{Type: jsonevent.MessageSend, Time: at, ChannelID: []byte("c")}
	}
	logs := blockOf(event(1), event(2), &jsonevent.Event{Type: jsonevent.ConnectionOpen, Time: 3, ChannelID: []byte("d"), Reconstructed: true}, event(4))
	var names []string
	for _, record := range recordsOf(logs) {
		names = append(names, record.EventName())
	}
	assert.Equal(t, []string{wsevent.EventBlock, wsevent.ConnectionOpen, wsevent.EventBlock}, names)
}

// A block has no raw object, no event id, and ids only of opens and closes.
func TestEncoding_BlockHasNoContent(t *testing.T) {
	t.Parallel()
	text := asJSON(t, blockOf(&jsonevent.Event{
		Type: jsonevent.MessageReceive, Time: 1, ChannelID: []byte("channel"), UserID: []byte("somebody"), ID: []byte("e-1"), Raw: []byte(`{"text":"hello"}`),
	}))
	logs, err := (&plog.JSONUnmarshaler{}).UnmarshalLogs([]byte(text))
	require.NoError(t, err)
	body := string(recordsOf(logs)[0].Body().Bytes().AsRaw())
	for _, secret := range []string{"channel", "somebody", "e-1", "hello"} {
		assert.NotContains(t, body, secret)
	}
	var r eventblock.Reader
	require.NoError(t, wslog.OpenBlock(recordsOf(logs)[0].LogRecord, &r))
	e := eventblock.Event{}
	require.True(t, r.Next(&e))
	assert.Equal(t, eventblock.HashString("channel"), e.Channel)
	assert.Equal(t, arrival.UnixNano(), e.Observed)
}

// Where downstream accepts a part of a batch, the rest is counted by its events.
func TestDelivery_RestOfBlocks(t *testing.T) {
	t.Parallel()
	rest := blockOf(&jsonevent.Event{Time: 1}, &jsonevent.Event{Time: 2}, &jsonevent.Event{Time: 3})
	b := &batch{logs: rest, size: 9}
	delivery := newBench(t, configFor("ws://127.0.0.1:1")).delivery(0)
	delivery.next = &answers{all: []error{consumererror.NewLogs(errors.New("refused"), rest)}}
	require.Error(t, delivery.consume(t.Context(), b))
	assert.Equal(t, 3, b.size)
}
