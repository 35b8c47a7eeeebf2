// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package conversation

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/jsonevent"
)

var began = time.Date(2026, 11, 25, 10, 0, 0, 0, time.UTC)

// recorder is a sink that keeps the events in short.
type recorder struct {
	events  []string
	faults  []string
	ignored int
}

func (r *recorder) Event(e *jsonevent.Event) {
	names := [...]string{"open", "close", "send", "receive"}
	text := fmt.Sprintf("%s %s %s %s %s %s", names[e.Type], e.ChannelID, e.UserID, e.ChannelType, e.ID, time.Unix(0, e.Time).UTC().Format("15:04:05"))
	if e.HasPayloadSize {
		text += fmt.Sprintf(" %dB", e.PayloadSize)
	}
	if e.FieldErrors != 0 {
		text += fmt.Sprintf(" errors %v", e.FieldErrors.Names())
	}
	r.events = append(r.events, strings.TrimSpace(text+" "+string(e.CloseReason)))
}

func (r *recorder) Violation(v *jsonevent.Violation) {
	r.faults = append(r.faults, v.Reason+" "+v.Detail)
}

func (r *recorder) Ignored() { r.ignored++ }

func (r *recorder) take() []string {
	events := r.events
	r.events = nil
	return events
}

func body(conversation, participants string) []byte {
	return fmt.Appendf(nil, `{"topicName":"v2.routing.queues.q.conversations.messages","version":"2","eventBody":{"id":%q,"participants":[%s]},"metadata":{"CorrelationId":"x"}}`,
		conversation, participants)
}

func TestTracker_SnapshotsToEvents(t *testing.T) {
	t.Parallel()
	tracker, to := NewTracker(began), &recorder{}
	const customer = `{"id":"p1","purpose":"customer","state":"connected","type":"WebMessaging","connectedTime":"2026-11-25T10:00:01.000Z","messages":[%s]%s}`
	const agent = `{"id":"p2","purpose":"agent","user":{"id":"u2"},"state":"connected","type":"webmessaging","connectedTime":"2026-11-25T10:00:02.000Z","messages":[%s]}`
	const m1 = `{"messageId":"m1","messageTime":"2026-11-25T10:00:03.000Z","media":[{"contentLengthBytes":5},{"contentLengthBytes":7}]}`
	const m2 = `{"messageId":"m2","messageTime":"2026-11-25T10:00:04.000Z","media":[{"contentLengthBytes":5},{}]}`
	show := func(participants ...string) []string {
		tracker.Decode(body("c", strings.Join(participants, ",")), began, to)
		return to.take()
	}
	assert.Equal(t, []string{"open p1  webmessaging c/p1/open 10:00:01"}, show(fmt.Sprintf(customer, "", "")))
	assert.Equal(t, []string{"receive p1  webmessaging m1 10:00:03 12B", "open p2 u2 webmessaging c/p2/open 10:00:02"},
		show(fmt.Sprintf(customer, m1, ""), fmt.Sprintf(agent, "")))
	assert.Equal(t, []string{"send p2 u2 webmessaging m2 10:00:04"}, show(fmt.Sprintf(customer, m1, ""), fmt.Sprintf(agent, m2)))
	assert.Empty(t, show(fmt.Sprintf(customer, m1, ""), fmt.Sprintf(agent, m2)), "a duplicate")
	assert.Empty(t, show(fmt.Sprintf(customer, "", "")), "one that was overtaken")
	assert.Equal(t, []string{"close p1  webmessaging c/p1/close 10:00:09 transport.failure"},
		show(fmt.Sprintf(customer, m1, `,"endTime":"2026-11-25T10:00:09.000Z","disconnectType":"transport.failure"`)))
	assert.Empty(t, to.faults)
}

func TestTracker_TopicsOneLevelDeeper(t *testing.T) {
	t.Parallel()
	tracker, to := NewTracker(began), &recorder{}
	tracker.Decode(body("c", `{"id":"p1","purpose":"customer","messages":[{"id":"x","state":"disconnected","type":"whatsapp","connectedTime":"2026-11-25T10:00:01Z",`+
		`"disconnectedTime":"2026-11-25T10:00:05Z","disconnectType":"timeout","messages":[{"message":{"id":"m1"},"messageTime":"2026-11-25T10:00:03Z"}]}]}`), began, to)
	assert.Equal(t, []string{
		"open x  whatsapp c/p1/x/open 10:00:01", "receive x  whatsapp m1 10:00:03", "close x  whatsapp c/p1/x/close 10:00:05 timeout",
	}, to.take())
	// A real one, of a callback.
	tracker.Decode([]byte(`{"topicName":"v2.users.AGENT_USER_ID.conversations","version":"2","eventBody":{"id":"ffff-1","participants":[{"id":"a5d4",`+
		`"connectedTime":"2026-11-25T10:04:12.132Z","endTime":"2026-11-25T10:07:20.528Z","purpose":"acd","callbacks":[{"state":"disconnected","disconnectType":"transfer"}]}]},`+
		`"metadata":{"CorrelationId":"2074b130"}}`), began, to)
	assert.Equal(t, []string{"open a5d4  callback ffff-1/a5d4/open 10:04:12", "close a5d4  callback ffff-1/a5d4/close 10:07:20 transfer"}, to.take())
}

func TestTracker_EventsBeforeStart(t *testing.T) {
	t.Parallel()
	tracker, to := NewTracker(began), &recorder{}
	tracker.Decode(body("c", `{"id":"p1","purpose":"customer","connectedTime":"2026-11-25T09:00:00Z","messages":[`+
		`{"messageId":"m1","messageTime":"2026-11-25T09:59:59Z"},{"messageId":"m2","messageTime":"2026-11-25T10:00:01Z"}]}`), began, to)
	assert.Equal(t, []string{"receive p1   m2 10:00:01"}, to.take())
	assert.Equal(t, 2, to.ignored)
}

func TestBadSnapshots(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`{"topicName":`:            "not_json ",
		`[1]`:                      "wrong_type ",
		`{"topicName":{}}`:         "missing_type ",
		`{"eventBody":{}}`:         "missing_type nothing is given at topicName",
		"{\"topicName\":\"\xff\"}": "invalid_utf8 ",
		`{"topicName":"v2.x.conversations","eventBody":{}}`:            "missing_channel_id nothing is given at eventBody.id",
		string(body("c", `{"purpose":"agent"}`)):                       "missing_channel_id nothing is given at participants[].id",
		string(body("c", `{"id":{}}`)):                                 "missing_channel_id ",
		string(body("c", `{"id":"p","messages":{}}`)):                  "wrong_type ",
		string(body("c", `{"id":"p","calls":[7]}`)):                    "wrong_type ",
		string(body("c", `{"id":"p","messages":[{"messageId":"m"}]}`)): "missing_timestamp ",
		string(body("c", `{"id":"p","messages":[7]}`)):                 "wrong_type ",
		string(body("c", `{"id":"p","connectedTime":"soon"}`)):         "bad_timestamp a time is neither",
	} {
		to := &recorder{}
		NewTracker(began).Decode([]byte(text), began, to)
		require.Len(t, to.faults, 1, text)
		assert.True(t, strings.HasPrefix(to.faults[0], want), to.faults[0])
		assert.Empty(t, to.events)
	}
	to := &recorder{}
	tracker := NewTracker(began)
	tracker.Decode([]byte(`{"topicName":"v2.detail.events.conversation.x.user.end","eventBody":{}}`), began, to)
	assert.Equal(t, 1, to.ignored)
	tracker.Decode(body("c", `{"id":"p","connectedTime":"soon"},{"id":"q","connectedTime":"2026-11-25T10:00:01Z"}`), began, to)
	assert.Len(t, to.events, 1, "the good around it goes on")
}

// story is what happens to one participant of a conversation.
type story struct {
	messages []int // seconds after the beginning
	end      int   // 0: none yet
}

func (s *story) snapshot(id, most int) []byte {
	recent := s.messages[max(0, len(s.messages)-most):]
	var list []string
	for _, second := range recent {
		list = append(list, fmt.Sprintf(`{"messageId":"c%d-m%d","messageTime":%q}`, id, second, began.Add(time.Duration(second)*time.Second).Format(time.RFC3339)))
	}
	end := ""
	if s.end > 0 {
		end = fmt.Sprintf(`,"endTime":%q`, began.Add(time.Duration(s.end)*time.Second).Format(time.RFC3339))
	}
	return body(fmt.Sprintf("c%d", id), fmt.Sprintf(`{"id":"p%d","purpose":"customer","connectedTime":%q,"messages":[%s]%s}`,
		id, began.Add(time.Second).Format(time.RFC3339), strings.Join(list, ","), end))
}

// Snapshots are lost, repeated and overtaken: what any of them has is emitted once.
func TestDecode_AnyOrder(t *testing.T) {
	t.Parallel()
	for seed := range uint64(200) {
		random := rand.New(rand.NewPCG(seed, 1))
		var frames [][]byte
		want := map[string]bool{}
		for id := range 5 {
			var s story
			for second := 2; second < 40; second++ {
				s.messages = append(s.messages, second)
				if second == 39 {
					s.end = 40
				}
				if random.IntN(3) == 0 {
					continue // lost
				}
				frames = append(frames, s.snapshot(id, 10))
				want[fmt.Sprintf("c%d/p%d/open", id, id)] = true
				for _, one := range s.messages[max(0, len(s.messages)-10):] {
					want[fmt.Sprintf("c%d-m%d", id, one)] = true
				}
				if s.end > 0 {
					want[fmt.Sprintf("c%d/p%d/close", id, id)] = true
				}
				if random.IntN(4) == 0 {
					frames = append(frames, frames[len(frames)-1])
				}
			}
		}
		for i := range frames { // neighbours overtake each other
			j := min(len(frames)-1, i+random.IntN(4))
			frames[i], frames[j] = frames[j], frames[i]
		}
		tracker, to := NewTracker(began), &recorder{}
		for _, one := range frames {
			tracker.Decode(one, began, to)
		}
		emitted := map[string]int{}
		for _, event := range to.events {
			emitted[strings.Fields(event)[len(strings.Fields(event))-2]]++
		}
		require.Len(t, emitted, len(want), "seed %d", seed)
		for id, n := range emitted {
			require.True(t, want[id], id)
			require.Equal(t, 1, n, id)
		}
	}
}

func TestTracker_MemoryIsBoundedAndNothingIsEmittedTwice(t *testing.T) {
	t.Parallel()
	tracker, to := NewTracker(began), &recorder{}
	tracker.most, tracker.mostOwn = 500*factBytes, 50
	emitted := map[string]int{}
	stories := make([]story, 100)
	random := rand.New(rand.NewPCG(1, 1))
	for second := 2; second < 3000; second++ {
		id := random.IntN(len(stories))
		stories[id].messages = append(stories[id].messages, second)
		tracker.Decode(stories[id].snapshot(id, 1000), began.Add(time.Duration(second)*time.Second), to)
		for _, event := range to.take() {
			emitted[strings.Fields(event)[2]]++
		}
		require.LessOrEqual(t, tracker.bytes, tracker.most+1000*factBytes)
		require.Equal(t, accounted(tracker), tracker.bytes)
	}
	for id, n := range emitted {
		require.Equal(t, 1, n, id)
	}
	assert.Greater(t, len(emitted), 1500)
	assert.Positive(t, to.ignored, "and what may have been emitted is history")
}

// accounted is what the facts and conversations of a tracker take.
func accounted(t *Tracker) (bytes int) {
	for _, element := range t.conversations {
		bytes += conversationBytes + factBytes*len(element.Value.(*conversation).facts)
	}
	return bytes
}

func TestTracker_ConversationsExpire(t *testing.T) {
	t.Parallel()
	tracker, to := NewTracker(began), &recorder{}
	show := func(id string, at time.Time) {
		tracker.Decode(body(id, `{"id":"p","connectedTime":"2026-11-25T10:00:01Z"}`), at, to)
	}
	show("c1", began)
	show("c2", began.Add(23*time.Hour))
	assert.Len(t, tracker.conversations, 2)
	show("c3", began.Add(25*time.Hour))
	assert.Len(t, tracker.conversations, 2)
	to.events = nil
	show("c1", began.Add(26*time.Hour))
	assert.Empty(t, to.events, "it was emitted before it was forgotten")
}

func FuzzDecode(f *testing.F) {
	f.Add(general("c", `{"id":"p","purpose":"agent","connectedTime":"2026-11-25T10:00:01Z","endTime":"2026-11-25T10:00:09Z",`+callbackOpen+","+callEnd+`}`))
	f.Add(general("c", `{"id":"p","chats":[{"state":"parked"},{"id":"x","state":"alerting"},{"id":"x","disconnectedTime":1795600801}],"messages":[{"messageTime":"2026-11-25T10:00:03Z"}]}`))
	f.Add(body("c", `{"id":"p","connectedTime":"2026-11-25T10:00:06Z","endTime":"2026-11-25T10:00:04Z"},{"id":"p","connectedTime":"2026-11-25T10:00:01Z","endTime":"2026-11-25T10:00:04Z"}`))
	f.Add(body("c", `{"id":"p","state":"connected","messages":[{"id":"x","state":"disconnected","messages":[{"messageId":"m","messageTime":"2026-11-25T10:00:03Z"}]}]}`))
	f.Add([]byte(`{"topicName":"v2.conversations","eventBody":{"id":"c","participants":[null,{"id":"p","endTime":"x","calls":[{}]}]}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		tracker, to := NewTracker(began), &recorder{}
		tracker.Decode(text, began, to)
		events := to.take()
		sorted := slices.Clone(events)
		slices.Sort(sorted)
		assert.Len(t, slices.Compact(sorted), len(events), "each event once")
		tracker.Decode(text, began, to)
		assert.Empty(t, to.events, "and not again")
	})
}

func BenchmarkDecode(b *testing.B) {
	s := story{}
	for second := range 50 {
		s.messages = append(s.messages, second+2)
	}
	frame := s.snapshot(1, 50)
	tracker, to := NewTracker(began), &recorder{}
	b.ReportAllocs()
	b.SetBytes(int64(len(frame)))
	for b.Loop() {
		tracker.Decode(frame, began, to)
	}
}
