// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package conversation

import (
	"cmp"
	"encoding/json"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/jsonevent"
)

// envelope is a frame of the platform.
type envelope struct {
	TopicName text      `json:"topicName"`
	EventBody *snapshot `json:"eventBody"`
}

// snapshot is the state of a conversation.
type snapshot struct {
	ID           text              `json:"id"`
	Participants []json.RawMessage `json:"participants"`
}

// participant is a party of a conversation. State, DisconnectType and Type are
// those of media topics; elsewhere its communications have them.
type participant struct {
	ID             text  `json:"id"`
	UserID         text  `json:"userId"`
	User           named `json:"user"`
	QueueID        text  `json:"queueId"`
	Queue          named `json:"queue"`
	Purpose        text  `json:"purpose"`
	Type           text  `json:"type"`
	ConnectedTime  text  `json:"connectedTime"`
	EndTime        text  `json:"endTime"`
	State          text  `json:"state"`
	DisconnectType text  `json:"disconnectType"`

	// Messages are messages on topics that end in .messages, and communications,
	// which hold them, on those that do not.
	Messages          []json.RawMessage `json:"messages"`
	Calls             []json.RawMessage `json:"calls"`
	Callbacks         []json.RawMessage `json:"callbacks"`
	Chats             []json.RawMessage `json:"chats"`
	Emails            []json.RawMessage `json:"emails"`
	SocialExpressions []json.RawMessage `json:"socialExpressions"`
	Videos            []json.RawMessage `json:"videos"`
	Cobrowse          []json.RawMessage `json:"cobrowsesessions"`
	Screenshares      []json.RawMessage `json:"screenshares"`
	ScreenMonitorings []json.RawMessage `json:"screenMonitorings"`
	InternalMessages  []json.RawMessage `json:"internalMessages"`
}

type named struct {
	ID text `json:"id"`
}

// medium is a kind of communication, with the channel type of its channels.
type medium struct {
	channelType string
	of          func(*participant) []json.RawMessage
}

// media are the kinds of communication besides messages, in the order in which the
// events of one snapshot are emitted.
func media() []medium {
	return []medium{
		{"callback", func(p *participant) []json.RawMessage { return p.Callbacks }}, // before its calls: it was there first
		{"voice", func(p *participant) []json.RawMessage { return p.Calls }},
		{"chat", func(p *participant) []json.RawMessage { return p.Chats }},
		{"email", func(p *participant) []json.RawMessage { return p.Emails }},
		{"social", func(p *participant) []json.RawMessage { return p.SocialExpressions }},
		{"video", func(p *participant) []json.RawMessage { return p.Videos }},
		{"cobrowse", func(p *participant) []json.RawMessage { return p.Cobrowse }},
		{"screenshare", func(p *participant) []json.RawMessage { return p.Screenshares }},
		{"screenmonitoring", func(p *participant) []json.RawMessage { return p.ScreenMonitorings }},
		{"internalmessage", func(p *participant) []json.RawMessage { return p.InternalMessages }},
	}
}

// communication is a participant's part in one medium. In messages it may be a
// message instead, on media topics.
type communication struct {
	message

	State            text              `json:"state"`
	Type             text              `json:"type"`
	ConnectedTime    text              `json:"connectedTime"`
	DisconnectedTime text              `json:"disconnectedTime"`
	DisconnectType   text              `json:"disconnectType"`
	Messages         []json.RawMessage `json:"messages"`
}

// isMessage reports whether it is a message, and no communication.
func (c *communication) isMessage() bool {
	return c.State == "" && c.Messages == nil && c.ConnectedTime == "" && c.DisconnectedTime == ""
}

// message is one that was sent or received.
type message struct {
	ID          text  `json:"id"`
	MessageID   text  `json:"messageId"`
	Message     named `json:"message"`
	MessageTime text  `json:"messageTime"`
	Media       []struct {
		ContentLengthBytes text `json:"contentLengthBytes"`
	} `json:"media"`
}

// identity is the message's own; empty: it has none.
func (m *message) identity() string {
	return string(cmp.Or(cmp.Or(m.MessageID, m.Message.ID), m.ID))
}

// size is the sum of the media's, if all of it is known. A size that cannot be read
// is a field error.
func (m *message) size() (bytes int64, known bool, errs jsonevent.FieldErrors) {
	known = len(m.Media) > 0
	for _, one := range m.Media {
		if one.ContentLengthBytes == "" {
			known = false
			continue
		}
		length, ok := jsonevent.ParseInteger([]byte(one.ContentLengthBytes))
		if !ok {
			return 0, false, jsonevent.PayloadSizeError
		}
		bytes = saturatingSum(bytes, length)
	}
	if !known {
		bytes = 0
	}
	return bytes, known, 0
}

func saturatingSum(a, b int64) int64 {
	if a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
}

// text is a value that is text or a number. Anything else is no value.
type text string

// UnmarshalJSON takes any value.
func (t *text) UnmarshalJSON(value []byte) error {
	*t = ""
	switch c := value[0]; {
	case c == '"' && !slices.Contains(value, '\\'):
		*t = text(value[1 : len(value)-1])
	case c == '"':
		var unescaped string
		if err := json.Unmarshal(value, &unescaped); err != nil {
			return err
		}
		*t = text(unescaped)
	case c == '-' || c >= '0' && c <= '9':
		*t = text(value)
	}
	return nil
}

// ended reports whether a state is one after which nothing follows. A parked
// communication is not: it is open and idle.
func ended(state text) bool { return state == "disconnected" || state == "terminated" }

// connected reports whether a state is one that only what was connected has.
func connected(state text) bool { return state == "connected" || state == "parked" }

// topicMedium returns the channel type of a topic's conversations, where the topic
// is of one medium. It is false for the topics that carry no conversations.
func topicMedium(topic string) (channelType string, ok bool) {
	topic = strings.ToLower(topic)
	rest, last := cutLast(topic)
	if last == "conversations" {
		return "", true
	}
	if _, before := cutLast(rest); before != "conversations" {
		return "", false
	}
	switch last {
	case "messages":
		return "", true // whose participants name their type
	case "calls":
		return "voice", true
	case "callbacks":
		return "callback", true
	case "chats":
		return "chat", true
	case "emails":
		return "email", true
	case "socialexpressions":
		return "social", true
	case "videos":
		return "video", true
	case "cobrowsesessions":
		return "cobrowse", true
	case "screenshares":
		return "screenshare", true
	case "screenmonitorings":
		return "screenmonitoring", true
	case "internalmessages":
		return "internalmessage", true
	}
	return "", false
}

func cutLast(topic string) (before, last string) {
	dot := strings.LastIndexByte(topic, '.')
	return topic[:max(dot, 0)], topic[dot+1:]
}

// timeOf reads a platform's time; where there is none, it is otherwise.
func timeOf(value text, otherwise time.Time) (time.Time, error) {
	if value == "" {
		return otherwise, nil
	}
	nanoseconds, err := jsonevent.ParseTimestamp([]byte(value))
	if err != nil {
		return time.Time{}, err
	}
	return time.Unix(0, nanoseconds), nil
}
