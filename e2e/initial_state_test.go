// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"errors"
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	sim "github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim"
)

// A collector that starts in the middle of 5,000 open conversations: the first complete
// window has exactly the open ones, and none of them as opened.
func TestInitialState_FirstCompleteWindowHasTheOpenOnes(t *testing.T) {
	t.Parallel()
	const conversations = 5_000
	platform := startPlatform(t, func(c *sim.Config) {
		c.Tenants, c.Regions, c.ChannelTypes = []string{"acme_corp"}, []string{"us-east-1"}, []string{"webmessaging", "voice"}
		c.Sessions, c.Silent = conversations, true
	})
	sink := startWindowSink(t)
	collector := reconciling(t, platform, sink, t.TempDir(), quickly)
	deadline := time.Now().Add(3 * time.Minute)
	for {
		now, complete := sink.sums()
		if len(complete) == 2 {
			first := int64(0)
			for _, w := range complete {
				first += w.active
			}
			assert.Equal(t, int64(2*conversations), first, "two participants of each")
			assert.Equal(t, int64(2*conversations), now.active)
			assert.Zero(t, now.opened)
			break
		}
		require.True(t, time.Now().Before(deadline), "no complete window; %d active\n%s", now.active, collector.output.String())
		time.Sleep(200 * time.Millisecond)
	}
}

// A platform that loses events without a gap: conversations that ended meanwhile stay open
// here, and those that began are missing, until the comparison with its counts finds both.
func TestReconcile_LostEvents(t *testing.T) {
	t.Parallel()
	platform := startPlatform(t, func(c *sim.Config) {
		c.Tenants, c.Regions, c.ChannelTypes = []string{"acme_corp"}, []string{"us-east-1"}, []string{"webmessaging"}
		c.Sessions, c.Lossy, c.Rate, c.SessionMessages, c.Duration = 300, true, 120, 4, 25*time.Second
	})
	sink := startWindowSink(t)
	collector := reconciling(t, platform, sink, t.TempDir(), quickly)
	eventually(t, func() error {
		if now, complete := sink.sums(); len(complete) == 0 || now.opened == 0 {
			return errors.New("no complete window yet")
		}
		return nil
	})
	require.NoError(t, platform.Trouble(func(c *sim.Trouble) { c.Silence = true })) // shorter than a missing heartbeat
	<-platform.Done()
	require.NoError(t, platform.Trouble(func(c *sim.Trouble) { c.Silence = false }))
	missed := platform.Truth().APIs["notifications"].Missed.Series
	var opened, closed int64
	for i := range missed {
		opened += missed[i].ConnectionsOpened
		closed += missed[i].ConnectionsClosed
	}
	require.Positive(t, opened, "conversations began in the silence")
	require.Positive(t, closed, "conversations ended in the silence")
	eventually(t, func() error {
		if now, _ := sink.sums(); now.active != openAt(platform) {
			return fmt.Errorf("active %d of %d", now.active, openAt(platform))
		}
		return nil
	})
	assert.Contains(t, collector.output.String(), "Differences to the platform's counts resolved")
	collector.stop(t)
}

// A platform that lists only some of its open conversations: the log says how many are
// missing, and windows are incomplete until the numbers agree.
func TestInitialState_Truncated(t *testing.T) {
	t.Parallel()
	const conversations, listed = 400, 100
	platform := startPlatform(t, func(c *sim.Config) {
		c.Tenants, c.Regions, c.ChannelTypes = []string{"acme_corp"}, []string{"us-east-1"}, []string{"webmessaging"}
		c.Sessions, c.Silent, c.Queues = conversations, true, 1
		c.Trouble.AnalyticsTruncate = listed
	})
	sink := startWindowSink(t)
	collector := reconciling(t, platform, sink, t.TempDir(), quickly)
	eventually(t, func() error {
		if now, _ := sink.sums(); now.active != 2*listed {
			return fmt.Errorf("active %d of %d that are listed", now.active, 2*listed)
		}
		return nil
	})
	assert.Contains(t, collector.output.String(), strconv.Itoa(conversations-listed), "how many are missing")
	_, complete := sink.sums()
	assert.Empty(t, complete, "the numbers do not agree")
	require.NoError(t, platform.Trouble(func(c *sim.Trouble) { c.AnalyticsTruncate = 0 }))
	eventually(t, func() error {
		if _, complete := sink.sums(); len(complete) == 0 {
			return errors.New("no complete window yet")
		}
		return nil
	})
	now, complete := sink.sums()
	for _, first := range complete {
		assert.Equal(t, int64(2*conversations), first.active)
	}
	assert.Zero(t, now.opened)
	collector.stop(t)
}
