// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

// Package connectchat is the API connect_chat, of Amazon Connect: a participant's
// connection, and a socket that carries JSON in a string in JSON.
package connectchat

import (
	"encoding/json"
	"net/http"
	"slices"
	"time"

	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/api"
	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/fault"
	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/traffic"
	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/truth"
)

// Paths of Amazon Connect chat.
const (
	ConnectionPath = "/participant/connection"
	SocketPath     = "/connect/chat"
)

type endpoints struct {
	*api.RoundRobin
	*api.Host
	id truth.API
}

// New makes the API.
func New(h *api.Host, id truth.API) api.API {
	return &endpoints{RoundRobin: api.NewRoundRobin(id, NewEncoder(h.Directory, h.Series), h.Config.Deliver()), Host: h, id: id}
}

func (*endpoints) Name() string { return "connect_chat" }

// Counts are without bytes, which no frame contains.
func (*endpoints) Counts(e *traffic.Event) truth.Counts {
	c := truth.CountsOf(e)
	c.PayloadBytes = 0
	return c
}

func (a *endpoints) Routes(mux *http.ServeMux) {
	mux.HandleFunc("POST "+ConnectionPath, a.postConnection)
	mux.HandleFunc("GET "+SocketPath, a.socket)
}

// postConnection responds to a participant of a chat with the URL of its socket.
func (a *endpoints) postConnection(w http.ResponseWriter, r *http.Request) {
	a.Recorder.Requests(func(t *truth.RequestTruth) { t.Connections++ })
	if a.Fail(w, func(t *fault.Trouble) *fault.Failure { return &t.ConnectionFail }) {
		return
	}
	participant := r.Header.Get("X-Amz-Bearer")
	if participant == "" {
		participant, _ = api.Bearer(r)
	}
	if participant == "" {
		api.Error(w, http.StatusForbidden, "no participant token: want X-Amz-Bearer")
		return
	}
	now := time.Now()
	token := a.Tokens.Issue("participant", now)
	expiry := string(api.AppendISO(nil, now.Add(a.Config.TokenTTL).UnixNano()))
	api.WriteJSON(w, http.StatusOK, map[string]any{
		"Websocket": map[string]string{
			"Url":              a.URL("ws") + SocketPath + "?token=" + token,
			"ConnectionExpiry": expiry,
		},
		"ConnectionCredentials": map[string]string{"ConnectionToken": token, "Expiry": expiry},
	})
}

func (a *endpoints) socket(w http.ResponseWriter, r *http.Request) {
	if a.FailUpgrade(w) {
		return
	}
	g, ok := a.TokenInURL(w, r)
	if !ok {
		return
	}
	a.Accept(w, r, a.id, nil, func(s *api.Socket) {
		s.OnText = func(text []byte) { a.received(s, text, g) }
	})
}

func (a *endpoints) received(s *api.Socket, text []byte, g api.Grant) {
	var request struct {
		Topic   string `json:"topic"`
		Content struct {
			Topics []string `json:"topics"`
		} `json:"content"`
	}
	if json.Unmarshal(text, &request) != nil {
		return
	}
	silent := a.Trouble.Now().NoPong
	switch {
	case request.Topic == "aws/subscribe":
		status := "failure"
		chat := slices.Contains(request.Content.Topics, "aws/chat")
		if chat {
			status = "success"
		}
		response, err := json.Marshal(map[string]any{
			"topic": request.Topic, "content": map[string]any{"status": status, "topics": request.Content.Topics},
		})
		if err != nil {
			panic(err) // strings always encode
		}
		s.SendText(response)
		if chat {
			a.Hub.Admit(s, g)
		}
	case request.Topic == "aws/heartbeat" && !silent:
		s.SendText([]byte(`{"topic":"aws/heartbeat"}`))
	case request.Topic == "aws/ping" && !silent:
		s.SendText([]byte(`{"topic":"aws/ping","statusCode":200,"statusContent":"OK"}`))
	}
}

// encoder writes events as Amazon Connect chat does: JSON in a string in JSON.
type encoder struct {
	directory *api.Directory
	content   []byte
}

// NewEncoder makes the encoding of the API.
func NewEncoder(d *api.Directory, series []traffic.Series) api.Encoding {
	e := &encoder{directory: d}
	return &api.Frames{Series: series, Write: e.encode}
}

func (e *encoder) encode(out *api.FrameBuffer, i *traffic.Item, at int64, t *fault.Trouble) {
	e.content = e.write(e.content[:0], &i.Event, at)
	e.envelope(out, i, t)
	if i.Event.Kind == traffic.ConnectionClose && i.Malformed == fault.WellFormed { // the chat ends with its customer
		e.content = e.ended(e.content[:0], &i.Event, at)
		e.envelope(out, i, t)
	}
}

// envelope puts the content into its frame.
func (e *encoder) envelope(out *api.FrameBuffer, i *traffic.Item, t *fault.Trouble) {
	start := out.Begin()
	out.Bytes = append(out.Bytes, `{"topic":"aws/chat","contentType":"application/json","content":`...)
	out.Bytes = append(append(out.Bytes, api.Quoted(string(e.content))...), '}')
	out.Finish(start, i, t)
}

// ended is the event of the chat's end, which names no participant.
func (*encoder) ended(to []byte, ev *traffic.Event, at int64) []byte {
	to = append(api.AppendISO(append(to, `{"AbsoluteTime":"`...), at), `","ContentType":"application/vnd.amazonaws.connect.event.chat.ended","Id":"`...)
	to = append(api.AppendUUID(to, ev.Id.Other(api.AgainID)), `","Type":"EVENT","InitialContactId":"`...)
	to = api.AppendUUID(to, ev.Channel)
	to = api.AppendUUID(append(to, `","ContactId":"`...), ev.Channel)
	return append(to, `"}`...)
}

func (e *encoder) write(to []byte, ev *traffic.Event, at int64) []byte {
	const event = "application/vnd.amazonaws.connect.event.participant."
	role, kind, contentType, content := "CUSTOMER", "EVENT", event+"joined", ""
	switch ev.Kind {
	case traffic.ConnectionClose:
		contentType, content = event+"left", ev.Ending.Reason
	case traffic.MessageSend:
		role, kind, contentType, content = "AGENT", "MESSAGE", "text/plain", "…"
	case traffic.MessageReceive:
		kind, contentType, content = "MESSAGE", "text/plain", "…"
	}
	to = append(api.AppendISO(append(to, `{"AbsoluteTime":"`...), at), `","ContentType":"`...)
	to = append(append(append(to, contentType...), `","Content":"`...), content...)
	to = api.AppendUUID(append(to, `","Id":"`...), ev.Id)
	to = append(append(append(to, `","Type":"`...), kind...), `","ParticipantId":"`...)
	if role == "AGENT" {
		to = append(to, e.directory.Agent(ev.User)...)
	} else {
		to = api.AppendUUID(to, ev.Channel.Other(api.CustomerID))
	}
	to = append(append(append(to, `","ParticipantRole":"`...), role...), `","InitialContactId":"`...)
	to = api.AppendUUID(to, ev.Channel)
	to = api.AppendUUID(append(to, `","ContactId":"`...), ev.Channel)
	return append(to, `"}`...)
}
