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

func hubWithState(server *sim.Server) *Config {
	config := configFor(server.URL())
	config.Platform, config.API = "nice_cxone", "event_hub"
	config.InitialState.Enabled, config.InitialState.Settle = true, 50*time.Millisecond
	return config
}

// Each case that was open is one reconstructed open, on whichever page, and after a
// failure that passes.
func TestOpenCases_EveryPage(t *testing.T) {
	t.Parallel()
	server := platformFor(t, func(c *sim.Config) {
		busy(60)(c)
		c.Trouble.AnalyticsFail = sim.Failure{Status: 503, Times: 1}
	})
	b := run(t, hubWithState(server))
	b.waitLog(t, known)
	b.downstream.wait(t, slices.Repeat([]string{wsevent.ConnectionOpen}, 60)...)
	opens := b.downstream.reconstructed(wsevent.ConnectionOpen)
	require.Len(t, opens, 60)
	assert.Len(t, channelsOf(opens), 60)
	for _, one := range opens {
		assert.Contains(t, []string{"webmessaging", "voice"}, one.channelType)
		assert.Less(t, one.integer(t, wsevent.ChannelOpened), one.Timestamp().AsTime().UnixMilli())
	}
}

// Cases that are counted and not listed are reported.
func TestOpenCases_Truncated(t *testing.T) {
	t.Parallel()
	server := platformFor(t, func(c *sim.Config) {
		busy(60)(c)
		c.Trouble.AnalyticsTruncate = 20
	})
	b := run(t, hubWithState(server))
	line := b.waitLog(t, "The platform does not list all channels")
	assert.EqualValues(t, 40, line["missing"])
	b.downstream.wait(t, wsevent.StreamGap)
	require.NoError(t, server.Trouble(func(t *sim.Trouble) { t.AnalyticsTruncate = 0 }))
	b.waitLog(t, known)
}

func TestOpenCases_MissingPermission(t *testing.T) {
	t.Parallel()
	server := platformFor(t, func(c *sim.Config) {
		c.Silent, c.Trouble.MissingPermissions = false, []string{"Digital Engagement > Analytics > View"}
	})
	b := run(t, hubWithState(server))
	line := b.waitLog(t, "The platform refuses a request")
	assert.Equal(t, "Digital Engagement > Analytics > View", line["missing_permission"])
	b.downstream.wait(t, wsevent.MessageSend, wsevent.MessageReceive)
	assert.Equal(t, 1, b.logs.FilterMessageSnippet("The platform refuses a request").Len())
}
