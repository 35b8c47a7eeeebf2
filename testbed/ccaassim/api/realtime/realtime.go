// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

// Package realtime is the API realtime_events: tokens, the pre-flight, and a socket
// that carries one JSON object per event.
package realtime

import (
	"bytes"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/gorilla/websocket"

	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/api"
	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/config"
	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/fault"
	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/traffic"
	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/truth"
)

// Paths of the platform's endpoints.
const (
	TokenPath     = "/oauth/token" //nolint:gosec // a path, not a credential
	PreflightPath = "/api/v2/platform/version"
	StreamPath    = "/api/v2/analytics/events/realtime"
)

type endpoints struct {
	*api.RoundRobin
	*api.Host
	id truth.API
}

// New makes the API.
func New(h *api.Host, id truth.API) api.API {
	encoder := NewEncoder(h.Series, h.Config.Timestamp)
	return &endpoints{RoundRobin: api.NewRoundRobin(id, encoder, h.Config.Deliver()), Host: h, id: id}
}

func (*endpoints) Name() string { return "realtime_events" }

func (a *endpoints) Routes(mux *http.ServeMux) {
	mux.HandleFunc("POST "+TokenPath, a.token)
	mux.HandleFunc("GET "+PreflightPath, a.preflight)
	mux.HandleFunc("GET "+StreamPath, a.upgrade)
}

// token is POST /oauth/token.
func (a *endpoints) token(w http.ResponseWriter, r *http.Request) {
	client, ok := a.TokenRequest(w, r)
	if !ok {
		return
	}
	if grant := r.PostForm.Get("grant_type"); grant != "client_credentials" {
		api.OAuthError(w, http.StatusBadRequest, "unsupported_grant_type", "grant_type is "+grant+", want client_credentials")
		return
	}
	if client == "" {
		api.UnknownClient(w)
		return
	}
	a.Grant(w, r, client, nil)
}

// preflight lists the supported subprotocols.
func (a *endpoints) preflight(w http.ResponseWriter, r *http.Request) {
	a.Recorder.Requests(func(t *truth.RequestTruth) { t.Preflights++ })
	if a.Fail(w, func(t *fault.Trouble) *fault.Failure { return &t.PreflightFail }) {
		return
	}
	if _, ok := a.Authorized(w, r); !ok {
		return
	}
	protocols := append([]string{}, a.Config.SupportedProtocols...)
	if a.Config.PreflightArray {
		api.WriteJSON(w, http.StatusOK, protocols)
		return
	}
	api.WriteJSON(w, http.StatusOK, map[string]any{"supportedProtocols": protocols})
}

// upgrade accepts a client's socket, with the first supported subprotocol that it
// offers, or with what trouble puts in its place.
func (a *endpoints) upgrade(w http.ResponseWriter, r *http.Request) {
	if a.FailUpgrade(w) {
		return
	}
	g, ok := a.Authorized(w, r)
	if !ok {
		return
	}
	offered := a.supported(websocket.Subprotocols(r))
	if offered == "" {
		api.Error(w, http.StatusBadRequest, "no subprotocol asked for is supported")
		return
	}
	header := http.Header{}
	if subprotocol := a.Trouble.Now().Subprotocol(offered); subprotocol != "" {
		header.Set("Sec-Websocket-Protocol", subprotocol)
	}
	a.Accept(w, r, a.id, header, func(s *api.Socket) { s.Authorize(g) })
}

// supported is the first offered subprotocol that the platform supports, or empty.
func (a *endpoints) supported(offered []string) string {
	for _, protocol := range offered {
		if slices.Contains(a.Config.SupportedProtocols, protocol) {
			return protocol
		}
	}
	return ""
}

// Encoder writes events as the JSON objects of the platform's frames. What an
// event shares with others of its series is written once, up front: at full
// speed the simulator must cost less than what it feeds.
type Encoder struct {
	series    []traffic.Series
	tails     [][]byte // by series: the dimensions
	timestamp config.TimestampForm
}

// NewEncoder makes the encoding of the API.
func NewEncoder(series []traffic.Series, timestamp config.TimestampForm) *Encoder {
	e := &Encoder{series: series, tails: make([][]byte, len(series)), timestamp: timestamp}
	for i, s := range series {
		tail := append([]byte(`","region":`), api.Quoted(s.Region)...)
		tail = append(append(tail, `,"tenantId":`...), api.Quoted(s.TenantID)...)
		e.tails[i] = append(append(tail, `,"channelType":`...), api.Quoted(s.ChannelType)...)
	}
	return e
}

// Takes reports that every item can be sent, malformed objects too.
func (*Encoder) Takes(*traffic.Item) bool { return true }

// Encode appends the frames of a batch.
func (e *Encoder) Encode(out *api.FrameBuffer, b *traffic.Batch, t *fault.Trouble) {
	from := 0
	for _, f := range b.Frames {
		e.frame(out, f.Form, b.Items[from:f.End], b.Times[from:f.End], t)
		from = f.End
	}
}

func (e *Encoder) frame(out *api.FrameBuffer, form traffic.FrameForm, items []traffic.Item, times []int64, t *fault.Trouble) {
	var separator, end []byte
	start := out.Begin()
	switch form {
	case traffic.FrameArray:
		out.Bytes = append(out.Bytes, '[')
		separator, end = []byte(","), []byte("]")
	case traffic.FrameLines:
		separator = []byte("\n")
	}
	operation := api.OpText
	for n := range items {
		if n > 0 {
			out.Bytes = append(out.Bytes, separator...)
		}
		out.Bytes = e.Item(out.Bytes, &items[n], times[n], t)
		if items[n].Malformed == fault.BinaryFrame {
			operation = api.OpBinary
		}
	}
	out.Bytes = append(out.Bytes, end...)
	out.FinishAs(start, operation)
}

// event appends one event, with the time (unix nanoseconds) the platform claims
// for it.
func (e *Encoder) event(to []byte, ev *traffic.Event, stamp int64) []byte {
	to = append(to, `{"type":"`...)
	to = append(to, ev.Kind.String()...)
	to = append(to, `","timestamp":`...)
	to = e.stamp(to, stamp)
	to = append(to, `,"channelId":"`...)
	to = api.AppendUUID(to, ev.Channel)
	to = append(to, `","userId":"`...)
	to = api.AppendUser(to, ev.User)
	to = append(to, e.tails[ev.Series]...)
	switch ev.Kind {
	case traffic.MessageSend, traffic.MessageReceive:
		to = append(to, `,"payloadSize":`...)
		to = strconv.AppendInt(to, int64(ev.Payload), 10)
	case traffic.ConnectionClose:
		to = append(to, `,"code":`...)
		to = strconv.AppendInt(to, int64(ev.Ending.Code), 10)
		to = append(to, `,"reason":"`...)
		to = append(to, ev.Ending.Reason...)
		to = append(to, '"')
	}
	to = append(to, `,"id":"`...)
	to = api.AppendUUID(to, ev.Id)
	return append(to, `"}`...)
}

func (e *Encoder) stamp(to []byte, stamp int64) []byte {
	switch e.timestamp {
	case config.TimestampSeconds:
		return strconv.AppendInt(to, stamp/1e9, 10)
	case config.TimestampMicroseconds:
		return strconv.AppendInt(to, stamp/1e3, 10)
	case config.TimestampNanoseconds:
		return strconv.AppendInt(to, stamp, 10)
	case config.TimestampRFC3339:
		return time.Unix(0, stamp).UTC().AppendFormat(to, `"2006-01-02T15:04:05.000Z07:00"`)
	default:
		return strconv.AppendInt(to, stamp/1e6, 10)
	}
}

// Item appends an item: an event as it should be, or a malformed one.
func (e *Encoder) Item(to []byte, i *traffic.Item, happened int64, t *fault.Trouble) []byte {
	happened = t.Stamp(e.series[i.Event.Series].Region, happened)
	if i.Malformed == fault.WellFormed {
		return e.event(to, &i.Event, happened)
	}
	good := e.event(nil, &i.Event, happened)
	if i.Malformed.Alone() {
		return append(to, api.SpoilFrame(good, i, t.OversizedBytes)...)
	}
	return append(to, spoilObject(good, i, e.stamp(nil, happened))...)
}

// spoilObject makes an object of a realtime events frame malformed.
func spoilObject(good []byte, i *traffic.Item, stamp []byte) []byte {
	field := func(name, value, with string) []byte {
		return bytes.Replace(good, []byte(`"`+name+`":`+value), []byte(with), 1)
	}
	kind := i.Event.Kind.String()
	channel := `"` + string(api.AppendUUID(nil, i.Event.Channel)) + `"`
	switch i.Malformed {
	case fault.DuplicateKey:
		return field("type", `"`, `"type":"`+kind+`","type":"`)
	case fault.WrongType:
		return api.Choose(i, field("type", `"`+kind+`"`, `"type":42`), field("channelId", channel, `"channelId":{"id":1}`))
	case fault.MissingType:
		return field("type", `"`+kind+`",`, ``)
	case fault.UnknownType:
		return field("type", `"`+kind, `"type":"connection.teleport`)
	case fault.MissingChannelID:
		return api.Choose(i, field("channelId", channel+`,`, ``), field("channelId", channel, `"channelId":""`))
	case fault.MissingTimestamp:
		return field("timestamp", string(stamp)+`,`, ``)
	default: // badTimestamp
		return field("timestamp", string(stamp), `"timestamp":`+api.Choose(i, `null`, `-1`, `"9999-12-31T23:59:59Z"`, `"yesterday"`, `true`))
	}
}
