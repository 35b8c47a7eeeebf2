// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package ccaaswsreceiver

import (
	"bytes"
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/jsonevent"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
)

// message is an event with an id.
func message(id int) string {
	return fmt.Sprintf(`{"type":"message.send","timestamp":1715623400123,"channelId":"c-1","id":"%d"}`, id)
}

// messages is a frame of many events.
func messages(first, n int) []byte {
	var all []string
	for id := range n {
		all = append(all, message(first+id))
	}
	return []byte("[" + strings.Join(all, ",") + "]")
}

// carried is a batch, and when it came to the door.
type carried struct {
	ids   []string // of events; the names of other records
	after time.Duration
	read  tally
}

// carrying runs an outbox in fake time. Every batch takes the courier as long as
// delay says, and all of them are given once the work is done.
func carrying(t *testing.T, limits BatchConfig, delay time.Duration, work func(*testing.T, *outbox)) []carried {
	t.Helper()
	var batches []carried
	synctest.Test(t, func(t *testing.T) {
		decoder, err := jsonevent.NewDecoder(jsonevent.DefaultFields())
		require.NoError(t, err)
		o := newOutbox(limits, func(text []byte, _ time.Time, to jsonevent.Sink) { decoder.Decode(text, to) }, nil, recordsFor(nil), func(*jsonevent.Violation) {})
		began := time.Now()
		var courier sync.WaitGroup
		courier.Go(func() {
			o.carry(t.Context(), func(_ context.Context, b *batch) {
				one := carried{after: time.Since(began), read: b.read}
				for _, record := range recordsOf(b.logs) {
					if id := record.text(wsevent.EventID); id != "" {
						one.ids = append(one.ids, id)
					} else {
						one.ids = append(one.ids, record.EventName())
					}
				}
				assert.Len(t, one.ids, b.size)
				batches = append(batches, one)
				time.Sleep(delay)
			})
		})
		work(t, o)
		o.close()
		courier.Wait()
	})
	return batches
}

func ids(first, n int) []string {
	var all []string
	for id := range n {
		all = append(all, strconv.Itoa(first+id))
	}
	return all
}

var usual = BatchConfig{MaxEvents: 4, Timeout: 100 * time.Millisecond}

func TestBatchIsDueThoughNoFrameComes(t *testing.T) {
	t.Parallel()
	batches := carrying(t, usual, 0, func(_ *testing.T, o *outbox) {
		time.Sleep(time.Second)
		o.frame(messages(1, 1), time.Now(), 1)
		time.Sleep(60 * time.Millisecond)
		o.frame(messages(2, 1), time.Now(), 1)
		time.Sleep(time.Second)
		o.frame(messages(3, 1), time.Now(), 1)
	})
	require.Len(t, batches, 2)
	assert.Equal(t, ids(1, 2), batches[0].ids)
	assert.Equal(t, 1100*time.Millisecond, batches[0].after)
	assert.Equal(t, ids(3, 1), batches[1].ids, "the last one, at the end")
	assert.Equal(t, int64(2), batches[0].read.frames)
	assert.Equal(t, int64(2), batches[0].read.events)
}

func TestBatchIsFullInMidFrame(t *testing.T) {
	t.Parallel()
	batches := carrying(t, usual, 0, func(_ *testing.T, o *outbox) { o.frame(messages(0, 10), time.Now(), 1) })
	require.Len(t, batches, 3)
	assert.Equal(t, [][]string{ids(0, 4), ids(4, 4), ids(8, 2)}, [][]string{batches[0].ids, batches[1].ids, batches[2].ids})
}

func TestReadingStandsStillAndTellsIt(t *testing.T) {
	t.Parallel()
	var waited, counted time.Duration
	batches := carrying(t, usual, time.Second, func(_ *testing.T, o *outbox) {
		o.countBlock = func(blocked time.Duration) { counted += blocked }
		began := time.Now()
		o.frame(messages(0, 11), time.Now(), 1)
		waited = time.Since(began)
	})
	assert.Equal(t, time.Second, waited, "one batch is on its way, one is full, and there is no third")
	var all []string
	for _, batch := range batches {
		assert.LessOrEqual(t, len(batch.ids), usual.MaxEvents)
		all = append(all, batch.ids...)
	}
	assert.Equal(t, append(append(ids(0, 8), wsevent.StreamBackpressure), ids(8, 3)...), all, "nothing lost, in order, told once")
	assert.Equal(t, time.Second, counted)
}

func TestBackpressureDoesNotFeedItself(t *testing.T) {
	t.Parallel()
	batches := carrying(t, BatchConfig{MaxEvents: 1, Timeout: time.Millisecond}, time.Second, func(_ *testing.T, o *outbox) {
		o.frame(messages(0, 20), time.Now(), 1)
	})
	assert.LessOrEqual(t, len(batches), 20)
}

func TestShortWaitsAreNotTold(t *testing.T) {
	t.Parallel()
	batches := carrying(t, usual, tellBackpressure-time.Millisecond, func(_ *testing.T, o *outbox) {
		o.frame(messages(0, 40), time.Now(), 1)
	})
	for _, batch := range batches {
		assert.NotContains(t, batch.ids, wsevent.StreamBackpressure)
	}
}

func TestLargeEventsFillABatch(t *testing.T) {
	t.Parallel()
	large := []byte(`{"type":"message.send","timestamp":1715623400123,"channelId":"c-1","id":"1","text":"` + strings.Repeat("x", 1<<20) + `"}`)
	batches := carrying(t, BatchConfig{MaxEvents: 1000, Timeout: time.Second}, 0, func(_ *testing.T, o *outbox) {
		for range 10 {
			o.frame(bytes.Clone(large), time.Now(), 1)
		}
	})
	require.Len(t, batches, 3)
	assert.Len(t, batches[0].ids, 4)
}

func TestGoodNeighboursOfABadFrame(t *testing.T) {
	t.Parallel()
	batches := carrying(t, usual, 0, func(_ *testing.T, o *outbox) {
		o.frame([]byte("["+message(1)+`,{"type":"connection.teleport"},`+message(2)+"]"), time.Now(), 1)
		o.frame([]byte("hello"), time.Now(), 1)
	})
	require.Len(t, batches, 1)
	assert.ElementsMatch(t, []string{"1", wsevent.ProtocolViolation, "2", wsevent.ProtocolViolation}, batches[0].ids)
	assert.Equal(t, map[string]int64{"unknown_type": 1, "not_json": 1}, batches[0].read.violations)
}
