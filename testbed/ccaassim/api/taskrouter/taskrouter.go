// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

// Package taskrouter is the API task_router, of Twilio: a socket that carries
// reservations and task updates.
package taskrouter

import (
	"net/http"
	"strconv"

	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/api"
	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/fault"
	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/traffic"
	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/truth"
)

// SocketPath is where the socket is.
const SocketPath = "/v1/wschannels"

type endpoints struct {
	*api.RoundRobin
	*api.Host
	id truth.API
}

// New makes the API.
func New(h *api.Host, id truth.API) api.API {
	return &endpoints{RoundRobin: api.NewRoundRobin(id, NewEncoder(h.Directory, h.Series), h.Config.Deliver()), Host: h, id: id}
}

func (*endpoints) Name() string { return "task_router" }

func (a *endpoints) Routes(mux *http.ServeMux) { mux.HandleFunc("GET "+SocketPath, a.socket) }

func (a *endpoints) socket(w http.ResponseWriter, r *http.Request) {
	if a.FailUpgrade(w) {
		return
	}
	g, ok := a.TokenInURL(w, r)
	if !ok {
		return
	}
	a.Accept(w, r, a.id, nil, func(s *api.Socket) {
		s.HeartbeatInterval, s.HeartbeatFrame = a.Config.BlankHeartbeat, []byte(" ")
		s.SendText([]byte(`{"event_type":"init","payload":{"token_lifetime":` + strconv.FormatInt(a.Config.TokenTTL.Milliseconds(), 10) + `}}`))
		s.Authorize(g)
	})
}

// encoder writes events as Twilio TaskRouter does.
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
	start := out.Begin()
	out.Bytes = e.write(out.Bytes, &i.Event, at)
	out.Finish(start, i, t)
}

func (e *encoder) write(to []byte, ev *traffic.Event, at int64) []byte {
	name, own := "task.updated", "WT"
	switch {
	case ev.Kind == traffic.ConnectionOpen:
		name, own = "reservation.accepted", "WR"
	case ev.Kind == traffic.ConnectionClose && ev.Ending.Abnormal:
		name, own = "reservation.canceled", "WR"
	case ev.Kind == traffic.ConnectionClose:
		name, own = "reservation.completed", "WR"
	}
	worker := newSID("WK", traffic.ID{Low: uint64(e.directory.AgentIndex(ev.User))})
	to = append(append(append(to, `{"event_type":"`...), name...), `","payload":{"account_sid":"`...)
	to = append(append(append(to, newSID("AC", traffic.ID{})...), `","workspace_sid":"`...), newSID("WS", traffic.ID{})...)
	to = append(append(append(to, `","sid":"`...), newSID(own, ev.Channel)...), `","task_sid":"`...)
	to = append(append(append(to, newSID("WT", ev.Channel)...), `","worker_sid":"`...), worker...)
	to = strconv.AppendInt(append(to, `","date_updated":`...), at/1e9, 10)
	to = append(append(to, `,"task_channel_unique_name":`...), api.Quoted(e.series[ev.Series].ChannelType)...)
	switch ev.Kind {
	case traffic.MessageSend, traffic.MessageReceive:
		direction := "inbound"
		if ev.Kind == traffic.MessageSend {
			direction = "outbound"
		}
		attributes := `{"messageSid":"` + newSID("IM", ev.Id) + `","direction":"` + direction + `","bytes":` + strconv.Itoa(int(ev.Payload)) + `}`
		to = append(append(to, `,"attributes":`...), api.Quoted(attributes)...)
	case traffic.ConnectionClose:
		if ev.Ending.Abnormal {
			to = append(append(append(to, `,"canceled_reason":"`...), ev.Ending.Reason...), '"')
		}
	}
	return append(to, `}}`...)
}

// newSID is an identifier as Twilio writes them: two messages and 32 hex digits.
func newSID(kind string, id traffic.ID) string {
	var digits []byte
	for _, half := range [...]uint64{id.High, id.Low} {
		text := strconv.FormatUint(half, 16)
		digits = append(append(digits, "0000000000000000"[len(text):]...), text...)
	}
	return kind + string(digits)
}
