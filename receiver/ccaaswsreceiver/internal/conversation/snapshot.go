// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package conversation

import (
	"encoding/json"
	"time"

	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/frame"
)

// envelope is a frame of the platform.
type envelope struct {
	TopicName string    `json:"topicName"`
	EventBody *snapshot `json:"eventBody"`
}

// snapshot is a conversation as it stands.
type snapshot struct {
	ID           string            `json:"id"`
	Participants []json.RawMessage `json:"participants"`
}

// participant is one of those who take part, or took.
type participant struct {
	ID             string `json:"id"`
	UserID         string `json:"userId"`
	User           named  `json:"user"`
	Purpose        string `json:"purpose"`
	Type           string `json:"type"`
	ConnectedTime  string `json:"connectedTime"`
	EndTime        string `json:"endTime"`
	State          string `json:"state"`
	DisconnectType string `json:"disconnectType"`

	// Messages are messages on topics that end in .messages, and communications,
	// which hold them, on those that do not.
	Messages          []json.RawMessage `json:"messages"`
	Calls             []communication   `json:"calls"`
	Callbacks         []communication   `json:"callbacks"`
	Chats             []communication   `json:"chats"`
	Emails            []communication   `json:"emails"`
	SocialExpressions []communication   `json:"socialExpressions"`
}

type named struct {
	ID string `json:"id"`
}

// communication is a participant's part in one medium.
type communication struct {
	ID               string            `json:"id"`
	State            string            `json:"state"`
	Type             string            `json:"type"`
	ConnectedTime    string            `json:"connectedTime"`
	DisconnectedTime string            `json:"disconnectedTime"`
	DisconnectType   string            `json:"disconnectType"`
	Messages         []json.RawMessage `json:"messages"`
}

// message is one that was sent or received.
type message struct {
	ID          string `json:"id"`
	MessageID   string `json:"messageId"`
	Message     named  `json:"message"`
	MessageTime string `json:"messageTime"`
	Media       []struct {
		ContentLengthBytes *int64 `json:"contentLengthBytes"`
	} `json:"media"`
}

func (m *message) identity() string {
	switch {
	case m.MessageID != "":
		return m.MessageID
	case m.Message.ID != "":
		return m.Message.ID
	case m.ID != "":
		return m.ID
	}
	return m.MessageTime
}

// size is the sum of the media's, if all of it is known.
func (m *message) size() (bytes int64, known bool) {
	for _, one := range m.Media {
		if one.ContentLengthBytes == nil || *one.ContentLengthBytes < 0 || *one.ContentLengthBytes > 1<<40 {
			return 0, false
		}
		bytes += *one.ContentLengthBytes
	}
	return bytes, len(m.Media) > 0
}

// media are the kinds of communication besides messages, with what their channel
// type is called.
func (p *participant) media() map[string][]communication {
	return map[string][]communication{
		"voice": p.Calls, "callback": p.Callbacks, "chat": p.Chats, "email": p.Emails, "social": p.SocialExpressions,
	}
}

// open is whether the participant is, or was, connected, and since when.
func (p *participant) open() (since string, open bool) {
	return p.ConnectedTime, p.ConnectedTime != "" || p.State == "connected"
}

// closed is whether the participant's connection has ended, and when.
func (p *participant) closed() (at string, closed bool) {
	return p.EndTime, p.EndTime != "" || ended(p.State)
}

func ended(state string) bool { return state == "disconnected" || state == "terminated" }

// complete fills what only the participant's communications tell, and gives the
// messages of all of them.
func (p *participant) complete() []json.RawMessage {
	var messages []json.RawMessage
	for _, raw := range p.Messages {
		var one communication
		if json.Unmarshal(raw, &one) == nil && (one.State != "" || one.Messages != nil) {
			p.take(&one, one.Type)
			messages = append(messages, one.Messages...)
			continue
		}
		messages = append(messages, raw)
	}
	for name, all := range p.media() {
		for i := range all {
			p.take(&all[i], orElse(all[i].Type, name))
		}
	}
	return messages
}

func (p *participant) take(c *communication, kind string) {
	p.Type = orElse(p.Type, kind)
	p.ConnectedTime = orElse(p.ConnectedTime, c.ConnectedTime)
	p.DisconnectType = orElse(p.DisconnectType, c.DisconnectType)
	if p.State == "" {
		p.State = c.State
	}
	if ended(c.State) {
		p.EndTime = orElse(p.EndTime, c.DisconnectedTime)
	}
}

func orElse(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}

// timeOf reads a platform's time; where there is none, it is otherwise.
func timeOf(text string, otherwise time.Time) (time.Time, error) {
	if text == "" {
		return otherwise, nil
	}
	nanoseconds, err := frame.ParseTimestamp([]byte(text))
	if err != nil {
		return time.Time{}, err
	}
	return time.Unix(0, nanoseconds), nil
}
