// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package alertconnector

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	owntest "github.com/otelcol-ccaas/otelcol-ccaas/internal/componenttest"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
)

const heartbeatRule = `
heartbeat: { interval: 1m, name: Watchdog }
` + dropRule

// A heartbeat is emitted each minute while windows arrive for every stream that is up, and not
// while one of them is late; over a restart as well.
func TestHeartbeat(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		config, d := configured(t, heartbeatRule), owntest.NewStorage()
		globex := wsevent.Tags{TenantID: "globex", Region: "eu-west-1", ChannelType: "voice"}
		r := begin(t, config, d, nil)
		now := func() int64 { return time.Now().UnixMilli() }
		calm := map[string]float64{"ws.active_connections": 142, "ws.window.complete": 1, "ws.drop_rate": 0}
		feed := func(r *running, seconds int, streams ...wsevent.Tags) {
			for range seconds / 9 {
				for _, tags := range streams {
					r.consume(t, windowOf(tags, now(), calm))
				}
				time.Sleep(9 * time.Second)
			}
		}
		time.Sleep(5 * time.Minute)
		assert.Empty(t, r.bodies(), "there are no windows yet")

		feed(r, 299, acme, globex)
		all := r.bodies()
		require.Len(t, all, 5)
		sameID(t, all)
		for _, b := range all {
			assert.Equal(t, []any{"firing", "Watchdog", "none"}, []any{b["status"], b["metric"], b["alert_type"]})
			assert.Equal(t, int64(180_000), b["ends_at"].(int64)-b["window_end"].(int64))
			assert.NotContains(t, b, "reason")
		}

		feed(r, 600, acme) // globex is cut off
		assert.LessOrEqual(t, len(r.bodies()), 7, "it was late after a minute")
		assert.Equal(t, 1, r.log.FilterMessageSnippet("Heartbeat withheld").Len())
		r.end(t)

		again := begin(t, config, d.Copy(), nil)
		feed(again, 180, acme)
		assert.Empty(t, again.bodies(), "globex was up before the restart")
		feed(again, 180, acme, globex)
		assert.NotEmpty(t, again.bodies())
		assert.Equal(t, 1, again.log.FilterMessage("Heartbeat resumed").Len())
		calm["ws.active_connections"] = 0
		feed(again, 18, globex)
		before := len(again.bodies())
		calm["ws.active_connections"] = 142
		feed(again, 300, acme)
		assert.GreaterOrEqual(t, len(again.bodies()), before+4, "globex has no connections, and no windows")
		again.end(t)
	})
}

// While downstream refuses alerts no heartbeat is queued, so that old ones are not sent later.
func TestHeartbeat_NotQueued(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		disk := owntest.NewStorage()
		disk.FailAfter(0)
		next := sinkOf(disk)
		r := begin(t, configured(t, heartbeatRule), nil, next)
		for range 100 {
			r.consume(t, drops(time.Now().UnixMilli(), 0))
			time.Sleep(9 * time.Second)
		}
		disk.FailAfter(-1)
		time.Sleep(2 * time.Second)
		synctest.Wait()
		assert.Len(t, bodies(next.AllLogs()), 2, "the one that was refused, and the next")
		r.end(t)
	})
}
