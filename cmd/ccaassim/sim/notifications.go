// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package sim

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"time"
)

// Paths of the Genesys Cloud Notifications API.
const (
	ChannelsPath  = "/api/v2/notifications/channels"
	QueuesPath    = "/api/v2/routing/queues"
	channelSocket = "/channels/"
)

func (s *Server) notificationsRoutes(mux *http.ServeMux) {
	mux.HandleFunc("POST "+ChannelsPath, s.postChannel)
	mux.HandleFunc("GET "+ChannelsPath, s.getChannels)
	mux.HandleFunc("GET "+ChannelsPath+"/{id}/subscriptions", s.getSubscriptions)
	mux.HandleFunc("PUT "+ChannelsPath+"/{id}/subscriptions", s.subscribe(true))
	mux.HandleFunc("POST "+ChannelsPath+"/{id}/subscriptions", s.subscribe(false))
	mux.HandleFunc("DELETE "+ChannelsPath+"/{id}/subscriptions", s.deleteSubscriptions)
	mux.HandleFunc("GET "+QueuesPath, s.getQueues)
	mux.HandleFunc("GET "+channelSocket+"{id}", s.channelSocket)
}

// call lets a request to the platform's API through: what trouble makes of it,
// then its token, then the limit of calls.
func (s *Server) call(w http.ResponseWriter, r *http.Request, count func(*RequestTruth), of func(*Trouble) *Failure) (grant, bool) {
	s.tally.note(func(t *tally) { count(&t.requests) })
	if s.fail(w, of) {
		return grant{}, false
	}
	g, ok := s.authorized(w, r)
	if !ok {
		return grant{}, false
	}
	token, _ := bearer(r)
	if wait := s.tokens.call(token, s.trouble.now().RateLimit, time.Now()); wait > 0 {
		s.tally.note(func(t *tally) { t.requests.RateLimited++ })
		s.failWith(w, Failure{Status: http.StatusTooManyRequests, RetryAfter: wait})
		return grant{}, false
	}
	return g, true
}

func (s *Server) channelCall(w http.ResponseWriter, r *http.Request) (grant, bool) {
	return s.call(w, r, func(t *RequestTruth) { t.Channels++ }, func(t *Trouble) *Failure { return &t.ChannelFail })
}

// wireChannel is a channel as the API shows it.
type wireChannel struct {
	ConnectURI string `json:"connectUri"`
	ID         string `json:"id"`
	Expires    string `json:"expires"`
}

func (s *Server) wire(c *channel) wireChannel {
	return wireChannel{
		ConnectURI: s.advertised("ws") + channelSocket + c.id,
		ID:         c.id,
		Expires:    string(appendISO(nil, s.channels.expiryOf(c).UnixNano())),
	}
}

// postChannel makes a channel.
func (s *Server) postChannel(w http.ResponseWriter, r *http.Request) {
	if g, ok := s.channelCall(w, r); ok {
		writeJSON(w, http.StatusOK, s.wire(s.channels.create(g)))
	}
}

// getChannels lists the channels of a client.
func (s *Server) getChannels(w http.ResponseWriter, r *http.Request) {
	g, ok := s.channelCall(w, r)
	if !ok {
		return
	}
	entities := []wireChannel{}
	for _, c := range s.channels.of(g.client) {
		entities = append(entities, s.wire(c))
	}
	writeJSON(w, http.StatusOK, map[string]any{"entities": entities})
}

// getQueues lists the queues, a page at a time.
func (s *Server) getQueues(w http.ResponseWriter, r *http.Request) {
	_, ok := s.call(w, r, func(t *RequestTruth) { t.Queues++ }, func(t *Trouble) *Failure { return &t.QueuesFail })
	if !ok {
		return
	}
	size, sizeErr := queryNumber(r, "pageSize", 25, 100)
	page, pageErr := queryNumber(r, "pageNumber", 1, math.MaxInt32)
	if sizeErr != nil || pageErr != nil {
		platformError(w, http.StatusBadRequest, "pageSize: want 1 to 100; pageNumber: 1 or more")
		return
	}
	type queue struct {
		ID   string `json:"id"`
		Name string `json:"name"`
	}
	queues, entities := s.directory.queues, []queue{}
	for n := (page - 1) * size; n < min(page*size, len(queues)); n++ {
		entities = append(entities, queue{ID: queues[n], Name: fmt.Sprintf("Queue %d", n+1)})
	}
	writeJSON(w, http.StatusOK, map[string]any{
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

// channelSocket lets in the socket of a channel, in the place of one that is there.
func (s *Server) channelSocket(w http.ResponseWriter, r *http.Request) {
	if s.failUpgrade(w) {
		return
	}
	c := s.channels.find(r.PathValue("id"))
	var own *socket
	s.accept(w, r, notifications, nil, func(socket *socket) {
		own = socket
		if c == nil || !s.channels.attach(c, socket) {
			socket.expire("the channel is unknown or gone")
			return
		}
		socket.beatEvery, socket.beatFrame = s.config.ChannelHeartbeat, metadata("WebSocket Heartbeat")
		socket.heard = func(text []byte) {
			var said struct {
				Message string `json:"message"`
			}
			if json.Unmarshal(text, &said) == nil && said.Message == "ping" && !s.trouble.now().NoPong {
				socket.say(metadata("pong"))
			}
		}
	})
	if c != nil && own != nil {
		s.channels.detach(c, own)
	}
}

const socketClosingTopic = "v2.system.socket_closing"

func socketClosing() []byte {
	return []byte(`{"topicName":"` + socketClosingTopic + `","version":"2","eventBody":{"message":"The socket is closing. Please reconnect."},` +
		`"metadata":{"CorrelationId":"00000000-0000-4000-8000-000000000000"}}`)
}

// metadata is what a channel says of itself.
func metadata(text string) []byte {
	return []byte(`{"topicName":"channel.metadata","eventBody":{"message":"` + text + `"}}`)
}

func notFound(why string) []byte {
	return append(append([]byte(`{"result":"404","message":`), quoted(why)...), '}')
}
