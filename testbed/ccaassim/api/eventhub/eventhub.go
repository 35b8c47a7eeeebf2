// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

// Package eventhub is the API event_hub, of NICE CXone: discovery documents, access
// keys, and a socket that carries envelopes of cases and messages.
package eventhub

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"time"

	"github.com/gorilla/websocket"

	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/api"
	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/fault"
	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/traffic"
	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/truth"
)

// Paths of NICE CXone.
const (
	OpenIDConfigurationPath = "/.well-known/openid-configuration"
	CXoneConfigurationPath  = "/.well-known/cxone-configuration"
	CXoneTokenPath          = "/auth/token" //nolint:gosec // a path, not a credential
	ContactsPath            = "/dfo/3.0/contacts"
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

func (*endpoints) Name() string { return "event_hub" }

// Counts are what the envelopes contain: a message's text, but not why a case ends, and so
// no user who was dropped.
func (*endpoints) Counts(e *traffic.Event) truth.Counts {
	c := truth.CountsOf(e)
	c.PayloadBytes, c.ConnectionsDropped = (c.MessagesSent+c.MessagesReceived)*int64(len(caseText)), 0
	c.ConnectionsReopened = 0
	return c
}

func (a *endpoints) Routes(mux *http.ServeMux) {
	mux.HandleFunc("GET "+OpenIDConfigurationPath, a.openIDConfiguration)
	mux.HandleFunc("GET "+CXoneConfigurationPath, a.cxoneConfiguration)
	mux.HandleFunc("POST "+CXoneTokenPath, a.cxoneToken)
	mux.HandleFunc("GET "+ContactsPath, a.contacts)
	mux.HandleFunc("GET "+ContactsPath+"/{id}", a.contact)
	mux.HandleFunc("GET /{$}", a.eventHubSocket)
}

// configuration counts a request for a discovery document, and fails it if trouble
// requires it.
func (a *endpoints) configuration(w http.ResponseWriter) (ok bool) {
	a.Recorder.Requests(func(t *truth.RequestTruth) { t.Configurations++ })
	return !a.Fail(w, func(t *fault.Trouble) *fault.Failure { return &t.ConfigurationFail })
}

func (a *endpoints) openIDConfiguration(w http.ResponseWriter, _ *http.Request) {
	if !a.configuration(w) {
		return
	}
	api.WriteJSON(w, http.StatusOK, map[string]any{
		"issuer":                a.URL("http"),
		"token_endpoint":        a.URL("http") + CXoneTokenPath,
		"grant_types_supported": []string{"password", "client_credentials"},
	})
}

func (a *endpoints) cxoneConfiguration(w http.ResponseWriter, r *http.Request) {
	if !a.configuration(w) {
		return
	}
	tenant := r.URL.Query().Get("tenantId")
	if tenant == "" {
		api.Error(w, http.StatusBadRequest, "tenantId is missing")
		return
	}
	api.WriteJSON(w, http.StatusOK, map[string]any{
		"tenantId":           tenant,
		"auth_endpoint":      a.URL("http"),
		"api_endpoint":       a.URL("http"),
		"area":               "na1",
		"cluster":            "b2",
		"domain":             a.Authority,
		"event_hub_endpoint": a.URL("ws"),
	})
}

// cxoneToken is POST /auth/token: the password grant with an access key, or client
// credentials.
func (a *endpoints) cxoneToken(w http.ResponseWriter, r *http.Request) {
	client, ok := a.TokenRequest(w, r)
	if !ok {
		return
	}
	switch grant := r.PostForm.Get("grant_type"); {
	case grant != "password" && grant != "client_credentials":
		api.OAuthError(w, http.StatusBadRequest, "unsupported_grant_type", "grant_type is "+grant+", want password or client_credentials")
	case client == "":
		api.UnknownClient(w)
	case grant == "password" && !a.knowsAccessKey(r):
		api.OAuthError(w, http.StatusBadRequest, "invalid_grant", "unknown access key or wrong secret")
	default:
		a.Grant(w, r, client, map[string]any{"id_token": a.idToken(client, time.Now())})
	}
}

func (a *endpoints) knowsAccessKey(r *http.Request) bool {
	key, secret := r.PostForm.Get("username"), r.PostForm.Get("password")
	return key != "" && secret != "" && api.Matches(a.Config.AccessKey, a.Config.AccessKeySecret, key, secret)
}

// idToken is a JWT with the owner of a token. It is not signed.
func (a *endpoints) idToken(client string, now time.Time) string {
	encode := func(part map[string]any) string {
		text, err := json.Marshal(part)
		if err != nil {
			panic(err) // strings and numbers always encode
		}
		return base64.RawURLEncoding.EncodeToString(text)
	}
	tenant := a.Config.TenantNames()[0]
	header := encode(map[string]any{"alg": "none", "typ": "JWT"})
	return header + "." + encode(map[string]any{
		"iss":      a.URL("http"),
		"aud":      client,
		"sub":      "user:" + a.Directory.Agents[0],
		"tenantId": tenant,
		"tenant":   tenant,
		"name":     client,
		"iat":      now.Unix(),
		"exp":      now.Add(a.Config.TokenTTL).Unix(),
	}) + "."
}

// eventHubSocket is GET /, if that is an upgrade.
func (a *endpoints) eventHubSocket(w http.ResponseWriter, r *http.Request) {
	if !websocket.IsWebSocketUpgrade(r) {
		http.NotFound(w, r)
		return
	}
	if a.FailUpgrade(w) {
		return
	}
	if query := r.URL.Query(); query.Get("tenantId") == "" || query.Get("userId") == "" {
		api.Error(w, http.StatusBadRequest, "tenantId or userId is missing")
		return
	}
	a.Accept(w, r, a.id, nil, func(s *api.Socket) {
		s.OnText = func(text []byte) { a.received(s, text) }
	})
}

func (a *endpoints) received(s *api.Socket, text []byte) {
	var request struct {
		Action  string `json:"action"`
		Payload struct {
			Token string `json:"token"`
		} `json:"payload"`
	}
	if json.Unmarshal(text, &request) != nil {
		return
	}
	t := a.Trouble.Now()
	switch g, holds := a.Tokens.Find(request.Payload.Token, time.Now()); {
	case request.Action != "register" && request.Action != "heartbeat":
	case t.RateLimited:
		s.SendText(a.control("RATE_LIMIT_EXCEEDED"))
	case request.Action == "heartbeat":
		if !t.NoPong {
			s.SendText(a.control("pong"))
		}
	case holds:
		s.SendText(a.control("authorized"))
		a.Hub.Admit(s, g)
	default:
		s.SendText(a.control("unauthorized"))
		s.Close(websocket.ClosePolicyViolation, "unauthorized")
	}
}

// control is a control frame of the event hub.
func (a *endpoints) control(name string) []byte {
	if a.Config.QuotedControl {
		return api.Quoted(name)
	}
	return []byte(name)
}

// caseText is what stands for the text of every message of a case.
const caseText = "…"

// encoder writes events as the event hub does.
type encoder struct {
	directory *api.Directory
	series    []traffic.Series
}

// NewEncoder makes the encoding of the API.
func NewEncoder(d *api.Directory, series []traffic.Series) api.Encoding {
	e := &encoder{directory: d, series: series}
	return &api.Frames{Series: series, Write: e.encode}
}

func (e *encoder) encode(out *api.FrameBuffer, i *traffic.Item, at int64, t *fault.Trouble) {
	switch i.Event.Kind {
	case traffic.ConnectionOpen:
		e.envelope(out, i, at, t, "Case", "CaseCreated", "new", i.Event.Id)
		e.second(out, i, at, t, "Case", "CaseStatusChanged", "open")
	case traffic.ConnectionClose:
		status := ended(i.Event.Ending)
		e.envelope(out, i, at, t, "Case", "CaseStatusChanged", status, i.Event.Id)
		if status == "resolved" { // and then closed, as cases are
			e.second(out, i, at, t, "Case", "CaseStatusChanged", "closed")
		}
	default:
		e.envelope(out, i, at, t, "Message", "MessageCreated", "open", i.Event.Id)
		e.second(out, i, at, t, "Message", "MessageAddedIntoCase", "open")
	}
}

// ended is the status of a case that has ended.
func ended(e *traffic.Ending) string {
	switch e.Reason {
	case "endpoint":
		return "resolved"
	case "inactivity":
		return "trashed"
	default:
		return "closed"
	}
}

// second follows with another envelope, unless the first was malformed.
func (e *encoder) second(out *api.FrameBuffer, i *traffic.Item, at int64, t *fault.Trouble, object, name, status string) {
	if i.Malformed == fault.WellFormed {
		e.envelope(out, i, at, t, object, name, status, i.Event.Id.Other(api.AgainID))
	}
}

func (e *encoder) envelope(out *api.FrameBuffer, i *traffic.Item, at int64, t *fault.Trouble, object, name, status string, id traffic.ID) {
	start := out.Begin()
	out.Bytes = e.write(out.Bytes, i, at, object, name, status, id)
	out.Finish(start, i, t)
}

func (e *encoder) write(to []byte, i *traffic.Item, at int64, object, name, status string, id traffic.ID) []byte {
	to = api.AppendUUID(append(to, `{"eventId":"`...), id.Other(api.EnvelopeID))
	to = append(append(append(to, `","eventObject":"`...), object...), `","eventType":"`...)
	to = append(append(to, name...), `","createdAt":"`...)
	to = append(api.AppendISO(to, at), `","traceId":"`...)
	to = api.AppendUUID(to, id.Other(api.TraceID))
	to = append(to, `","data":{"brand":{"id":1},"channel":{"id":`...)
	to = append(to, api.Quoted(e.series[i.Event.Series].ChannelType)...)
	to = append(to, `},"case":{"id":"`...)
	to = api.AppendUUID(to, i.Event.Channel)
	to = append(append(append(to, `","status":"`...), status...), `"},"thread":{"id":"`...)
	to = api.AppendUUID(to, i.Event.Channel.Other(api.ThreadID))
	to = append(to, `"}`...)
	if object == "Message" {
		to = e.message(to, i, at)
	}
	return append(to, `}}`...)
}

func (e *encoder) message(to []byte, i *traffic.Item, at int64) []byte {
	to = append(to, `,"message":{"id":"`...)
	to = api.AppendUUID(to, i.Event.Id)
	to = append(api.AppendISO(append(to, `","createdAt":"`...), at), `","direction":"`...)
	if i.Event.Kind == traffic.MessageSend {
		to = append(to, `outbound","authorUser":{"id":"`...)
		to = append(to, e.directory.Agent(i.Event.User)...)
	} else {
		to = append(to, `inbound","authorEndUserIdentity":{"id":"`...)
		to = api.AppendUUID(to, i.Event.Channel.Other(api.CustomerID))
	}
	to = append(append(to, `"},"messageContent":{"type":"TEXT","text":"`...), caseText...)
	return append(append(append(to, `","payload":{"text":{"content":"`...), caseText...), `"}}}}`...)
}
