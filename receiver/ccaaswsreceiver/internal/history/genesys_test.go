// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package history

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/reconcile"
)

const details = `{"conversations":[{"conversationId":"c1","conversationStart":"2026-11-01T10:00:00.000Z",
"participants":[
 {"participantId":"p1","purpose":"customer","sessions":[
  {"sessionId":"s1","mediaType":"message","messageType":"webmessaging","segments":[
   {"segmentStart":"2026-11-01T10:00:00.000Z","segmentEnd":"2026-11-01T10:01:00.000Z","segmentType":"interact","queueId":"q1"},
   {"segmentStart":"2026-11-01T10:01:00.000Z","segmentType":"interact","queueId":"q1"}]}]},
 {"participantId":"p2","purpose":"agent","userId":"u2","sessions":[
  {"sessionId":"s2","mediaType":"message","messageType":"webmessaging","segments":[
   {"segmentStart":"2026-11-01T10:00:10.000Z","segmentEnd":"2026-11-01T10:00:20.000Z","segmentType":"alert"},
   {"segmentStart":"2026-11-01T10:00:20.000Z","segmentEnd":"2026-11-01T10:05:00.000Z","segmentType":"interact","disconnectType":"transportFailure"},
   {"segmentStart":"2026-11-01T10:05:00.000Z","segmentType":"wrapup"}]}]},
 {"participantId":"p3","purpose":"agent","sessions":[
  {"sessionId":"s3","mediaType":"voice","segments":[{"segmentStart":"2026-11-01T10:00:10.000Z","segmentEnd":"2026-11-01T10:00:20.000Z","segmentType":"alert"}]}]},
 {"participantId":"p4","purpose":"agent","sessions":[
  {"sessionId":"s4","mediaType":"voice","segments":[{"segmentStart":"2026-11-01T10:00:00.000Z","segmentEnd":"2026-11-01T10:00:20.000Z","segmentType":"interact"}]},
  {"sessionId":"s5","mediaType":"voice","segments":[{"segmentStart":"2026-11-01T10:03:00.000Z","segmentType":"interact"}]}]}
]}]}`

func unknown(string, string, string, string) (string, bool) { return "", false }

func sessions(t testing.TB, byParticipant bool, match Match) map[string]reconcile.Session {
	t.Helper()
	all, err := DecodeConversations([]byte(details))
	require.NoError(t, err)
	found := map[string]reconcile.Session{}
	all[0].Sessions(byParticipant, match, func(s *reconcile.Session) { found[s.Channel] = *s })
	return found
}

func at(text string) int64 {
	parsed, err := time.Parse(time.RFC3339, "2026-11-01T"+text+"Z")
	if err != nil {
		panic(err)
	}
	return parsed.UnixNano()
}

func TestConversation_Sessions(t *testing.T) {
	t.Parallel()
	found := sessions(t, false, unknown)
	assert.Len(t, found, 4, "an offer that was not answered is no channel")
	assert.Equal(t, reconcile.Session{
		Channel: "s1", ChannelType: "webmessaging", Conversation: "c1", Participant: "p1",
		Group: reconcile.Group{Queue: "q1", Media: "message"}, Start: at("10:00:00"),
	}, found["s1"])
	assert.Equal(t, reconcile.Session{
		Channel: "s2", ChannelType: "webmessaging", User: "u2", Conversation: "c1", Participant: "p2",
		Group: reconcile.Group{Media: "message"}, Start: at("10:00:20"), Ended: true, End: at("10:05:00"), Reason: "transport.failure",
	}, found["s2"], "the work after is not a time in which it is connected")
}

// On topics of one medium a participant is the channel, with all of its sessions.
func TestConversation_SessionsByParticipant(t *testing.T) {
	t.Parallel()
	found := sessions(t, true, unknown)
	assert.Len(t, found, 3)
	assert.False(t, found["p4"].Ended, "it has returned")
	assert.Equal(t, at("10:03:00"), found["p4"].Start)
}

func TestConversation_SessionOfAKnownChannel(t *testing.T) {
	t.Parallel()
	found := sessions(t, false, func(conversation, session, participant, media string) (string, bool) {
		return "known", conversation == "c1" && session == "s2" && participant == "p2" && media == "message"
	})
	assert.Contains(t, found, "known")
	assert.NotContains(t, found, "s2")
}

func TestDecodeActivity(t *testing.T) {
	t.Parallel()
	found, err := DecodeActivity([]byte(`{"results":[
		{"group":{"queueId":"q1","mediaType":"message"},"data":[{"metric":"oInteracting","count":5},{"metric":"oWaiting","count":1}],"truncated":true,
		 "entities":[{"conversationId":"a"},{"conversationId":"b"},{"conversationId":"a"},{"sessionId":"x"}]},
		{"group":{"queueId":"q2"},"data":[{"metric":"oInteracting","count":1}],"entities":[{"conversationId":"c"}]}]}`))
	require.NoError(t, err)
	assert.Equal(t, Activity{Conversations: []string{"a", "b", "c"}, Groups: 2, Unlisted: 2}, found)
	_, err = DecodeActivity([]byte(`[]`))
	require.Error(t, err)
}

func TestDecodeObservations(t *testing.T) {
	t.Parallel()
	counts, err := DecodeObservations([]byte(`{"results":[{"group":{"queueId":"q1"},"data":[{"stats":{"count":9}}]},
		{"group":{"queueId":"q1","mediaType":"message"},"data":[{"metric":"oInteracting","stats":{"count":5}},{"metric":"oWaiting","stats":{"count":1}}]},
		{"group":{"queueId":"q1","mediaType":"voice"}}]}`))
	require.NoError(t, err)
	assert.Equal(t, map[reconcile.Group]int64{{Queue: "q1", Media: "message"}: 6, {Queue: "q1", Media: "voice"}: 0}, counts)
}

func TestDisconnectType(t *testing.T) {
	t.Parallel()
	for reason, want := range map[string]string{
		"transportFailure": "transport.failure", "TRANSPORT_FAILURE": "transport.failure", "conferenceTransfer": "transfer.conference",
		"NO_ANSWER_TRANSFER": "transfer.noanswer", "transfer.noanswer": "transfer.noanswer", "dndEndpoint": "endpoint.dnd", "unset": "", "UNKNOWN": "",
		"sessionExpired": "session.expired", "peer": "peer", "transfer": "transfer", "error": "error", "": "",
	} {
		assert.Equal(t, want, DisconnectType(reason), reason)
	}
}

func TestTopics(t *testing.T) {
	t.Parallel()
	queue, ok := QueueOf("v2.routing.queues.1234.conversations.messages")
	assert.True(t, ok)
	assert.Equal(t, "1234", queue)
	for _, topic := range []string{"v2.users.1.conversations", "v2.routing.queues.", "v2.routing.queues.x"} {
		_, ok = QueueOf(topic)
		assert.False(t, ok, topic)
	}
	assert.False(t, OfMedium("v2.routing.queues.1234.conversations"))
	assert.True(t, OfMedium("v2.routing.queues.1234.conversations.messages"))
}

func FuzzAnswers(f *testing.F) {
	f.Add([]byte(details))
	f.Add([]byte(`{"results":[{"group":{"queueId":"q1","mediaType":"message"},"data":[{"count":1e300,"stats":{"count":-1e300}}],"truncated":true}]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		if all, err := DecodeConversations(body); err == nil {
			for i := range all {
				all[i].Times()
				all[i].Sessions(true, unknown, func(s *reconcile.Session) {
					require.NotEmpty(t, s.Channel)
					require.True(t, s.Ended || s.End == 0)
				})
			}
		}
		if found, err := DecodeActivity(body); err == nil {
			require.GreaterOrEqual(t, found.Unlisted, int64(0))
		}
		if counts, err := DecodeObservations(body); err == nil {
			for _, n := range counts {
				require.GreaterOrEqual(t, n, int64(0))
			}
		}
	})
}

// An answer that is no object says nothing about what is open.
func TestAnswersThatAreNoObject(t *testing.T) {
	t.Parallel()
	for _, body := range []string{"null", "[]", "0", `""`, "", " null"} {
		_, err := DecodeActivity([]byte(body))
		require.Error(t, err, body)
		_, err = DecodeObservations([]byte(body))
		require.Error(t, err, body)
		_, err = DecodeConversations([]byte(body))
		require.Error(t, err, body)
	}
	found, err := DecodeConversations([]byte(" {}"))
	require.NoError(t, err)
	assert.Empty(t, found)
}
