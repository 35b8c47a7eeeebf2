// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package sim

import (
	"net/http"
	"strconv"
)

const taskRouterPath = "/v1/wschannels"

func (s *Server) taskRouterSocket(w http.ResponseWriter, r *http.Request) {
	if s.failUpgrade(w) {
		return
	}
	g, ok := s.tokenInURL(w, r)
	if !ok {
		return
	}
	s.accept(w, r, taskRouter, nil, func(socket *socket) {
		socket.beatEvery, socket.beatFrame = s.config.BlankHeartbeat, []byte(" ")
		socket.say([]byte(`{"event_type":"init","payload":{"token_lifetime":` + strconv.FormatInt(s.config.TokenTTL.Milliseconds(), 10) + `}}`))
		socket.bear(g)
	})
}

// tasks writes events as Twilio TaskRouter does.
type tasks struct {
	directory *directory
	series    []Series
}

func (e *tasks) encode(c *chunk, b *batch, t *Trouble) {
	for n := range b.items {
		i := &b.items[n]
		if !taskRouter.takes(i) {
			continue
		}
		start := c.begin()
		c.bytes = e.write(c.bytes, &i.event, t.stamp(e.series[i.event.series].Region, b.times[n]))
		c.spoil(start, i, t)
	}
}

func (e *tasks) write(to []byte, ev *event, at int64) []byte {
	name, own := "task.updated", "WT"
	switch {
	case ev.kind == connectionOpen:
		name, own = "reservation.accepted", "WR"
	case ev.kind == connectionClose && ev.ending.abnormal:
		name, own = "reservation.canceled", "WR"
	case ev.kind == connectionClose:
		name, own = "reservation.completed", "WR"
	}
	worker := newSID("WK", identity{low: uint64(e.directory.agent(ev.user))})
	to = append(append(append(to, `{"event_type":"`...), name...), `","payload":{"account_sid":"`...)
	to = append(append(append(to, newSID("AC", identity{})...), `","workspace_sid":"`...), newSID("WS", identity{})...)
	to = append(append(append(to, `","sid":"`...), newSID(own, ev.channel)...), `","task_sid":"`...)
	to = append(append(append(to, newSID("WT", ev.channel)...), `","worker_sid":"`...), worker...)
	to = strconv.AppendInt(append(to, `","date_updated":`...), at/1e9, 10)
	to = append(append(to, `,"task_channel_unique_name":`...), quoted(e.series[ev.series].ChannelType)...)
	switch ev.kind {
	case messageSend, messageReceive:
		direction := "inbound"
		if ev.kind == messageSend {
			direction = "outbound"
		}
		attributes := `{"messageSid":"` + newSID("IM", ev.id) + `","direction":"` + direction + `","bytes":` + strconv.Itoa(int(ev.payload)) + `}`
		to = append(append(to, `,"attributes":`...), quoted(attributes)...)
	case connectionClose:
		if ev.ending.abnormal {
			to = append(append(append(to, `,"canceled_reason":"`...), ev.ending.reason...), '"')
		}
	}
	return append(to, `}}`...)
}

// newSID is an identifier as Twilio writes them: two letters and 32 hex digits.
func newSID(kind string, id identity) string {
	var digits []byte
	for _, half := range [...]uint64{id.high, id.low} {
		text := strconv.FormatUint(half, 16)
		digits = append(append(digits, "0000000000000000"[len(text):]...), text...)
	}
	return kind + string(digits)
}
