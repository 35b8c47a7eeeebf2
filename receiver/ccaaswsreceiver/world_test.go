// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package ccaaswsreceiver

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componentstatus"

	owntest "github.com/otelcol-ccaas/otelcol-ccaas/internal/componenttest"
	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/wsclient"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
)

// world is what has happened at a platform. It answers the requests of every API, in a
// synctest bubble: without a network.
type world struct {
	mutex    sync.Mutex
	channels []*worldChannel
	requests []worldRequest
	hidden   map[string]bool                             // not in the list of open channels
	fail     func(*http.Request) (*http.Response, error) // instead of an answer; nil, or returns nil: none
	failed   []time.Time                                 // when it failed
}

type worldChannel struct {
	id         string
	start, end time.Time // end is zero: it is open
}

type worldRequest struct {
	path string
	at   time.Time
}

func (w *world) open(id string, start time.Time) { w.add(id, start, time.Time{}) }

func (w *world) add(id string, start, end time.Time) {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	w.channels = append(w.channels, &worldChannel{id: id, start: start, end: end})
}

func (w *world) end(id string, at time.Time) {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	w.find(id).end = at
}

func (w *world) delete(id string) {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	w.channels = slices.DeleteFunc(w.channels, func(c *worldChannel) bool { return c.id == id })
}

func (w *world) find(id string) *worldChannel {
	for _, one := range w.channels {
		if one.id == id {
			return one
		}
	}
	return nil
}

func (w *world) failing(fail func(*http.Request) (*http.Response, error)) {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	w.fail = fail
}

// failures are the times at which it failed.
func (w *world) failures() []time.Time {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	return slices.Clone(w.failed)
}

// hide leaves channels out of the list of those that are open.
func (w *world) hide(ids ...string) {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	w.hidden = map[string]bool{}
	for _, id := range ids {
		w.hidden[id] = true
	}
}

// asked are the times of the requests whose path contains a text, tokens left out.
func (w *world) asked(path string) (times []time.Time) {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	for _, one := range w.requests {
		if strings.Contains(one.path, path) {
			times = append(times, one.at)
		}
	}
	return times
}

func (w *world) RoundTrip(request *http.Request) (*http.Response, error) {
	if strings.HasSuffix(request.URL.Path, "/token") {
		return reply(request, http.StatusOK, `{"access_token":"t","token_type":"bearer","expires_in":86400}`), nil
	}
	w.mutex.Lock()
	defer w.mutex.Unlock()
	w.requests = append(w.requests, worldRequest{request.URL.Path, time.Now()})
	if fail := w.fail; fail != nil {
		w.mutex.Unlock() // it may take its time
		response, err := fail(request)
		w.mutex.Lock()
		if response != nil || err != nil {
			w.failed = append(w.failed, time.Now())
			return response, err
		}
	}
	status, body := w.answer(request)
	return reply(request, status, body), nil
}

func reply(request *http.Request, status int, body string, header ...string) *http.Response {
	response := &http.Response{
		StatusCode: status, Header: http.Header{}, Request: request, ProtoMajor: 1, ProtoMinor: 1,
		Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)),
	}
	for i := 0; i < len(header); i += 2 {
		response.Header.Set(header[i], header[i+1])
	}
	return response
}

func (w *world) answer(request *http.Request) (status int, body string) {
	const analytics = "/api/v2/analytics/"
	switch path := request.URL.Path; {
	case path == "/v1/channels":
		return http.StatusOK, w.list()
	case path == "/dfo/3.0/contacts":
		return http.StatusOK, w.cases(request.URL.Query())
	case strings.HasPrefix(path, "/dfo/3.0/contacts/"):
		one := w.find(strings.TrimPrefix(path, "/dfo/3.0/contacts/"))
		if one == nil {
			return http.StatusNotFound, "{}"
		}
		return http.StatusOK, text(one.asCase())
	case path == analytics+"conversations/activity/query":
		var entities []any
		for _, one := range w.listed() {
			entities = append(entities, map[string]any{"metric": "oInteracting", "conversationId": one.id})
		}
		return http.StatusOK, text(map[string]any{"results": []any{map[string]any{
			"group": map[string]any{"queueId": "q", "mediaType": "message"}, "entities": entities,
		}}})
	case path == analytics+"queues/observations/query":
		return http.StatusOK, text(map[string]any{"results": []any{map[string]any{
			"group": map[string]any{"queueId": "q", "mediaType": "message"},
			"data":  []any{map[string]any{"metric": "oInteracting", "stats": map[string]any{"count": len(w.listed())}}},
		}}})
	case path == analytics+"conversations/details":
		ids := strings.Split(request.URL.Query().Get("id"), ",")
		return http.StatusOK, w.conversations(func(c *worldChannel) bool { return slices.Contains(ids, c.id) })
	case path == analytics+"conversations/details/query":
		query, _ := io.ReadAll(request.Body)
		ended := strings.Contains(string(query), `"exists"`)
		return http.StatusOK, w.conversations(func(c *worldChannel) bool { return c.end.IsZero() != ended })
	default:
		return http.StatusNotFound, "{}"
	}
}

func text(value any) string {
	body, err := json.Marshal(value)
	if err != nil {
		panic(err)
	}
	return string(body)
}

func iso(at time.Time) string { return at.UTC().Format("2006-01-02T15:04:05.000Z") }

func (w *world) listed() (open []*worldChannel) {
	for _, one := range w.channels {
		if one.end.IsZero() && !w.hidden[one.id] {
			open = append(open, one)
		}
	}
	return open
}

// list is the answer to session::initial_state.
func (w *world) list() string {
	items, count := []any{}, 0
	for _, one := range w.channels {
		if one.end.IsZero() {
			count++
		}
	}
	for _, one := range w.listed() {
		item := map[string]any{"id": one.id, "type": "chat"}
		if !one.start.IsZero() {
			item["since"] = iso(one.start)
		}
		items = append(items, item)
	}
	return text(map[string]any{"count": count, "items": items})
}

func (one *worldChannel) asCase() map[string]any {
	status, changed := "open", one.start
	if !one.end.IsZero() {
		status, changed = "closed", one.end
	}
	return map[string]any{
		"id": one.id, "channelId": "chat", "status": status, "createdAt": iso(one.start), "statusUpdatedAt": iso(changed),
	}
}

// cases are a page of 25.
func (w *world) cases(query url.Values) string {
	var all []*worldChannel
	for _, one := range w.channels {
		if one.end.IsZero() == slices.Contains(query["status[]"], "open") {
			all = append(all, one)
		}
	}
	slices.SortStableFunc(all, func(a, b *worldChannel) int {
		order := a.start.Compare(b.start)
		if query.Get("sorting") == "updatedAt" {
			order = a.end.Compare(b.end)
		}
		if query.Get("sortingType") == "desc" {
			order = -order
		}
		return cmp.Or(order, strings.Compare(a.id, b.id))
	})
	first, _ := strconv.Atoi(query.Get("scrollToken"))
	last, data, next := min(first+25, len(all)), []any{}, ""
	for _, one := range all[first:last] {
		data = append(data, one.asCase())
	}
	if last < len(all) {
		next = strconv.Itoa(last)
	}
	return text(map[string]any{"hits": len(all), "scrollToken": next, "data": data})
}

func (w *world) conversations(which func(*worldChannel) bool) string {
	all := []any{}
	for _, one := range w.channels {
		if !which(one) {
			continue
		}
		segment := map[string]any{"segmentStart": iso(one.start), "segmentType": "interact", "queueId": "q"}
		found := map[string]any{"conversationId": one.id, "conversationStart": iso(one.start)}
		if !one.end.IsZero() {
			segment["segmentEnd"], segment["disconnectType"] = iso(one.end), "transportFailure"
			found["conversationEnd"] = iso(one.end)
		}
		found["participants"] = []any{map[string]any{"participantId": one.id, "sessions": []any{map[string]any{
			"sessionId": "s-" + one.id, "mediaType": "message", "messageType": "webmessaging", "segments": []any{segment},
		}}}}
		all = append(all, found)
	}
	return text(map[string]any{"conversations": all})
}

// worldAPI is an API by which a receiver knows the world.
type worldAPI struct {
	name       string
	config     func(*Config)
	event      func(kind, id string, at time.Time) string
	history    string // where what happened in a gap is asked for
	permission string
	reason     string // of closes
}

func worldAPIs() map[string]worldAPI {
	all := map[string]worldAPI{
		"custom": {
			config: func(c *Config) {
				c.Platform, c.Preflight.Enabled = "custom", false
				o := &c.Session.InitialState
				o.URL, o.Path, o.Total = "/v1/channels", "items", "count"
				o.Fields.ChannelID, o.Fields.ChannelType, o.Fields.Timestamp = "id", "type", "since"
			},
			event: func(kind, id string, at time.Time) string {
				return fmt.Sprintf(`{"type":%q,"timestamp":%q,"channelId":%q,"channelType":"chat"}`, kind, iso(at), id)
			},
			history: "/v1/channels", permission: "access to GET api.example.com/v1/channels",
		},
		"event_hub": {
			config: func(c *Config) {
				c.Platform, c.API = "nice_cxone", "event_hub"
				c.EventHub.TenantID, c.EventHub.UserID = "tenant", "user"
				c.OAuth2.TokenURL = "https://api.example.com/token"
			},
			event: func(kind, id string, at time.Time) string {
				name, status := "CaseCreated", "new"
				if kind == wsevent.ConnectionClose {
					name, status = "CaseStatusChanged", "closed"
				}
				return fmt.Sprintf(`{"eventId":"e","eventType":%q,"createdAt":%q,"traceId":"trace of %s","data":{"channel":{"id":"chat"},"case":{"id":%q,"status":%q}}}`,
					name, iso(at), id, id, status)
			},
			history: "/dfo/3.0/contacts", permission: "Digital Engagement > Analytics > View",
		},
		"notifications": {
			config: func(c *Config) {
				c.API, c.Notifications.Topics = "notifications", []string{"v2.routing.queues.q.conversations.messages"}
			},
			event: func(kind, id string, at time.Time) string {
				times, state := fmt.Sprintf(`"connectedTime":%q`, iso(at)), "connected"
				if kind == wsevent.ConnectionClose {
					times, state = fmt.Sprintf(`"endTime":%q`, iso(at)), "disconnected"
				}
				return fmt.Sprintf(`{"topicName":"v2.routing.queues.q.conversations.messages","eventBody":{"id":%q,"participants":[{"id":%q,"purpose":"customer","type":"webmessaging","state":%q,%s}]}}`,
					id, id, state, times)
			},
			history: "/details/query", permission: "analytics:conversationDetail:view", reason: "transport.failure",
		},
	}
	for name, one := range all {
		one.name = name
		all[name] = one
	}
	return all
}

// watcher is a receiver in a bubble, whose socket the test is.
type watcher struct {
	*bench
	api      worldAPI
	conn     *connection
	kill     func()
	shutdown func()
}

const (
	worldSettle    = 10 * time.Second
	worldReconcile = time.Minute
)

// watch starts a receiver.
func watch(t *testing.T, one worldAPI, of *world, storage *owntest.Storage) *watcher {
	t.Helper()
	config := configFor("wss://api.example.com")
	config.InitialState.Enabled, config.InitialState.Settle, config.InitialState.ReconcileInterval = true, worldSettle, worldReconcile
	one.config(config)
	if storage != nil {
		id := owntest.StorageID
		config.Storage = &id
	}
	b := newBench(t, config)
	if storage != nil {
		b.host = owntest.NewHost(storage)
	}
	b.reconciler = newReconciler(config.InitialState, time.Now())
	up, err := b.newUpstream(t.Context())
	require.NoError(t, err)
	limited, ok := b.client.Transport.(*wsclient.RateLimitedTransport)
	require.True(t, ok)
	limited.Next = of
	reporter := newStatus(func(event *componentstatus.Event) { b.host.Report(event) })
	conn, err := b.connection(0, reporter, up.NewDecode)
	require.NoError(t, err)
	conn.session = wsclient.New(up.session(0), conn)
	require.NoError(t, b.prepareReconciler(t.Context(), b.host, up, []*connection{conn}, reporter))
	if config.API == "event_hub" {
		_, failure := up.Prepare(0)(t.Context(), wsclient.Access{Token: "t"}, false)
		require.Nil(t, failure)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var delivering sync.WaitGroup
	delivering.Go(func() { conn.batcher.run(context.Background(), conn.delivery.deliver) })
	b.runReconciler(ctx)
	w := &watcher{bench: b, api: one, conn: conn}
	w.kill = sync.OnceFunc(func() {
		cancel()
		b.reconciling.Wait()
		conn.batcher.close()
		b.running.Wait()
		delivering.Wait()
		b.telemetry.Shutdown(context.Background()) //nolint:errcheck // the test's own
	})
	w.shutdown = func() {
		now := time.Now()
		conn.Disconnected(&wsclient.End{Cause: wsclient.Shutdown, At: now, LastActivity: now}, 0)
		w.kill()
		require.NoError(t, b.closeReconciler(t.Context()))
	}
	return w
}

func (w *watcher) connect() { w.conn.Connected(time.Now(), 0) }

func (w *watcher) disconnect() {
	now := time.Now()
	w.conn.Disconnected(&wsclient.End{Cause: wsclient.Reset, At: now, LastActivity: now}, 0)
}

// event is one that arrives.
func (w *watcher) event(kind, id string) {
	now := time.Now()
	w.conn.Text([]byte(w.api.event(kind, id, now)), now, 0)
}

// emitted are the opens and closes since the first of some records, as "open a at 60s", with
// the reason of a close, and "~" where it is reconstructed.
func (w *watcher) emitted(since time.Time) (all []string) {
	for _, one := range w.downstream.records(wsevent.ConnectionOpen, wsevent.ConnectionClose) {
		line := fmt.Sprintf("%s %s at %gs", strings.TrimPrefix(one.EventName(), "connection."), one.text(wsevent.ChannelID), one.Timestamp().AsTime().Sub(since).Seconds())
		if one.text(wsevent.EventReconstructed) == "true" {
			line = "~" + line
		}
		if reason := one.text(wsevent.CloseReason); reason != "" {
			line += " " + reason
		}
		all = append(all, line)
	}
	slices.Sort(all)
	return all
}

// bubble runs a test of each API in a bubble of its own.
func bubble(t *testing.T, test func(t *testing.T, one worldAPI, of *world)) {
	t.Helper()
	for name, one := range worldAPIs() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				test(t, one, &world{})
			})
		})
	}
}
