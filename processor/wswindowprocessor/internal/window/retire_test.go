// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package window

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
)

const minute int64 = 60_000

func retiring() Config {
	config := defaults()
	config.SeriesTTL = time.Hour
	config.TrackChanges = true
	return config
}

// quiet lets the wall clock act, as the processor does, from one minute to another.
func quiet(e *Engine, from, to int64) {
	for m := from; m <= to; m++ {
		e.Advance(base + m*minute)
	}
}

func totalsOf(t *testing.T, e *Engine, tags wsevent.Tags) (last wsevent.Window) {
	t.Helper()
	found := false
	for _, w := range e.Drain() {
		if w.Tags == tags {
			last, found = w, true
		}
	}
	require.True(t, found, "no window of %v", tags)
	return last
}

func TestSeries_RetiredSeriesReturnsWithNewTotals(t *testing.T) {
	t.Parallel()
	for name, swept := range map[string]bool{"swept": true, "not swept": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := New(retiring())
			live(e, acme, at(MessageSend, 1_000, 0), at(MessageSend, 2_000, 0))
			quiet(e, 1, 50)
			before := totalsOf(t, e, acme)
			assert.Equal(t, int64(2), before.Totals.MessagesSent)
			assert.Equal(t, 1, e.Stats().Series, "not yet")
			if swept {
				quiet(e, 51, 70)
				assert.Zero(t, e.Stats().Series)
			}
			live(e, acme, at(MessageSend, 70*minute+1_000, 0))
			quiet(e, 71, 72)
			after := totalsOf(t, e, acme)
			assert.Equal(t, int64(1), after.Totals.MessagesSent)
			assert.Greater(t, after.Since, before.End, "the totals begin anew")
			assert.LessOrEqual(t, int64(after.Since), base+70*minute+1_000)
			assert.Equal(t, int64(1), e.Stats().RetiredSeries)
			assert.Equal(t, 1, e.Stats().Series)
		})
	}
}

func TestSeries_NotRetiredWithOpenChannelsOrEvents(t *testing.T) {
	t.Parallel()
	config := retiring()
	config.ChannelTTL = 4 * time.Hour
	e := New(config)
	other := acme
	other.ChannelType = "voice"
	live(e, acme, at(ConnectionOpen, 1_000, 1))
	for m := int64(1); m < 180; m += 30 {
		live(e, other, at(MessageSend, m*minute, 0))
		quiet(e, m, m+29)
	}
	assert.Equal(t, 2, e.Stats().Series, "one has an open channel, the other events")
	assert.Zero(t, e.Stats().RetiredSeries)
	quiet(e, 181, 400)
	assert.Zero(t, e.Stats().Series, "the channel has expired, and both are retired")
	assert.Equal(t, int64(2), e.Stats().RetiredSeries)
}

// The slot of a retired series is free for another, and so is the number of a stream
// without series: what is in memory and on disk is bounded by what is in use at a time.
func TestSeries_ManyShortLivedTenants(t *testing.T) {
	t.Parallel()
	config := retiring()
	config.MaxSeries = 20
	e := New(config)
	disk := &store{}
	for round := range int64(10) {
		from := round * 200
		for i := range int64(20) {
			tags := wsevent.Tags{TenantID: fmt.Sprintf("tenant-%d-%d", round, i), Region: "eu", ChannelType: "voice"}
			live(e, tags, at(ConnectionOpen, from*minute+i, uint64(i+1)), at(ConnectionClose, from*minute+1_000+i, uint64(i+1)))
		}
		quiet(e, from+1, from+199)
		for _, w := range e.Drain() {
			assert.False(t, w.Tags.Overflow, "round %d: %v", round, w.Tags)
		}
		assert.Zero(t, e.Stats().Series)
		disk.save(e, 100, base+(from+199)*minute)
		if round == 5 {
			e = disk.restore(t, config, base+(from+199)*minute)
			assert.Zero(t, e.Stats().Series)
		}
	}
	assert.LessOrEqual(t, len(e.numbered), 22)
	assert.LessOrEqual(t, len(disk.streams), 22)
	assert.Len(t, e.streams, 1, "that of the overflow set")
	assert.LessOrEqual(t, len(e.tenants), 1)
	assert.Empty(t, e.usedBy)
}

// A series that takes the place of a retired one has the channels that were saved for it.
func TestState_ChannelsOfASeriesInARetiredPlace(t *testing.T) {
	t.Parallel()
	e := New(retiring())
	disk := &store{}
	voice, chat := acme, acme
	voice.ChannelType, chat.ChannelType = "voice", "chat"
	live(e, voice, at(ConnectionOpen, 0, 1), at(ConnectionClose, 500, 1))
	live(e, acme, at(ConnectionOpen, 1_000, 2))
	disk.save(e, 1, base+2_000)
	for m := int64(1); m < 100; m++ {
		live(e, acme, at(MessageSend, m*minute, 2))
		quiet(e, m, m)
		disk.save(e, 1, base+m*minute)
	}
	require.Equal(t, 1, e.Stats().Series)
	live(e, chat, at(ConnectionOpen, 100*minute, 1), at(ConnectionOpen, 100*minute, 3))
	disk.save(e, 1, base+100*minute)
	e = disk.restore(t, retiring(), base+100*minute+100)
	assert.Equal(t, 2, e.Stats().Series)
	assert.Equal(t, 3, e.Stats().Channels)
	live(e, chat, at(MessageSend, 100*minute+1_000, 3))
	quiet(e, 101, 101)
	assert.Equal(t, int64(2), totalsOf(t, e, chat).ActiveConnections)
	assert.Len(t, e.streams[streamKey{acme.TenantID, acme.Region, false}].series, 2, "the place is taken")
}

func TestSeries_LimitOfATenant(t *testing.T) {
	t.Parallel()
	config := retiring()
	config.MaxSeries = 7
	config.MaxSeriesPerTenant = 3
	e := New(config)
	observeOne := func(tenant, region, channelType string) {
		live(e, wsevent.Tags{TenantID: tenant, Region: region, ChannelType: channelType}, at(MessageSend, 1_000, 0))
	}
	for i := range 10 {
		observeOne("noisy", "eu", fmt.Sprint("type-", i))   // 3 sets, 7 past its limit
		observeOne("regions", fmt.Sprint("r-", i), "voice") // the same, with streams of their own
	}
	observeOne("calm", "eu", "voice") // the seventh
	observeOne("calm", "eu", "chat")  // past max_series
	observeOne("late", "eu", "voice")
	assert.Equal(t, 7, e.Stats().Series)
	assert.LessOrEqual(t, len(e.streams), 1+1+3+1+1+1+1, "noisy, regions and its overflow, noisy's overflow, calm, late, that for all")
	quiet(e, 1, 1)
	counted := map[wsevent.Tags]int64{}
	for _, w := range e.Drain() {
		if w.Tags.Overflow {
			counted[w.Tags] = max(counted[w.Tags], w.Totals.MessagesSent)
		}
	}
	assert.Equal(t, map[wsevent.Tags]int64{
		{TenantID: "noisy", Overflow: true}:   7,
		{TenantID: "regions", Overflow: true}: 7,
		{Overflow: true}:                      2,
	}, counted)

	// The set past the limit is restored as what it is.
	disk := &store{}
	disk.save(e, 100, base+2*minute)
	e = disk.restore(t, config, base+2*minute)
	assert.Equal(t, 7, e.Stats().Series)
	live(e, wsevent.Tags{TenantID: "noisy", Region: "eu", ChannelType: "type-9"}, at(MessageSend, 2*minute+1_000, 0))
	quiet(e, 3, 3)
	assert.Equal(t, int64(8), totalsOf(t, e, wsevent.Tags{TenantID: "noisy", Overflow: true}).Totals.MessagesSent)
}

// An overflow set that a record claims to be of makes no stream of its own.
func TestSeries_OverflowOfAnotherCollector(t *testing.T) {
	t.Parallel()
	config := retiring()
	config.MaxSeriesPerTenant = 3
	e := New(config)
	for i := range 50 {
		live(e, wsevent.Tags{TenantID: fmt.Sprint("tenant-", i), Overflow: true}, at(MessageSend, 1_000, 0))
	}
	assert.Len(t, e.streams, 1)
	quiet(e, 1, 1)
	assert.Equal(t, int64(50), totalsOf(t, e, overflow).Totals.MessagesSent)
}

// As many zeros may be due at a time as there are series: none of 6,000 is left out
// because the clock has gone on by two windows.
func TestSeries_ZerosOfManySeriesAreNotSkipped(t *testing.T) {
	t.Parallel()
	config := defaults()
	config.MaxSeries = 10_000
	e := New(config)
	for i := range 6_000 {
		tags := wsevent.Tags{TenantID: fmt.Sprint("tenant-", i/3), Region: "eu", ChannelType: fmt.Sprint("type-", i%3)}
		live(e, tags, at(MessageSend, 1_000, 0))
	}
	e.Advance(base + 15_000)
	e.Drain()
	e.Advance(base + 45_000)
	assert.Len(t, e.Drain(), 3*6_000)
	assert.Zero(t, e.Stats().SkippedWindows)
}
