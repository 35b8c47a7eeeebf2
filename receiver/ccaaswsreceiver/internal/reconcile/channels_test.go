// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package reconcile

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/jsonevent"
)

var start = time.Unix(1_700_000_000, 0)

func after(s float64) time.Time { return start.Add(time.Duration(s * float64(time.Second))) }

// sink formats events.
type sink struct{ events []string }

func (s *sink) Event(e *jsonevent.Event) {
	kind := map[jsonevent.Type]string{jsonevent.ConnectionOpen: "open", jsonevent.ConnectionClose: "close"}[e.Type]
	text := fmt.Sprintf("%s %s at %gs", kind, e.ChannelID, time.Unix(0, e.Time).Sub(start).Seconds())
	if e.Type == jsonevent.ConnectionOpen && e.Opened != e.Time {
		text += " since before"
	}
	if len(e.CloseReason) > 0 {
		text += " " + string(e.CloseReason)
	}
	s.events = append(s.events, text)
}
func (*sink) Violation(*jsonevent.Violation) {}
func (*sink) Ignored()                       {}

func received(kind jsonevent.Type, id string, at float64) *jsonevent.Event {
	return &jsonevent.Event{Type: kind, ChannelID: []byte(id), ChannelType: []byte("voice"), Time: after(at).UnixNano()}
}

func open(id string, at float64) *Session {
	return &Session{Channel: id, Conversation: "conversation of " + id, Start: after(at).UnixNano()}
}

func ended(id string, from, to float64) *Session {
	s := open(id, from)
	s.Ended, s.End, s.Reason = true, after(to).UnixNano(), "peer"
	return s
}

func TestApply(t *testing.T) {
	t.Parallel()
	gap := Range{From: after(100).UnixNano(), To: after(200).UnixNano()}
	for name, test := range map[string]struct {
		before  []*jsonevent.Event
		answers []*Session
		after   []*jsonevent.Event
		want    []string
		dropped int // of the events after
	}{
		"open before the start": {
			answers: []*Session{open("a", -60)}, want: []string{"open a at 300s since before"},
		},
		"open before the start, asked twice": {
			answers: []*Session{open("a", -60), open("a", -60)}, want: []string{"open a at 300s since before"},
		},
		"an event of it came before": {
			before: []*jsonevent.Event{received(jsonevent.MessageSend, "a", 5)}, answers: []*Session{open("a", -60)},
		},
		"its close came before the answer": {
			before: []*jsonevent.Event{received(jsonevent.ConnectionClose, "a", 5)}, answers: []*Session{open("a", -60)},
		},
		"its close comes after the answer": {
			answers: []*Session{open("a", -60)}, want: []string{"open a at 300s since before"},
			after: []*jsonevent.Event{received(jsonevent.ConnectionClose, "a", 5)},
		},
		"opened in the gap": {
			answers: []*Session{open("a", 120)}, want: []string{"open a at 120s"},
			after: []*jsonevent.Event{received(jsonevent.ConnectionOpen, "a", 120.5)}, dropped: 1,
		},
		"open before the gap, ended in it": {
			before: []*jsonevent.Event{received(jsonevent.ConnectionOpen, "a", 5)}, answers: []*Session{ended("a", 5, 150)},
			want:  []string{"close a at 150s peer"},
			after: []*jsonevent.Event{received(jsonevent.ConnectionClose, "a", 150)}, dropped: 1,
		},
		"opened and ended in the gap": {
			answers: []*Session{ended("a", 120, 150), ended("a", 120, 150)}, want: []string{"open a at 120s", "close a at 150s peer"},
			after: []*jsonevent.Event{received(jsonevent.ConnectionOpen, "a", 120), received(jsonevent.ConnectionClose, "a", 150)}, dropped: 2,
		},
		"ended in the gap, and never known": {
			answers: []*Session{ended("a", -600, 150)}, want: []string{"close a at 150s peer"},
		},
		"ended before the gap, and never known": {answers: []*Session{ended("a", -600, 50)}},
		"ended before the gap, and known": {
			before:  []*jsonevent.Event{received(jsonevent.ConnectionOpen, "a", 5), received(jsonevent.ConnectionClose, "a", 150)},
			answers: []*Session{ended("a", 5, 150)},
		},
		"the end of a session before": {
			before: []*jsonevent.Event{received(jsonevent.ConnectionOpen, "a", 160)}, answers: []*Session{ended("a", 5, 150)},
		},
		"a customer returns after a reconstructed close": {
			before: []*jsonevent.Event{received(jsonevent.ConnectionOpen, "a", 5)}, answers: []*Session{ended("a", 5, 150)},
			want:  []string{"close a at 150s peer"},
			after: []*jsonevent.Event{received(jsonevent.ConnectionOpen, "a", 250)},
		},
		"without a start": {answers: []*Session{{Channel: "a"}}, want: []string{"open a at 300s since before"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := New(start, 1000)
			for _, e := range test.before {
				require.True(t, c.Take(e, after(210)))
			}
			to := &sink{}
			for _, s := range test.answers {
				c.Apply(s, gap, after(300), to)
			}
			assert.Equal(t, test.want, to.events)
			dropped := 0
			for _, e := range test.after {
				if !c.Take(e, after(310)) {
					dropped++
				}
			}
			assert.Equal(t, test.dropped, dropped)
		})
	}
}

// Whatever is lost, received late or asked for, and in whatever order: each open and each
// close is emitted once, and what is open in the end is what the platform has open.
func TestApply_AnyOrder(t *testing.T) {
	t.Parallel()
	for seed := range uint64(300) {
		random := rand.New(rand.NewPCG(seed, 1))
		c := New(start, 1000)
		gap := Range{From: after(100).UnixNano(), To: after(200).UnixNano()}
		opens, closes := map[string]int{}, map[string]int{}
		emit := counting{opens, closes}
		var later []func()
		for n := range 40 {
			id := strconv.Itoa(n)
			from := random.Float64()*190 + 1
			to := from + random.Float64()*150
			s := open(id, from)
			if to < 200 {
				s = ended(id, from, to)
			}
			lost := func(at float64) bool { return at >= 100 && at < 200 && random.IntN(4) > 0 }
			for _, one := range []struct {
				kind jsonevent.Type
				at   float64
			}{{jsonevent.ConnectionOpen, from}, {jsonevent.ConnectionClose, to}} {
				e := received(one.kind, id, one.at)
				take := func() {
					if c.Take(e, after(max(one.at, 1))) {
						emit.Event(e)
					}
				}
				switch {
				case one.at >= 200: // it has not happened yet
				case lost(one.at) && random.IntN(2) == 0: // for good
				case one.at >= 100: // a snapshot after the gap has it
					later = append(later, take)
				default:
					take()
				}
			}
			later = append(later, func() { c.Apply(s, gap, after(300), emit) })
		}
		random.Shuffle(len(later), func(i, j int) { later[i], later[j] = later[j], later[i] })
		for _, do := range later {
			do()
		}
		for id, n := range opens {
			require.Equal(t, 1, n, "seed %d: open of %s", seed, id)
		}
		for id, n := range closes {
			require.Equal(t, 1, n, "seed %d: close of %s", seed, id)
		}
		require.Len(t, opens, 40, "seed %d", seed)
		require.Equal(t, 40-len(closes), c.Open(), "seed %d", seed)
	}
}

// What is counted and opens nothing has its channel in its id.
type counting struct{ opens, closes map[string]int }

func (c counting) Event(e *jsonevent.Event) {
	if e.Type == jsonevent.ConnectionOpen {
		id := string(e.ChannelID)
		if id == "" {
			id = strings.Split(string(e.ID), "/")[1]
		}
		c.opens[id]++
	} else {
		c.closes[string(e.ChannelID)]++
	}
}
func (counting) Violation(*jsonevent.Violation) {}
func (counting) Ignored()                       {}

func TestChannels_AreBounded(t *testing.T) {
	t.Parallel()
	c := New(start, 10)
	to := &sink{}
	for n := range 100 {
		c.Apply(open(fmt.Sprint("open ", n), -5), Range{}, after(1), to)
		c.Take(received(jsonevent.ConnectionClose, fmt.Sprint("closed ", n), float64(n)), after(float64(n)))
	}
	assert.Equal(t, 10, c.Open())
	assert.Equal(t, int64(90), c.Refused())
	assert.Len(t, to.events, 10, "a channel that is not compared is not reconstructed")
	assert.LessOrEqual(t, len(c.closed), 10)
	assert.Len(t, c.named, 10)
}

func TestChannels_SurviveARestart(t *testing.T) {
	t.Parallel()
	c := New(start, 100)
	c.Take(received(jsonevent.ConnectionOpen, "a", 1), after(1))
	c.Take(received(jsonevent.ConnectionOpen, "b", 1), after(1))
	c.Observe(open("b", 1), after(2), &sink{})
	c.Take(received(jsonevent.ConnectionClose, "c", 3), after(3))
	value, err := c.Encode(after(10), after(10))
	require.NoError(t, err)

	restored := New(after(60), 100)
	savedAt, unhealed, err := restored.Restore(value)
	require.NoError(t, err)
	assert.True(t, savedAt.Equal(after(10)))
	assert.True(t, unhealed.Equal(after(10)))
	assert.Equal(t, []string{"a", "conversation of b"}, restored.Silent(after(50)))
	to, gap := &sink{}, Range{From: after(10).UnixNano(), To: after(60).UnixNano()}
	for _, s := range []*Session{ended("a", 1, 20), open("b", 1), open("d", 30), ended("c", 1, 12)} {
		restored.Apply(s, gap, after(61), to)
	}
	assert.Equal(t, []string{"close a at 20s peer", "open d at 30s"}, to.events)

	for _, broken := range [][]byte{nil, value[:len(value)-1], append([]byte{9}, value[1:]...)} {
		_, _, err := New(start, 100).Restore(broken)
		require.Error(t, err)
	}
}

func FuzzRestore(f *testing.F) {
	c := New(start, 100)
	c.Take(received(jsonevent.ConnectionOpen, "a", 1), after(1))
	value, err := c.Encode(after(10), after(10))
	require.NoError(f, err)
	f.Add(value)
	f.Fuzz(func(t *testing.T, value []byte) {
		restored := New(after(60), 3)
		if savedAt, unhealed, err := restored.Restore(value); err == nil {
			require.False(t, unhealed.After(savedAt))
			require.LessOrEqual(t, restored.Open(), 3)
			restored.Apply(ended("a", 1, 20), Range{}, after(61), &sink{})
		}
	})
}

func TestComparison_DifferenceLasts(t *testing.T) {
	t.Parallel()
	c := New(start, 100)
	queue := Group{Queue: "q", Media: "voice"}
	for _, id := range []string{"a", "b"} {
		s := open(id, -5)
		s.Group, s.ChannelType, s.Conversation = queue, "voice", id
		c.Apply(s, Range{}, after(1), &sink{})
	}
	second := open("a's agent", -5)
	second.Group, second.Conversation = queue, "a"
	c.Apply(second, Range{}, after(1), &sink{})

	var comparison Comparison
	for round, want := range []struct {
		platform int64
		lasting  bool
	}{{2, false}, {3, false}, {3, false}, {1, false}, {3, false}, {3, false}, {3, true}, {2, false}} {
		all := comparison.Compare(c, map[Group]int64{queue: want.platform})
		require.Len(t, all, 1)
		assert.Equal(t, int64(2), all[0].Own, "conversations, not channels")
		assert.Equal(t, want.lasting, all[0].Lasting(), "round %d", round)
		assert.Equal(t, "voice", all[0].ChannelType)
	}
	assert.Equal(t, map[string]int64{"voice": 2}, c.Stuck(time.Hour, after(2*3600)))
	c.Take(received(jsonevent.MessageSend, "a", 7000), after(7000))
	assert.Equal(t, map[string]int64{"voice": 1}, c.Stuck(time.Hour, after(2*3600)))
}

func TestPace(t *testing.T) {
	t.Parallel()
	var p Pace
	assert.Zero(t, p.Wait(start))
	p.Sent(start)
	assert.Equal(t, time.Second, p.Wait(start), "one request in a second")
	quota := func(count string) http.Header {
		h := http.Header{}
		h.Set("inin-ratelimit-count", count)
		h.Set("inin-ratelimit-allowed", "300")
		h.Set("inin-ratelimit-reset", "30")
		return h
	}
	p.Answered(quota("100"), start)
	assert.Equal(t, time.Second, p.Wait(start))
	p.Answered(quota("nonsense"), start)
	assert.Equal(t, time.Second, p.Wait(start))
	p.Answered(quota("240"), start)
	assert.Equal(t, 30*time.Second, p.Wait(start), "four fifths of the quota are used")
	p.Failed(time.Minute, start)
	assert.Equal(t, time.Minute, p.Wait(start), "Retry-After")
	for range 10 {
		p.Failed(0, after(120))
	}
	assert.Equal(t, time.Minute, p.Wait(after(120)), "a wait that grows, up to a minute")
}
