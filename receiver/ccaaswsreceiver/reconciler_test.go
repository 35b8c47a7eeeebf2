// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package ccaaswsreceiver

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	sim "github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
)

// reconciled is a configuration with the initial state, in a hurry.
func reconciled(server *sim.Server) *Config {
	config := configFor(server.URL())
	config.API = "notifications"
	config.InitialState.Enabled = true
	config.InitialState.Settle = 500 * time.Millisecond
	config.InitialState.ReconcileInterval = time.Hour
	return config
}

// busy is a platform with sessions that nothing happens to.
func busy(sessions int) func(*sim.Config) {
	return func(c *sim.Config) { c.Sessions, c.ChannelTypes = sessions, []string{"webmessaging", "voice"} }
}

func (d *downstream) reconstructed(name string) (found []taken) {
	return slices.DeleteFunc(d.records(name), func(r taken) bool { return r.text(wsevent.EventReconstructed) != "true" })
}

func channelsOf(records []taken) map[string]int {
	channels := map[string]int{}
	for _, one := range records {
		channels[one.text(wsevent.ChannelID)]++
	}
	return channels
}

// Each participant of each conversation that was open is one reconstructed open.
func TestInitialState_EveryOpenChannel(t *testing.T) {
	t.Parallel()
	server := platformFor(t, busy(150))
	started := time.Now()
	b := run(t, reconciled(server))
	b.downstream.wait(t, slices.Repeat([]string{wsevent.ConnectionOpen}, 300)...)
	opens := b.downstream.reconstructed(wsevent.ConnectionOpen)
	require.Len(t, opens, 300)
	assert.Len(t, channelsOf(opens), 300)
	for _, one := range opens {
		assert.Contains(t, []string{"webmessaging", "voice"}, one.channelType)
		assert.False(t, one.Timestamp().AsTime().Before(started), "the time is ours")
		assert.Less(t, one.integer(t, wsevent.ChannelOpened), started.UnixMilli(), "the start is the platform's")
	}
	b.downstream.wait(t, wsevent.StreamGap)
	for _, gap := range b.downstream.records(wsevent.StreamGap) {
		assert.Equal(t, wsevent.CauseInitialState, gap.text(wsevent.StreamCause), "windows are incomplete until the state is known")
	}
	require.Eventually(t, func() bool {
		return b.logs.FilterMessage("The channels that were open before the start are known").Len() == 1
	}, patience, time.Millisecond)
}

// connections is what a receiver has emitted of connections.
type connections struct{ opened, closed, present map[string]int }

// counted are the opens and closes by channel; one that was open before is none.
func (d *downstream) counted() connections {
	c := connections{opened: map[string]int{}, closed: map[string]int{}, present: map[string]int{}}
	for _, one := range d.records(wsevent.ConnectionOpen, wsevent.ConnectionClose) {
		id := one.text(wsevent.ChannelID)
		started, known := one.Attributes().Get(wsevent.ChannelOpened)
		switch {
		case one.EventName() == wsevent.ConnectionClose:
			c.closed[id]++
		case one.text(wsevent.EventReconstructed) == "true" && (!known || started.Int() != one.Timestamp().AsTime().UnixMilli()):
			c.present[id]++
		default:
			c.opened[id]++
		}
	}
	return c
}

// active is the number of channels that are open.
func (c connections) active() (n int) {
	for _, of := range []map[string]int{c.opened, c.present} {
		for id := range of {
			if c.closed[id] == 0 {
				n++
			}
		}
	}
	return n
}

func requireOnce(t *testing.T, of map[string]int) {
	t.Helper()
	for id, n := range of {
		require.Equal(t, 1, n, id)
	}
}

// ended are the opens and closes of the platform, whatever was sent of them.
func ended(server *sim.Server) (opened, closed, open int64) {
	truth := server.Truth()
	of := truth.APIs["notifications"]
	for _, counts := range [][]sim.SeriesCounts{of.Series, of.Missed.Series, of.Unsure.Series, of.Unsubscribed.Series} {
		for i := range counts {
			opened += counts[i].ConnectionsOpened
			closed += counts[i].ConnectionsClosed
		}
	}
	for i := range truth.Series {
		open += 2 * truth.Series[i].Open
	}
	return opened, closed, open
}

// What began and ended in a gap is reconstructed: each open and each close is emitted once.
func TestHeal_OpensAndClosesOfAGap(t *testing.T) {
	t.Parallel()
	for name, trouble := range map[string]func(*sim.Trouble){
		"at once": func(*sim.Trouble) {},
		"with a history that lags behind, and pages that shift": func(t *sim.Trouble) {
			t.AnalyticsLatency, t.AnalyticsShift = 300*time.Millisecond, 7
		},
		"with failures": func(t *sim.Trouble) { t.AnalyticsFail = sim.Failure{Status: 503, Times: 2} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := platformFor(t, func(c *sim.Config) {
				busy(60)(c)
				c.Silent, c.Lossy, c.Rate, c.SessionMessages, c.Duration = false, true, 150, 3, 12*time.Second
			})
			b := run(t, reconciled(server))
			waitConnected(t, server)
			b.downstream.wait(t, slices.Repeat([]string{wsevent.MessageSend}, 100)...)
			require.Eventually(t, func() bool { return len(b.downstream.reconstructed(wsevent.ConnectionOpen)) > 0 }, patience, 10*time.Millisecond)
			early, _, _ := ended(server)
			require.NoError(t, server.Trouble(func(t *sim.Trouble) { t.UpgradeFail = sim.Failure{Status: 503} }))
			server.Reset()
			time.Sleep(3 * time.Second)
			require.NoError(t, server.Trouble(func(c *sim.Trouble) {
				c.UpgradeFail = sim.Failure{}
				trouble(c)
			}))
			b.downstream.wait(t, wsevent.StreamHealed)
			<-server.Done()
			var c connections
			require.Eventually(t, func() bool {
				c = b.downstream.counted()
				opened, closed, open := ended(server)
				active := c.active()
				t.Logf("opened %d of %d, closed %d of %d, open %d of %d", len(c.opened), opened, len(c.closed), closed, active, open)
				// What was opened before the list of open channels was asked for is in it.
				before := opened - int64(len(c.opened))
				return before >= 0 && before <= early && int64(len(c.closed)) == closed && int64(active) == open
			}, patience, time.Second)
			requireOnce(t, c.opened)
			requireOnce(t, c.closed)
			requireOnce(t, c.present)
			healed := b.downstream.records(wsevent.StreamHealed)[0]
			assert.Positive(t, healed.integer(t, wsevent.HealedOpened))
			assert.Positive(t, healed.integer(t, wsevent.HealedClosed))
			unknown, _ := healed.Attributes().Get(wsevent.HealedUnknown)
			assert.Equal(t, []any{wsevent.HealedMessages}, unknown.Slice().AsRaw())
		})
	}
}

// Without a permission a function is off, with one log line that names it, and everything
// else goes on.
func TestInitialState_MissingPermission(t *testing.T) {
	t.Parallel()
	for _, permission := range []string{"analytics:queueObservation:view", "analytics:conversationDetail:view"} {
		t.Run(permission, func(t *testing.T) {
			t.Parallel()
			server := platformFor(t, func(c *sim.Config) {
				busy(20)(c)
				c.Silent, c.Trouble.MissingPermissions = false, []string{permission}
			})
			b := run(t, reconciled(server))
			require.Eventually(t, func() bool {
				return b.logs.FilterMessageSnippet("The platform refuses a request").Len() == 1
			}, patience, time.Millisecond)
			line := b.logs.FilterMessageSnippet("The platform refuses a request").All()[0].ContextMap()
			assert.Equal(t, "state at start", line["function"])
			assert.Equal(t, permission, line["missing_permission"])
			b.downstream.wait(t, wsevent.MessageSend, wsevent.MessageReceive)
			assert.Equal(t, 1, b.logs.FilterMessageSnippet("The platform refuses a request").Len())
		})
	}
}
