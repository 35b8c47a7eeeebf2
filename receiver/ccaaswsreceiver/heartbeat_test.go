// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package ccaaswsreceiver

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

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
				time.Sleep(35 * time.Second) // the outbox is full
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
	server := platformFor(t, nil)
	config := configFor(server.URL())
	config.AliveInterval = 100 * time.Millisecond
	config.Reconnect.InitialInterval, config.Reconnect.MaxInterval = 400*time.Millisecond, 400*time.Millisecond
	config.Reconnect.RandomizationFactor = 0
	b := run(t, config)
	waitConnected(t, server)
	b.downstream.wait(t, wsevent.StreamAlive) // of the configured stream, before there is any other
	require.NoError(t, server.Send(of("globex", 1)))
	require.NoError(t, server.Send(of("initech", 2)))
	b.downstream.wait(t, wsevent.MessageSend, wsevent.MessageSend)
	told := func(tenant string) func() bool {
		return func() bool {
			return slices.ContainsFunc(b.downstream.records(wsevent.StreamAlive), func(r taken) bool { return r.tenant == tenant })
		}
	}
	require.Eventually(t, told("globex"), patience, time.Millisecond)
	require.Eventually(t, told("initech"), patience, time.Millisecond)
	server.Reset()
	b.downstream.wait(t, wsevent.StreamConnected, wsevent.StreamConnected, wsevent.StreamConnected)

	down := map[string]bool{} // streams
	for _, record := range b.downstream.records() {
		switch record.EventName() {
		case wsevent.StreamDisconnected:
			down[record.tenant] = true
		case wsevent.StreamConnected:
			delete(down, record.tenant)
			assert.Equal(t, int64(100), record.integer(t, wsevent.AliveInterval))
		case wsevent.StreamAlive:
			assert.NotContains(t, down, record.tenant, "a sign of life while no socket is up")
			assert.GreaterOrEqual(t, record.integer(t, wsevent.AliveInterval), int64(100))
			assert.Zero(t, record.integer(t, wsevent.StreamConnection))
			assert.Equal(t, wsevent.Unknown, record.channelType)
			assert.Equal(t, record.Timestamp(), record.ObservedTimestamp())
		}
	}
}

func TestHeartbeat_OffByDefault(t *testing.T) {
	t.Parallel()
	server := platformFor(t, nil)
	b := run(t, configFor(server.URL()))
	b.downstream.wait(t, wsevent.StreamConnected)
	_, has := b.downstream.records(wsevent.StreamConnected)[0].Attributes().Get(wsevent.AliveInterval)
	assert.False(t, has)
}

// Whoever stands still with a full outbox can be stopped.
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
