// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

// Package notifications is the API notifications, of Genesys Cloud: channels, topics,
// subscriptions, and sockets that carry snapshots of conversations.
package notifications

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/api"
	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/fault"
	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/traffic"
	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/truth"
)

// Paths of the Genesys Cloud Notifications API.
const (
	ChannelsPath = "/api/v2/notifications/channels"
	QueuesPath   = "/api/v2/routing/queues"
	SocketPath   = "/channels/"
)

type endpoints struct {
	*api.Host
	*broadcaster
	channels *channels
	catalog  *catalog
	id       truth.API
}

// New makes the API.
func New(h *api.Host, id truth.API) api.API {
	catalog := newCatalog(h.Directory)
	return &endpoints{
		Host:     h,
		id:       id,
		channels: newChannels(catalog, h),
		catalog:  catalog,
		broadcaster: &broadcaster{
			id:        id,
			store:     newConversationStore(h.Config.SnapshotMessages, h.History.Began),
			catalog:   catalog,
			snapshots: newSnapshots(h.Directory, h.Series),
			recorder:  h.Recorder,
		},
	}
}

func (*endpoints) Name() string { return "notifications" }

// Counts are those of two participants.
func (*endpoints) Counts(e *traffic.Event) truth.Counts {
	c := truth.CountsOf(e)
	c.ConnectionsOpened *= 2
	c.ConnectionsClosed *= 2
	return c
}

func (a *endpoints) TroubleChanged() { a.channels.troubleChanged() }

func (a *endpoints) Close() { a.channels.close() }

func (a *endpoints) Routes(mux *http.ServeMux) {
	mux.HandleFunc("POST "+ChannelsPath, a.postChannel)
	mux.HandleFunc("GET "+ChannelsPath, a.getChannels)
	mux.HandleFunc("GET "+ChannelsPath+"/{id}/subscriptions", a.getSubscriptions)
	mux.HandleFunc("PUT "+ChannelsPath+"/{id}/subscriptions", a.subscribe(true))
	mux.HandleFunc("POST "+ChannelsPath+"/{id}/subscriptions", a.subscribe(false))
	mux.HandleFunc("DELETE "+ChannelsPath+"/{id}/subscriptions", a.deleteSubscriptions)
	mux.HandleFunc("GET "+QueuesPath, a.getQueues)
	mux.HandleFunc("GET "+AvailableTopicsPath, a.getAvailableTopics)
	mux.HandleFunc("GET "+SubjectPath, a.getSubject)
	mux.HandleFunc("GET "+SocketPath+"{id}", a.socket)
	a.analyticsRoutes(mux)
}

// call checks a request to the platform's API: trouble first, then the token, then
// the limit of calls.
func (a *endpoints) call(w http.ResponseWriter, r *http.Request, count func(*truth.RequestTruth), of func(*fault.Trouble) *fault.Failure) (api.Grant, bool) {
	a.Recorder.Requests(count)
	if a.Fail(w, of) {
		return api.Grant{}, false
	}
	g, ok := a.Authorized(w, r)
	if !ok {
		return api.Grant{}, false
	}
	token, _ := api.Bearer(r)
	wait := a.Tokens.Call(token, a.Trouble.Now().RateLimit, time.Now())
	a.quotaHeader(w, token)
	if wait > 0 {
		a.Recorder.Requests(func(t *truth.RequestTruth) { t.RateLimited++ })
		a.FailWith(w, fault.Failure{Status: http.StatusTooManyRequests, RetryAfter: wait})
		return api.Grant{}, false
	}
	return g, true
}

// quotaHeader names the calls of a token in this minute, where they are limited.
func (a *endpoints) quotaHeader(w http.ResponseWriter, token string) {
	limit := a.Trouble.Now().RateLimit
	if limit == 0 {
		return
	}
	calls, reset := a.Tokens.Calls(token, time.Now())
	w.Header().Set("inin-ratelimit-count", strconv.Itoa(calls))
	w.Header().Set("inin-ratelimit-allowed", strconv.Itoa(limit))
	w.Header().Set("inin-ratelimit-reset", strconv.Itoa(int(reset/time.Second)+1))
}

func (a *endpoints) channelCall(w http.ResponseWriter, r *http.Request) (api.Grant, bool) {
	return a.call(w, r, func(t *truth.RequestTruth) { t.Channels++ }, func(t *fault.Trouble) *fault.Failure { return &t.ChannelFail })
}

// channelBody is a channel as the API shows it.
type channelBody struct {
	ConnectURI string `json:"connectUri"`
	ID         string `json:"id"`
	Expires    string `json:"expires"`
}

func (a *endpoints) wire(c *channel) channelBody {
	return channelBody{
		ConnectURI: a.URL("ws") + SocketPath + c.id,
		ID:         c.id,
		Expires:    string(api.AppendISO(nil, a.channels.expiryOf(c).UnixNano())),
	}
}

// postChannel makes a channel.
func (a *endpoints) postChannel(w http.ResponseWriter, r *http.Request) {
	if g, ok := a.channelCall(w, r); ok {
		api.WriteJSON(w, http.StatusOK, a.wire(a.channels.create(g)))
	}
}

// getChannels lists the channels of a client.
func (a *endpoints) getChannels(w http.ResponseWriter, r *http.Request) {
	g, ok := a.channelCall(w, r)
	if !ok {
		return
	}
	entities := []channelBody{}
	for _, c := range a.channels.of(g.Client) {
		entities = append(entities, a.wire(c))
	}
	api.WriteJSON(w, http.StatusOK, map[string]any{"entities": entities})
}

// getQueues lists the queues, a page at a time.
func (a *endpoints) getQueues(w http.ResponseWriter, r *http.Request) {
	_, ok := a.call(w, r, func(t *truth.RequestTruth) { t.Queues++ }, func(t *fault.Trouble) *fault.Failure { return &t.QueuesFail })
	if !ok || !a.may(w, viewQueues) {
		return
	}
	size, sizeErr := queryNumber(r, "pageSize", 25, 100)
	page, pageErr := queryNumber(r, "pageNumber", 1, math.MaxInt32)
	if sizeErr != nil || pageErr != nil {
		api.Error(w, http.StatusBadRequest, "pageSize: want 1 to 100; pageNumber: 1 or more")
		return
	}
	type queue struct {
		ID   string `json:"id"`
		Name string `json:"name"`
	}
	queues, entities := a.Directory.Queues, []queue{}
	for n := (page - 1) * size; n < min(page*size, len(queues)); n++ {
		entities = append(entities, queue{ID: queues[n], Name: fmt.Sprintf("Queue %d", n+1)})
	}
	api.WriteJSON(w, http.StatusOK, map[string]any{
		"entities": entities, "pageSize": size, "pageNumber": page,
		"total": len(queues), "pageCount": (len(queues) + size - 1) / size,
	})
}

func queryNumber(r *http.Request, name string, otherwise, most int) (int, error) {
	text := r.URL.Query().Get(name)
	if text == "" {
		return otherwise, nil
	}
	number, err := strconv.Atoi(text)
	if err == nil && (number < 1 || number > most) {
		err = strconv.ErrRange
	}
	return number, err
}

// socket accepts the socket of a channel, in the place of the present one.
func (a *endpoints) socket(w http.ResponseWriter, r *http.Request) {
	if a.FailUpgrade(w) {
		return
	}
	c := a.channels.find(r.PathValue("id"))
	var own *api.Socket
	a.Accept(w, r, a.id, nil, func(s *api.Socket) {
		own = s
		s.ClosingNotice, s.ExpiryNotice = socketClosing(), notFound
		if c == nil || !a.channels.attach(c, s) {
			s.Expire("the channel is unknown or gone")
			return
		}
		s.HeartbeatInterval, s.HeartbeatFrame = a.Config.ChannelHeartbeat, metadata("WebSocket Heartbeat")
		s.OnText = func(text []byte) {
			var request struct {
				Message string `json:"message"`
			}
			if json.Unmarshal(text, &request) == nil && request.Message == "ping" && !a.Trouble.Now().NoPong {
				s.SendText(metadata("pong"))
			}
		}
	})
	if c != nil && own != nil {
		a.channels.detach(c, own)
	}
}

// SocketClosingTopic carries the notice that a socket will be closed.
const SocketClosingTopic = "v2.system.socket_closing"

func socketClosing() []byte {
	return []byte(`{"topicName":"` + SocketClosingTopic + `","version":"2","eventBody":{"message":"The socket is closing. Please reconnect."},` +
		`"metadata":{"CorrelationId":"00000000-0000-4000-8000-000000000000"}}`)
}

// metadata is a frame about the channel itself.
func metadata(text string) []byte {
	return []byte(`{"topicName":"channel.metadata","eventBody":{"message":"` + text + `"}}`)
}

// notFound is the notice of a channel that is unknown or has ended.
func notFound(why string) []byte {
	return append(append([]byte(`{"result":"404","message":`), api.Quoted(why)...), '}')
}
