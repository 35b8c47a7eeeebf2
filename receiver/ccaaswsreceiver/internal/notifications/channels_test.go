// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package notifications

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/wsclient"
)

// service is a Notification Service in little.
type service struct {
	mutex    sync.Mutex
	queues   int
	channels int
	gone     map[string]bool
	puts     []string // channel and number of topics
	reject   string   // in a topic
	busy     int
	overlaps int
}

func (s *service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mutex.Lock()
	s.busy++
	put := r.Method == http.MethodPut
	if put && s.busy > 1 {
		s.overlaps++
	}
	s.mutex.Unlock()
	if put {
		time.Sleep(time.Millisecond)
	}
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.busy--
	switch parts := strings.Split(r.URL.Path, "/"); {
	case r.Method == http.MethodPost:
		s.channels++
		_, _ = fmt.Fprintf(w, `{"connectUri":"wss://streaming.example.com/channels/c%d","id":"c%d","expires":%q}`,
			s.channels, s.channels, time.Now().Add(24*time.Hour).Format(time.RFC3339Nano))
	case put && s.gone[parts[5]]:
		http.NotFound(w, r)
	case put:
		var topics []topic
		_ = json.NewDecoder(r.Body).Decode(&topics)
		s.puts = append(s.puts, fmt.Sprintf("%s %d %s", parts[5], len(topics), r.URL.RawQuery))
		for i := range topics {
			topics[i].State = "Permitted"
			if s.reject != "" && strings.Contains(topics[i].ID, s.reject) {
				topics[i].State, topics[i].RejectionReason, topics[i].MissingPermissions = "Rejected", "no", []string{"conversation:message:view"}
			}
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"entities": topics})
	default:
		var page int
		_, _ = fmt.Sscan(r.URL.Query().Get("pageNumber"), &page)
		var list []map[string]string
		for n := (page - 1) * 100; n < min(page*100, s.queues); n++ {
			list = append(list, map[string]string{"id": fmt.Sprintf("q%05d", n)})
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"entities": list, "pageCount": (s.queues + 99) / 100})
	}
}

// reports are the calls of Settings.Rejected and LeftOut.
type reports struct {
	rejected []string
	leftOut  int
}

func channelsOf(t *testing.T, s *service, change func(*Settings)) (*Channels, *reports) {
	t.Helper()
	if s.gone == nil {
		s.gone = map[string]bool{}
	}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	api, err := url.Parse(server.URL)
	require.NoError(t, err)
	got := &reports{}
	settings := Settings{
		Client: server.Client(), API: api, Channels: 1, Overlap: 30 * time.Second,
		Rejected: func(topic, reason string, missing []string) {
			got.rejected = append(got.rejected, fmt.Sprint(topic, " ", reason, " ", missing))
		},
		LeftOut: func(topics int) { got.leftOut = topics },
	}
	if change != nil {
		change(&settings)
	}
	return New(settings), got
}

func prepare(t *testing.T, c *Channels, number int, fresh bool) string {
	t.Helper()
	route, failure := c.Prepare(number)(t.Context(), wsclient.Access{Token: "token"}, fresh)
	if failure != nil {
		return string(failure.Cause) + ": " + failure.Error()
	}
	return route.Socket.Path
}

func TestChannels_ReusedUntilNotFound(t *testing.T) {
	t.Parallel()
	s := &service{}
	c, _ := channelsOf(t, s, func(set *Settings) { set.Topics = []string{"a", "b", "a"} })
	assert.Equal(t, 1, c.Sessions())
	assert.Equal(t, "/channels/c1", prepare(t, c, 0, false))
	assert.Equal(t, "/channels/c1", prepare(t, c, 0, false), "after a break")
	assert.Equal(t, "/channels/c2", prepare(t, c, 0, true), "a rotation")
	s.gone["c2"] = true
	assert.Equal(t, "/channels/c3", prepare(t, c, 0, false))
	assert.Equal(t, []string{"c1 2 ignoreErrors=true", "c1 2 ignoreErrors=true", "c2 2 ignoreErrors=true", "c3 2 ignoreErrors=true"}, s.puts)
}

func TestChannels_SpreadTopics(t *testing.T) {
	t.Parallel()
	topics := func(n int) []string {
		var all []string
		for i := range n {
			all = append(all, fmt.Sprintf("t%06d", i))
		}
		return all
	}
	for _, test := range []struct{ topics, connections, sessions, leftOut int }{
		{1, 1, 1, 0},
		{1, 5, 1, 0},
		{1000, 1, 1, 0},
		{1001, 1, 2, 0},
		{10, 3, 3, 0},
		{19_000, 1, 19, 0},
		{25_000, 1, 19, 6000},
	} {
		c, got := channelsOf(t, &service{}, func(set *Settings) { set.Topics, set.Channels = topics(test.topics), test.connections })
		assert.Equal(t, test.sessions, c.Sessions(), test)
		assert.Equal(t, test.leftOut, got.leftOut, test)
		all := 0
		for _, share := range c.shares {
			assert.LessOrEqual(t, len(share), MaxTopics)
			all += len(share)
		}
		assert.Equal(t, test.topics-test.leftOut, all)
	}
}

func TestChannels_DiscoverNewQueues(t *testing.T) {
	t.Parallel()
	s := &service{queues: 250}
	c, _ := channelsOf(t, s, nil)
	assert.Equal(t, MaxCarrying, c.Sessions())
	waiting := make(chan string)
	go func() { waiting <- prepare(t, c, 1, false) }()
	assert.Equal(t, "/channels/c1", prepare(t, c, 0, false))
	assert.Equal(t, []string{"c1 250 ignoreErrors=true"}, s.puts)
	assert.Equal(t, "v2.routing.queues.q00000.conversations.messages", c.shares[0][0])

	require.Nil(t, c.Refresh(t.Context(), wsclient.Access{}))
	assert.Len(t, s.puts, 1, "nothing has changed")
	s.queues = 1001
	before := slices.Clone(c.shares[0])
	require.Nil(t, c.Refresh(t.Context(), wsclient.Access{}))
	assert.Equal(t, "/channels/c2", <-waiting, "there is work for a second channel")
	assert.Subset(t, c.shares[0], before, "a topic stays where it is")
	all, rejected := c.Topics()
	assert.Equal(t, []int{1001, 0}, []int{all, rejected})
	assert.Zero(t, s.overlaps, "one subscription at a time")
}

func TestChannels_NoQueuesIsFailure(t *testing.T) {
	t.Parallel()
	c, _ := channelsOf(t, &service{}, nil)
	assert.Contains(t, prepare(t, c, 0, false), "not_found: queues: there are none that the OAuth client may see; grant its role routing:queue:view")
}

func TestChannels_RejectedTopicsAreReportedOnce(t *testing.T) {
	t.Parallel()
	s := &service{reject: "b"}
	c, got := channelsOf(t, s, func(set *Settings) { set.Topics = []string{"a", "b", "bb"} })
	assert.Equal(t, "/channels/c1", prepare(t, c, 0, false))
	assert.Equal(t, "/channels/c1", prepare(t, c, 0, false))
	assert.Equal(t, []string{"b no [conversation:message:view]", "bb no [conversation:message:view]"}, got.rejected)
	_, rejected := c.Topics()
	assert.Equal(t, 2, rejected)
	s.reject = "x"
	prepare(t, c, 0, false)
	_, rejected = c.Topics()
	assert.Zero(t, rejected)

	c, _ = channelsOf(t, &service{reject: "a"}, func(set *Settings) { set.Topics = []string{"a"} })
	assert.Contains(t, prepare(t, c, 0, false), `unauthorized: subscriptions: the platform rejects all 1 topics, the first ("a") for "no"; grant the OAuth client's role conversation:message:view`)
}

func TestChannels_RotationRespectsQuota(t *testing.T) {
	t.Parallel()
	c, _ := channelsOf(t, &service{}, func(set *Settings) {
		set.Channels = 18
		for n := range 18 {
			set.Topics = append(set.Topics, fmt.Sprint("t", n))
		}
	})
	for number := range 18 {
		require.Contains(t, prepare(t, c, number, false), "/channels/")
	}
	for number := range 2 {
		require.Contains(t, prepare(t, c, number, true), "/channels/")
	}
	assert.Contains(t, prepare(t, c, 2, true), "quota: notification channels: 20 of the 20 that the platform allows are in use")
	c.rotated[0] = time.Now().Add(-time.Minute)
	assert.Contains(t, prepare(t, c, 2, true), "/channels/", "the overlap of one is over")
}

func TestBadAnswers(t *testing.T) {
	t.Parallel()
	for answer, want := range map[string]string{
		`[]`:                                "the answer is no channel",
		`{"id":"c","connectUri":"ftp://x"}`: `connectUri: scheme "ftp"`,
		`{"id":"c","connectUri":"wss://x/a","expires":"never"}`: "expires is neither",
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(answer)) }))
		api, err := url.Parse(server.URL)
		require.NoError(t, err)
		c := New(Settings{Client: server.Client(), API: api, Topics: []string{"a"}})
		assert.Contains(t, prepare(t, c, 0, false), want)
		server.Close()
	}
}
