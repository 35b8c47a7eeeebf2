// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

// Package history encodes the requests that ask platforms for their channels, and decodes
// the responses. It is pure: no request is sent here.
package history

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/jsonevent"
	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/reconcile"
)

// Sizes of the requests to Genesys Cloud.
const (
	// QueuesPerRequest is how many queues one request names.
	QueuesPerRequest = 50
	// ConversationsPerRequest is how many conversations one request names, or one page has.
	ConversationsPerRequest = 100
	// ActivityPageSize is how many groups one page has.
	ActivityPageSize = 500
)

type predicate struct {
	Dimension string `json:"dimension"`
	Operator  string `json:"operator"`
	Value     string `json:"value,omitempty"`
}

type clause struct {
	Type       string      `json:"type"`
	Predicates []predicate `json:"predicates"`
}

type metric struct {
	Metric  string `json:"metric"`
	Details bool   `json:"details"`
}

func ofQueues(queues []string) (all []predicate) {
	for _, queue := range queues {
		all = append(all, predicate{Dimension: "queueId", Operator: "matches", Value: queue})
	}
	return all
}

func encode(body any) []byte {
	text, err := json.Marshal(body)
	if err != nil {
		panic(err) // strings and numbers always encode
	}
	return text
}

// ActivityRequest is the body of a query for the conversations that are open in queues.
func ActivityRequest(queues []string) []byte {
	return encode(map[string]any{
		"metrics": []metric{{"oInteracting", true}, {"oWaiting", true}, {"oAlerting", true}},
		"groupBy": []string{"queueId", "mediaType"},
		"filter":  map[string]any{"type": "and", "clauses": []clause{{Type: "or", Predicates: ofQueues(queues)}}},
	})
}

// ObservationsRequest is the body of a query for the number of open conversations.
func ObservationsRequest(queues []string) []byte {
	return encode(map[string]any{
		"metrics": []string{"oInteracting", "oWaiting"},
		"filter":  map[string]any{"type": "or", "predicates": ofQueues(queues)},
	})
}

// DetailsRequest is the body of a query for a page of the conversations that ended, or of
// those that are open, the latest first. The interval selects by the day on which a
// conversation began.
func DetailsRequest(queues []string, from, to time.Time, ended bool, page int) []byte {
	order, exists := "conversationStart", "notExists"
	if ended {
		order, exists = "conversationEnd", "exists"
	}
	return encode(map[string]any{
		"interval": from.UTC().Format(interval) + "/" + to.UTC().Format(interval),
		"order":    "desc", "orderBy": order,
		"paging":              map[string]int{"pageSize": ConversationsPerRequest, "pageNumber": page},
		"conversationFilters": []clause{{Type: "and", Predicates: []predicate{{Dimension: "conversationEnd", Operator: exists}}}},
		"segmentFilters":      []clause{{Type: "or", Predicates: ofQueues(queues)}},
	})
}

const interval = "2006-01-02T15:04:05.000Z"

type group struct {
	QueueID   string `json:"queueId"`
	MediaType string `json:"mediaType"`
}

func (g group) group() reconcile.Group {
	return reconcile.Group{Queue: g.QueueID, Media: strings.ToLower(g.MediaType)}
}

// decodeObject decodes an answer, which is an object: null and lists say nothing about what
// is open. An object without results has none of them.
func decodeObject(body []byte, to any) bool {
	return bytes.HasPrefix(bytes.TrimLeft(body, " \t\r\n"), []byte("{")) && json.Unmarshal(body, to) == nil
}

// maxCount bounds a count of the platform.
const maxCount = 1e9

// Activity is what is open, by a page of an answer.
type Activity struct {
	Conversations []string // without duplicates
	Groups        int      // of the page
	// Unlisted is how many more there are than the answer lists.
	Unlisted int64
}

// DecodeActivity decodes a page of an activity query.
func DecodeActivity(body []byte) (found Activity, err error) {
	var answer struct {
		Results []struct {
			Data []struct {
				Count float64 `json:"count"`
			} `json:"data"`
			Truncated bool `json:"truncated"`
			Entities  []struct {
				ConversationID string `json:"conversationId"`
			} `json:"entities"`
		} `json:"results"`
	}
	if !decodeObject(body, &answer) {
		return found, errors.New("the answer is no result of an activity query")
	}
	found.Groups = len(answer.Results)
	known := map[string]bool{}
	for i := range answer.Results {
		result := &answer.Results[i]
		for _, one := range result.Entities {
			if one.ConversationID != "" && !known[one.ConversationID] {
				known[one.ConversationID] = true
				found.Conversations = append(found.Conversations, one.ConversationID)
			}
		}
		if !result.Truncated {
			continue
		}
		missing := -int64(len(result.Entities))
		for _, one := range result.Data {
			missing += int64(max(0, min(one.Count, maxCount)))
		}
		found.Unlisted += max(missing, 1)
	}
	return found, nil
}

// DecodeObservations decodes the number of open conversations by queue and medium.
func DecodeObservations(body []byte) (map[reconcile.Group]int64, error) {
	var answer struct {
		Results []struct {
			Group group `json:"group"`
			Data  []struct {
				Stats struct {
					Count float64 `json:"count"`
				} `json:"stats"`
			} `json:"data"`
		} `json:"results"`
	}
	if !decodeObject(body, &answer) {
		return nil, errors.New("the answer is no result of an observations query")
	}
	counts := map[reconcile.Group]int64{}
	for i := range answer.Results {
		result := &answer.Results[i]
		if result.Group.MediaType == "" {
			continue // the sum over all media
		}
		key := result.Group.group()
		counts[key] += 0 // no data is 0
		for _, one := range result.Data {
			counts[key] += int64(max(0, min(one.Stats.Count, maxCount)))
		}
	}
	return counts, nil
}

// Conversation is one of the history.
type Conversation struct {
	ID           string `json:"conversationId"`
	Start        string `json:"conversationStart"`
	End          string `json:"conversationEnd"`
	Participants []struct {
		ID       string    `json:"participantId"`
		User     string    `json:"userId"`
		Sessions []session `json:"sessions"`
	} `json:"participants"`
}

type session struct {
	ID          string `json:"sessionId"`
	MediaType   string `json:"mediaType"`
	MessageType string `json:"messageType"`
	Segments    []struct {
		Start          string `json:"segmentStart"`
		End            string `json:"segmentEnd"`
		Type           string `json:"segmentType"`
		DisconnectType string `json:"disconnectType"`
		QueueID        string `json:"queueId"`
	} `json:"segments"`
}

// DecodeConversations decodes a page of a details query, or the conversations of ids.
func DecodeConversations(body []byte) ([]Conversation, error) {
	var answer struct {
		Conversations []Conversation `json:"conversations"`
	}
	if !decodeObject(body, &answer) {
		return nil, errors.New("the answer has no conversations")
	}
	return answer.Conversations, nil
}

// Times returns when a conversation began and ended, unix ns; 0: it has not.
func (c *Conversation) Times() (start, end int64) { return nanoseconds(c.Start), nanoseconds(c.End) }

// nanoseconds reads a time; 0 for none, and for one that cannot be read.
func nanoseconds(text string) int64 {
	if text == "" {
		return 0
	}
	at, err := jsonevent.ParseTimestamp([]byte(text))
	if err != nil {
		return 0
	}
	return at
}

// Match returns the channel, among those that are known, of a session.
type Match func(conversation, session, participant, media string) (channel string, ok bool)

// Sessions passes the channels of a conversation that were connected. With byParticipant
// a participant is a channel with all of its sessions, as on topics of one medium.
func (c *Conversation) Sessions(byParticipant bool, match Match, to func(*reconcile.Session)) {
	ended := nanoseconds(c.End)
	for i := range c.Participants {
		p := &c.Participants[i]
		var all []reconcile.Session
		for j := range p.Sessions {
			one, connected := p.Sessions[j].channel(ended)
			if !connected {
				continue
			}
			one.Conversation, one.Participant, one.User = c.ID, p.ID, p.User
			one.Channel = p.Sessions[j].ID
			if byParticipant {
				one.Channel = p.ID
			}
			if known, ok := match(c.ID, p.Sessions[j].ID, p.ID, one.Group.Media); ok {
				one.Channel = known
			}
			all = fold(all, &one)
		}
		for j := range all {
			if all[j].Channel != "" {
				to(&all[j])
			}
		}
	}
}

// fold adds a session, or joins it with another one of the same channel.
func fold(all []reconcile.Session, one *reconcile.Session) []reconcile.Session {
	for i := range all {
		same := &all[i]
		if same.Channel != one.Channel {
			continue
		}
		if same.Ended && one.Start > same.End { // it has returned
			*same = *one
			return all
		}
		same.Start = min(same.Start, one.Start)
		if same.Ended = same.Ended && one.Ended; !same.Ended {
			same.End, same.Reason = 0, ""
		} else if one.End > same.End {
			same.End, same.Reason = one.End, one.Reason
		}
		return all
	}
	return append(all, *one)
}

// channel returns the time in which a session was connected. A session of a conversation
// that has ended has ended.
func (s *session) channel(conversationEnd int64) (one reconcile.Session, connected bool) {
	one.Group.Media = strings.ToLower(s.MediaType)
	one.ChannelType = one.Group.Media
	if one.Group.Media == "message" {
		one.ChannelType = strings.ToLower(s.MessageType)
	}
	one.Ended = true
	for i := range s.Segments {
		segment := &s.Segments[i]
		if segment.QueueID != "" {
			one.Group.Queue = segment.QueueID
		}
		start, end := nanoseconds(segment.Start), nanoseconds(segment.End)
		if start == 0 || !connectedSegment(segment.Type) {
			continue
		}
		if !connected || start < one.Start {
			one.Start = start
		}
		connected = true
		if end == 0 {
			end = conversationEnd
		}
		switch {
		case end == 0:
			one.Ended = false
		case end >= one.End:
			one.End, one.Reason = end, DisconnectType(segment.DisconnectType)
		}
	}
	if !one.Ended {
		one.End, one.Reason = 0, ""
	}
	return one, connected
}

// connectedSegment reports whether a segment is of a time in which its session was
// connected: not of an offer, nor of the work after.
func connectedSegment(kind string) bool {
	switch strings.ToLower(kind) {
	case "alert", "wrapup", "dialing", "contacting", "scheduled", "converting", "uploading", "transmitting", "unknown", "":
		return false
	default:
		return true
	}
}

// DisconnectType returns the reason of an end as events have it, for the spellings of the
// history (transportFailure) and of detail events (TRANSPORT_FAILURE).
func DisconnectType(text string) string {
	plain := strings.ToLower(strings.NewReplacer(".", "", "_", "", " ", "").Replace(text))
	switch plain {
	case "unset", "unknown":
		return ""
	case "transportfailure":
		return "transport.failure"
	case "sessionexpired":
		return "session.expired"
	case "endpointdnd", "dndendpoint":
		return "endpoint.dnd"
	}
	for _, kind := range []string{"conference", "consult", "forward", "noanswer", "notavailable", "dnd"} {
		if plain == kind+"transfer" || plain == "transfer"+kind {
			return "transfer." + kind
		}
	}
	return plain
}

// QueueOf returns the queue of a topic.
func QueueOf(topic string) (queue string, ok bool) {
	const prefix = "v2.routing.queues."
	if len(topic) <= len(prefix) || !strings.EqualFold(topic[:len(prefix)], prefix) {
		return "", false
	}
	queue, _, ok = strings.Cut(topic[len(prefix):], ".")
	return queue, ok && queue != ""
}

// OfMedium reports whether a topic is of one medium: participants are its channels.
func OfMedium(topic string) bool { return !strings.HasSuffix(strings.ToLower(topic), ".conversations") }
