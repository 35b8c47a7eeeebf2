// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package conversation

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/jsonevent"
)

// general is a snapshot on a topic whose participants have communications.
func general(id, participants string) []byte {
	return fmt.Appendf(nil, `{"topicName":"v2.routing.queues.q.conversations","eventBody":{"id":%q,"participants":[%s]}}`, id, participants)
}

// all decodes snapshots one after the other, and returns their events.
func all(t *testing.T, snapshots ...[]byte) []string {
	t.Helper()
	tracker, to := NewTracker(began), &recorder{}
	for _, one := range snapshots {
		tracker.Decode(one, began.Add(10*time.Second), to)
	}
	assert.Empty(t, to.faults)
	return to.take()
}

const (
	callbackOpen = `"callbacks":[{"id":"cb","state":"connected","connectedTime":"2026-11-25T10:00:01Z"}]`
	callbackEnd  = `"callbacks":[{"id":"cb","state":"disconnected","connectedTime":"2026-11-25T10:00:01Z","disconnectedTime":"2026-11-25T10:00:09Z","disconnectType":"client"}]`
	callEnd      = `"calls":[{"id":"cl","state":"disconnected","connectedTime":"2026-11-25T10:00:02Z","disconnectedTime":"2026-11-25T10:00:05Z","disconnectType":"peer"}]`
)

func TestChannels_CallbackAndItsCall(t *testing.T) {
	t.Parallel()
	agent := func(media string) []byte {
		return general("c", `{"id":"p","purpose":"agent","userId":"u","connectedTime":"2026-11-25T10:00:01Z",`+media+`}`)
	}
	for range 100 {
		assert.Equal(t, []string{
			"open cb u callback c/p/cb/open 10:00:01",
			"open cl u voice c/p/cl/open 10:00:02",
			"close cl u voice c/p/cl/close 10:00:05 peer",
			"close cb u callback c/p/cb/close 10:00:09 client",
		}, all(t, agent(callbackOpen+","+callEnd), agent(callbackEnd+","+callEnd)))
	}
}

func TestChannels_CommunicationsWithoutID(t *testing.T) {
	t.Parallel()
	agent := func(media string) []byte {
		media = strings.NewReplacer(`"id":"cb",`, "", `"id":"cl",`, "").Replace(media)
		return general("c", `{"id":"p","purpose":"agent","connectedTime":"2026-11-25T10:00:01Z",`+media+`}`)
	}
	for range 100 {
		assert.Equal(t, []string{
			"open p  callback c/p/open 10:00:01",
			"close p  callback c/p/close 10:00:09 client",
		}, all(t, agent(callbackOpen), agent(callEnd+","+callbackOpen), agent(callEnd+","+callbackEnd)), "open as long as one of them is")
	}
}

func TestChannels_SameConversationInTwoQueues(t *testing.T) {
	t.Parallel()
	snapshot := general("c", `{"id":"p","purpose":"customer","chats":[{"id":"a","state":"connected"}]}`)
	other := []byte(strings.Replace(string(snapshot), "queues.q.", "queues.other.", 1))
	assert.Equal(t, []string{"open a  chat c/p/a/open 10:00:10"}, all(t, snapshot, other, snapshot))
}

func TestChannels_ParkedIsOpen(t *testing.T) {
	t.Parallel()
	email := func(state, more string) []byte {
		return general("c", `{"id":"p","purpose":"agent","emails":[{"id":"e","state":"`+state+`","connectedTime":"2026-11-25T10:00:01Z"`+more+`}]}`)
	}
	assert.Equal(t, []string{"open e  email c/p/e/open 10:00:01"}, all(t, email("connected", ""), email("parked", `,"parkTime":"2026-11-25T10:00:03Z"`)))
	assert.Equal(t, []string{"open e  email c/p/e/open 10:00:01"}, all(t, email("parked", "")), "also where it was first seen so")
	assert.Equal(t, []string{"open e  email c/p/e/open 10:00:01", "close e  email c/p/e/close 10:00:09 client"},
		all(t, email("parked", ""), email("connected", ""), email("disconnected", `,"disconnectedTime":"2026-11-25T10:00:09Z","disconnectType":"client"`)))
}

func TestChannels_CustomerComesBack(t *testing.T) {
	t.Parallel()
	customer := func(communications string) []byte {
		return general("c", `{"id":"p","purpose":"customer","connectedTime":"2026-11-25T10:00:01Z","messages":[`+communications+`]}`)
	}
	const (
		first  = `{"id":"m1","state":"connected","type":"webmessaging","connectedTime":"2026-11-25T10:00:01Z","messages":[]}`
		ended  = `{"id":"m1","state":"disconnected","type":"webmessaging","connectedTime":"2026-11-25T10:00:01Z","disconnectedTime":"2026-11-25T10:00:04Z","disconnectType":"client"}`
		second = `{"id":"m2","state":"connected","type":"webmessaging","connectedTime":"2026-11-25T10:00:06Z","messages":[{"messageId":"x","messageTime":"2026-11-25T10:00:07Z"}]}`
	)
	assert.Equal(t, []string{
		"open m1  webmessaging c/p/m1/open 10:00:01",
		"close m1  webmessaging c/p/m1/close 10:00:04 client",
		"open m2  webmessaging c/p/m2/open 10:00:06",
		"receive m2  webmessaging x 10:00:07",
	}, all(t, customer(first), customer(ended+","+second), customer(first), customer(ended+","+second)))
}

// An end before the connection, as that of a session before, begins no sessions
// without end.
func TestChannels_EndBeforeTheConnection(t *testing.T) {
	t.Parallel()
	odd := body("c", `{"id":"p","type":"sms","connectedTime":"2026-11-25T10:00:06Z","endTime":"2026-11-25T10:00:04Z"}`)
	assert.Equal(t, []string{"open p  sms c/p/open 10:00:06", "close p  sms c/p/close 10:00:04"}, all(t, odd, odd, odd))
}

// A communication that is shown again with other times is still the same session.
func TestChannels_CommunicationIsOneSession(t *testing.T) {
	t.Parallel()
	chat := func(since, until string) []byte {
		return general("c", `{"id":"p","purpose":"customer","chats":[{"id":"x","state":"disconnected","connectedTime":"2026-11-25T10:00:`+since+`Z","disconnectedTime":"2026-11-25T10:00:`+until+`Z"}]}`)
	}
	assert.Equal(t, []string{"open x  chat c/p/x/open 10:00:01", "close x  chat c/p/x/close 10:00:04"}, all(t, chat("01", "04"), chat("06", "09")))
}

func TestChannels_EndOfTheParticipant(t *testing.T) {
	t.Parallel()
	for communication, want := range map[string]string{
		`"state":"connected","connectedTime":"2026-11-25T10:00:01Z"`:  "close", // it ended with the participant
		`"connectedTime":"2026-11-25T10:00:01Z"`:                      "close",
		`"state":"connected","connectedTime":"2026-11-25T10:00:06Z"`:  "open", // it came back after the end of another one
		`"state":"parked","connectedTime":"2026-11-25T10:00:01Z"`:     "open",
		`"state":"terminated","connectedTime":"2026-11-25T10:00:01Z"`: "close",
	} {
		events := all(t, general("c", `{"id":"p","purpose":"customer","endTime":"2026-11-25T10:00:04Z","chats":[{"id":"x",`+communication+`}]}`))
		last, _, _ := strings.Cut(events[len(events)-1], " ")
		assert.Equal(t, want, last, communication)
	}
}

// On topics of one medium the participant is the channel, and its next session is
// one that is connected after the end of the one before.
func TestChannels_ParticipantComesBack(t *testing.T) {
	t.Parallel()
	at := func(connected, end string) []byte {
		return body("c", `{"id":"p","purpose":"customer","type":"sms","connectedTime":"`+connected+`"`+end+`}`)
	}
	const firstEnd, secondEnd = `,"endTime":"2026-11-25T10:00:04Z"`, `,"endTime":"2026-11-25T10:00:09Z"`
	first, second := "2026-11-25T10:00:01Z", "2026-11-25T10:00:06Z"
	assert.Equal(t, []string{
		"open p  sms c/p/open 10:00:01",
		"close p  sms c/p/close 10:00:04",
		"open p  sms c/p#2/open 10:00:06",
		"close p  sms c/p#2/close 10:00:09",
	}, all(t, at(first, ""), at(first, firstEnd), at(first, ""), at(second, ""), at(first, firstEnd), at(second, ""), at(second, secondEnd), at(second, secondEnd)))
}

func TestChannels_NeverConnected(t *testing.T) {
	t.Parallel()
	const alerting, timeout = `{"id":"p","purpose":"agent","userId":"u","chats":[{"id":"b","state":"alerting"}]}`,
		`{"id":"p","purpose":"agent","userId":"u","endTime":"2026-11-25T10:00:09Z","chats":[{"id":"b","state":"disconnected","disconnectType":"timeout","disconnectedTime":"2026-11-25T10:00:09Z"}]}`
	tracker, to := NewTracker(began), &recorder{}
	for _, one := range [][]byte{
		general("c", alerting), general("c", timeout), general("c", timeout),
		body("d", `{"id":"q","purpose":"agent","state":"alerting"}`),
		body("d", `{"id":"q","purpose":"agent","state":"disconnected","endTime":"2026-11-25T10:00:09Z","disconnectType":"timeout"}`),
	} {
		tracker.Decode(one, began, to)
	}
	assert.Empty(t, to.events)
	assert.Empty(t, to.faults)
	assert.Equal(t, 2, to.ignored, "each once")
	// A second unanswered offer of the same participant is not a drop, either.
	assert.Equal(t, []string{"open b u chat c/p/b/open 10:00:01", "close b u chat c/p/b/close 10:00:05 transfer"}, all(t, general("c",
		`{"id":"p","purpose":"agent","userId":"u","connectedTime":"2026-11-25T10:00:01Z","endTime":"2026-11-25T10:00:09Z","chats":[`+
			`{"id":"b","state":"disconnected","connectedTime":"2026-11-25T10:00:01Z","disconnectType":"transfer","disconnectedTime":"2026-11-25T10:00:05Z"},`+
			`{"id":"b2","state":"disconnected","disconnectType":"timeout","disconnectedTime":"2026-11-25T10:00:09Z"}]}`)))
}

func TestChannels_BothKindsOfTopics(t *testing.T) {
	t.Parallel()
	flat := body("c", `{"id":"p","purpose":"customer","state":"connected","connectedTime":"2026-11-25T10:00:01Z","type":"open"}`)
	full := general("c", `{"id":"p","purpose":"customer","messages":[{"id":"m","state":"connected","connectedTime":"2026-11-25T10:00:01Z","type":"open"}]}`)
	assert.Equal(t, []string{"open p  open c/p/open 10:00:01"}, all(t, flat, full, flat))
	assert.Equal(t, []string{"open m  open c/p/m/open 10:00:01"}, all(t, full, flat, full))
}

func TestChannels_MediaTopicsNameTheType(t *testing.T) {
	t.Parallel()
	for topic, want := range map[string]string{
		"calls": "voice", "callbacks": "callback", "chats": "chat", "emails": "email", "socialexpressions": "social", "videos": "video",
		"cobrowseSessions": "cobrowse", "screenshares": "screenshare", "screenmonitorings": "screenmonitoring", "internalmessages": "internalmessage",
	} {
		snapshot := strings.Replace(string(body("c", `{"id":"p","purpose":"customer","connectedTime":"2026-11-25T10:00:01Z"}`)), "conversations.messages", "conversations."+topic, 1)
		assert.Equal(t, []string{"open p  " + want + " c/p/open 10:00:01"}, all(t, []byte(snapshot)))
	}
}

func TestChannels_EveryMedium(t *testing.T) {
	t.Parallel()
	const p = `"id":"p","purpose":"agent"`
	for key, want := range map[string]string{
		"calls": "voice", "callbacks": "callback", "chats": "chat", "emails": "email", "socialExpressions": "social", "videos": "video",
		"cobrowsesessions": "cobrowse", "screenshares": "screenshare", "screenMonitorings": "screenmonitoring", "internalMessages": "internalmessage",
	} {
		assert.Equal(t, []string{"open x  " + want + " c/p/x/open 10:00:01"},
			all(t, general("c", `{`+p+`,"`+key+`":[{"id":"x","state":"connected","connectedTime":"2026-11-25T10:00:01Z"}]}`)))
	}
}

func TestDecode_OtherTopicsAreIgnored(t *testing.T) {
	t.Parallel()
	for _, topic := range []string{
		"v2.conversations.11ee.transcription", "v2.users.u.conversationsummary", "v2.detail.events.conversation.c.user.end",
		"v2.conversations.chats.c.messages", "v2.analytics.conversations.details.jobs.availability", "v2.routing.queues.q.conversations.transcription", "conversations.x",
	} {
		to := &recorder{}
		NewTracker(began).Decode([]byte(`{"topicName":"`+topic+`","eventBody":{"conversationId":"t","transcripts":[]}}`), began, to)
		assert.Equal(t, recorder{ignored: 1}, *to, topic)
	}
}

func TestMessage_Size(t *testing.T) {
	t.Parallel()
	for media, want := range map[string]string{
		`[{"contentLengthBytes":"512"}]`:                           " 512B",
		`[{"contentLengthBytes":77},{"contentLengthBytes":"3.0"}]`: " 80B",
		`[{"contentLengthBytes":512.7}]`:                           " errors [payload_size]",
		`[{"contentLengthBytes":"much"}]`:                          " errors [payload_size]",
		`[{"contentLengthBytes":-1}]`:                              " errors [payload_size]",
		`[{"contentLengthBytes":5},{}]`:                            "",
		`[{"contentLengthBytes":null}]`:                            "",
		`[]`:                                                       "",
		`null`:                                                     "",
		`[{"contentLengthBytes":9223372036854775807},{"contentLengthBytes":9223372036854775807}]`: " 9223372036854775807B",
	} {
		assert.Equal(t, []string{"receive p   m 10:00:03" + want},
			all(t, body("c", `{"id":"p","purpose":"customer","messages":[{"messageId":"m","messageTime":"2026-11-25T10:00:03Z","media":`+media+`}]}`)), media)
	}
}

func TestSnapshot_OddValues(t *testing.T) {
	t.Parallel()
	assert.Equal(t, []string{"open 7 8 9 c/7/open 10:00:01"},
		all(t, body("c", `{"id":7,"userId":8,"type":9,"purpose":true,"state":["x"],"connectedTime":1795600801000,"endTime":null}`)))
	assert.Equal(t, []string{"open p  \u00e9\" c/p/open 10:00:01"}, all(t, body("c", `{"id":"p","type":"\u00e9\"","connectedTime":"2026-11-25T10:00:01+0000"}`)))
	assert.Equal(t, []string{"open a  chat c/p/a/open 10:00:01"}, all(t, general("c",
		`{"id":"p","purpose":"customer","endTime":null,"userId":null,"user":null,"state":null,"disconnectType":null,"type":null,"messages":null,"calls":null,`+
			`"chats":[{"state":"connected","id":"a","connectedTime":"2026-11-25T10:00:01Z","disconnectType":null,"messages":null}]}`)), "nulls")
}

// A message without an id is known by its channel and time, so it is no other
// channel's.
func TestMessage_WithoutID(t *testing.T) {
	t.Parallel()
	snapshot := func(id string) []byte {
		return body("c", `{"id":"`+id+`","purpose":"customer","messages":[{"messageTime":"2026-11-25T10:00:03Z"}]}`)
	}
	events := all(t, snapshot("p"), snapshot("q"), snapshot("p"))
	require.Len(t, events, 2)
	slices.Sort(events)
	assert.Equal(t, []string{"receive p   c/p/message/2026-11-25T10:00:03Z 10:00:03", "receive q   c/q/message/2026-11-25T10:00:03Z 10:00:03"}, events)
}

// A fact from a clock ahead of ours makes no history of what happens until then.
func TestTracker_ClockAhead(t *testing.T) {
	t.Parallel()
	tracker, to := NewTracker(began), &recorder{}
	tracker.most = conversationBytes
	tracker.Decode(body("c", `{"id":"p","connectedTime":"2200-01-01T00:00:00Z"}`), began, to)
	tracker.Decode(body("d", `{"id":"p","connectedTime":"2026-11-25T10:00:05Z"}`), began, to)
	tracker.Decode(body("e", `{"id":"p","connectedTime":"2026-11-25T10:00:05Z"}`), began, to)
	assert.Len(t, to.events, 3)
}

// clocked is a sink that keeps by whose clock the times of events are.
type clocked struct {
	recorder

	clocks map[string]jsonevent.Clock
}

func (c *clocked) Event(e *jsonevent.Event) {
	names := [...]string{"open", "close", "send", "receive"}
	c.clocks[names[e.Type]+" "+string(e.ChannelID)] = e.Clock
}

func TestChannels_ClocksOfTheirTimes(t *testing.T) {
	t.Parallel()
	const flat, message = `{"id":"p","purpose":"customer","connectedTime":"2026-11-25T10:00:01Z","endTime":"2026-11-25T10:00:09Z","messages":[` + messageAt + `]}`,
		`{"id":"m","state":"disconnected","connectedTime":"2026-11-25T10:00:01Z","disconnectedTime":"2026-11-25T10:00:09Z","messages":[` + messageAt + `]}`
	for name, test := range map[string]struct {
		snapshot []byte
		want     map[string]jsonevent.Clock
	}{
		"participant": {body("c", flat), map[string]jsonevent.Clock{"open p": jsonevent.OtherClock, "receive p": jsonevent.PlatformClock, "close p": jsonevent.OtherClock}},
		"communication": {
			general("c", `{"id":"p","purpose":"customer","messages":[`+message+`]}`),
			map[string]jsonevent.Clock{"open m": jsonevent.PlatformClock, "receive m": jsonevent.OtherClock, "close m": jsonevent.OtherClock},
		},
		"the participant's time": {general("c", `{"id":"p","connectedTime":"2026-11-25T10:00:01Z","chats":[{"id":"x","state":"connected"}]}`), map[string]jsonevent.Clock{"open x": jsonevent.OtherClock}},
		"no time":                {general("c", `{"id":"p","chats":[{"id":"x","state":"connected"},{"id":"y","state":"connected"}]}`), map[string]jsonevent.Clock{"open x": jsonevent.ReceiverClock, "open y": jsonevent.ReceiverClock}},
		"communications without an id": {
			general("c", `{"id":"p","connectedTime":"2026-11-25T10:00:01Z","messages":[`+strings.Replace(message, `"id":"m",`, "", 1)+`]}`),
			map[string]jsonevent.Clock{"open p": jsonevent.OtherClock, "send p": jsonevent.OtherClock, "close p": jsonevent.OtherClock},
		},
	} {
		to := &clocked{clocks: map[string]jsonevent.Clock{}}
		NewTracker(began).Decode(test.snapshot, began.Add(10*time.Second), to)
		assert.Equal(t, test.want, to.clocks, name)
	}
}

const messageAt = `{"messageId":"x","messageTime":"2026-11-25T10:00:03Z"}`
