// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package jsonevent

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// decoded is what a decoder says of a frame, in short.
type decoded []string

func (l *decoded) Event(e *Event) {
	*l = append(*l, fmt.Sprintf("%s %s %s %s %d %d", eventTypes()[e.Type], e.ChannelID, e.UserID, e.ID, e.Time, e.PayloadSize))
}

func (l *decoded) Violation(v *Violation) { *l = append(*l, v.Reason+" "+v.Detail) }

func (l *decoded) Ignored() { *l = append(*l, "ignored") }

func decodeMapped(t *testing.T, fields Fields, types Types, frame string) []string {
	t.Helper()
	decoder, err := NewMapped(fields, types)
	require.NoError(t, err)
	var first, again decoded
	decoder.Decode([]byte(frame), &first)
	decoder.Decode([]byte(frame), &again)
	assert.Equal(t, first, again, "what was learned changes nothing")
	return first
}

// hub is how a platform with types of its own spells its events.
func hub() (Fields, Types) {
	return Fields{Timestamp: "createdAt", ChannelID: "data.case.id || data.contact.id", UserID: "data.message.authorUser.id", ID: "data.message.id || eventId"},
		Types{
			"connection.open":  {{"eventType": {"CaseCreated"}}},
			"connection.close": {{"eventType": {"CaseStatusChanged"}, "data.case.status": {"closed", "resolved"}}},
			"message.receive":  {{"eventType": {"MessageCreated"}, "data.message.direction": {"inbound"}}},
			"message.send":     {{"eventType": {"MessageCreated"}, "data.message.direction": {"*"}}},
		}
}

func TestTypesByConditions(t *testing.T) {
	t.Parallel()
	fields, types := hub()
	for frame, want := range map[string]string{
		`{"eventId":"e","eventType":"CaseCreated","createdAt":1700000000,"data":{"case":{"id":"c"}}}`:                                                              "connection.open c  e 1700000000000000000 0",
		`{"eventId":"e","eventType":"CaseCreated","createdAt":1700000000,"data":{"contact":{"id":7}}}`:                                                             "connection.open 7  e 1700000000000000000 0",
		`{"eventId":"e","eventType":"CaseStatusChanged","createdAt":1,"data":{"case":{"id":"c","status":"closed"}}}`:                                               "connection.close c  e 1000000000 0",
		`{"eventId":"e","eventType":"CaseStatusChanged","createdAt":1,"data":{"case":{"id":"c","status":"open"}}}`:                                                 "ignored",
		`{"eventId":"e","eventType":"AgentLoggedIn","createdAt":"tomorrow"}`:                                                                                       "bad_timestamp createdAt: \"tomorrow\" is neither ISO 8601 nor an epoch",
		`{"eventId":"e","eventType":"AgentLoggedIn"}`:                                                                                                              "ignored",
		`{"eventId":"e","createdAt":1,"data":{"case":{"id":"c"}}}`:                                                                                                 "missing_type nothing is given at the paths of types",
		`{"eventId":"e","eventType":"MessageCreated","createdAt":1,"data":{"case":{"id":"c"},"message":{"id":"m","direction":"inbound","authorUser":{"id":"u"}}}}`: "message.receive c u m 1000000000 0",
		`{"eventId":"e","eventType":"MessageCreated","createdAt":1,"data":{"case":{"id":"c"},"message":{"id":"m","direction":"outbound"}}}`:                        "message.send c  m 1000000000 0",
		`{"eventId":"e","eventType":"MessageCreated","createdAt":1,"data":{"message":{"id":"m","direction":"outbound"}}}`:                                          "missing_channel_id nothing is given at data.case.id || data.contact.id",
		`{"eventId":"e","eventType":"CaseCreated","eventType":"CaseCreated","createdAt":1,"data":{"case":{"id":"c"}}}`:                                             "duplicate_key eventType: the field is given twice",
		`{"eventId":"e","eventType":"CaseCreated","createdAt":1,"data":{"case":{"id":1.5}}}`:                                                                       "wrong_type data.case.id || data.contact.id: 1.5 is neither a string nor a whole number",
	} {
		assert.Equal(t, []string{want}, decodeMapped(t, fields, types, frame), frame)
	}
}

func TestDecode_JSONInString(t *testing.T) {
	t.Parallel()
	fields := Fields{Timestamp: "content|json.At", ChannelID: "content|json.Contact.Id", ID: "content|json.Ids[1]", PayloadSize: "content|json.Meta|json.Bytes", UserID: "content|json.Name"}
	types := Types{"message.send": {{"topic": {"aws/chat"}, "content|json.Type": {"MESSAGE"}}}}
	meta, err := json.Marshal(map[string]any{"Bytes": 12})
	require.NoError(t, err)
	content, err := json.Marshal(map[string]any{
		"At": "2023-11-14T22:13:20Z", "Contact": map[string]any{"Id": "c\"ü"}, "Ids": []string{"a", "b"}, "Type": "MESSAGE", "Meta": string(meta), "Name": "ünal",
	})
	require.NoError(t, err)
	frame := func(content string) string {
		text, err := json.Marshal(map[string]any{"topic": "aws/chat", "content": content})
		require.NoError(t, err)
		return string(text)
	}
	assert.Equal(t, []string{"message.send c\"ü ünal b 1700000000000000000 12"}, decodeMapped(t, fields, types, frame(string(content))))
	assert.Equal(t, []string{"ignored"}, decodeMapped(t, fields, types, frame("plain words")))
	assert.Equal(t, []string{"wrong_type content: the JSON in it is broken: a colon belongs here"}, decodeMapped(t, fields, types, frame(`{"Type"`)))
	assert.Equal(t, []string{"wrong_type content: the JSON in it is broken: nothing belongs here after the object"}, decodeMapped(t, fields, types, frame(`{"Type":"MESSAGE"} {}`)))
	assert.Equal(t, []string{"ignored"}, decodeMapped(t, fields, types, `{"topic":"aws/chat","content":null}`))
}

func TestFields_ValueReadTwiceAndInside(t *testing.T) {
	t.Parallel()
	fields := Fields{Timestamp: "at", ChannelID: "content", ID: "content || at", UserID: "content|json.user"}
	types := Types{"message.send": {{"content": {"*"}}}}
	frame := `{"at":1,"content":"{\"user\":\"u\"}"}`
	assert.Equal(t, []string{`message.send {"user":"u"} u {"user":"u"} 1000000000 0`}, decodeMapped(t, fields, types, frame))
}

func TestDecode_FrameIsListOfParts(t *testing.T) {
	t.Parallel()
	fields := Fields{Timestamp: "[1].at", ChannelID: "[1].session", ID: "[0].id"}
	types := Types{"connection.open": {{"[0].type": {"ServerNotification"}}}}
	assert.Equal(t, []string{"connection.open s  i 1000000000 0"},
		decodeMapped(t, fields, types, `[{"type":"ServerNotification","id":"i"},{"at":1,"session":"s"}]`))
	assert.Equal(t, []string{"ignored"}, decodeMapped(t, fields, types, `[{"type":"Heartbeat"},{}]`))
}

func TestBadMappings(t *testing.T) {
	t.Parallel()
	fields, types := hub()
	for want, change := range map[string]func(){
		`types: "message.shout": must be one of connection.open`:                           func() { types["message.shout"] = nil },
		`types::message.send: "a": has no values`:                                          func() { types["message.send"] = []map[string][]string{{"a": {}}} },
		`types::message.send: a condition without a path`:                                  func() { types["message.send"] = []map[string][]string{{}} },
		`types::message.send: "data": a value is read here, but another is read inside it`: func() { types["message.send"] = []map[string][]string{{"data": {"x"}}} },
		`fields::user_id: "a|xml.b": "a|xml": only |json may follow a |`:                   func() { fields.UserID = "a|xml.b" },
		`fields::user_id: "eventType.b": types reads a value at "eventType"`:               func() {},
	} {
		fields, types = hub()
		change()
		if want[:6] == "fields" && fields.UserID == "data.message.authorUser.id" {
			fields.UserID = "data.message.id.b" // which a choice reads
			want = `fields::id: "data.message.id || eventId": a value is read here, but another is read inside it`
		}
		_, err := NewMapped(fields, types)
		require.ErrorContains(t, err, want)
	}
}

func FuzzMapped(f *testing.F) {
	f.Add([]byte(`{"eventId":"e","eventType":"CaseCreated","createdAt":1,"data":{"case":{"id":"c","status":"{\"a\":\"b\"}"}}}`), "data.case.status|json.a || eventId")
	f.Add([]byte(`[{"eventType":"CaseCreated"},{"a":"{\"b\":\"\\u00fc\"}"}]`), "[1].a|json.b || [0].eventType")
	f.Add([]byte(`{"eventType":"MessageCreated","createdAt":1,"data":{"case":{"id":"c"},"message":{"id":"m","direction":"inbound"}}}`), "data.message.id || data.message || data")
	f.Fuzz(func(t *testing.T, frame []byte, path string) {
		fields, types := hub()
		fields.UserID, fields.Text = path, path
		decoder, err := NewMapped(fields, types)
		if err != nil {
			return
		}
		var first, again decoded
		decoder.Decode(frame, &first)
		decoder.Decode(frame, &again)
		assert.Equal(t, first, again)
	})
}

func BenchmarkMapped(b *testing.B) {
	fields, types := hub()
	decoder, err := NewMapped(fields, types)
	require.NoError(b, err)
	frame := []byte(`{"eventId":"8b1deb4d-3b7d-4bad","eventObject":"Message","eventType":"MessageCreated","createdAt":"2026-11-25T01:20:03.456Z","data":` +
		`{"brand":{"id":1},"channel":{"id":"webmessaging"},"case":{"id":"3f2504e0-4f89-41d3","status":"open"},"message":{"id":"1b9d6bcd-bbfd","direction":"inbound"}}}`)
	b.ReportAllocs()
	b.SetBytes(int64(len(frame)))
	var sink tally
	for b.Loop() {
		decoder.Decode(frame, &sink)
	}
}

// TestSizeOfText is that a message's size is the length of the first text that is
// given, in UTF-8.
func TestSizeOfText(t *testing.T) {
	t.Parallel()
	fields, types := hub()
	fields.Text = "m.text || m.payload.text.content || m.payload || m.fallback"
	for content, want := range map[string]int64{
		`{"text":"Grüße","payload":{"text":{"content":"x"}},"fallback":"y"}`: 7,
		`{"text":"\u00fc\n\ud83d\ude00"}`:                                    7, // ü, a new line, an emoji
		`{"text":"","payload":{"text":{"content":"four"},"more":[1]}}`:       4,
		`{"payload":{"more":[1], "text": "t"}}`:                              int64(len(`{"more":[1], "text": "t"}`)),
		`{"payload":[{"a":1}]}`:                                              int64(len(`[{"a":1}]`)),
		`{"payload":"six \"ch\""}`:                                           8,
		`{"payload":{ },"fallback":"fall"}`:                                  4,
		`{"payload":null,"fallback":"fall"}`:                                 4,
		`{"payload":true,"text":false,"fallback":"fall"}`:                    4,
		`{"text":12345}`:                                                     5,
		`{}`:                                                                 -1,
		`{"text":""}`:                                                        -1,
	} {
		frame := `{"m":` + content + `,"eventType":"MessageCreated","createdAt":1,"data":{"case":{"id":"c"},"message":{"id":"m","direction":"outbound"}}}`
		decoder, err := NewMapped(fields, types)
		require.NoError(t, err)
		for range 2 { // what was learned changes nothing
			c := &collector{}
			decoder.Decode([]byte(frame), c)
			require.Len(t, c.events, 1, frame)
			require.Empty(t, c.violations, frame)
			assert.Equal(t, want >= 0, c.events[0].HasPayloadSize, frame)
			assert.Equal(t, max(want, 0), c.events[0].PayloadSize, frame)
		}
	}
	c := &collector{}
	decoder, err := NewDecoder(Fields{Type: "type", Timestamp: "timestamp", ChannelID: "channelId", Text: "content|json.Content"})
	require.NoError(t, err)
	decoder.Decode([]byte(`[{"type":"message.send","timestamp":1,"channelId":"c","content":"{\"Content\":\"hello\"}"},
		{"type":"connection.open","timestamp":1,"channelId":"c","content":"{\"Content\":\"hello\"}"}]`), c)
	require.Len(t, c.events, 2)
	assert.Equal(t, int64(5), c.events[0].PayloadSize)
	assert.False(t, c.events[1].HasPayloadSize, "no message")
}
