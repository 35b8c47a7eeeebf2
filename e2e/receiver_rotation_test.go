// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	sim "github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim"
)

// A socket is replaced before it is lost: nothing is lost, nothing is emitted twice,
// and there is no gap.
func TestReceiverRotatesWithoutLossOrDoubleCount(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		receiver, api, cause string
		platform             func(*sim.Config)
	}{
		"token, events shared out": {
			"", "realtime_events", "token_expiry",
			func(c *sim.Config) { c.TokenTTL, c.Trouble.CloseExpired = 6*time.Second, true },
		},
		"token, events on every socket": {
			"", "realtime_events", "token_expiry",
			func(c *sim.Config) {
				c.TokenTTL, c.Trouble.CloseExpired, c.Delivery = 6*time.Second, true, sim.DeliverBroadcast
			},
		},
		"age, as after 24 h": {
			"rotation: { max_age: 3s, overlap: 1s }", "realtime_events", "max_age",
			func(c *sim.Config) { c.Delivery, c.Trouble.Duplicates = sim.DeliverBroadcast, 0.05 },
		},
		"age, events without ids of their own": {
			"rotation: { max_age: 3s, overlap: 1s }\nfields: { id: \"\" }", "realtime_events", "max_age",
			func(c *sim.Config) { c.Delivery, c.Timestamp = sim.DeliverBroadcast, sim.TimestampNanoseconds },
		},
		"socket_closing": {
			"api: notifications\nrotation: { overlap: 500ms }", "notifications", "maintenance",
			func(c *sim.Config) {
				c.Trouble.SocketClosingEvery, c.Trouble.SocketClosingGrace = 3*time.Second, 2*time.Second
			},
		},
		"channel": {
			"api: notifications\nrotation: { overlap: 200ms }", "notifications", "channel_expiry",
			func(c *sim.Config) { c.Trouble.ChannelTTL = 5 * time.Second },
		},
		"token of notifications": {
			"api: notifications\nrotation: { overlap: 200ms }", "notifications", "token_expiry",
			func(c *sim.Config) { c.TokenTTL, c.Trouble.CloseExpired = 6*time.Second, true },
		},
		"token of the event hub": {
			"platform: nice_cxone\napi: event_hub\nrotation: { overlap: 200ms }", "event_hub", "token_expiry",
			func(c *sim.Config) { c.TokenTTL, c.Trouble.CloseExpired = 6*time.Second, true },
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			platform := lively(t, func(c *sim.Config) {
				c.Events = 6000
				test.platform(c)
			})
			w := watch(t, endpoint(platform)+test.receiver)
			w.agree(t, platform, test.api)
			w.stop(t)
			all := w.records(t)
			assert.Equal(t, platform.Truth().APIs[test.api].Total, countsOf(all))
			assert.Empty(t, slices.DeleteFunc(named(all, "stream.gap"), func(one logLine) bool {
				return one.cause == "shutdown" // what the test's end leaves unread on a slow machine
			}))
			assert.Len(t, named(all, "stream.connected"), 1)
			rotations := strings.Count(w.output.String(), `A new socket is up`)
			assert.GreaterOrEqual(t, rotations, 2)
			assert.Contains(t, w.output.String(), `"cause": "`+test.cause+`"`)
			t.Logf("%d rotations, %d events", rotations, platform.Truth().APIs[test.api].Events)
		})
	}
}

func TestReceiver_ExcessScopesAreLogged(t *testing.T) {
	t.Parallel()
	platform := lively(t, func(c *sim.Config) {
		c.GrantedScopes = []string{"analytics:realtime:view", "digital:engagement:metrics:read", "admin:everything"}
	})
	w := watch(t, endpoint(platform))
	require.NoError(t, platform.WaitConnected(t.Context()))
	eventually(t, func() error {
		return w.says("The token has more scopes than requested", "admin:everything", "use a dedicated OAuth client")
	})

	strict := watch(t, endpoint(platform)+"oauth2: { client_id: collector, client_secret: "+hushed+", strict_scopes: true }")
	eventually(t, func() error { return strict.says("admin:everything", "oauth2::strict_scopes refuses it") })
	assert.Empty(t, strict.records(t))
}
