// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package ccaaswsreceiver

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/jsonevent"
)

// decoded is a sink that keeps what an API's frames hold, in short.
type decoded struct {
	events     []string
	ignored    int
	violations []string
}

func (d *decoded) Event(e *jsonevent.Event) {
	d.events = append(d.events, strings.Join(strings.Fields(fmt.Sprintf("%s %s %s %s", strings.TrimPrefix(eventName(e.Type), "connection."), e.ChannelID, e.ChannelType, e.ID)), " "))
}
func (d *decoded) Ignored() { d.ignored++ }
func (d *decoded) Violation(v *jsonevent.Violation) {
	d.violations = append(d.violations, v.Reason+" "+v.Detail)
}

// decodeFrames decodes frames as a receiver with a configuration does.
func decodeFrames(t *testing.T, config *Config, frames ...string) *decoded {
	t.Helper()
	up, err := newBench(t, config).newUpstream(t.Context())
	require.NoError(t, err)
	decoder, err := config.decoder(apiOf(t, config.Platform, config.API).Profile())
	require.NoError(t, err)
	decode, to := up.NewDecode(decoder), &decoded{}
	for _, one := range frames {
		decode([]byte(one), time.Time{}, to)
	}
	return to
}

func eventHubConfig() *Config {
	config := createDefaultConfig().(*Config)
	config.Platform, config.API = "nice_cxone", "event_hub"
	config.OAuth2.ClientID, config.OAuth2.ClientSecret = clientID, secret
	return config
}

// hubFrame is an event of the hub at a second; more is what its data hold besides the case.
func hubFrame(kind, of, status string, second int, more string) string {
	return fmt.Sprintf(`{"eventId":"e-%s-%d","eventType":%q,"traceId":"t%d","createdAt":"2026-11-25T10:00:%02dZ","data":{"case":{"id":%q,"status":%q},"channel":{"id":"chat_1"}%s}}`,
		of, second, kind, second, second, of, status, more)
}

func TestEventHub_StatusOfACase(t *testing.T) {
	t.Parallel()
	to := decodeFrames(t, eventHubConfig(),
		hubFrame("CaseCreated", "n1", "new", 1, ""),
		hubFrame("CaseStatusChanged", "n1", "open", 1, ""),
		hubFrame("CaseStatusChanged", "n1", "pending", 2, ""),
		hubFrame("CaseStatusChanged", "n1", "resolved", 3, ""),
		hubFrame("CaseStatusChanged", "n1", "closed", 9, ""),
		hubFrame("CaseStatusChanged", "n1", "trashed", 10, ""),
		hubFrame("CaseStatusChanged", "n2", "closed", 11, ""),
		hubFrame("CaseStatusChanged", "n2", "open", 12, ""),
		hubFrame("CaseStatusChanged", "n2", "Closed", 13, ""),
		hubFrame("CaseStatusChanged", "n3", "open", 14, ""),
	)
	assert.Equal(t, []string{
		"open n1 chat_1 n1/t1", "close n1 chat_1 n1/t3",
		"close n2 chat_1 n2/t11", "open n2 chat_1 n2/t12/again", "close n2 chat_1 n2/t13",
	}, to.events, "resolved, closed and trashed are one close; an open status opens what was closed")
	assert.Equal(t, 5, to.ignored)
	assert.Empty(t, to.violations)
}

// Two events are the same where type, case and trace are; two messages where their ids are.
func TestEventHub_Identity(t *testing.T) {
	t.Parallel()
	again := strings.NewReplacer(`"eventId":"e`, `"eventId":"again`).Replace
	created, message := hubFrame("CaseCreated", "n1", "new", 1, ""), hubFrame("MessageCreated", "n1", "open", 2, `,"message":{"id":"m1","direction":"inbound"}`)
	to := decodeFrames(t, eventHubConfig(),
		created, again(created), hubFrame("CaseCreated", "n2", "new", 1, ""),
		message, strings.Replace(again(message), "MessageCreated", "MessageAddedIntoCase", 1),
		strings.Replace(hubFrame("CaseCreated", "n3", "new", 3, ""), `"traceId":"t3",`, "", 1),
	)
	assert.Equal(t, []string{
		"open n1 chat_1 n1/t1", "open n1 chat_1 n1/t1", "open n2 chat_1 n2/t1",
		"message.receive n1 chat_1 m1", "message.receive n1 chat_1 m1", "open n3 chat_1 n3/e-n3-3",
	}, to.events)
}

// The hub calls a case a contact, too.
func TestEventHub_Contacts(t *testing.T) {
	t.Parallel()
	contact := strings.NewReplacer(`"case":`, `"contact":`)
	to := decodeFrames(t, eventHubConfig(),
		contact.Replace(hubFrame("CaseCreated", "n1", "new", 1, "")),
		contact.Replace(hubFrame("CaseStatusChanged", "n1", "pending", 2, "")),
		contact.Replace(hubFrame("CaseStatusChanged", "n1", "closed", 3, "")),
		contact.Replace(hubFrame("CaseStatusChanged", "n1", "open", 4, "")),
	)
	assert.Equal(t, []string{"open n1 chat_1 n1/t1", "close n1 chat_1 n1/t3", "open n1 chat_1 n1/t4/again"}, to.events)
}

func TestEventHub_CloseFindsItsChannel(t *testing.T) {
	t.Parallel()
	moved := strings.Replace(hubFrame("CaseStatusChanged", "n5", "closed", 2, ""), "chat_1", "chat_2", 1)
	without := strings.Replace(hubFrame("CaseStatusChanged", "n6", "closed", 3, ""), `"channel":{"id":"chat_1"}`, `"channel":{"id":null}`, 1)
	to := decodeFrames(t, eventHubConfig(), hubFrame("CaseCreated", "n5", "new", 1, ""), hubFrame("CaseCreated", "n6", "new", 1, ""), moved, without)
	assert.Equal(t, []string{"open n5 chat_1 n5/t1", "open n6 chat_1 n6/t1", "close n5 chat_1 n5/t2", "close n6 chat_1 n6/t3"}, to.events)
}

func TestEventHub_OtherEventsAreIgnored(t *testing.T) {
	t.Parallel()
	var frames []string
	names := []string{
		"CaseInboxAssigneeChanged", "CaseToRoutingQueueAssignmentChanged", "ContactInboxPreAssigneeChanged", "MessageUpdated", "MessageDeliveryStatusChanged",
		"MessageSeenChanged", "MessageNoteCreated", "MessagePreviewCreated", "SenderTypingStarted", "SenderTypingEnded", "Availability",
	}
	for i, name := range names {
		frames = append(frames, hubFrame(name, "n1", "open", i, `,"message":{"id":"m","direction":"inbound"}`))
	}
	assert.Equal(t, decoded{ignored: len(names)}, *decodeFrames(t, eventHubConfig(), frames...))
}

func TestEventHub_ParkedEvents(t *testing.T) {
	t.Parallel()
	parked := func(origin, of, status string, second int, more string) string {
		return hubFrame("EventInS3", of, status, second, `,"s3Object":{"url":"https://s3.example.com/x"},"originEvent":{"eventType":"`+origin+`"}`+more)
	}
	to := decodeFrames(t, eventHubConfig(),
		parked("CaseCreated", "n1", "new", 1, ""),
		parked("CaseStatusChanged", "n1", "pending", 2, ""),
		parked("MessageCreated", "n1", "open", 3, `,"message":{"id":"m1","direction":"outbound"}`),
		parked("MessageCreated", "n1", "open", 4, `,"message":{"id":"m2","direction":"inbound"}`),
		parked("MessageAddedIntoCase", "n1", "open", 5, ""),
		parked("CaseStatusChanged", "n1", "closed", 6, ""),
		parked("SenderTypingStarted", "n1", "open", 7, ""),
		`{"eventId":"e8","eventType":"EventInS3","createdAt":"2026-11-25T10:00:08Z","data":{"s3Object":{"url":"https://s3"},"originEvent":{"eventType":"MessageCreated"}}}`,
		`{"eventId":"e9","eventType":"EventInS3","createdAt":"2026-11-25T10:00:09Z","data":{"s3Object":{"url":"https://s3"},"originEvent":{"eventType":"MessagePreviewCreated"}}}`,
	)
	assert.Equal(t, []string{
		"open n1 chat_1 n1/t1", "message.send n1 chat_1 m1", "message.receive n1 chat_1 m2", "message.receive n1 chat_1 t5", "close n1 chat_1 n1/t6",
		"message.receive e8",
	}, to.events)
	assert.Equal(t, 3, to.ignored)
	assert.Empty(t, to.violations)
}

// chatFrame is an item of Amazon Connect's chat.
func chatFrame(contact, initial string, second int, item map[string]string) string {
	item["ContactId"], item["InitialContactId"], item["Id"] = contact, initial, fmt.Sprintf("%s-%d", contact, second)
	item["AbsoluteTime"] = fmt.Sprintf("2026-11-25T10:00:%02dZ", second)
	content, _ := json.Marshal(item)
	notification, _ := json.Marshal(map[string]string{"topic": "aws/chat", "contentType": "application/json", "content": string(content)})
	return string(notification)
}

func TestAmazonConnect_Sessions(t *testing.T) {
	t.Parallel()
	const event = "application/vnd.amazonaws.connect.event."
	happened := func(what, role string) map[string]string {
		item := map[string]string{"Type": "EVENT", "ContentType": event + what}
		if role != "" {
			item["ParticipantRole"] = role
		}
		return item
	}
	said := func(kind, role string) map[string]string {
		return map[string]string{"Type": kind, "ContentType": "text/plain", "Content": "hello", "ParticipantRole": role}
	}
	config := example(t, "custom-amazon-connect.yaml", map[string]string{"CCAAS_ENDPOINT": "http://127.0.0.1:1", "PARTICIPANT_TOKEN": "x"})
	to := decodeFrames(t, config,
		// ended by the agent
		chatFrame("k1", "k1", 1, happened("participant.joined", "CUSTOMER")),
		chatFrame("k1", "k1", 2, happened("participant.left", "AGENT")),
		chatFrame("k1", "k1", 3, happened("chat.ended", "")),
		// transferred
		chatFrame("k2", "k2", 4, happened("participant.joined", "CUSTOMER")),
		chatFrame("k2b", "k2", 5, happened("transfer.succeeded", "AGENT")),
		chatFrame("k2b", "k2", 6, said("MESSAGE", "CUSTOMER")),
		chatFrame("k2b", "k2", 7, happened("participant.left", "CUSTOMER")),
		chatFrame("k2b", "k2", 8, happened("chat.ended", "")),
		// of every sort
		chatFrame("k3", "k3", 9, said("ATTACHMENT", "CUSTOMER")),
		chatFrame("k3", "k3", 10, said("ATTACHMENT", "AGENT")),
		chatFrame("k3", "k3", 11, said("MESSAGE", "CUSTOM_BOT")),
		chatFrame("k3", "k3", 12, said("MESSAGE", "SUPERVISOR")),
		chatFrame("k3", "k3", 13, said("MESSAGE", "SYSTEM")),
		chatFrame("k3", "k3", 14, happened("typing", "CUSTOMER")),
		chatFrame("k3", "k3", 15, happened("participant.idle", "CUSTOMER")),
		chatFrame("k3", "k3", 16, map[string]string{"Type": "MESSAGEMETADATA", "ContentType": event + "message.read", "ParticipantRole": "CUSTOMER"}),
	)
	assert.Equal(t, []string{
		"open k1 k1-1", "close k1 k1-3",
		"open k2 k2-4", "message.receive k2 k2b-6", "close k2 k2b-7",
		"message.receive k3 k3-9", "message.send k3 k3-10", "message.send k3 k3-11", "message.send k3 k3-12", "message.send k3 k3-13",
	}, to.events)
	assert.Equal(t, 6, to.ignored)
	assert.Empty(t, to.violations)
}
