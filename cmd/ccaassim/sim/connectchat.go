// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package sim

import (
	"encoding/json"
	"net/http"
	"slices"
	"time"
)

// Paths of Amazon Connect chat.
const (
	ConnectionPath  = "/participant/connection"
	connectChatPath = "/connect/chat"
)

func (s *Server) connectChatRoutes(mux *http.ServeMux) {
	mux.HandleFunc("POST "+ConnectionPath, s.postConnection)
	mux.HandleFunc("GET "+connectChatPath, s.connectChatSocket)
}

// postConnection tells a participant of a chat where its socket is.
func (s *Server) postConnection(w http.ResponseWriter, r *http.Request) {
	s.tally.note(func(t *tally) { t.requests.Connections++ })
	if s.fail(w, func(t *Trouble) *Failure { return &t.ConnectionFail }) {
		return
	}
	participant := r.Header.Get("X-Amz-Bearer")
	if participant == "" {
		participant, _ = bearer(r)
	}
	if participant == "" {
		platformError(w, http.StatusForbidden, "no participant token: want X-Amz-Bearer")
		return
	}
	now := time.Now()
	token := s.tokens.issue("participant", now)
	expiry := string(appendISO(nil, now.Add(s.config.TokenTTL).UnixNano()))
	writeJSON(w, http.StatusOK, map[string]any{
		"Websocket": map[string]string{
			"Url":              s.advertised("ws") + connectChatPath + "?token=" + token,
			"ConnectionExpiry": expiry,
		},
		"ConnectionCredentials": map[string]string{"ConnectionToken": token, "Expiry": expiry},
	})
}

// tokenInURL is what stands behind the token in a socket's URL; without, it answers 401.
func (s *Server) tokenInURL(w http.ResponseWriter, r *http.Request) (grant, bool) {
	if g, ok := s.tokens.find(r.URL.Query().Get("token"), time.Now()); ok {
		return g, true
	}
	return s.authorized(w, r)
}

func (s *Server) connectChatSocket(w http.ResponseWriter, r *http.Request) {
	if s.failUpgrade(w) {
		return
	}
	g, ok := s.tokenInURL(w, r)
	if !ok {
		return
	}
	s.accept(w, r, connectChat, nil, func(socket *socket) {
		socket.heard = func(text []byte) { s.connectChatHears(socket, text, g) }
	})
}

func (s *Server) connectChatHears(socket *socket, text []byte, g grant) {
	var said struct {
		Topic   string `json:"topic"`
		Content struct {
			Topics []string `json:"topics"`
		} `json:"content"`
	}
	if json.Unmarshal(text, &said) != nil {
		return
	}
	quiet := s.trouble.now().NoPong
	switch {
	case said.Topic == "aws/subscribe":
		status := "failure"
		chat := slices.Contains(said.Content.Topics, "aws/chat")
		if chat {
			status = "success"
		}
		answer, err := json.Marshal(map[string]any{
			"topic": said.Topic, "content": map[string]any{"status": status, "topics": said.Content.Topics},
		})
		if err != nil {
			panic(err) // strings always encode
		}
		socket.say(answer)
		if chat {
			s.hub.admit(socket, g)
		}
	case said.Topic == "aws/heartbeat" && !quiet:
		socket.say([]byte(`{"topic":"aws/heartbeat"}`))
	case said.Topic == "aws/ping" && !quiet:
		socket.say([]byte(`{"topic":"aws/ping","statusCode":200,"statusContent":"OK"}`))
	}
}

// chats writes events as Amazon Connect chat does: JSON in a string in JSON.
type chats struct {
	directory *directory
	series    []Series
	content   []byte
}

func (e *chats) encode(c *chunk, b *batch, t *Trouble) {
	for n := range b.items {
		i := &b.items[n]
		if !connectChat.takes(i) {
			continue
		}
		at := t.stamp(e.series[i.event.series].Region, b.times[n])
		e.content = e.write(e.content[:0], &i.event, at)
		e.envelope(c, i, t)
		if i.event.kind == connectionClose && i.malformed == wellFormed { // the chat ends with its customer
			e.content = e.ended(e.content[:0], &i.event, at)
			e.envelope(c, i, t)
		}
	}
}

// envelope puts the content into its frame.
func (e *chats) envelope(c *chunk, i *item, t *Trouble) {
	start := c.begin()
	c.bytes = append(c.bytes, `{"topic":"aws/chat","contentType":"application/json","content":`...)
	c.bytes = append(append(c.bytes, quoted(string(e.content))...), '}')
	c.spoil(start, i, t)
}

// ended is the event of the chat's end, which names no participant.
func (*chats) ended(to []byte, ev *event, at int64) []byte {
	to = append(appendISO(append(to, `{"AbsoluteTime":"`...), at), `","ContentType":"application/vnd.amazonaws.connect.event.chat.ended","Id":"`...)
	to = append(appendUUID(to, ev.id.other(againID)), `","Type":"EVENT","InitialContactId":"`...)
	to = appendUUID(to, ev.channel)
	to = appendUUID(append(to, `","ContactId":"`...), ev.channel)
	return append(to, `"}`...)
}

func (e *chats) write(to []byte, ev *event, at int64) []byte {
	const event = "application/vnd.amazonaws.connect.event.participant."
	role, kind, contentType, content := "CUSTOMER", "EVENT", event+"joined", ""
	switch ev.kind {
	case connectionClose:
		contentType, content = event+"left", ev.ending.reason
	case messageSend:
		role, kind, contentType, content = "AGENT", "MESSAGE", "text/plain", "…"
	case messageReceive:
		kind, contentType, content = "MESSAGE", "text/plain", "…"
	}
	to = append(appendISO(append(to, `{"AbsoluteTime":"`...), at), `","ContentType":"`...)
	to = append(append(append(to, contentType...), `","Content":"`...), content...)
	to = appendUUID(append(to, `","Id":"`...), ev.id)
	to = append(append(append(to, `","Type":"`...), kind...), `","ParticipantId":"`...)
	if role == "AGENT" {
		to = append(to, e.directory.agents[e.directory.agent(ev.user)]...)
	} else {
		to = appendUUID(to, ev.channel.other(customerID))
	}
	to = append(append(append(to, `","ParticipantRole":"`...), role...), `","InitialContactId":"`...)
	to = appendUUID(to, ev.channel)
	to = appendUUID(append(to, `","ContactId":"`...), ev.channel)
	return append(to, `"}`...)
}
