// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package ccaaswsreceiver

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
)

func TestHeartbeat_IntervalIsTimeSinceLastRecord(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		type sign struct{ at, since time.Duration }
		var signs []sign
		began := time.Now()
		a := heartbeat{interval: 10 * time.Second}
		a.start(began, func(now time.Time) time.Time { return now }, func(at time.Time, since time.Duration) {
			signs = append(signs, sign{at.Sub(began), since})
			if len(signs) == 2 {
				time.Sleep(35 * time.Second) // the batch is full
			}
		})
		time.Sleep(61 * time.Second)
		a.stop()
		time.Sleep(time.Minute)
		assert.Equal(t, []sign{
			{10 * time.Second, 10 * time.Second},
			{20 * time.Second, 10 * time.Second},
			{55 * time.Second, 35 * time.Second},
			{60 * time.Second, 10 * time.Second},
		}, signs)
		a.stop() // once more is nothing
	})
}

func TestHeartbeat_EveryStream(t *testing.T) {
	t.Parallel()
	inMemory(t, func(c *Config, _ *memoryPlatform) { c.AliveInterval = 10 * time.Second }, func(t *testing.T, b *bench, p *memoryPlatform, socket *websocket.Conn) {
		time.Sleep(11 * time.Second)
		alive := b.downstream.records(wsevent.StreamAlive)
		require.Len(t, alive, 1, "of the configured stream, before the first event")
		assert.Equal(t, "acme_corp", alive[0].tenant)
		send(t, socket, of("globex", 1))
		send(t, socket, of("initech", 2))
		time.Sleep(30 * time.Second)
		_ = socket.Close()
		<-p.sockets
		time.Sleep(15 * time.Second)

		beats := map[string]int{}
		down := map[string]bool{} // streams
		for _, record := range b.downstream.records() {
			switch record.EventName() {
			case wsevent.StreamDisconnected:
				down[record.tenant] = true
			case wsevent.StreamConnected:
				delete(down, record.tenant)
				assert.Equal(t, int64(10_000), record.integer(t, wsevent.AliveInterval))
			case wsevent.StreamAlive:
				beats[record.tenant]++
				assert.NotContains(t, down, record.tenant, "stream.alive while no socket is up")
				assert.Equal(t, int64(10_000), record.integer(t, wsevent.AliveInterval))
				assert.Zero(t, record.integer(t, wsevent.StreamConnection))
				assert.Equal(t, wsevent.Unknown, record.channelType)
				assert.Equal(t, record.Timestamp(), record.ObservedTimestamp())
			}
		}
		assert.Equal(t, map[string]int{"acme_corp": 1, "globex": 4, "initech": 4}, beats)
	})
}

func TestHeartbeat_OffByDefault(t *testing.T) {
	t.Parallel()
	inMemory(t, nil, func(t *testing.T, b *bench, _ *memoryPlatform, _ *websocket.Conn) {
		time.Sleep(time.Hour)
		assert.Empty(t, b.downstream.records(wsevent.StreamAlive))
		_, has := b.downstream.records(wsevent.StreamConnected)[0].Attributes().Get(wsevent.AliveInterval)
		assert.False(t, has)
	})
}

// A heartbeat that waits for a full batch does not delay the shutdown.
func TestShutdown_HeartbeatWhileBatchIsFull(t *testing.T) {
	t.Parallel()
	server := platformFor(t, nil)
	config := configFor(server.URL())
	config.AliveInterval = 100 * time.Millisecond
	config.Batch.MaxEvents = 1
	b := run(t, config)
	b.downstream.answer(errRefused)
	waitConnected(t, server)
	require.Eventually(t, func() bool { return b.downstream.offered() > 2 }, patience, time.Millisecond)
}
