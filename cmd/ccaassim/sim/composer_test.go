// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package sim

import (
	"encoding/json"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// composed is everything a composer makes of some events, as bytes too.
type composed struct {
	batch
	bytes  []byte
	frames []frame
}

func compose(seed uint64, change func(*Config)) composed {
	config := DefaultConfig()
	config.Events = 3000
	change(&config)
	g := testGenerator(seed, func(c *Config) { *c = config })
	composer := newComposer(g, rand.New(rand.NewPCG(seed, 3)), config.Frame, config.FrameEvents)
	encode := newEncoder(g.series, config.Timestamp)
	var all composed
	for {
		f, ok := composer.next(&config.Trouble)
		if !ok {
			var c chunk
			encode.encode(&c, &all.batch, &config.Trouble)
			all.bytes = c.bytes
			return all
		}
		all.add(f, clock{origin: 1_715_623_400_123_456_789})
		f.items = slices.Clone(f.items)
		all.frames = append(all.frames, f)
	}
}

// events are the events composed, without duplicates and malformed ones.
func (c *composed) events() []event {
	var events []event
	for n := range c.items {
		if i := &c.items[n]; !i.duplicate && i.malformed == wellFormed {
			events = append(events, i.event)
		}
	}
	return events
}

func everyTrouble(c *Config) {
	c.Frame, c.FrameEvents = FrameMixed, 20
	c.Trouble.Duplicates, c.Trouble.Malformed, c.Trouble.Jitter, c.Trouble.Skew = 0.05, 0.05, 500*time.Millisecond, time.Second
	c.Trouble.OversizedBytes = 70_000
}

func TestASeedRepeatsTheFrames(t *testing.T) {
	t.Parallel()
	first, again := compose(5, everyTrouble), compose(5, everyTrouble)
	assert.Equal(t, first.bytes, again.bytes)
	other := compose(6, everyTrouble)
	assert.NotEqual(t, first.bytes, other.bytes)
}

func TestTroubleNeverChangesWhichEventsHappen(t *testing.T) {
	t.Parallel()
	calm, troubled := compose(5, func(*Config) {}), compose(5, everyTrouble)
	assert.ElementsMatch(t, calm.events(), troubled.events())
}

func TestFramesHoldNoMoreThanAskedAndAreNotHeldBack(t *testing.T) {
	t.Parallel()
	all := compose(1, func(c *Config) { c.Frame, c.FrameEvents, c.Rate = FrameArray, 20, 150 })
	sizes := map[int]bool{}
	for _, f := range all.frames {
		sizes[len(f.items)] = true
		require.LessOrEqual(t, len(f.items), 20)
		require.LessOrEqual(t, f.due-f.items[0].departs, frameWait)
	}
	assert.Greater(t, len(sizes), 5, "a frame goes when it has waited, full or not")
}

func TestJitterReordersWithinItsBound(t *testing.T) {
	t.Parallel()
	all := compose(1, func(c *Config) { c.Trouble.Jitter = 500 * time.Millisecond })
	require.Len(t, all.items, 3000)
	latest, reordered := time.Duration(0), 0
	for _, i := range all.items {
		require.Less(t, i.departs-i.event.at, 500*time.Millisecond)
		if i.event.at < latest {
			reordered++
			require.Less(t, latest-i.event.at, 500*time.Millisecond)
		}
		latest = max(latest, i.event.at)
	}
	assert.Greater(t, reordered, 1000)
}

func TestDuplicatesFollowTheirEventAndEqualIt(t *testing.T) {
	t.Parallel()
	all := compose(1, func(c *Config) { c.Trouble.Duplicates = 0.1 })
	seen, times, duplicates, after := map[identity]event{}, map[identity]int64{}, 0, 0
	for n, i := range all.items {
		if !i.duplicate {
			seen[i.event.id], times[i.event.id] = i.event, all.times[n]
			continue
		}
		duplicates++
		require.Equal(t, seen[i.event.id], i.event)
		require.Equal(t, times[i.event.id], all.times[n])
		if all.items[n-1].event.id == i.event.id {
			after++
		}
	}
	assert.InEpsilon(t, 300, duplicates, 0.2)
	assert.InEpsilon(t, duplicates/2, after, 0.3, "half of them right after, the others later")
}

func TestSkewShiftsTheRegionsClock(t *testing.T) {
	t.Parallel()
	encode := newEncoder([]Series{{Region: "us-east-1"}, {Region: "eu-west-1"}}, TimestampMilliseconds)
	trouble := DefaultTrouble()
	trouble.Skew, trouble.SkewRegion = -500*time.Millisecond, "eu-west-1"
	for series, want := range []string{"1715623400123", "1715623399623"} {
		text := string(encode.item(nil, &item{event: event{series: int32(series)}}, 1_715_623_400_123_456_789, &trouble))
		assert.Contains(t, text, `"timestamp":`+want+`,`)
	}
}

func TestEncodedEvents(t *testing.T) {
	t.Parallel()
	encode := newEncoder([]Series{{TenantID: `acme "corp"`, Region: "us-east-1", ChannelType: "voice"}}, TimestampRFC3339)
	drop := &event{
		id:      identity{high: 0x0123456789abcdef, low: 0xfedcba9876543210},
		channel: identity{low: 1},
		user:    0xbeef_0000_0000_12ab,
		kind:    connectionClose,
		ending:  &abnormalEndings[0],
	}
	assert.JSONEq(t, `{"type":"connection.close","timestamp":"2024-05-13T18:03:20.123Z",
		"channelId":"00000000-0000-4000-8000-000000000001","userId":"000012ab0000","region":"us-east-1",
		"tenantId":"acme \"corp\"","channelType":"voice","code":1006,"reason":"transport.failure",
		"id":"01234567-89ab-4def-bedc-ba9876543210"}`, string(encode.event(nil, drop, 1_715_623_400_123_456_789)))

	for form, want := range map[TimestampForm]string{
		TimestampSeconds:      "1715623400",
		TimestampMilliseconds: "1715623400123",
		TimestampMicroseconds: "1715623400123456",
		TimestampNanoseconds:  "1715623400123456789",
	} {
		encode.timestamp = form
		assert.Equal(t, want, string(encode.stamp(nil, 1_715_623_400_123_456_789)), form)
	}
}

func TestMalformedKindsAreMalformedInTheirWay(t *testing.T) {
	t.Parallel()
	encode := newEncoder([]Series{{TenantID: "a", Region: "b", ChannelType: "c"}}, TimestampMilliseconds)
	trouble := DefaultTrouble()
	trouble.OversizedBytes = 5000
	for kind := notJSON; kind < malformations; kind++ {
		t.Run(kind.String(), func(t *testing.T) {
			t.Parallel()
			for face := range uint64(8) {
				i := &item{event: event{id: identity{low: face}, kind: messageSend, payload: 1}, malformed: kind}
				text := encode.item(nil, i, 1_715_623_400_123_456_789, &trouble)
				var fields map[string]any
				err := json.Unmarshal(text, &fields)
				switch kind {
				case notJSON, truncated, binaryFrame, nulBytes:
					require.Error(t, err)
				case invalidUTF8:
					assert.False(t, utf8.Valid(text))
				case tooDeep:
					assert.Contains(t, string(text), strings.Repeat("[", 10_000))
				case frameTooLarge:
					assert.Greater(t, len(text), 5000)
				case duplicateKey:
					assert.Equal(t, 2, strings.Count(string(text), `"type":`))
				case wrongType:
					_, typed := fields["type"].(string)
					_, channel := fields["channelId"].(string)
					assert.NotEqual(t, typed, channel, "one of the two has another type")
				case missingType:
					assert.NotContains(t, fields, "type")
				case unknownType:
					assert.Equal(t, "connection.teleport", fields["type"])
				case missingChannelID:
					assert.Empty(t, fields["channelId"])
				case missingTimestamp:
					assert.NotContains(t, fields, "timestamp")
				case badTimestamp:
					_, number := fields["timestamp"].(float64)
					assert.True(t, !number || fields["timestamp"].(float64) < 0)
				}
				if !kind.alone() {
					require.NoError(t, err, "it stands among well-formed neighbours")
				}
			}
		})
	}
}

func TestMalformedFramesDoNotSpoilTheirNeighbours(t *testing.T) {
	t.Parallel()
	all := compose(1, func(c *Config) { c.Frame, c.FrameEvents, c.Trouble.Malformed = FrameArray, 10, 0.1 })
	kinds := map[malformation]bool{}
	for _, f := range all.frames {
		for _, i := range f.items {
			kinds[i.malformed] = true
			require.True(t, len(f.items) == 1 || !i.malformed.alone(), "%s beside others", i.malformed)
		}
	}
	assert.Len(t, kinds, int(malformations), "every kind comes up")
}
