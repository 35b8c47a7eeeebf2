// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package ccaaswsreceiver

import (
	"sync"
	"time"

	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
)

// aliveLag is how far reading may be behind for a sign of life: less than a lateness
// that windows allow.
const aliveLag = 100 * time.Millisecond

// alive gives signs of life while a socket is up, so that whoever counts the events
// in another process can tell a calm stream from one that no longer reaches it.
type alive struct {
	interval time.Duration // 0: none
	stop     chan struct{}
	running  sync.WaitGroup
}

// begin gives signs from a moment on. Each speaks for the time since the one
// before, which is longer than the interval where the outbox was full meanwhile.
//
// ReadTo is the time up to which all that the platform sent is read: where that is
// behind, a sign would speak for events that are still to be read, and is left out.
func (a *alive) begin(since time.Time, readTo func(time.Time) time.Time, sign func(at time.Time, since time.Duration)) {
	if a.interval == 0 {
		return
	}
	a.stop = make(chan struct{})
	a.running.Go(func() {
		ticker := time.NewTicker(a.interval)
		defer ticker.Stop()
		for {
			select {
			case <-a.stop:
				return
			case <-ticker.C:
				now := time.Now()
				if readTo(now).Before(now.Add(-aliveLag)) {
					continue
				}
				sign(now, max(a.interval, now.Sub(since)))
				since = now
			}
		}
	})
}

// end waits until the last sign is given.
func (a *alive) end() {
	if a.stop != nil {
		close(a.stop)
		a.running.Wait()
		a.stop = nil
	}
}

// lives puts a sign of life into each stream.
func (c *connection) lives(at time.Time, since time.Duration) {
	for _, one := range c.streams.carried(at) {
		c.batcher.stream(wsevent.StreamAlive, one, at, func(record plog.LogRecord) {
			record.Attributes().PutInt(wsevent.StreamConnection, int64(c.number))
			record.Attributes().PutInt(wsevent.AliveInterval, since.Milliseconds())
		})
	}
}
