// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package window

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
)

func withSessions() Config {
	config := defaults()
	config.ReopenGrace = config.AllowedLateness
	config.Sessions = SessionConfig{
		Enabled: true, RecorderEvents: 8, Segment: time.Hour, ReconnectWithin: 5 * time.Minute, ExemplarsPerWindow: 5,
	}
	return config
}

// of gives an event the details of a session.
func of(event Event, user uint64) Event {
	event.Detail = &Detail{ChannelID: fmt.Sprintf("channel-%d", event.Channel), User: user}
	if event.Kind == ConnectionClose {
		event.Detail.CloseCode, event.Detail.HasCode, event.Detail.CloseReason = 1000, true, "bye"
		if event.Abnormal {
			event.Detail.CloseCode, event.Detail.CloseReason = 1006, "transport.failure"
		}
	}
	return event
}

// outline formats what most tests compare of a session.
func outline(s *wsevent.Session) string {
	line := fmt.Sprintf("%s %d-%d %s sent=%d received=%d bytes=%d", s.ChannelID, int64(s.Start)-base, int64(s.End)-base, s.Outcome,
		s.MessagesSent, s.MessagesReceived, s.PayloadBytes)
	if s.FirstReplyKnown {
		line += fmt.Sprintf(" reply=%v", s.FirstReply)
	}
	if s.Segmented {
		line += fmt.Sprintf(" segment=%d", s.Segment)
	}
	if !s.Complete {
		line += " incomplete"
	}
	return line
}

func outlines(sessions []wsevent.Session) []string {
	lines := make([]string, 0, len(sessions))
	for i := range sessions {
		lines = append(lines, outline(&sessions[i]))
	}
	return lines
}

func TestSession_Records(t *testing.T) {
	t.Parallel()
	const hour = 3_600_000
	for name, test := range map[string]struct {
		events []Event
		want   []string
	}{
		"closed, with a reply": {
			[]Event{
				at(ConnectionOpen, 1_000, 1), at(MessageSend, 1_100, 1), at(MessageReceive, 2_000, 1),
				at(MessageReceive, 2_100, 1), at(MessageSend, 4_500, 1), at(ConnectionClose, 5_000, 1),
			},
			[]string{"channel-1 1000-5000 closed sent=2 received=2 bytes=400 reply=2.5s"},
		},
		"dropped, without a reply": {
			[]Event{at(ConnectionOpen, 1_000, 1), at(MessageSend, 1_100, 1), drop(2_000, 1)},
			[]string{"channel-1 1000-2000 dropped sent=1 received=0 bytes=100"},
		},
		"a message that the close overtook": {
			[]Event{at(ConnectionOpen, 1_000, 1), drop(2_000, 1), at(MessageSend, 1_900, 1), at(MessageSend, 2_100, 1)},
			[]string{"channel-1 1000-2000 dropped sent=2 received=0 bytes=200"},
		},
		"an open that a message overtook": {
			[]Event{at(MessageReceive, 1_500, 1), at(ConnectionOpen, 1_000, 1), at(MessageSend, 2_500, 1), at(ConnectionClose, 3_000, 1)},
			[]string{"channel-1 1000-3000 closed sent=1 received=1 bytes=200 reply=1s"},
		},
		"a close without an open": {
			[]Event{at(ConnectionClose, 1_000, 1)},
			[]string{"channel-1 1000-1000 closed sent=0 received=0 bytes=0 incomplete"},
		},
		"messages before the open": {
			[]Event{at(MessageSend, 1_000, 1), at(ConnectionOpen, 2_000, 1), at(ConnectionClose, 3_000, 1)},
			[]string{"channel-1 1000-3000 closed sent=1 received=0 bytes=100 incomplete"},
		},
		"two opens": {
			[]Event{at(ConnectionOpen, 1_000, 1), at(ConnectionOpen, 2_000, 1), at(ConnectionClose, 3_000, 1)},
			[]string{"channel-1 1000-3000 closed sent=0 received=0 bytes=0 incomplete"},
		},
		"the same open and close twice": {
			[]Event{at(ConnectionOpen, 1_000, 1), at(ConnectionOpen, 1_000, 1), at(ConnectionClose, 3_000, 1), at(ConnectionClose, 3_000, 1)},
			[]string{"channel-1 1000-3000 closed sent=0 received=0 bytes=0"},
		},
		"opened again in the same window": {
			[]Event{
				at(ConnectionOpen, 1_000, 1), at(MessageSend, 1_500, 1), drop(2_000, 1),
				at(ConnectionOpen, 2_500, 1), at(MessageReceive, 2_600, 1), at(ConnectionClose, 3_000, 1),
			},
			[]string{
				"channel-1 1000-2000 dropped sent=1 received=0 bytes=100",
				"channel-1 2500-3000 closed sent=0 received=1 bytes=100",
			},
		},
		"expired": {
			[]Event{at(ConnectionOpen, 1_000, 1), at(MessageSend, 5_000, 1), at(MessageSend, 5*hour, 2)},
			[]string{
				"channel-1 1000-3601000 open sent=1 received=0 bytes=100 segment=0",
				"channel-1 1000-5000 expired sent=1 received=0 bytes=100 segment=4",
			},
		},
		"segments": {
			[]Event{
				at(ConnectionOpen, 0, 1), at(MessageSend, hour/2, 1), at(MessageSend, hour+hour/2, 1),
				at(MessageReceive, 3*hour+1, 1), at(ConnectionClose, 3*hour+2, 1),
			},
			[]string{
				"channel-1 0-3600000 open sent=1 received=0 bytes=100 segment=0",
				"channel-1 0-7200000 open sent=2 received=0 bytes=200 segment=1",
				"channel-1 0-10800002 closed sent=2 received=1 bytes=300 segment=3",
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := New(withSessions())
			for i := range test.events {
				test.events[i] = of(test.events[i], 0)
			}
			live(e, acme, test.events...)
			last := test.events[len(test.events)-1].Time
			e.Advance(last + 60_000)
			assert.Equal(t, test.want, outlines(e.DrainSessions()))
		})
	}
}

func TestSession_Details(t *testing.T) {
	t.Parallel()
	e := New(withSessions())
	live(e, acme, of(at(ConnectionOpen, 1_000, 1), 7))
	for i := range int64(20) {
		live(e, acme, of(at(MessageSend, 1_000+i*100, 1), 7))
	}
	live(e, acme, of(drop(4_000, 1), 7), of(at(ConnectionOpen, 30_000, 2), 7), of(at(ConnectionClose, 31_000, 2), 7))
	e.Advance(base + 60_000)
	ended := e.DrainSessions()
	require.Len(t, ended, 2)
	first, second := ended[0], ended[1]
	assert.Equal(t, int64(1006), first.CloseCode)
	assert.Equal(t, "transport.failure", first.CloseReason)
	assert.True(t, first.Sampled, "every drop is, up to exemplars_per_window")
	assert.Empty(t, first.TraceState, "its probability is not known")
	require.Len(t, first.Events, 8)
	assert.Equal(t, wsevent.SessionEvent{Offset: 3 * time.Second, Type: wsevent.ConnectionClose}, first.Events[7])
	assert.Equal(t, wsevent.SessionEvent{Offset: 1900 * time.Millisecond, Type: wsevent.MessageSend}, first.Events[6])
	assert.Equal(t, first.SpanContext, second.ReconnectOf)
	assert.False(t, second.Sampled)

	windows := e.Drain()
	require.NotEmpty(t, windows)
	require.Len(t, windows[0].Dropped, 1)
	assert.Equal(t, first.SpanContext, windows[0].Dropped[0].SpanContext)
	assert.Equal(t, 3*time.Second, windows[0].Dropped[0].Duration)
	last := windows[len(windows)-1]
	assert.Equal(t, int64(1), last.Totals.ConnectionsReopened)
	require.Len(t, last.Sessions, 2)
	assert.Equal(t, uint64(1), last.Sessions[0].Duration.Count)
	assert.Equal(t, int64(3_000), last.Sessions[1].Duration.Sum)
	assert.Zero(t, last.Sessions[1].FirstReply.Count)
	assert.Equal(t, windows[0].Since, last.SessionsSince)
}

func TestSession_WithoutRecorderItsChannelIDIsOfTheClose(t *testing.T) {
	t.Parallel()
	config := withSessions()
	config.Sessions.RecorderEvents = 0
	e := New(config)
	live(e, acme, of(at(ConnectionOpen, 1_000, 1), 0), of(at(ConnectionClose, 2_000, 1), 0))
	e.Advance(base + 60_000)
	ended := e.DrainSessions()
	require.Len(t, ended, 1)
	assert.Equal(t, "channel-1", ended[0].ChannelID)
	assert.Empty(t, ended[0].Events)
}

func TestSession_BurstIsSampledAndCounted(t *testing.T) {
	t.Parallel()
	config := withSessions()
	config.Overlap = time.Second
	e := New(config)
	var events []Event
	for i := range uint64(10_000) {
		events = append(events, of(at(ConnectionOpen, 1_000, i+1), i+1))
	}
	for i := range uint64(10_000) {
		events = append(events, of(drop(9_500, i+1), i+1)) // in two windows
	}
	observe(e, acme, events, base+9_500)
	e.Advance(base + 60_000)
	ended := e.DrainSessions()
	require.Len(t, ended, 10_000)
	sampled := 0
	traces := map[wsevent.TraceID]bool{}
	for i := range ended {
		if ended[i].Sampled {
			sampled++
			traces[ended[i].TraceID] = true
		}
	}
	assert.Equal(t, 5, sampled)
	windows := e.Drain()
	require.GreaterOrEqual(t, len(windows), 2)
	for _, w := range windows[:2] {
		require.Len(t, w.Dropped, 5)
		for _, one := range w.Dropped {
			assert.True(t, traces[one.TraceID], "an exemplar's session is sampled")
		}
	}
	assert.Equal(t, uint64(10_000), windows[len(windows)-1].Sessions[0].Duration.Count)
}

func TestSession_GapAndRestartAreIncomplete(t *testing.T) {
	t.Parallel()
	config := withSessions()
	config.TrackChanges = true
	e := New(config)
	live(e, acme, of(at(ConnectionOpen, 1_000, 1), 0), of(at(ConnectionOpen, 1_000, 2), 0), of(at(ConnectionClose, 2_000, 2), 0))
	live(e, acme, Event{Kind: Gap, Time: base + 5_000, GapEnd: base + 6_000, Observed: base + 6_000})
	live(e, acme, of(at(ConnectionOpen, 7_000, 3), 0), of(at(ConnectionClose, 40_000, 1), 0), of(at(ConnectionClose, 41_000, 3), 0), of(at(ConnectionOpen, 42_000, 4), 0))
	e.Advance(base + 60_000)
	assert.Equal(t, []string{
		"channel-2 1000-2000 closed sent=0 received=0 bytes=0",
		"channel-1 1000-40000 closed sent=0 received=0 bytes=0 incomplete",
		"channel-3 7000-41000 closed sent=0 received=0 bytes=0",
	}, outlines(e.DrainSessions()))

	var disk store
	disk.save(e, 1_000, base+60_000)
	e = disk.restore(t, config, base+70_000)
	live(e, acme, of(at(ConnectionOpen, 71_000, 5), 0), of(at(ConnectionClose, 72_000, 4), 0), of(at(ConnectionClose, 73_000, 5), 0))
	e.Advance(base + 100_000)
	assert.Equal(t, []string{
		"channel-4 42000-72000 closed sent=0 received=0 bytes=0 incomplete",
		"channel-5 71000-73000 closed sent=0 received=0 bytes=0",
	}, outlines(e.DrainSessions()))
}

func TestSession_SamplingIsConsistent(t *testing.T) {
	t.Parallel()
	config := withSessions()
	config.Sessions.SampleRatio = 0.25
	e := New(config)
	var events []Event
	for i := range uint64(4_000) {
		events = append(events, of(at(ConnectionOpen, 1_000, i+1), 0), of(at(ConnectionClose, 2_000, i+1), 0))
	}
	observe(e, acme, events, base+2_000)
	e.Advance(base + 60_000)
	sampled := 0
	for _, ended := range e.DrainSessions() {
		if ended.Sampled {
			sampled++
			require.Equal(t, "ot=th:c", ended.TraceState)
			require.GreaterOrEqual(t, randomness(ended.TraceID), uint64(0xc0000000000000))
		}
	}
	assert.InDelta(t, 1_000, sampled, 150)
}

func TestTraceState(t *testing.T) {
	t.Parallel()
	assert.Equal(t, "ot=th:0", traceState(rejected(1)))
	assert.Equal(t, "ot=th:8", traceState(rejected(0.5)))
	assert.Equal(t, uint64(1<<56), rejected(0))
	assert.True(t, strings.HasPrefix(traceState(rejected(0.01)), "ot=th:fd70a3d70a3d7"))
}

// The trace that an event record is given is that of its session's record.
func TestTraces_AreThoseOfTheRecords(t *testing.T) {
	t.Parallel()
	for seed := range uint64(20) {
		random := rand.New(rand.NewPCG(seed, 9))
		e := New(withSessions())
		stamped := map[string]wsevent.TraceID{}
		var batch []Event
		flush := func() {
			groups := []Group{{Tags: acme, Events: batch}}
			e.Traces(groups, func(_, event int, of wsevent.SpanContext) {
				stamped[fmt.Sprint(batch[event].Channel, batch[event].Time, batch[event].Kind)] = of.TraceID
			})
			if len(batch) > 0 {
				e.Observe(groups, batch[len(batch)-1].Time)
			}
			batch = nil
		}
		open := map[uint64]bool{}
		for i := range int64(2_000) {
			id := 1 + random.Uint64N(20)
			kind := MessageSend + Kind(random.IntN(2))
			switch {
			case !open[id]:
				kind, open[id] = ConnectionOpen, true
			case random.IntN(4) == 0:
				kind, open[id] = ConnectionClose, false
			}
			batch = append(batch, of(at(kind, i*300, id), 0))
			if random.IntN(10) == 0 {
				flush()
			}
		}
		flush()
		e.Advance(base + 10_000_000)
		checked := 0
		for _, ended := range e.DrainSessions() {
			for _, event := range ended.Events {
				var id uint64
				_, err := fmt.Sscanf(ended.ChannelID, "channel-%d", &id)
				require.NoError(t, err)
				kind := slices.IndexFunc([]Kind{ConnectionOpen, ConnectionClose, MessageSend, MessageReceive}, func(k Kind) bool { return k.eventName() == event.Type })
				key := fmt.Sprint(id, int64(ended.Start)+event.Offset.Milliseconds(), kind)
				require.Equal(t, ended.TraceID, stamped[key], "seed %d: %s of %s", seed, key, outline(&ended))
				checked++
			}
		}
		require.Greater(t, checked, 500)
	}
}

// sessionTraffic are events of many channels in order of time, with drops and reconnects
// of their users, and what the sessions are.
func sessionTraffic(random *rand.Rand, n int64) (arrivals []arrival, want []string) {
	type truth struct {
		start, receive, reply int64
		sent, received        int
	}
	open := map[uint64]*truth{}
	tags := []wsevent.Tags{acme, {TenantID: "acme_corp", Region: "us-east-1", ChannelType: "voice"}, {TenantID: "globex", Region: "eu", ChannelType: "voice"}}
	add := func(event Event) {
		event = of(event, event.Channel)
		event.Observed = event.Time
		arrivals = append(arrivals, arrival{tags: tags[event.Channel%3], event: event, now: event.Time})
	}
	end := func(id uint64, ms int64, outcome string) {
		s := open[id]
		delete(open, id)
		line := fmt.Sprintf("channel-%d %d-%d %s sent=%d received=%d bytes=%d", id, s.start, ms, outcome, s.sent, s.received, 100*(s.sent+s.received))
		if s.reply >= 0 {
			line += fmt.Sprintf(" reply=%v", time.Duration(s.reply-s.receive)*time.Millisecond)
		}
		want = append(want, line)
	}
	for ms := int64(0); ms < n; ms += 1 + random.Int64N(150) {
		id := 1 + random.Uint64N(60)
		s := open[id]
		switch draw := random.IntN(20); {
		case s == nil:
			open[id] = &truth{start: ms, receive: -1, reply: -1}
			add(at(ConnectionOpen, ms, id))
		case draw == 0:
			add(at(ConnectionClose, ms, id))
			end(id, ms, wsevent.OutcomeClosed)
		case draw == 1:
			add(drop(ms, id))
			end(id, ms, wsevent.OutcomeDropped)
		case draw < 10:
			s.received++
			if s.receive < 0 {
				s.receive = ms
			}
			add(at(MessageReceive, ms, id))
		default:
			s.sent++
			if s.receive >= 0 && s.reply < 0 && ms > s.receive {
				s.reply = ms
			}
			add(at(MessageSend, ms, id))
		}
	}
	for id := range open {
		add(at(ConnectionClose, n+1_000, id))
		end(id, n+1_000, wsevent.OutcomeClosed)
	}
	slices.Sort(want)
	return arrivals, want
}

func sorted(sessions []wsevent.Session) []string {
	lines := outlines(sessions)
	slices.Sort(lines)
	return lines
}

// Sessions do not depend on how events are split into batches, nor on kills after which
// every event since the last save is received again.
func TestSession_EqualsTruthOverKills(t *testing.T) {
	t.Parallel()
	config := withSessions()
	config.TrackChanges = true
	config.Overlap = time.Second
	kills := 0
	for seed := range uint64(12) {
		random := rand.New(rand.NewPCG(seed, 11))
		arrivals, want := sessionTraffic(random, 300_000)
		config.Sessions.RecorderEvents = int(seed%2) * 8
		config.Sessions.SampleRatio = 0.1
		all := func(e *Engine, kill bool) (ended []wsevent.Session, last []wsevent.Window) {
			var disk store
			var due []wsevent.Session
			var windows []wsevent.Window
			saved := 0
			for i := 0; i < len(arrivals); {
				n := min(len(arrivals)-i, 1+random.IntN(20))
				for range n {
					observe(e, arrivals[i].tags, []Event{arrivals[i].event}, arrivals[i].now)
					i++
				}
				due, windows = append(due, e.DrainSessions()...), append(windows, e.Drain()...)
				if kill && random.IntN(10) == 0 {
					disk.save(e, 1+random.IntN(20), arrivals[i-1].now)
					saved, ended, last, due, windows = i, append(ended, due...), append(last, windows...), nil, nil
				}
				if kill && disk.streams != nil && random.IntN(15) == 0 {
					kills++
					e.EndSnapshot()
					e = disk.read(t, config)
					e.Continue(disk.savedAt)
					i, due, windows = saved, nil, nil
				}
			}
			e.Advance(arrivals[len(arrivals)-1].now + 200_000)
			ended, last = append(append(ended, due...), e.DrainSessions()...), append(append(last, windows...), e.Drain()...)
			slices.SortStableFunc(ended, func(a, b wsevent.Session) int {
				return cmp.Or(cmp.Compare(a.ChannelID, b.ChannelID), cmp.Compare(a.Start, b.Start))
			})
			slices.SortStableFunc(last, func(a, b wsevent.Window) int {
				return cmp.Or(cmp.Compare(a.Tags.TenantID, b.Tags.TenantID), cmp.Compare(a.Tags.ChannelType, b.Tags.ChannelType), cmp.Compare(a.Start, b.Start))
			})
			return ended, last
		}
		plain, plainWindows := all(New(config), false)
		killed, killedWindows := all(New(config), true)
		require.Equal(t, want, sorted(plain), "seed %d", seed)
		for i := range plain {
			require.Equal(t, plain[i], killed[i], "seed %d", seed)
		}
		require.Len(t, killedWindows, len(plainWindows))
		for i := range plainWindows {
			require.Equal(t, plainWindows[i], killedWindows[i], "seed %d", seed)
		}
		ids := map[wsevent.TraceID]bool{}
		for i := range plain {
			require.False(t, ids[plain[i].TraceID])
			ids[plain[i].TraceID] = true
		}
	}
	assert.Greater(t, kills, 200)
}

func TestSession_DisabledAfterItWasEnabled(t *testing.T) {
	t.Parallel()
	config := withSessions()
	config.TrackChanges = true
	e := New(config)
	live(e, acme, of(at(ConnectionOpen, 1_000, 1), 0), of(at(ConnectionOpen, 1_000, 2), 0), of(at(ConnectionClose, 2_000, 2), 0))
	e.Advance(base + 20_000)
	var disk store
	disk.save(e, 1_000, base+20_000)
	config.Sessions = SessionConfig{}
	e = disk.read(t, config)
	e.Continue(base + 20_000)
	live(e, acme, at(ConnectionClose, 25_000, 1))
	e.Advance(base + 60_000)
	assert.Empty(t, e.DrainSessions())
	for _, w := range e.Drain() {
		assert.False(t, w.SessionsKnown)
	}
	disk.save(e, 1_000, base+60_000)
	e = disk.read(t, withSessions())
	e.Continue(base + 60_000)
	live(e, acme, of(at(ConnectionOpen, 61_000, 3), 0), of(at(ConnectionClose, 62_000, 3), 0))
	e.Advance(base + 90_000)
	windows := e.Drain()
	last := windows[len(windows)-1]
	assert.Equal(t, uint64(1), last.Sessions[0].Duration.Count)
	assert.Greater(t, last.SessionsSince, last.Since, "totals that begin anew have another start")
}

func TestHistogram_Buckets(t *testing.T) {
	t.Parallel()
	for ms, want := range map[int64]int32{1000: -1, 1001: 0, 2000: 7, 2001: 8, 125: -25, 126: -24, 1: -80, 4000: 15} {
		assert.Equal(t, want, bucketOf(ms), ms)
	}
	var h wsevent.Histogram
	random := rand.New(rand.NewPCG(1, 1))
	var values []int64
	for range 10_000 {
		values = append(values, random.Int64N(1<<random.IntN(30)))
		record(&h, values[len(values)-1])
	}
	slices.Sort(values)
	rank, sum := uint64(9_500), h.Zero
	for i, n := range h.Buckets {
		if sum += n; sum >= rank {
			exact := float64(values[rank-1]) / 1000
			lower, upper := upperBoundOf(h.First+int32(i)-1), upperBoundOf(h.First+int32(i))
			assert.True(t, exact > lower && exact <= upper, "%v in (%v, %v]", exact, lower, upper)
			break
		}
	}
	assert.LessOrEqual(t, len(h.Buckets), maxBuckets)
	assert.Equal(t, uint64(10_000), h.Count)
}

func upperBoundOf(bucket int32) float64 {
	octave, i := bucket>>3, bucket&7
	return upperBounds[i] * 2 * float64(pow2(octave))
}

func pow2(n int32) float64 {
	if n < 0 {
		return 1 / float64(int64(1)<<-n)
	}
	return float64(int64(1) << n)
}
