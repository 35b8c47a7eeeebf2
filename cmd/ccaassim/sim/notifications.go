// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package sim

import (
	"encoding/json"
	"fmt"
	"hash/fnv"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
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
		ConnectURI: s.socketURL() + channelSocket + c.id,
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

// subscriptionCall finds the channel of a request about subscriptions.
func (s *Server) subscriptionCall(w http.ResponseWriter, r *http.Request) (*channel, grant, bool) {
	g, ok := s.call(w, r, func(t *RequestTruth) { t.Subscriptions++ }, func(t *Trouble) *Failure { return &t.SubscriptionFail })
	if !ok {
		return nil, g, false
	}
	c := s.channels.find(r.PathValue("id"))
	if c == nil || c.client != g.client {
		platformError(w, http.StatusNotFound, "channel "+r.PathValue("id")+" is unknown or gone")
		return nil, g, false
	}
	return c, g, true
}

// wireTopic is a subscription as the API takes and shows it.
type wireTopic struct {
	ID                 string   `json:"id"`
	State              string   `json:"state,omitempty"`
	RejectionReason    string   `json:"rejectionReason,omitempty"`
	MissingPermissions []string `json:"missingPermissions,omitempty"`
	SelfURI            string   `json:"selfUri,omitempty"`
}

func (s *Server) getSubscriptions(w http.ResponseWriter, r *http.Request) {
	c, _, ok := s.subscriptionCall(w, r)
	if !ok {
		return
	}
	entities := []wireTopic{}
	for _, name := range s.channels.topics(c) {
		entities = append(entities, wireTopic{ID: name, SelfURI: s.topicURI(name)})
	}
	writeJSON(w, http.StatusOK, map[string]any{"entities": entities})
}

func (s *Server) deleteSubscriptions(w http.ResponseWriter, r *http.Request) {
	if c, g, ok := s.subscriptionCall(w, r); ok {
		_ = s.channels.change(c, g, func([]string) []string { return nil }) // no topics are never too many
		w.WriteHeader(http.StatusNoContent)
	}
}

func (s *Server) topicURI(string) string { return "/api/v2/notifications/availabletopics" }

// subscribe is PUT and POST of subscriptions: the topics instead of those there
// are, or as well.
func (s *Server) subscribe(replace bool) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		c, g, ok := s.subscriptionCall(w, r)
		if !ok {
			return
		}
		var asked []wireTopic
		if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 4<<20)).Decode(&asked); err != nil {
			platformError(w, http.StatusBadRequest, fmt.Sprintf(`body: %v; want [{"id":"topic"}, …]`, err))
			return
		}
		judged, permitted, rejected := s.judge(asked)
		if rejected != "" && r.URL.Query().Get("ignoreErrors") != "true" {
			platformError(w, http.StatusBadRequest, "topic "+rejected+" is rejected")
			return
		}
		err := s.channels.change(c, g, func(now []string) []string {
			if replace {
				return permitted
			}
			return union(now, permitted)
		})
		if err != nil {
			platformError(w, http.StatusBadRequest, err.Error())
			return
		}
		writeJSON(w, http.StatusOK, map[string]any{"entities": judged})
	}
}

// judge says of topics which may be subscribed to, and names one that may not.
func (s *Server) judge(asked []wireTopic) (judged []wireTopic, permitted []string, rejected string) {
	judged = []wireTopic{}
	for _, a := range asked {
		topic := wireTopic{ID: a.ID, State: "Permitted", SelfURI: s.topicURI(a.ID)}
		_, known := s.directory.topics[a.ID]
		switch {
		case !known && a.ID != socketClosingTopic:
			topic.State, topic.RejectionReason = "Rejected", "Unknown topic"
		case s.trouble.now().TopicReject.rejects(a.ID):
			topic.State, topic.RejectionReason = "Rejected", "Missing permissions"
			topic.MissingPermissions = []string{"conversation:message:view"}
		default:
			permitted = append(permitted, a.ID)
		}
		if topic.State == "Rejected" {
			rejected = a.ID
		}
		judged = append(judged, topic)
	}
	return judged, union(nil, permitted), rejected
}

// union is both lists, each topic once.
func union(a, b []string) []string {
	seen := map[string]bool{}
	var all []string
	for _, name := range slices.Concat(a, b) {
		if !seen[name] {
			seen[name] = true
			all = append(all, name)
		}
	}
	return all
}

// Rejection says which topics are rejected: a share of all, or those that contain
// one of the texts.
type Rejection struct {
	Share float64
	Texts []string
}

// String is the rejection as its flag takes it.
func (r Rejection) String() string {
	if r.Share > 0 {
		return strconv.FormatFloat(r.Share, 'g', -1, 64)
	}
	return strings.Join(r.Texts, ",")
}

// Set reads what String writes.
func (r *Rejection) Set(text string) error {
	*r = Rejection{}
	if text == "" {
		return nil
	}
	if share, err := strconv.ParseFloat(text, 64); err == nil {
		r.Share = share
		return nil
	}
	r.Texts = strings.Split(text, ",")
	return nil
}

func (r Rejection) rejects(topic string) bool {
	for _, text := range r.Texts {
		if strings.Contains(topic, text) {
			return true
		}
	}
	hash := fnv.New32a()
	_, _ = hash.Write([]byte(topic)) // never fails
	return float64(hash.Sum32()) < r.Share*math.MaxUint32
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
